//! The lines that fail2ban, pflogsumm and people read (mta.md §7.2).

use crate::house::{House, PASSWORD, login};
use smtpd::Role;
use std::cell::RefCell;
use std::io;
use std::sync::Once;

thread_local! {
    /// What was logged on this thread: a test with its sessions runs on one.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(octets));
        Ok(octets.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One subscriber for all tests of the process: those of single threads would switch each other's lines off.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_writer(|| Writer).with_ansi(false).without_time().finish();
        tracing::subscriber::set_global_default(subscriber).expect("the only one");
    });
}

fn logged() -> String {
    String::from_utf8(LINES.with_borrow(Clone::clone)).expect("UTF-8")
}

pub fn contains(line: &str) {
    let text = logged();
    assert!(text.lines().any(|have| have.contains(line)), "no {line:?} in:\n{text}");
}

#[tokio::test]
async fn a_message_and_its_refusals() {
    let house = House::new().await;
    let mut client = house.client_of(House::settings(Role::Relay), "192.0.2.1:999").await;
    client.says("EHLO h.test", "250").await;
    client.says("MAIL FROM:<a@far.test>", "250").await;
    client.says("RCPT TO:<b@elsewhere.test>", "554").await;
    client.says("RCPT TO:<alice@example.test>", "250").await;
    client.says("RCPT TO:<nobody@example.test>", "550").await;
    client.says("DATA", "354").await;
    let answer = client.say("Message-ID: <1@far.test>\r\n\r\nhi\r\n.").await;
    let id = answer.strip_prefix("250 2.0.0 Ok: queued as ").expect(&answer).to_owned();
    client.says("QUIT", "221").await;
    client.over().await;
    for line in [
        "postfix/smtpd: connect from unknown[192.0.2.1]",
        "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <b@elsewhere.test>: Relay access denied; from=<a@far.test> to=<b@elsewhere.test> proto=ESMTP helo=<h.test>",
        &format!("postfix/smtpd: {id}: client=unknown[192.0.2.1]"),
        &format!("{id}: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 <nobody@example.test>: Recipient address rejected: User unknown in virtual mailbox table; from=<a@far.test> to=<nobody@example.test> proto=ESMTP helo=<h.test>"),
        &format!("postfix/cleanup: {id}: message-id=<1@far.test>"),
        &format!("postfix/qmgr: {id}: from=<a@far.test>, size="),
        &format!("{id}: to=<alice@example.test>, relay=local, "),
        "postfix/smtpd: disconnect from unknown[192.0.2.1] ehlo=1 mail=1 rcpt=1/3 data=1 quit=1 commands=5/7",
    ] {
        contains(line);
    }
}

#[tokio::test]
async fn logins_are_named_and_passwords_never() {
    let house = House::new().await;
    let mut client = house.client(Role::Submission).await;
    client.says("EHLO h.test", "250").await;
    client.says(&login("alice@example.test", "hunter2"), "535").await;
    client.says(&login("alice@example.test", PASSWORD), "235").await;
    client.submit("alice@example.test", &["bob@example.test"], "A: b\r\n\r\n").await;
    client.vanish().await;
    contains("postfix/submission/smtpd: warning: localhost[127.0.0.1]: SASL PLAIN authentication failed: ");
    contains(": client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=alice@example.test");
    contains("lost connection after DATA from localhost[127.0.0.1]");
    contains("disconnect from localhost[127.0.0.1] ehlo=1 auth=1/2 mail=1 rcpt=1 data=1 commands=5/6");
    let text = logged();
    for secret in ["hunter2", PASSWORD, &sasl::base64::encode(b"hunter2"), "AGFsaWNl"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn no_peer_writes_a_line_of_its_own() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("EHLO \u{1b}[31m\u{7f}\u{85}evil", "250").await;
    client.says("MAIL FROM:<a@far.test>", "250").await;
    client.says("RCPT TO:<\"a\u{b}b\"@elsewhere.test>", "501").await;
    client.says("RCPT TO:<x@elsewhere.test>", "554").await;
    client.says("GET /\u{1b}x HTTP/1.1", "221").await;
    client.over().await;
    let text = logged();
    assert!(text.lines().all(|line| line.chars().all(|c| (' '..='~').contains(&c))), "{text:?}");
    contains("warning: non-SMTP command from localhost[127.0.0.1]: GET /?x HTTP/1.1");
    contains("proto=ESMTP helo=<?[31m???evil>");
}
