//! Python's clients: those of its standard library, and two that others use.

use std::time::Duration;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;
use house_tests::skip;
use house_tests::until::within;

/// Runs a script of `tests/clients` against a demo of its own.
fn script(test: &str, name: &str) {
    if installed(test, &["python3"]) {
        let demo = Demo::start();
        demo.python(name, &[]);
        demo.server.stop();
    }
}

#[test]
fn imaplib_does_a_day_s_work() {
    script("imaplib_does_a_day_s_work", "imap.py");
}

#[test]
fn poplib_reads_and_deletes() {
    script("poplib_reads_and_deletes", "pop.py");
}

#[test]
fn smtplib_submits_and_is_refused() {
    script("smtplib_submits_and_is_refused", "smtp.py");
}

#[test]
fn a_client_in_idle_is_told_of_a_delivery() {
    script("a_client_in_idle_is_told_of_a_delivery", "idle.py");
}

#[test]
fn zlib_and_ours_understand_each_other() {
    if !installed("zlib_and_ours_understand_each_other", &["python3"]) {
        return;
    }
    let demo = Demo::start();
    demo.python("compress.py", &[]);
    // The log counts what was said, not what it shrank to: the mail appended and fetched again is more than a megabyte each way.
    let log = std::fs::read_to_string(demo.log()).expect("a log");
    let logout = log.lines().find(|line| line.contains("Disconnected: Logged out")).expect("a logout");
    let octets = |name: &str| logout.split(' ').find_map(|word| word.strip_prefix(name)?.parse::<usize>().ok()).expect("a number");
    assert!(octets("in=") > 1_000_000 && octets("out=") > 1_000_000, "{logout}");
    assert!(log.contains("cannot be decompressed"), "{log}");
    demo.server.stop();
}

#[test]
fn the_maildir_says_within_two_seconds_what_clients_did() {
    if !installed("the_maildir_says_within_two_seconds_what_clients_did", &["python3"]) {
        return;
    }
    let demo = Demo::start();
    let maildir = demo.configured().maildir("bob");
    demo.python("maildir.py", &[maildir.to_str().expect("UTF-8")]);
    // The welcome message was delivered before; nothing was left aside, and the store agrees with itself.
    let check = || (demo.configured().run(&["check", "--json"]).ok().lines().filter(|line| line.contains("store-")).count() == 0).then_some(());
    within(Duration::from_secs(30), "check finds the store sound", check);
    demo.server.stop();
}

/// Runs a script that needs a package that is not Python's own.
fn script_with(package: &str, test: &str, name: &str) {
    if !installed(test, &["python3"]) {
        return;
    }
    if client::run(&client::python_program(), &["-c", &format!("import {package}")]).code != Some(0) {
        return skip(test, &format!("Python's package {package} is not installed"));
    }
    script(test, name);
}

#[test]
fn imapclient_does_a_day_s_work() {
    script_with("imapclient", "imapclient_does_a_day_s_work", "imap_client.py");
}

#[test]
fn aioimaplib_does_several_things_at_once() {
    script_with("aioimaplib", "aioimaplib_does_several_things_at_once", "aio_imap.py");
}
