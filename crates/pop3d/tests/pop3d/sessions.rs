//! What a transcript can't show: marks in the store, large messages, failures, time.

use std::time::Duration;

use auth::PlaintextAuth;
use net::{Stop, Stopper};
use pop3d::{MAX_SEEN, Settings};

use crate::world::{Client, World, in_clear, on_every_engine, setup};

#[tokio::test(flavor = "multi_thread")]
async fn retr_marks_seen_and_top_does_not_whether_the_client_says_quit_or_not() {
    on_every_engine(|world| async move {
        for n in 0..4 {
            world.deliver(format!("Subject: {n}\r\n\r\n").as_bytes()).await;
        }
        let mut client = world.connect(1024);
        client.log_in().await;
        for command in ["RETR 1", "TOP 2 0", "RETR 3", "DELE 3"] {
            assert!(client.ask(command).await.starts_with("+OK"));
            if !command.starts_with("DELE") {
                client.body().await;
            }
        }
        assert!(client.ask("QUIT").await.starts_with("+OK"));
        assert_eq!(world.seen().await, [(1, true), (2, false), (4, false)]);

        let mut client = world.connect(1024);
        client.log_in().await;
        assert!(client.ask("RETR 3").await.starts_with("+OK"));
        client.body().await;
        assert!(client.ask("DELE 2").await.starts_with("+OK"));
        let mut watch = world.store.watch(world.alice);
        drop(client);
        watch.changed().await;
        assert_eq!(world.seen().await, [(1, true), (2, false), (4, true)], "marked, and nothing deleted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_do_not_wait_for_the_end_of_a_long_session() {
    on_every_engine(|world| async move {
        world.deliver_often(b"Subject: x\r\n\r\n", MAX_SEEN).await;
        let mut client = world.connect(1024);
        client.log_in().await;
        for number in 1..=MAX_SEEN {
            assert!(client.ask(&format!("RETR {number}")).await.starts_with("+OK"));
            client.body().await;
        }
        assert!(client.ask("NOOP").await.starts_with("+OK"), "the marks are written before the next command");
        assert!(world.seen().await.iter().all(|(_, seen)| *seen));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_and_a_long_list_pass_through_small_buffers() {
    on_every_engine(|world| async move {
        let line = [b'.'; 70].iter().chain(b"\r\n").copied().collect::<Vec<u8>>();
        let message = [b"Subject: large\r\n\r\n".to_vec(), line.repeat(40_000)].concat();
        world.deliver(&message).await;
        world.deliver_often(b"Subject: small\r\n\r\n", 1200).await;
        let mut client = world.connect(4096);
        client.log_in().await;
        assert_eq!(client.ask("RETR 1").await, format!("+OK {} octets", message.len()));
        assert!(client.body().await == message);
        for command in ["LIST", "UIDL"] {
            assert!(client.ask(command).await.starts_with("+OK"));
            let body = String::from_utf8(client.body().await).expect("ASCII");
            assert_eq!(body.lines().count(), 1201, "{command}");
            let numbers: Vec<usize> = body.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
            assert!(numbers.into_iter().eq(1..=1201), "{command}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quit_is_not_answered_ok_when_the_messages_could_not_be_removed() {
    on_every_engine(|world| async move {
        world.deliver(b"Subject: x\r\n\r\n").await;
        let mut client = world.connect(1024);
        client.log_in().await;
        assert!(client.ask("DELE 1").await.starts_with("+OK"));
        world.store.db().close().await;
        assert!(client.ask("QUIT").await.starts_with("-ERR [SYS/TEMP]"));
        assert_eq!(client.line().await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_not_a_wrong_password() {
    on_every_engine(|world| async move {
        world.store.db().close().await;
        let mut client = world.connect(1024);
        assert!(client.line().await.is_some());
        assert!(client.ask("USER alice").await.starts_with("+OK"));
        assert!(client.ask("PASS secret").await.starts_with("-ERR [SYS/TEMP]"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_crosses_the_wire_in_clear() {
    on_every_engine(|world| async move {
        let pop3d = world.with(Settings { plaintext_auth: PlaintextAuth::No, stls: true, ..in_clear() });
        let mut client = Client::new(world.wire(1024, pop3d, setup(Stop::never())));
        assert!(client.line().await.is_some());
        for command in ["USER alice", "AUTH PLAIN", "AUTH PLAIN AGFsaWNlAHNlY3JldA==", "AUTH LOGIN"] {
            let answer = client.ask(command).await;
            assert!(answer.starts_with("-ERR [AUTH]"), "{command}: {answer}");
        }
        assert_eq!(client.ask("PASS secret").await, "-ERR USER first");
        assert!(client.ask("CAPA").await.starts_with("+OK"));
        let capabilities = String::from_utf8(client.body().await).expect("ASCII");
        assert!(capabilities.contains("STLS\r\n") && !capabilities.contains("USER") && !capabilities.contains("SASL"), "{capabilities}");
        assert!(client.ask("AUTH").await.starts_with("+OK"));
        assert_eq!(client.body().await, b"");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_client_is_left_without_a_word_and_a_stopping_server_says_so() {
    on_every_engine(|world| async move {
        let impatient = World {
            store: world.store.clone(),
            alice: world.alice,
            pop3d: world.pop3d.clone(),
            limits: pop3::Limits { idle: Duration::ZERO, ..pop3::Limits::default() },
        };
        let mut client = impatient.connect(1024);
        assert_eq!(client.line().await.as_deref(), Some(&b"+OK ready"[..]));
        assert_eq!(client.line().await, None, "RFC 1939 §3");

        let stopper = Stopper::new();
        let mut client = Client::new(world.wire(1024, world.pop3d.clone(), setup(stopper.stop())));
        client.log_in().await;
        stopper.request(Duration::from_secs(30));
        assert!(client.line().await.is_some_and(|line| line.starts_with(b"-ERR [SYS/TEMP]")));
        assert_eq!(client.line().await, None);
    })
    .await;
}
