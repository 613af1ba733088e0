//! `postmap`, `postalias`, `newaliases`: a table is its text.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use house_tests::client::run_command_with;
use house_tests::program::{self, Configured};
use house_tests::skip;

#[test]
fn tables_are_looked_into_listed_and_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let table = file("t", "Foo  bar\n  cont\n\"a b@x\" val one\nempty\nfoo again\n");
    let regexp = file("r", "/^(.*)@old\\.test$/ $1@new.test\n");
    let cidr = file("c", "192.0.2.0/24 REJECT\n");
    let aliases = file("aliases", "Postmaster: root\nroot: alice, bob\nnoval\n");
    configured.set(&format!("alias_database = hash:{aliases}"));
    let ignored = format!("postmap: warning: {table}, line 4: expected format: key whitespace value");
    let warned = format!("{ignored}\npostmap: warning: {table}, line 5: duplicate entry: \"foo\"\n");
    let no_pair = format!(": warning: {aliases}, line 3: need name:value pair\n");
    let cases = [
        ("postmap", vec![format!("hash:{table}")], "", 0, "".to_owned(), warned.clone()),
        ("postmap", vec![table.clone()], "", 0, "".into(), warned.clone()),
        ("postmap", vec!["-q".into(), "FOO".into(), format!("lmdb:{table}")], "", 0, "bar  cont\n".into(), "".into()),
        ("postmap", vec!["-fq".into(), "FOO".into(), format!("texthash:{table}")], "", 1, "".into(), format!("{ignored} -- ignoring this line\n")),
        ("postmap", vec!["-q".into(), "nobody".into(), format!("cidr:{cidr}")], "", 1, "".into(), "".into()),
        ("postmap", vec!["-q".into(), "-".into(), format!("cidr:{cidr}")], "192.0.2.7\n198.51.100.1\n", 0, "192.0.2.7\tREJECT\n".into(), "".into()),
        ("postmap", vec!["-q".into(), "joe@OLD.test".into(), format!("pcre:{regexp}")], "", 0, "joe@new.test\n".into(), "".into()),
        ("postmap", vec!["-s".into(), format!("hash:{table}")], "", 0, "foo\tbar  cont\n\"a b@x\"\tval one\n".into(), "".into()),
        ("postmap", vec![format!("regexp:{regexp}")], "", 1, "".into(), "postmap: fatal: unsupported dictionary type: regexp does not support bulk-mode creation.\n".into()),
        ("postmap", vec![format!("nosuch:{table}")], "", 1, "".into(), "postmap: fatal: unsupported dictionary type: nosuch\n".into()),
        ("postmap", vec!["hash:/nowhere".into()], "", 1, "".into(), "postmap: fatal: open /nowhere: No such file or directory\n".into()),
        ("postalias", vec!["-q".into(), "ROOT".into(), format!("hash:{aliases}")], "", 0, "alice, bob\n".into(), "".into()),
        ("postalias", vec!["-s".into(), format!("hash:{aliases}")], "", 0, "postmaster:\troot\nroot:\talice, bob\n".into(), "".into()),
        ("newaliases", vec![], "", 0, "".into(), format!("postalias{no_pair}")),
    ];
    for (name, arguments, input, code, out, err) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = configured.tool(name, &arguments, input);
        assert_eq!((said.code, said.out, said.err), (Some(code), out, err), "{name} {arguments:?}");
    }
}

