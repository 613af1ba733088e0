//! swaks, curl and Python against the demo.

use std::time::Duration;

use house_tests::client::{self, installed};
use house_tests::demo::{Demo, paste};
use house_tests::until::within;

#[test]
fn the_printed_lines_of_swaks_and_curl_work_as_they_stand() {
    if !installed("the_printed_lines_of_swaks_and_curl_work_as_they_stand", &["swaks", "curl"]) {
        return;
    }
    let demo = Demo::start();
    let [swaks] = &demo.to_paste("swaks")[..] else { panic!("{:?}", demo.server.said) };
    let said = paste(swaks).ok();
    assert!(said.contains("250 2.0.0"), "{said}");
    let curl = demo.to_paste("curl");
    assert_eq!(curl.len(), 3, "{curl:?}");
    assert!(paste(&curl[0]).ok().starts_with("* SEARCH 1 2"));
    for line in &curl[1..] {
        let text = paste(line).ok();
        assert!(text.contains("Subject: Welcome") && text.contains("Return-Path: <>"), "{line}\n{text}");
    }
    demo.server.stop();
}

#[test]
fn swaks_sends_by_both_submissions_and_curl_reads_by_both_protocols() {
    if !installed("swaks_sends_by_both_submissions_and_curl_reads_by_both_protocols", &["swaks", "curl"]) {
        return;
    }
    let demo = Demo::start();
    let (alice, password) = demo.account(0);
    let (bob, bobs) = demo.account(1);
    for (service, tls, auth) in [("submission", "--tls", "PLAIN"), ("submissions", "--tls-on-connect", "LOGIN")] {
        let server = format!("localhost:{}", demo.port(service));
        let subject = format!("Subject: by {service}");
        let said = client::run(
            "swaks",
            &[
                "--server", &server, tls, "--tls-ca-path", demo.ca(), "--tls-verify", "--auth", auth, "--auth-user", alice, "--auth-password", password, "--from",
                alice, "--to", bob, "--header", &subject, "--attach-type", "application/octet-stream", "--attach-body", "caf\u{e9}",
            ],
        );
        said.ok();
        let wrong = client::run("swaks", &["--server", &server, tls, "--auth", "PLAIN", "--auth-user", alice, "--auth-password", "wrong", "--to", bob]);
        assert_eq!(wrong.code, Some(28), "swaks: authentication failed: {wrong:#?}");
    }
    let user = format!("{bob}:{bobs}");
    let curl = |url: String, more: &[&str]| client::run("curl", &[&["-sS", "--cacert", demo.ca(), "--user", &user, &url], more].concat());
    let (imaps, pop3s) = (demo.port("imaps"), demo.port("pop3s"));
    assert!(curl(format!("imaps://localhost:{imaps}/"), &[]).ok().contains("INBOX"));
    let text = curl(format!("imaps://localhost:{imaps}/INBOX;MAILINDEX=3"), &[]).ok();
    assert!(text.contains("Subject: by submissions"), "{text}");
    assert_eq!(curl(format!("pop3s://localhost:{pop3s}/"), &[]).ok().lines().count(), 3);
    assert_eq!(curl(format!("pop3s://localhost:{pop3s}/3"), &[]).ok().replace("\r\n", "\n"), text.replace("\r\n", "\n"), "POP3 and IMAP differ");
    let starttls = curl(format!("imap://localhost:{}/INBOX?SUBJECT%20submission", demo.port("imap")), &["--ssl-reqd"]).ok();
    assert!(starttls.starts_with("* SEARCH"), "{starttls}");
    // Nobody is let in who trusts another CA, or has another password.
    let stranger = client::run("curl", &["-sS", "--user", &user, &format!("imaps://localhost:{imaps}/")]);
    assert_eq!(stranger.code, Some(60), "{stranger:#?}");
    let wrong = client::run("curl", &["-sS", "--cacert", demo.ca(), "--user", &format!("{bob}:wrong"), &format!("imaps://localhost:{imaps}/")]);
    assert_eq!(wrong.code, Some(67), "{wrong:#?}");
    demo.server.stop();
}

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
