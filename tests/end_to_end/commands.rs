//! Commands, their exit codes and what they say (DESIGN §1.2).

use house_tests::client;
use house_tests::program::Configured;

fn fresh() -> (tempfile::TempDir, Configured) {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    (directory, configured)
}

#[test]
fn setup_is_idempotent() {
    let (directory, configured) = fresh();
    let read = |name: &str| std::fs::read_to_string(configured.directory.join(name)).expect("a file of setup");
    let before = ["main.cf", "certs/server.pem", "certs/server.key", "certs/ca.pem"].map(read);
    configured.set("# a line of the operator's own");
    Configured::setup(directory.path(), &[]);
    let after = ["main.cf", "certs/server.pem", "certs/server.key", "certs/ca.pem"].map(read);
    assert_eq!(after[1..], before[1..], "another certificate");
    assert_eq!(after[0], format!("{}# a line of the operator's own\n", before[0]));
    configured.run(&["check"]).ok();
}

#[test]
fn accounts_are_made_listed_and_removed() {
    let (_directory, configured) = fresh();
    configured.add_user("carol@example.test", "a long password");
    configured.run_with(&["user", "add", "dave@example.test", "--quota", "2G", "--password-stdin"], "no newline at the end").ok();
    let users = configured.listing(&["user", "list"]);
    assert_eq!(users.len(), 2, "{users:?}");
    assert_eq!((&users[0]["address"], &users[0]["state"], &users[0]["quota_bytes"]), (&"carol@example.test".into(), &"active".into(), &serde_json::Value::Null));
    assert_eq!(users[1]["quota_bytes"], 2_u64 << 30);
    let refused = |arguments: &[&str], input: &str, code: i32, words: &[&str]| configured.run_with(arguments, input).refused(code, words);
    refused(&["user", "add", "carol@example.test", "--password-stdin"], "another password\n", 73, &["carol@example.test"]);
    refused(&["user", "show", "nobody@example.test"], "", 67, &["nobody@example.test", "no such user"]);
    refused(&["user", "passwd", "nobody@example.test", "--password-stdin"], "x\n", 67, &["nobody@example.test"]);
    refused(&["user", "remove", "nobody@example.test"], "", 67, &["nobody@example.test"]);
    refused(&["user", "add", "erin@elsewhere.test", "--password-stdin"], "a password\n", 67, &["elsewhere.test"]);
    refused(&["user", "add", "no address", "--password-stdin"], "a password\n", 65, &["no address"]);
    // A pipe is never asked for a password; an empty one is none.
    refused(&["user", "add", "erin@example.test"], "secret\n", 64, &["--password-stdin"]);
    refused(&["user", "add", "erin@example.test", "--password-stdin"], "", 65, &["empty"]);
    refused(&["user", "add", "erin@example.test", "--password-stdin"], "\n", 65, &["empty"]);
    let weak = configured.run_with(&["user", "add", "erin@example.test", "--password-stdin"], "x\n");
    assert!(weak.code == Some(0) && weak.err.contains("erin@example.test"), "weak ones are warned of: {weak:#?}");
    configured.run(&["user", "remove", "erin@example.test"]).ok();
    assert!(configured.listing(&["user", "list"]).iter().all(|user| user["address"] != "erin@example.test"));
}