/// Commands of which every word and exit code is the original's: `TOOL ARGUMENTS`, and `<` before what is on standard input.
const ALIKE: &[(&str, &str)] = &[
    ("postmap texthash:t", ""),
    ("postmap regexp:r", ""),
    ("postmap cidr:c", ""),
    ("postmap nosuch:/nowhere", ""),
    ("postmap hash:/nowhere", ""),
    ("postmap", ""),
    ("postmap -z", ""),
    ("postmap -q", ""),
    ("postmap -q a -s texthash:t", ""),
    ("postmap -q a -q b texthash:t", ""),
    ("postmap -q foo texthash:t", ""),
    ("postmap -q FOO texthash:t", ""),
    ("postmap -fq FOO texthash:t", ""),
    ("postmap -q nosuch texthash:t", ""),
    ("postmap -q foo texthash:c texthash:t", ""),
    ("postmap -q - texthash:t", "foo\nnosuch\nFOO\n"),
    ("postmap -q - texthash:t", "nosuch\n"),
    ("postmap -q a texthash:/nowhere", ""),
    ("postmap -q a regexp:/nowhere", ""),
    ("postmap -q a nosuch:t", ""),
    ("postmap -q x@OLD regexp:r", ""),
    ("postmap -q bcd regexp:r", ""),
    ("postmap -hq - regexp:r", "Subject: x@old\nb: c\n  d\n\nbcd\n"),
    ("postmap -bq - regexp:r", "Subject: x@old\nb: c\n  d\n\nbcd\n"),
    ("postmap -bhq - regexp:r", "Subject: x@old\n\nbcd\n"),
    ("postmap -bq - regexp:r", "Subject: x@old\n"),
    ("postmap -bq x regexp:r", ""),
    ("postmap -q 192.0.2.7 cidr:c", ""),
    ("postmap -q ::1 cidr:c", ""),
    ("postmap -q abc cidr:c", ""),
    ("postmap -q a static:b", ""),
    ("postmap -q a inline:{a=b}", ""),
    ("postmap -q a inline:x", ""),
    ("postmap -q a pipemap:inline:x", ""),
    ("postmap -q a pipemap:{inline:{a=b},inline:{b=c}}", ""),
    ("postmap -q a unionmap:{inline:{a=b},static:c}", ""),
    ("postalias", ""),
    ("postalias texthash:al", ""),
    ("postqueue -z", ""),
    ("postqueue -i", ""),
    ("postqueue -i a/b", ""),
    ("postqueue -p -f", ""),
    ("postsuper -z", ""),
    ("postsuper -d", ""),
    ("postcat -z", ""),
];

#[test]
fn words_and_codes_are_those_of_the_original() {
    if !Path::new("/usr/sbin/postmap").exists() {
        return skip("words_and_codes_are_those_of_the_original", "Debian's postfix is not installed");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    for (name, text) in [
        ("t", "Foo  bar\n  cont\n\"a b@x\" val one\nempty\nfoo again\nuser@x.test  y\n"),
        ("r", "/^(.*)@old$/ $1@new\n!/^a/ NOTA\nif /^b/\n/bc/ BC\nendif\n"),
        ("c", "192.0.2.0/24 REJECT\n10.0.0.0/33 bad\n::1 OK\nx y\n"),
        ("al", "root: alice\n"),
        // what theirs reads
        ("main.cf", ""),
        ("master.cf", ""),
    ] {
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    let mut faults = Vec::new();
    for (line, input) in ALIKE {
        let words: Vec<&str> = line.split(' ').collect();
        let run = |program: &Path, config: &Path| {
            let mut command = Command::new(program);
            command.arg0(words[0]).args(&words[1..]).env("MAIL_CONFIG", config).env_remove("RUST_LOG").current_dir(directory.path());
            let said = run_command_with(&mut command, input);
            // the original says some things twice
            let complaints: BTreeSet<String> = said.err.lines().map(str::to_owned).collect();
            (said.code, said.out, complaints)
        };
        let theirs = run(&Path::new("/usr/sbin").join(words[0]), directory.path());
        let ours = run(&program::path(), &configured.directory);
        if theirs != ours {
            faults.push(format!("{line}\n < {theirs:?}\n > {ours:?}"));
        }
    }
    assert!(faults.is_empty(), "{} of {} differ:\n{}", faults.len(), ALIKE.len(), faults.join("\n"));
}
