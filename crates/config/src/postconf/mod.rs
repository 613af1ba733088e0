//! `postconf` as a library: shows and edits main.cf as the command of Postfix 3.7.11 does.
//!
//! Has `-c -d -n -h -H -x -f -o -C -e -X -# -l -m -a -A -T -p -v`, `-M -F -P` to show and edit a master.cf, and of later versions `-j` and `-q`. Leaves out bounce
//! templates (`-b -t`): that says so, exit 1.
//! The golden tests below are outputs of the original, except where a comment says otherwise; `tests/postconf` runs beside it. Lines that
//! begin `postconf: hint:` are ours: what a slip of the hand probably meant ([`crate::slip`]).

mod args;
mod change;
mod master;
mod master_edit;
mod show;

use crate::maps;
use args::Request;
use std::io::{self, Write};

/// Runs the command; `args` without the program's name. Gives the exit code: 0, or 1 after a message on `err`.
///
/// The environment is not read: who wants `MAIL_CONFIG` to count puts `-c $MAIL_CONFIG` before the other arguments.
pub fn run<S: AsRef<str>>(args: &[S], out: &mut dyn Write, err: &mut dyn Write) -> i32 {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    match command(&args, out, err) {
        Ok(()) => 0,
        // A reader that went away (`postconf | head`) is no failure worth a word.
        Err(Fatal::Output(_)) => 1,
        // it said why
        Err(Fatal::Told(text)) if text.is_empty() => 1,
        Err(Fatal::Told(text)) => {
            // There is nobody left to tell if this fails too.
            let _ = writeln!(err, "postconf: fatal: {text}");
            1
        }
    }
}

