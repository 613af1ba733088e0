//! Mailboxes that have no room: told at RCPT, so that nothing is taken in which has nowhere to go (RFC 3463 X.2.2).

use crate::house::House;
use smtpd::{Role, Settings};
use std::time::Duration;

/// Alice may keep 2000 octets.
async fn house() -> House {
    let house = House::new().await;
    house.store.set_quota(house.alice, Some(2000), None).await.expect("a quota");
    house
}

const FULL: &str = "452 4.2.2 <alice@example.test>: Recipient address rejected: Mailbox is full";
const TOO_LARGE: &str = "552 5.2.2 <alice@example.test>: Recipient address rejected: Message is larger than the mailbox may be";

fn letter(octets: usize) -> String {
    format!("Subject: x\r\n\r\n{}", "x".repeat(octets))
}

#[tokio::test]
async fn a_recipient_without_room_for_the_size_is_told_to_come_again() {
    let house = house().await;
    for (role, hello) in [(Role::Relay, "EHLO c"), (Role::Lmtp, "LHLO c")] {
        let mut client = house.client(role).await;
        client.says(hello, "250").await;
        if role == Role::Relay {
            client.submit("x@far.test", &["alice@example.test"], &letter(1000)).await;
        }
        for (size, answer) in [(" SIZE=100", "250"), ("", "250"), (" SIZE=1500", FULL), (" SIZE=2000", FULL), (" SIZE=2001", TOO_LARGE)] {
            client.says(&format!("MAIL FROM:<x@far.test>{size}"), "250").await;
            client.says("RCPT TO:<alice@example.test>", answer).await;
            client.says("RCPT TO:<bob@example.test>", "250").await;
            client.says("RSET", "250").await;
        }
    }
    assert_eq!(house.inbox(house.alice).await.len(), 1);
}

#[tokio::test]
async fn a_full_mailbox_takes_nothing_and_something_again_once_there_is_room() {
    let house = house().await;
    let mut client = house.submitter().await;
    client.submit("alice@example.test", &["alice@example.test"], &letter(1000)).await;
    let used = house.store.account(house.alice).await.expect("read").expect("alice").used_bytes;
    house.store.set_quota(house.alice, Some(used), None).await.expect("a quota");
    client.says("MAIL FROM:<alice@example.test>", "250").await;
    client.says("RCPT TO:<alice@example.test>", FULL).await;
    client.says("RCPT TO:<info@example.test>", "452 4.2.2 <info@example.test>: ").await;
    // One of two has room: the other's copy waits in the queue.
    client.says("RCPT TO:<both@example.test>", "250").await;
    client.says("RSET", "250").await;
    let view = house.store.open(house.alice, &mail::MailboxName::inbox()).await.expect("INBOX");
    house.store.expunge(house.alice, view.mailbox.id, vec![view.rows[0].uid], false).await.expect("expunged");
    client.submit("alice@example.test", &["alice@example.test"], &letter(10)).await;
    assert_eq!(house.inbox(house.alice).await.len(), 1);
}

/// Without SIZE= it is known only at the end: SMTP's copy waits in the queue, LMTP's is refused for its one recipient.
#[tokio::test]
async fn what_turns_out_too_large_at_its_end() {
    let house = house().await;
    let mut client = house.client(Role::Lmtp).await;
    client.says("LHLO c", "250").await;
    let answer = client.submit("x@far.test", &["alice@example.test", "bob@example.test"], &letter(3000)).await;
    assert_eq!(answer, "452 4.2.2 Error: mailbox is full");
    assert!(client.reply().await.starts_with("250 2.0.0 <bob@example.test> "));
    let mut client = house.client(Role::Relay).await;
    client.says("EHLO c", "250").await;
    let answer = client.submit("x@far.test", &["alice@example.test", "bob@example.test"], &letter(3000)).await;
    assert!(answer.starts_with("250 2.0.0 Ok: queued as "), "{answer}");
    assert_eq!(house.inbox(house.alice).await.len(), 0);
}

/// `smtpd_recipient_overshoot_limit`: a list server that names too many at once is no attacker, and is not slowed down.
#[tokio::test]
async fn recipients_within_the_overshoot_are_no_errors() {
    let house = House::new().await;
    let mut settings = Settings { soft_errors: 0, error_sleep: Duration::from_secs(3600), ..House::settings(Role::Relay) };
    (settings.smtp.limits.recipients, settings.smtp.limits.overshoot, settings.smtp.limits.errors) = (1, 3, 20);
    let mut client = house.client_of(settings, "127.0.0.1:4711").await;
    client.says("EHLO c", "250").await;
    client.says("MAIL FROM:<x@far.test>", "250").await;
    client.says("RCPT TO:<alice@example.test>", "250").await;
    for _ in 0..3 {
        client.says("RCPT TO:<bob@example.test>", "452 4.5.3 ").await;
    }
    // The next one is: its answer waits.
    client.send(b"RCPT TO:<bob@example.test>\r\n").await;
    let waits = tokio::time::timeout(Duration::from_millis(300), client.reply()).await;
    assert!(waits.is_err(), "{waits:?}");
}
