//! Sessions from outside: too many, idle, stopped.

use std::time::Duration;

use imapd::Settings;

use super::client::Client;
use super::world::{on_every_engine, settings};

#[tokio::test(flavor = "multi_thread")]
async fn c_09_a_user_has_so_many_sessions_from_one_address() {
    let settings = Settings { sessions_per_user: 2, ..settings() };
    on_every_engine(settings, |world| async move {
        let _one = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let mut two = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let mut three = Client::new(world.connect("127.0.0.1:1"));
        three.response().await;
        let answer = three.command("LOGIN alice@example.test secret").await;
        assert!(answer[0].starts_with("x NO [LIMIT]"), "{answer:?}");
        let _bob = Client::login(world.connect("127.0.0.1:1"), "bob").await;
        two.command("LOGOUT").await;
        assert_eq!(two.response().await, None);
        let answer = three.command("LOGIN alice@example.test secret").await;
        assert!(answer[0].starts_with("x OK"), "{answer:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_idle_hears_that_we_are_still_here() {
    let settings = Settings { still_here: Duration::from_millis(20), ..settings() };
    on_every_engine(settings, |world| async move {
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.send(b"x IDLE\r\n").await;
        assert_eq!(client.response().await.as_deref(), Some("+ idling"));
        assert_eq!(client.response().await.as_deref(), Some("* OK Still here"));
        assert_eq!(client.response().await.as_deref(), Some("* OK Still here"));
        client.send(b"DONE\r\n").await;
        while let Some(response) = client.response().await {
            if response.starts_with("x OK") {
                return;
            }
        }
        panic!("{}: no answer to DONE", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c_08_a_stop_says_bye_to_everybody() {
    on_every_engine(settings(), |world| async move {
        let mut waiting = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let mut idle = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let mut visitor = Client::new(world.connect("127.0.0.1:1"));
        visitor.response().await;
        let mut appending = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        appending.send(b"x APPEND INBOX {5}\r\n").await;
        appending.response().await;
        idle.send(b"x IDLE\r\n").await;
        idle.response().await;
        world.stopper.request(Duration::from_secs(30));
        for client in [&mut waiting, &mut idle, &mut visitor] {
            let bye = client.response().await.unwrap_or_default();
            assert!(bye.starts_with("* BYE [UNAVAILABLE]"), "{}: {bye}", world.engine);
            assert_eq!(client.response().await, None);
        }
        // A message on its way comes first.
        appending.send(b"hello\r\n").await;
        let answer = appending.response().await.unwrap_or_default();
        assert!(answer.starts_with("x OK [APPENDUID"), "{}: {answer}", world.engine);
        let bye = appending.response().await.unwrap_or_default();
        assert!(bye.starts_with("* BYE"), "{}: {bye}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_leaves_ends_its_session() {
    let settings = Settings { sessions_per_user: 1, ..settings() };
    on_every_engine(settings, |world| async move {
        for last_words in ["", "x SELECT INBOX\r\n", "x IDLE\r\n", "x APPEND INBOX {5}\r\nab", "x FETCH"] {
            let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
            client.send(last_words.as_bytes()).await;
            drop(client);
            // The seat is free once the session has noticed.
            let mut next = Client::new(world.connect("127.0.0.1:1"));
            next.response().await;
            loop {
                let answer = next.command("LOGIN alice@example.test secret").await;
                if answer.iter().any(|line| line.starts_with("x OK")) {
                    break;
                }
                if answer.iter().any(|line| line.starts_with("* BYE")) {
                    next = Client::new(world.connect("127.0.0.1:1"));
                    next.response().await;
                }
            }
            next.command("LOGOUT").await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_tells_what_another_process_brought() {
    let settings = Settings { look: Duration::from_millis(20), ..settings() };
    on_every_engine(settings, |world| async move {
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.command("SELECT INBOX").await;
        client.send(b"x IDLE\r\n").await;
        assert_eq!(client.response().await.as_deref(), Some("+ idling"));
        let elsewhere = world.elsewhere().await;
        world.deliver_by(&elsewhere, "INBOX", b"\r\nx").await;
        assert_eq!(client.response().await.as_deref(), Some("* 1 EXISTS"), "{}", world.engine);
    })
    .await;
}
