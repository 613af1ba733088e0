//! swaks and curl, the two that the demo's lines use.

use house_tests::client::{self, installed};
use house_tests::demo::{Demo, paste};

use crate::{contents, with_letters};

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

#[test]
fn curl_appends_examines_marks_and_deletes() {
    if !installed("curl_appends_examines_marks_and_deletes", &["curl"]) {
        return;
    }
    let demo = with_letters(3);
    let (alice, password) = demo.account(0);
    let (bob, bobs) = demo.account(1);
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("message");
    let text = "From: alice@example.test\r\nSubject: by curl\r\n\r\n.\r\n\u{4f60}\u{597d}\r\n.. and dots\r\n";
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let curl = |user: &str, service: &str, path: &str, more: &[&str]| {
        let protocol = if service == "submissions" { "smtps" } else { service };
        let url = format!("{protocol}://localhost:{}/{path}", demo.port(service));
        client::run("curl", &[&["-sS", "--cacert", demo.ca(), "--user", user, &url], more].concat()).ok()
    };
    let (alice_s, bob_s) = (format!("{alice}:{password}"), format!("{bob}:{bobs}"));
    let imap = |path: &str, more: &[&str]| curl(&bob_s, "imaps", path, more);
    let pop3 = |path: &str, more: &[&str]| curl(&bob_s, "pop3s", path, more);

    curl(&alice_s, "submissions", "client.example.net", &["--mail-from", alice, "--mail-rcpt", bob, "--mail-rcpt", alice, "-T", file]);
    assert!(demo.imap(1).messages("INBOX").pop().expect("a message").text.ends_with(text.rsplit_once("Subject").expect("a subject").1.as_bytes()));

    imap("", &["-X", "CREATE Entw&APw-rfe"]);
    imap("Entw&APw-rfe", &["-T", file]);
    assert_eq!(imap("Entw&APw-rfe;MAILINDEX=1", &[]), text);
    assert_eq!(imap("INBOX;UID=2;SECTION=HEADER.FIELDS%20(SUBJECT)", &[]), "Subject: letter 1\r\n\r\n");
    assert!(imap("INBOX", &["-X", "EXAMINE INBOX"]).contains("* 5 EXISTS"));
    assert!(imap("INBOX", &["-X", r"STORE 3 +FLAGS (\Deleted)"]).contains(r"\Deleted"));
    assert!(imap("INBOX", &["-X", "EXPUNGE"]).contains("* 3 EXPUNGE"));
    assert_eq!(imap("INBOX?SUBJECT%20letter%20SEEN", &[]), "* SEARCH 2\r\n", "its BODY[] is no PEEK");

    assert_eq!(pop3("", &["-X", "UIDL"]).lines().count(), 4);
    assert!(pop3("", &["-X", "TOP 3 1"]).ends_with("Subject: letter 3\r\n\r\nbody 3\r\n"));
    pop3("1", &["-I", "-X", "DELE"]);
    assert_eq!(contents(&demo, 1, "INBOX"), [r"letter 1 \Seen", "letter 3", "by curl"]);
    demo.server.stop();
}
