//! fetchmail.

use std::path::Path;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;
use tempfile::TempDir;

use crate::{configure, contents, with_letters};

/// Its exit codes.
const FETCHED: i32 = 0;
const NO_MAIL: i32 = 1;

/// Polls bob's mailbox with `options`; gives the exit code.
#[track_caller]
fn fetchmail(demo: &Demo, scratch: &Path, service: &str, options: &str) -> i32 {
    let (bob, password) = demo.account(1);
    let (port, ca) = (demo.port(service), demo.ca());
    let protocol = if service.starts_with("imap") { "imap" } else { "pop3 uidl" };
    let tls = if service.ends_with('s') { "ssl" } else { "sslproto TLS1.2+" };
    let configuration = scratch.join("fetchmailrc");
    configure(
        &configuration,
        &format!("poll localhost proto {protocol} port {port} user {bob} password {password} {tls} sslcertck sslcertfile {ca} {options}\n"),
    );
    let at = |name: &str| scratch.join(name).display().to_string();
    let said = client::run("fetchmail", &["-v", "-f", &at("fetchmailrc"), "--pidfile", &at("pid"), "--idfile", &at("ids")]);
    println!("{}{}", said.out, said.err);
    said.code.unwrap_or_default()
}

/// Keeps, and later deletes, what is there.
fn keeps_and_deletes(service: &str) {
    let demo = with_letters(3);
    let scratch = TempDir::new().expect("a directory");
    let file = scratch.path().join("fetched");
    let fetch = |demo: &Demo, options: &str| fetchmail(demo, scratch.path(), service, &format!("mda \"cat >>{}\" {options}", file.display()));
    let fetched = || std::fs::read_to_string(&file).expect("what was fetched");
    assert_eq!(fetch(&demo, "keep"), FETCHED);
    let first = fetched();
    for n in 1..=3 {
        assert!(first.contains(&format!("Subject: letter {n}\n")) && first.contains(&format!("\nbody {n}\n.. ends with dots\n")), "{first}");
    }
    let (all, none): (_, Vec<String>) = (contents(&demo, 1, "INBOX"), vec![]);
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(fetch(&demo, "keep"), NO_MAIL, "what it had was fetched again");
    // It remembers over a restart, by UIDL or by \Seen; only what is new is fetched.
    let demo = demo.again();
    demo.deliver("bob@example.test", "Subject: later\r\n\r\n");
    std::fs::remove_file(&file).expect("a file");
    assert_eq!(fetch(&demo, "keep"), FETCHED);
    let second = fetched();
    assert!(second.contains("Subject: later") && !second.contains("Subject: letter"), "{second}");
    assert_eq!(fetch(&demo, "fetchall nokeep"), FETCHED);
    assert_eq!(contents(&demo, 1, "INBOX"), none);
    demo.server.stop();
}

#[test]
fn fetchmail_keeps_and_deletes_over_imap() {
    if installed("fetchmail_keeps_and_deletes_over_imap", &["fetchmail"]) {
        keeps_and_deletes("imaps");
    }
}

#[test]
fn fetchmail_keeps_and_deletes_over_pop3() {
    if installed("fetchmail_keeps_and_deletes_over_pop3", &["fetchmail"]) {
        keeps_and_deletes("pop3s");
    }
}

#[test]
fn fetchmail_brings_mail_by_starttls_from_one_account_to_another_by_smtp() {
    if !installed("fetchmail_brings_mail_by_starttls_from_one_account_to_another_by_smtp", &["fetchmail"]) {
        return;
    }
    let demo = with_letters(3);
    let scratch = TempDir::new().expect("a directory");
    let options = format!("smtphost localhost/{} smtpname alice@example.test nokeep fetchall", demo.port("smtp"));
    for service in ["imap", "pop3"] {
        assert_eq!(fetchmail(&demo, scratch.path(), service, &options), FETCHED);
        assert_eq!(contents(&demo, 1, "INBOX"), Vec::<String>::new());
        demo.deliver("bob@example.test", "Subject: one more\r\n\r\n");
    }
    assert_eq!(contents(&demo, 0, "INBOX"), ["Welcome", "Welcome", "letter 1", "letter 2", "letter 3", "one more"]);
    demo.server.stop();
}