#[test]
fn who_has_seen_enough_ends_a_listing() {
    use std::io::{BufRead, BufReader};
    let (_directory, configured) = fresh();
    configured.add_user("carol@example.test", "a long password");
    let mut child = configured.command(&["user", "list"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("posthouse");
    // Closed before it writes, as by a pager that was left.
    drop(child.stdout.take());
    let mut said = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut said).expect("read");
    assert_eq!((child.wait().expect("ended").code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_passwd_file_of_dovecot_is_imported_with_its_hashes() {
    let (directory, configured) = fresh();
    let file = directory.path().join("passwd");
    let lines = "# user:password:uid:gid:gecos:home:shell:extra\n\n\
        old@example.test:{SSHA}44OpV7jyUnqqBa721xT/NioZnr18yyqA:5000:5000::/var/mail/old::userdb_quota_rule=*:storage=2G\n\
        clear@example.test:{PLAIN}in the clear:::::: userdb_mail=mbox:~/mail\n\
        otp@example.test:{OTP}x\n\
        far@elsewhere.test:{SSHA}44OpV7jyUnqqBa721xT/NioZnr18yyqA\n\
        nets@example.test:{PLAIN}x::::::allow_nets=192.0.2.0/24\n";
    std::fs::write(&file, lines).expect("written");
    let path = file.to_str().expect("UTF-8");
    let said = configured.run(&["user", "import", path]);
    assert!(said.out.contains("2 imported, 0 were there already, 3 refused"), "{said:#?}");
    let words = ["passwd, line 4: clear@example.test: not taken over: userdb_mail", "line 5: otp@example.test: password scheme {OTP}", "line 6: far@elsewhere.test: the domain elsewhere.test is not hosted; posthouse domain add", "line 7: nets@example.test: allow_nets"];
    said.refused(65, &words);
    let users = configured.listing(&["user", "list"]);
    assert_eq!(users.iter().map(|user| user["address"].as_str().expect("text")).collect::<Vec<_>>(), ["clear@example.test", "old@example.test"]);
    assert_eq!(users[1]["quota_bytes"], 2_u64 << 30);
    std::fs::write(&file, lines.lines().take(4).collect::<Vec<_>>().join("\n")).expect("written");
    let note = configured.listing(&["check"]).into_iter().find(|problem| problem["code"] == "no-scram-keys").expect("a note");
    assert!(note["severity"] == "note" && note["text"].as_str().is_some_and(|text| text.ends_with(": old@example.test")), "{note}");
    assert!(configured.run(&["user", "import", path]).ok().contains("0 imported, 2 were there already, 0 refused"));
    configured.run(&["user", "import", "/nowhere"]).refused(69, &["/nowhere"]);
}

#[test]
fn app_passwords_are_shown_once_listed_and_removed() {
    let (_directory, configured) = fresh();
    configured.add_user("carol@example.test", "a long password");
    let add = |more: &[&str]| configured.run(&[&["user", "app-password", "add", "carol@example.test"], more].concat());
    let password = add(&["--name", "printer", "--for", "submission"]).ok();
    assert_eq!((password.trim().len(), password.matches('-').count()), (34, 6), "{password}");
    assert_ne!(add(&["--name", "phone", "--for", "imap,submission"]).ok(), password);
    add(&["--name", "phone"]).refused(65, &["carol@example.test", "of that name"]);
    assert_eq!(add(&["--name", "x", "--for", "ftp"]).code, Some(64));
    add(&["--name", ""]).refused(65, &["a name has"]);
    let listed = configured.listing(&["user", "app-password", "list", "carol@example.test"]);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!((&listed[0]["name"], &listed[0]["for"], &listed[0]["last_used"]), (&"printer".into(), &serde_json::json!(["submission"]), &serde_json::Value::Null));
    assert_eq!(listed[1]["for"], serde_json::json!(["imap", "submission"]));
    configured.run(&["user", "app-password", "remove", "carol@example.test", "--name", "phone"]).ok();
    configured.run(&["user", "app-password", "remove", "carol@example.test", "--name", "phone"]).refused(67, &["no app password"]);
    configured.run(&["user", "app-password", "list", "nobody@example.test"]).refused(67, &["nobody@example.test"]);
}

#[test]
fn domains_aliases_and_mailboxes_too() {
    let (_directory, configured) = fresh();
    let refused = |arguments: &[&str], code: i32| configured.run(arguments).refused(code, &[]);
    configured.run(&["domain", "add", "Second.test"]).ok();
    refused(&["domain", "add", "second.test"], 73);
    refused(&["domain", "remove", "third.test"], 67);
    let domains = configured.listing(&["domain", "list"]);
    assert_eq!(domains.iter().map(|domain| domain["domain"].as_str().expect("a name")).collect::<Vec<_>>(), ["example.test", "second.test"]);
    configured.run(&["domain", "remove", "second.test"]).ok();

    configured.add_user("carol@example.test", "a long password");
    configured.run(&["alias", "add", "sales@example.test", "carol@example.test", "x@example.org"]).ok();
    let aliases = configured.listing(&["alias", "list"]);
    assert_eq!(aliases[0]["targets"], serde_json::json!(["carol@example.test", "x@example.org"]));
    refused(&["alias", "add", "carol@example.test", "x@example.org"], 73);
    configured.run(&["alias", "remove", "sales@example.test"]).ok();
    refused(&["alias", "remove", "sales@example.test"], 67);

    let names = || -> Vec<String> {
        let listed = configured.listing(&["mailbox", "list", "carol@example.test"]);
        listed.iter().map(|mailbox| mailbox["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert!(names().contains(&"INBOX".to_owned()));
    configured.run(&["mailbox", "create", "carol@example.test", "Work/2026"]).ok();
    refused(&["mailbox", "create", "carol@example.test", "Work/2026"], 73);
    configured.run(&["mailbox", "rename", "carol@example.test", "Work/2026", "Done"]).ok();
    assert!(names().contains(&"Done".to_owned()) && !names().contains(&"Work/2026".to_owned()));
    refused(&["mailbox", "status", "carol@example.test", "Work/2026"], 67);
    configured.run(&["mailbox", "delete", "carol@example.test", "Done"]).ok();
    refused(&["mailbox", "list", "nobody@example.test"], 67);
}

#[test]
fn called_by_another_name_it_is_postfix_s_tool() {
    let (directory, configured) = fresh();
    let postconf = directory.path().join("postconf");
    std::os::unix::fs::symlink(house_tests::program::path(), &postconf).expect("a link");
    let config = configured.directory.to_str().expect("UTF-8");
    let run = |arguments: &[&str]| {
        let said = client::run(postconf.to_str().expect("UTF-8"), &[&["-c", config], arguments].concat());
        said.ok()
    };
    assert_eq!(run(&["-d", "mail_name", "mail_version"]), "mail_name = Posthouse\nmail_version = 3.7.11\n");
    assert!(run(&["-n"]).contains("myhostname = mail.example.test\n"));
    run(&["-e", "message_size_limit = 12345"]);
    assert_eq!(run(&["-h", "message_size_limit"]), "12345\n");
    configured.run(&["check"]).ok();
    // Through the environment too, as Postfix has it.
    let said = client::run_command(std::process::Command::new(&postconf).arg("-n").env("MAIL_CONFIG", config));
    assert!(said.ok().contains("message_size_limit = 12345\n"));
}

#[test]
fn a_wrong_command_line_is_64_and_help_is_none() {
    let (_directory, configured) = fresh();
    for wrong in [&["no-such-command"][..], &["serve", "--only", "gopher"], &["user", "add"], &[]] {
        assert_eq!(configured.run(wrong).code, Some(64), "{wrong:?}");
    }
    assert!(configured.run(&["--help"]).ok().contains("serve"));
    assert!(configured.run(&["--version"]).ok().starts_with("posthouse "));
}

#[test]
fn an_unsound_configuration_is_78_with_file_and_line() {
    let (_directory, configured) = fresh();
    let sound = std::fs::read_to_string(configured.main_cf()).expect("main.cf");
    for (bad, remedy) in [
        ("message_size_limit = many", "the default is 10240000"),
        ("smtpd_recipient_restrictions = reject_unauth_destinaton", "did you mean reject_unauth_destination?"),
        ("smtpd_recipient_restrictions = permit_everything_please", "remove it"),
        ("port_offset = -1", "the default is 0"),
    ] {
        let line = configured.set(bad);
        let (parameter, _) = bad.split_once(' ').expect("a parameter");
        let place = format!("main.cf, line {line}:");
        for command in [&["serve"][..], &["user", "list"]] {
            configured.run(command).refused(78, &[parameter, &place, remedy]);
        }
        let said = configured.run(&["check", "--json"]);
        assert_eq!(said.code, Some(78), "{said:#?}");
        let found: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let error = found.iter().find(|problem| problem["severity"] == "error").unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!(error["line"], line, "{error}");
        assert!(error["file"].as_str().is_some_and(|file| file.ends_with("main.cf")), "{error}");
        std::fs::write(configured.main_cf(), &sound).expect("main.cf");
    }
    configured.run(&["check"]).ok();
}
