//! No open relay: the list of tricks that testers try.

use crate::house::{HOST, House};
use smtpd::Role;

/// Recipients that must not be taken from a stranger.
const TRICKS: [&str; 16] = [
    "victim@elsewhere.test",
    "victim%elsewhere.test@example.test",
    "victim%elsewhere.test",
    "\"victim@elsewhere.test\"",
    "\"victim@elsewhere.test\"@example.test",
    "victim@elsewhere.test@example.test",
    "@example.test:victim@elsewhere.test",
    "@example.test,@elsewhere.test:victim@elsewhere.test",
    "elsewhere.test!victim",
    "elsewhere.test!victim@example.test",
    "victim@[192.0.2.7]",
    "victim@[IPv6:2001:db8::7]",
    "victim@elsewhere.test.",
    "victim@EXAMPLE.TEST.elsewhere.test",
    "victim@sub.example.test",
    "\"victim\\@elsewhere.test\"@example.test",
];

#[tokio::test]
async fn no_trick_makes_us_relay() {
    let house = House::new().await;
    for from in ["", "x@far.test", "alice@example.test", "x@[127.0.0.1]", &format!("x@{HOST}")] {
        let mut settings = House::settings(Role::Relay);
        settings.smtp.origin = "example.test".into();
        settings.smtp.limits.errors = 1_000;
        let mut client = house.client_of(settings, "198.51.100.9:999").await;
        client.says("EHLO tester.test", "250").await;
        client.says(&format!("MAIL FROM:<{from}>"), "250").await;
        for trick in TRICKS {
            let answer = client.say(&format!("RCPT TO:<{trick}>")).await;
            assert!(answer.starts_with('5'), "{from} {trick}: {answer}");
        }
        client.says("RCPT TO:<victim@elsewhere.test>", "554 5.7.1 <victim@elsewhere.test>: Relay access denied").await;
        client.says("DATA", "554 5.5.1 Error: no valid recipients").await;
    }
    assert!(queue::list(house.store.db(), None, 10).await.expect("the queue").is_empty());
}

#[tokio::test]
async fn who_is_trusted_sends_to_other_hosts() {
    let house = House::new().await;
    let mut settings = House::settings(Role::Relay);
    settings.mynetworks = config::networks::Networks::parse(&["198.51.100.0/24"], |_| Err("no table".to_owned())).expect("a network");
    let mut client = house.client_of(settings, "198.51.100.9:999").await;
    client.says("EHLO trusted.test", "250").await;
    let answer = client.submit("x@far.test", &["victim@elsewhere.test", "alice@example.test"], "A: b\r\n\r\n").await;
    assert!(answer.starts_with("250 "), "{answer}");
    assert_eq!(house.inbox(house.alice).await.len(), 1);
    assert_eq!(queue::list(house.store.db(), None, 10).await.expect("the queue").len(), 1);
}

#[tokio::test]
async fn a_stranger_reaches_an_alias_that_leads_away() {
    let house = House::new().await;
    let settings = House::settings(Role::Relay);
    let mut client = house.client_of(settings, "198.51.100.9:999").await;
    client.says("EHLO stranger.test", "250").await;
    let answer = client.submit("x@far.test", &["away@example.test"], "A: b\r\n\r\n").await;
    assert!(answer.starts_with("250 "), "{answer}");
}
