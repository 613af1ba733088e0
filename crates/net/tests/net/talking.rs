//! Commands and answers.

use crate::toy::*;
use net::{Stop, converse};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;

#[tokio::test]
async fn commands_cut_anywhere_are_answered_in_order() {
    let wire = b"ECHO one\r\nECHO two\r\nQUIT\r\n";
    for cut in 0..=wire.len() {
        let (ours, theirs) = duplex(64);
        let talk = async {
            let mut client = Client::new(theirs);
            client.send(&wire[..cut]).await;
            tokio::task::yield_now().await;
            client.send(&wire[cut..]).await;
            for expected in ["hello", "one", "two", "bye", "EOF"] {
                assert_eq!(client.line().await, expected, "cut at {cut}");
            }
        };
        let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
        assert_eq!(ended.unwrap(), "end");
    }
}

/// Counts the writes that reach the socket.
struct Counting(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, octets)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn e_09_pipelined_commands_get_one_write() {
    let (ours, theirs) = duplex(64 << 10);
    let writes = Arc::new(AtomicUsize::new(0));
    let socket = Counting(ours, writes.clone());
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        client.send("ECHO x\r\n".repeat(100)).await;
        for _ in 0..100 {
            assert_eq!(client.line().await, "x");
        }
        assert_eq!(writes.load(Ordering::Relaxed), 2, "the greeting, and all answers together");
        client.send("YIELD\r\n".repeat(100)).await;
        for _ in 0..100 {
            assert_eq!(client.line().await, "x");
        }
        assert_eq!(writes.load(Ordering::Relaxed), 3, "though each took a moment");
    };
    let (ended, ()) = tokio::join!(converse(over(socket), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "peer");
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_the_making_is_not_held_back_for_long() {
    let (ours, theirs) = duplex(64 << 10);
    let talk = async {
        let mut client = Client::new(theirs);
        client.send("ECHO quick\r\nSLOW\r\n").await;
        let begun = Instant::now();
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.line().await, "quick");
        assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
        assert_eq!(client.line().await, "slow");
        assert!(begun.elapsed() >= 10 * PATIENCE, "and no deadline counts while we are the slow ones");
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "end");
}

#[tokio::test(start_paused = true)]
async fn both_may_speak_while_idling() {
    let (ours, theirs) = duplex(1024);
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.ask("IDLE").await, "idling");
        assert_eq!(client.line().await, "still 0");
        assert_eq!(client.line().await, "still 1");
        assert_eq!(client.ask("DONE").await, "idled");
        assert_eq!(client.ask("ECHO after").await, "after");
        client.stream.shutdown().await.unwrap();
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "peer");
}

#[tokio::test]
async fn too_long_lines_cost_nothing_but_a_refusal() {
    let (ours, theirs) = duplex(1024);
    let toy = Toy::now();
    let seen = toy.seen.clone();
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        client.send(vec![b'x'; 1 << 20]).await;
        assert_eq!(client.ask("").await, "what? BAD TooLong");
        assert_eq!(client.ask("ECHO still in step").await, "still in step");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), toy, setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "peer");
    assert!(seen.input.load(Ordering::Relaxed) <= 17 << 10);
}

#[tokio::test]
async fn a_handler_may_lend_its_conversation_to_another_task() {
    let (ours, theirs) = duplex(1024);
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        for round in 0..1000 {
            assert_eq!(client.ask(&format!("ECHO {round}")).await, round.to_string());
        }
        assert_eq!(client.ask("UP 0").await, "go");
        assert_eq!(client.line().await, "0 0", "an empty body ends without an octet");
        assert_eq!(client.ask("UP 3").await, "go");
        assert_eq!(client.ask("abc").await, format!("3 {}", sum(0, b"abc")));
        assert_eq!(client.line().await, "what?");
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let lend = |talk| async { tokio::spawn(daemon(talk)).await.unwrap() };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), lend), talk);
    assert_eq!(ended.unwrap(), "end");
}
