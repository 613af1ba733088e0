//! Mail from everybody for our own users.

use crate::house::{HOST, House};
use smtpd::Role;

#[tokio::test]
async fn a_message_arrives() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("EHLO client.test", "250").await;
    let answer = client.submit("x@far.test", &["alice@example.test"], "Subject: hi\r\n\r\n..dot\r\nbody\r\n").await;
    let id = answer.strip_prefix("250 2.0.0 Ok: queued as ").expect(&answer).to_owned();
    let inbox = house.inbox(house.alice).await;
    let [message] = inbox.as_slice() else { panic!("{inbox:?}") };
    let head = format!(
        "Return-Path: <x@far.test>\r\nX-Original-To: alice@example.test\r\nDelivered-To: alice@example.test\r\n\
         Received: from client.test (localhost [127.0.0.1])\r\n\tby {HOST} (Posthouse) with ESMTP id {id}\r\n\tfor <alice@example.test>; "
    );
    assert!(message.starts_with(&head), "{message}");
    assert!(message.ends_with(" +0000 (UTC)\r\nSubject: hi\r\n\r\n.dot\r\nbody\r\n\r\n"), "{message}");
    assert!(!message.contains("Message-ID"), "a stranger's message is not completed");
    client.says("QUIT", "221 2.0.0 Bye").await;
    assert_eq!(client.over().await, "");
}

#[tokio::test]
async fn its_structure_is_known_at_once() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("HELO client.test", &format!("250 {HOST}")).await;
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--";
    client.submit("", &["alice@example.test"], message).await;
    let view = house.store.open(house.alice, &mail::MailboxName::inbox()).await.expect("INBOX");
    let messages = house.store.messages(house.alice, view.mailbox.id, &[view.rows[0].uid], true).await.expect("messages");
    let stored = house.inbox(house.alice).await;
    let structure = messages[0].structure.as_deref().expect("a structure");
    assert_eq!(*structure, mail::mime::Structure::of_message(stored[0].as_bytes()));
    assert!(stored[0].contains("with SMTP id "));
}

#[tokio::test]
async fn several_recipients_get_one_each_and_do_not_hear_of_each_other() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("EHLO client.test", "250").await;
    client.says("MAIL FROM:<x@far.test>", "250").await;
    for (to, answer) in [
        ("alice@example.test", "250 2.1.5 Ok"),
        ("nobody@example.test", "550 5.1.1 <nobody@example.test>: Recipient address rejected: User unknown in virtual mailbox table"),
        (&format!("nobody@{HOST}"), "550 5.1.1 <nobody@mail.example.test>: Recipient address rejected: User unknown in local recipient table"),
        ("ALICE@Example.Test", "250 2.1.5 Ok"),
        ("info@example.test", "250 2.1.5 Ok"),
        ("both@example.test", "250 2.1.5 Ok"),
    ] {
        client.says(&format!("RCPT TO:<{to}>"), answer).await;
    }
    client.says("DATA", "354").await;
    client.says("hello\r\n.", "250 2.0.0 Ok: queued as").await;
    for account in [house.alice, house.bob] {
        let inbox = house.inbox(account).await;
        assert_eq!(inbox.len(), 1);
        assert!(!inbox[0].contains("\tfor <"), "{}", inbox[0]);
        assert!(inbox[0].ends_with("\r\n\r\nhello\r\n"), "a body without header stays a body: {}", inbox[0]);
    }
}

#[tokio::test]
async fn detail_leads_to_the_account() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("HELO c", "250").await;
    client.submit("", &["alice+nosuchfolder@example.test"], "A: b\r\n\r\n").await;
    assert_eq!(house.inbox(house.alice).await.len(), 1);
}

#[tokio::test]
async fn a_large_message_goes_through_the_spool() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("HELO c", "250").await;
    let body: String = (0..20_000).map(|n| format!("line {n} of a long message\r\n")).collect();
    let answer = client.submit("x@far.test", &["alice@example.test"], &format!("Subject: long\r\n\r\n{body}")).await;
    assert!(answer.starts_with("250 "), "{answer}");
    assert!(house.inbox(house.alice).await[0].ends_with(&format!("Subject: long\r\n\r\n{body}\r\n")));
}

#[tokio::test]
async fn what_goes_in_circles_is_refused() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("HELO c", "250").await;
    let hops = |n: usize| format!("{}Subject: x\r\n\r\n", "Received: a\r\n".repeat(n));
    let answer = client.submit("", &["alice@example.test"], &hops(51)).await;
    assert_eq!(answer, "554 5.4.0 Error: too many hops");
    let answer = client.submit("", &["alice@example.test"], &hops(50)).await;
    assert!(answer.starts_with("250 "), "{answer}");
    let answer = client.submit("", &["alice@example.test"], "Delivered-To: alice@example.test\r\n\r\n").await;
    assert!(answer.starts_with("554 5.4.6 "), "{answer}");
    assert_eq!(house.inbox(house.alice).await.len(), 1);
}

#[tokio::test]
async fn too_big_and_smuggling_are_refused_at_their_end() {
    let house = House::new().await;
    let mut settings = House::settings(Role::Relay);
    settings.smtp.limits.message = Some(100_000);
    let mut client = house.client_of(settings, "192.0.2.1:999").await;
    client.says("EHLO c", "250").await;
    client.says("MAIL FROM:<> SIZE=100001", "552 5.3.4 Message size exceeds fixed limit").await;
    let answer = client.submit("", &["alice@example.test"], &"0123456789abcde\r\n".repeat(10_000)).await;
    assert_eq!(answer, "552 5.3.4 Error: message file too big");
    assert_eq!(house.spooled(), 0, "its draft is gone");
    let answer = client.submit("", &["alice@example.test"], "a: b\r\n\r\nhi\n.\r\nMAIL FROM:<evil@far.test>").await;
    assert_eq!(answer, format!("550 5.5.2 {HOST} Error: bare <LF> received"));
    assert_eq!(client.over().await, "");
    assert!(house.inbox(house.alice).await.is_empty());
}

#[tokio::test]
async fn postmaster_is_accepted_and_waits_while_there_is_none() {
    let house = House::empty().await;
    let mut client = house.client(Role::Relay).await;
    client.says("HELO c", "250").await;
    let answer = client.submit("x@far.test", &["postmaster"], "Subject: help\r\n\r\n").await;
    assert!(answer.starts_with("250 "), "{answer}");
    let queued = queue::list(house.store.db(), None, 10).await.expect("the queue");
    assert_eq!(queued.len(), 1);
    assert!(answer.ends_with(&queued[0].id.to_string()));
    assert_eq!(queued[0].sender, "x@far.test");
}

#[tokio::test]
async fn a_disk_that_fails_is_told_at_the_end_and_the_session_goes_on() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("HELO c", "250").await;
    let spool = house.directory.path().join("spool");
    std::fs::remove_dir(&spool).expect("removed");
    let long = format!("Subject: long\r\n\r\n{}", "0123456789abcde\r\n".repeat(30_000));
    let answer = client.submit("", &["alice@example.test"], &long).await;
    assert!(answer.starts_with("451 4.3.0 "), "{answer}");
    std::fs::create_dir(&spool).expect("made");
    let answer = client.submit("", &["alice@example.test"], &long).await;
    assert!(answer.starts_with("250 "), "{answer}");
    assert_eq!(house.inbox(house.alice).await.len(), 1);
}