enum Fatal {
    /// Ends the run with this message.
    Told(String),
    /// Nobody listens.
    Output(#[allow(dead_code)] io::Error),
}

impl From<io::Error> for Fatal {
    fn from(error: io::Error) -> Self {
        Fatal::Output(error)
    }
}

impl From<String> for Fatal {
    fn from(text: String) -> Self {
        Fatal::Told(text)
    }
}

fn command(args: &[&str], out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Fatal> {
    match args::parse(args, err)? {
        Request::Locks => out.write_all(b"flock\nfcntl\ndotlock\n").map_err(Fatal::from),
        Request::Maps => maps::TYPES.iter().try_for_each(|name| writeln!(out, "{name}")).map_err(Fatal::from),
        Request::SaslTypes { server } => out.write_all(if server { b"cyrus\ndovecot\n" } else { b"cyrus\n" }).map_err(Fatal::from),
        Request::Tls(mode) => tls(&mode, out, err),
        Request::Master(asked) => master::show(&asked, out, err),
        Request::MasterEdit(asked) => master_edit::edit(&asked, err),
        Request::Change(change) => change::change(&change, err),
        Request::Show(show) => show::show(&show, out, err),
    }
}

/// `-T`: of the TLS library and what it can.
fn tls(mode: &str, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Fatal> {
    match mode {
        "compile-version" | "run-version" => writeln!(out, "rustls")?,
        "public-key-algorithms" => writeln!(out, "ecdsa\nrsa")?,
        _ => {
            writeln!(err, "postconf: warning: unknown 'postconf -T' mode: {mode}")?;
            return Err(Fatal::Told(String::new()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Runs against a directory called `c` in messages and values.
    fn postconf(main_cf: Option<&str>, args: &[&str]) -> (String, String, i32, Option<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("main.cf");
        if let Some(text) = main_cf {
            fs::write(&path, text).unwrap();
        }
        let name = dir.path().display().to_string();
        let args: Vec<String> = ["-c", &name].iter().chain(args).map(|a| (*a).to_owned()).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&args, &mut out, &mut err);
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap().replace(&name, "c");
        (text(out), text(err), code, fs::read_to_string(path).ok())
    }

    const SAMPLE: &str = "myhostname = mail.example.test\nmydestination = $myhostname,\n   localhost.$mydomain\n# comment\n\tlocalhost\n   # another\nrelayhost =\n";

    #[test]
    fn shows_what_postfix_shows() {
        let cases: &[(&str, &[&str], &str, &str)] = &[
            (SAMPLE, &["-n"], "config_directory = c\nmydestination = $myhostname, localhost.$mydomain localhost\nmyhostname = mail.example.test\nrelayhost =\n", ""),
            (SAMPLE, &["mydestination", "relayhost", "nosuch", "myorigin"],
                "mydestination = $myhostname, localhost.$mydomain localhost\nrelayhost =\nmyorigin = $myhostname\n",
                "postconf: warning: nosuch: unknown parameter\n"),
            (SAMPLE, &["-h", "relayhost", "mydestination"], "\n$myhostname, localhost.$mydomain localhost\n", ""),
            (SAMPLE, &["-j", "relayhost", "myhostname"], "{\"relayhost\": \"\"}\n{\"myhostname\": \"mail.example.test\"}\n", ""),
            ("myorigin = a\\\"b\n", &["-jq", "myorigin"], "{\"myorigin\": \"a\\\\\\\"b\"}\n", ""),
            (SAMPLE, &["-T", "run-version"], "rustls\n", ""),
            (SAMPLE, &["-H", "relayhost", "mydestination"], "relayhost\nmydestination\n", ""),
            (SAMPLE, &["-x", "mydestination", "myorigin"], "mydestination = mail.example.test, localhost.example.test localhost\nmyorigin = mail.example.test\n", ""),
            (SAMPLE, &["-d", "mydestination", "myorigin", "nosuch"], "mydestination = $myhostname, localhost.$mydomain, localhost\nmyorigin = $myhostname\n",
                "postconf: warning: nosuch: unknown parameter\n"),
            (SAMPLE, &["-p", "relayhost"], "relayhost =\n", ""),
            (SAMPLE, &["-o", "myhostname=foo.bar", "-x", "myorigin"], "myorigin = foo.bar\n", ""),
            (SAMPLE, &["-n", "-o", "myhostname = foo.bar", "myhostname"], "myhostname = foo.bar\n", ""),
            (SAMPLE, &["-nh", "myhostname"], "mail.example.test\n", ""),
            (SAMPLE, &["-n", "--", "myhostname"], "myhostname = mail.example.test\n", ""),
            ("foo = bar\nbaz = 1\nmyorigin = $foo\n", &["-n"], "config_directory = c\nfoo = bar\nmyorigin = $foo\n", "postconf: warning: c/main.cf: unused parameter: baz=1\n"),
            ("foo = bar\nmyorigin = $foo\n", &["foo"], "foo = bar\n", ""),
            ("foo = bar\nmyorigin = $foo\n", &["-C", "user", "-n"], "foo = bar\n", ""),
            ("foo = bar\nmyorigin = $foo\n", &["-C", "builtin", "-n"], "config_directory = c\nmyorigin = $foo\n", ""),
            ("baz = 1\n", &["-n", "baz"], "", "postconf: warning: baz: unknown parameter\npostconf: warning: c/main.cf: unused parameter: baz=1\n"),
            ("baz = 1\n", &["mail_owner", "-h"], "mail_owner = posthouse\n", "postconf: warning: -h: unknown parameter\npostconf: warning: c/main.cf: unused parameter: baz=1\n"),
            ("myorigin = a\nmydomain = x\nmyorigin = b\n # c\n d\n", &["-n"], "config_directory = c\nmydomain = x\nmyorigin = b d\n",
                "postconf: warning: c/main.cf, line 3: overriding earlier entry: myorigin=a\n"),
            ("myorigin = $nosuch/x\n", &["-x", "myorigin"], "myorigin = /x\n", "postconf: warning: c/main.cf: undefined parameter: nosuch\n"),
            ("myorigin = $nosuch/x\n", &["myorigin"], "myorigin = $nosuch/x\n", "postconf: warning: c/main.cf: undefined parameter: nosuch\n"),
            ("  leading = x\nmyorigin = x\n", &["-n"], "config_directory = c\nmyorigin = x\n", "postconf: warning: c/main.cf: logical line must not start with whitespace: \"  leading = x\"\n"),
            ("config_directory = /xx\nmyorigin=a\n", &["-n"], "config_directory = /xx\nmyorigin = a\n", "postconf: warning: c/main.cf, line 1: overriding earlier entry: config_directory=c\n"),
            ("compatibility_level = 3.6\n", &["-x", "append_dot_mydomain", "mynetworks_style", "smtpd_relay_restrictions", "relay_domains"],
                "append_dot_mydomain = no\nmynetworks_style = host\nsmtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination\nrelay_domains =\n", ""),
            ("", &["-l"], "flock\nfcntl\ndotlock\n", ""),
            ("mail_version = 4\n", &["-h", "mail_version"], "4\n", ""),
            ("", &["mail_version", "mail_name", "syslog_name", "config_directory", "smtpd_timeout"],
                "mail_version = 3.7.11\nmail_name = Posthouse\nsyslog_name = ${multi_instance_name?{$multi_instance_name}:{postfix}}\nconfig_directory = c\nsmtpd_timeout = ${stress?{10}:{300}}s\n", ""),
        ];
        for (main_cf, args, want_out, want_err) in cases {
            let (out, err, code, _) = postconf(Some(main_cf), args);
            assert_eq!((out.as_str(), err.as_str(), code), (*want_out, *want_err, 0), "{main_cf:?} {args:?}");
        }
    }

    #[test]
    fn folds_long_lines_as_postfix_does() {
        let main_cf = "mydestination = $myhostname, localhost.$mydomain, localhost, aaaaaaaaaaaaaaaaaaaaa.example.test, bbbbbbbbbbbbbbbbbbbbbb.example.test\n\
            relayhost = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b\n";
        let (out, ..) = postconf(Some(main_cf), &["-f", "mydestination", "relayhost"]);
        assert_eq!(out, "mydestination = $myhostname, localhost.$mydomain, localhost,\n    aaaaaaaaaaaaaaaaaaaaa.example.test, bbbbbbbbbbbbbbbbbbbbbb.example.test\n\
            relayhost =\n    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n    b\n");
        let (out, ..) = postconf(Some(main_cf), &["-fh", "mydestination"]);
        assert_eq!(out, "$myhostname, localhost.$mydomain, localhost, aaaaaaaaaaaaaaaaaaaaa.example.test,\n    bbbbbbbbbbbbbbbbbbbbbb.example.test\n");
        let (out, ..) = postconf(None, &["-df", "proxy_read_maps"]);
        assert!(out.contains("\n    $smtp_generic_maps $lmtp_generic_maps $alias_maps $smtpd_client_restrictions\n"), "{out}");
        assert!(out.starts_with("proxy_read_maps = $local_recipient_maps $mydestination $virtual_alias_maps\n    $virtual_alias_domains"), "{out}");
    }

    #[test]
    fn edits_what_postfix_edits() {
        let cases: &[(&str, &[&str], &str, &str)] = &[
            (SAMPLE, &["-e", "mydestination = a, b", "new=1", "relayhost="],
                "myhostname = mail.example.test\nmydestination = a, b\n# comment\n   # another\nrelayhost = \nnew = 1\n", ""),
            (SAMPLE, &["new = $x  "], &format!("{SAMPLE}new = $x\n"), ""),
            ("myorigin = a\nmyorigin = b\n # c\n d\n", &["-e", "myorigin=z"], "myorigin = z\nmyorigin = z\n # c\n", "postconf: warning: c/main.cf: multiple entries for \"myorigin\"\n"),
            ("a = 1\n  2\n# x\n  3\nmyorigin = q\n", &["-#", "a", "nosuch"], "#a = 1\n#  2\n# x\n#  3\nmyorigin = q\n", ""),
            ("a = 1\n  2\n# x\n  3\nmyorigin = q\n", &["-X", "a"], "# x\nmyorigin = q\n", ""),
            ("a = 1\n", &["-X", "nosuch"], "a = 1\n", ""),
            ("", &["-e", "foo=#a"], "foo = #a\n", ""),
            ("", &["-e", "myorigin = a", "myorigin = b"], "myorigin = b\n", "postconf: warning: ignoring earlier request: 'myorigin = a'\n"),
        ];
        for (main_cf, args, want, want_err) in cases {
            let (out, err, code, text) = postconf(Some(main_cf), args);
            assert_eq!((text.as_deref(), err.as_str(), code), (Some(*want), *want_err, 0), "{main_cf:?} {args:?}");
            assert_eq!(out, "");
        }
    }

    #[test]
    fn fails_as_postfix_does_and_changes_nothing() {
        let cases: &[(&[&str], &str)] = &[
            (&["-e", "nofoo"], "missing '=' after attribute name: \"nofoo\""),
            (&["-e", "a=1", "nofoo"], "missing '=' after attribute name: \"nofoo\""),
            (&["-e", "a b=c"], "missing '=' after attribute name: \"a b=c\""),
            (&["-e", "=b"], "missing attribute name: \"=b\""),
            (&["-e", "#foo=a"], "-e, -X, or -# accepts no comment input"),
            (&["-e", "foo=a\nb"], "-e, -X, or -# accepts no multi-line input"),
            (&["-X", " "], "-X or -# requires non-blank parameter names"),
            (&["-X", "#a"], "-e, -X, or -# accepts no comment input"),
            (&["-X", "a=b"], "specify one of -e -X"),
            (&["-#", "a=b"], "specify one of -e -#"),
            (&["-#", "-X", "a"], "specify one of -X -#"),
            (&["-n", "-d"], "specify one of -d -n"),
            (&["-e", "-n", "a=b"], "specify one of -e -n"),
            (&["-e", "-d", "a=b"], "specify one of -d -e"),
            (&["-e", "-h", "a=b"], "specify one of -e -h"),
            (&["-X", "-h", "a"], "specify one of -h -X"),
            (&["-H", "-h", "a"], "specify one of -h -H"),
            (&["-o", "a=b", "-e", "c=d"], "specify one of -e -o"),
            (&["-d", "-o", "a=b", "relayhost"], "specify one of -d -o"),
            (&["-d", "a=b"], "specify one of -d -e"),
            (&["-e"], "-e requires name=value argument"),
            (&["-o", "foo", "-n"], "invalid parameter override: foo: missing '=' after attribute name"),
            (&["-C", "foo", "-n"], "unknown -C option value \"foo\" in \"foo\""),
            (&["-l", "-n"], "with option -l, do not specify -n"),
            // Ours: what we leave out says so.
            (&["-M"], "open c/master.cf: No such file or directory"),
            (&["-b"], "-b is not supported here"),
        ];
        for (args, want) in cases {
            let (out, err, code, text) = postconf(Some("a = 0\n"), args);
            assert_eq!((out.as_str(), err.as_str(), code), ("", format!("postconf: fatal: {want}\n").as_str(), 1), "{args:?}");
            assert_eq!(text.as_deref(), Some("a = 0\n"), "{args:?}");
        }
    }

    #[test]
    fn says_which_file_can_not_be_read() {
        let (_, err, code, _) = postconf(None, &["-n"]);
        assert_eq!((err.as_str(), code), ("postconf: fatal: open c/main.cf: No such file or directory\n", 1));
        let (_, err, code, text) = postconf(None, &["-e", "a=b"]);
        assert_eq!((err.as_str(), code, text), ("postconf: fatal: open c/main.cf for reading: No such file or directory\n", 1, None));
        let (out, err, code, _) = postconf(None, &["-d", "relayhost"]);
        assert_eq!((out.as_str(), err.as_str(), code), ("relayhost =\n", "", 0));
        let (_, err, code, _) = postconf(Some("noequals\nmyorigin = x\n"), &["-n"]);
        assert_eq!((err.as_str(), code), ("postconf: fatal: c/main.cf, line 1: missing '=' after attribute name: \"noequals\"\n", 1));
        let (_, err, code, _) = postconf(Some("myorigin = ${mydomain\n"), &["-x", "myorigin"]);
        assert_eq!((err.as_str(), code), ("postconf: warning: truncated macro reference: \"${mydomain\"\npostconf: fatal: macro processing error\n", 1));
        let (_, err, code, _) = postconf(Some(""), &["-z"]);
        assert!(err.starts_with("postconf: invalid option -- 'z'\npostconf: fatal: usage: postconf ") && code == 1, "{err}");
    }

    #[test]
    fn lists_all_defaults_sorted() {
        let (out, err, code, _) = postconf(None, &["-d"]);
        let names: Vec<_> = out.lines().map(|line| line.split(" =").next().unwrap()).collect();
        assert!(names.is_sorted() && names.len() > 831 && code == 0 && err.is_empty());
        assert_eq!(names[0], "2bounce_notice_recipient");
        for line in ["mydestination = $myhostname, localhost.$mydomain, localhost", "relayhost =", "config_directory = /etc/posthouse", "store_directory = /var/lib/posthouse",
            "append_dot_mydomain = ${{$compatibility_level} <level {1} ? {yes} : {no}}", "smtp_destination_recipient_limit = $default_destination_recipient_limit"] {
            assert!(out.lines().any(|l| l == line), "{line}");
        }
        // Old names that defaults mention are no parameters.
        assert!(!names.contains(&"virtual_maps"));
    }
}
