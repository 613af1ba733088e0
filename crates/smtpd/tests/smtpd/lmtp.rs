//! LMTP: a program in front of us hands over; each recipient has a reply of its own. RFC 2033.

use crate::house::{Client, HOST, House};
use smtpd::Role;

async fn greeted(house: &House) -> Client {
    let mut client = house.client(Role::Lmtp).await;
    client.says("EHLO c", "500 5.5.2 ").await;
    client.says("MAIL FROM:<x@far.test>", "503 5.5.1 Error: send HELO/EHLO first").await;
    client.says("LHLO c", "250-").await;
    client
}

#[tokio::test]
async fn each_recipient_has_its_reply() {
    let house = House::new().await;
    house.store.set_quota(house.bob, Some(10), None).await.expect("a quota");
    let mut client = greeted(&house).await;
    client.says("MAIL FROM:<x@far.test>", "250").await;
    for (to, answer) in [
        ("alice@example.test", "250"),
        ("nobody@example.test", "550 5.1.1 "),
        ("x@elsewhere.test", "554 5.7.1 <x@elsewhere.test>: Relay access denied"),
        ("bob@example.test", "250"),
        ("Alice@example.test", "250"),
        ("info@example.test", "250"),
    ] {
        client.says(&format!("RCPT TO:<{to}>"), answer).await;
    }
    client.says("DATA", "354").await;
    client.send(b"Subject: hi\r\n\r\nhello\r\n.\r\n").await;
    let (first, full, again, alias) = (client.reply().await, client.reply().await, client.reply().await, client.reply().await);
    assert!(first.starts_with("250 2.0.0 <alice@example.test> ") && first.ends_with(" Saved"), "{first}");
    assert_eq!(full, "452 4.2.2 Error: mailbox is full");
    assert_eq!(again, first, "named twice, delivered once");
    assert!(alias.starts_with("250 2.0.0 <info@example.test> "), "{alias}");
    let inbox = house.inbox(house.alice).await;
    assert_eq!(inbox.len(), 2, "once as alice, once as info");
    assert!(inbox[0].contains(") with LMTP id "), "{}", inbox[0]);
    assert!(inbox[1].contains("X-Original-To: info@example.test\r\n"));
    assert!(house.inbox(house.bob).await.is_empty());
    assert!(queue::list(house.store.db(), None, 10).await.expect("the queue").is_empty(), "a refusal is told, not queued");
    client.says("QUIT", "221").await;
    assert_eq!(client.over().await, "");
}

#[tokio::test]
async fn a_large_message_for_several_is_kept_once_in_the_spool_and_given_to_each() {
    let house = House::new().await;
    let mut client = greeted(&house).await;
    client.says("MAIL FROM:<>", "250").await;
    for to in ["alice@example.test", "bob@example.test"] {
        client.says(&format!("RCPT TO:<{to}>"), "250").await;
    }
    client.says("DATA", "354").await;
    let body = "0123456789abcde\r\n".repeat(20_000);
    client.send(format!("Subject: long\r\n\r\n{body}.\r\n").as_bytes()).await;
    for _ in 0..2 {
        assert!(client.reply().await.starts_with("250 2.0.0 <"));
    }
    for account in [house.alice, house.bob] {
        assert!(house.inbox(account).await[0].ends_with(&body));
    }
}

#[tokio::test]
async fn what_is_refused_for_all_is_told_for_each() {
    let house = House::new().await;
    let mut client = greeted(&house).await;
    client.says("MAIL FROM:<>", "250").await;
    for to in ["alice@example.test", "bob@example.test"] {
        client.says(&format!("RCPT TO:<{to}>"), "250").await;
    }
    client.says("DATA", "354").await;
    client.send(format!("{}\r\n.\r\n", "Received: x\r\n".repeat(51)).as_bytes()).await;
    for _ in 0..2 {
        assert_eq!(client.reply().await, "554 5.4.0 Error: too many hops");
    }
    client.says("NOOP", "250").await;
}

#[tokio::test]
async fn nothing_is_passed_on_whoever_asks() {
    let house = House::new().await;
    let mut settings = House::settings(Role::Lmtp);
    settings.mynetworks = config::networks::Networks::parse(&["127.0.0.0/8"], |_| Err("no table".to_owned())).expect("a network");
    let mut client = house.client_of(settings, "127.0.0.1:1").await;
    assert!(!client.say("LHLO c").await.contains("AUTH"));
    client.says("MAIL FROM:<>", "250").await;
    client.says("RCPT TO:<x@elsewhere.test>", "554 5.7.1 ").await;
    client.says(&format!("RCPT TO:<postmaster@{HOST}>"), "250").await;
}
