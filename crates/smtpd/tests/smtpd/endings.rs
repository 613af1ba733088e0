//! However a transaction ends, nothing is left of it.

use crate::house::{Client, HOST, House};
use net::Stopper;
use smtpd::Role;
use std::time::Duration;

/// Up to two recipients, one for alice.
async fn begun(house: &House) -> Client {
    let mut client = house.client(Role::Relay).await;
    client.says("EHLO c", "250").await;
    client.says("MAIL FROM:<x@far.test>", "250").await;
    client.says("RCPT TO:<alice@example.test>", "250").await;
    client
}

#[tokio::test]
async fn commands_that_end_a_transaction() {
    let house = House::new().await;
    for end in ["RSET", "EHLO again", "HELO again"] {
        let mut client = begun(&house).await;
        client.says(end, "250").await;
        client.says("DATA", "503 5.5.1 Error: need RCPT command").await;
        client.says("RCPT TO:<bob@example.test>", "503 5.5.1 Error: need MAIL command").await;
        let answer = client.submit("y@far.test", &["bob@example.test"], "A: b\r\n\r\n").await;
        assert!(answer.starts_with("250 "), "{answer}");
        client.says("QUIT", "221").await;
    }
    assert!(house.inbox(house.alice).await.is_empty(), "alice was another transaction's");
    let inbox = house.inbox(house.bob).await;
    assert_eq!(inbox.len(), 3);
    assert!(inbox.iter().all(|message| message.starts_with("Return-Path: <y@far.test>\r\n")));
}

#[tokio::test]
async fn commands_that_do_not() {
    let house = House::new().await;
    let mut client = begun(&house).await;
    for (line, code) in [("MAIL FROM:<z@far.test>", "503"), ("NOOP", "250"), ("VRFY a", "252"), ("XXXX", "500"), ("RCPT TO:<>", "501"), ("DATA x", "501")] {
        client.says(line, code).await;
    }
    client.says("DATA", "354").await;
    client.says("A: b\r\n\r\n.", "250").await;
    assert!(house.inbox(house.alice).await[0].starts_with("Return-Path: <x@far.test>\r\n"));
}

#[tokio::test]
async fn a_lost_connection_leaves_nothing() {
    let house = House::new().await;
    let long = "0123456789abcde\r\n".repeat(20_000);
    for said in ["", "DATA", "half", "almost"] {
        let mut client = begun(&house).await;
        if !said.is_empty() {
            client.says("DATA", "354").await;
        }
        match said {
            "half" => client.send(long.as_bytes()).await,
            "almost" => client.send(format!("{long}.\r").as_bytes()).await,
            _ => {}
        }
        client.vanish().await;
    }
    assert!(house.inbox(house.alice).await.is_empty());
    assert_eq!(house.spooled(), 0, "no draft is left");
}

#[tokio::test]
async fn each_message_of_a_session_is_its_own() {
    let house = House::new().await;
    let mut client = house.client(Role::Relay).await;
    client.says("EHLO c", "250").await;
    for n in 0..5 {
        let (to, other) = if n % 2 == 0 { ("alice", "bob") } else { ("bob", "alice") };
        client.says("MAIL FROM:<x@far.test>", "250").await;
        client.says(&format!("RCPT TO:<{other}@example.test>"), "250").await;
        client.says("RSET", "250").await;
        let answer = client.submit("x@far.test", &[&format!("{to}@example.test")], &format!("Subject: {n}\r\n\r\n")).await;
        assert!(answer.starts_with("250 "), "{answer}");
    }
    let (alice, bob) = (house.inbox(house.alice).await, house.inbox(house.bob).await);
    assert_eq!((alice.len(), bob.len()), (3, 2));
    assert!(alice.iter().all(|message| message.contains("\tfor <alice@example.test>")));
}

#[tokio::test]
async fn soft_bounce_softens_every_refusal() {
    let house = House::new().await;
    let settings = smtpd::Settings { soft_bounce: true, ..House::settings(Role::Relay) };
    let mut client = house.client_of(settings, "192.0.2.1:999").await;
    client.says("HELO c", "250").await;
    client.says("RCPT TO:<a@example.test>", "403 4.5.1 ").await;
    client.says("MAIL FROM:<x@far.test>", "250").await;
    client.says("RCPT TO:<nobody@example.test>", "450 4.1.1 <nobody@example.test>: Recipient address rejected: User unknown").await;
    client.says("RCPT TO:<a@elsewhere.test>", "454 4.7.1 <a@elsewhere.test>: Relay access denied").await;
}

#[tokio::test]
async fn a_stop_lets_a_message_in_and_nothing_after_it() {
    let house = House::new().await;
    let stopper = Stopper::new();
    let connect = || house.connect_until(House::settings(Role::Relay), "192.0.2.1:999", None, stopper.stop());
    let (mut busy, mut idle) = (connect(), connect());
    for client in [&mut busy, &mut idle] {
        client.greeted().await;
        client.says("HELO c", "250").await;
        client.says("MAIL FROM:<>", "250").await;
        client.says("RCPT TO:<alice@example.test>", "250").await;
    }
    busy.says("DATA", "354").await;
    busy.send(b"Subject: half").await;
    stopper.request(Duration::from_secs(30));
    assert_eq!(idle.over().await, format!("421 4.3.2 {HOST} Service shutting down"));
    busy.says(" whole\r\n\r\n.", "250 2.0.0 Ok: queued as").await;
    assert_eq!(busy.over().await, format!("421 4.3.2 {HOST} Service shutting down"));
    assert!(house.inbox(house.alice).await[0].contains("Subject: half whole\r\n"));
}
