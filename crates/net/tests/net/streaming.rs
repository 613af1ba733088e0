//! Bodies both ways, slow peers, full buffers.

use crate::toy::*;
use net::{Failure, Stop, converse};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, duplex};
use tokio::time::Instant;

const MB: usize = 1_000_000;

#[tokio::test]
async fn twenty_megabytes_in_and_fifty_out_through_small_buffers() {
    let (ours, theirs) = duplex(4096);
    let toy = Toy::now();
    let seen = toy.seen.clone();
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        let body: Vec<u8> = (0..20 * MB).map(|at| (at / 7) as u8).collect();
        assert_eq!(client.ask(&format!("UP {}", body.len())).await, "go");
        client.send(&body).await;
        assert_eq!(client.line().await, format!("{} {}", body.len(), sum(0, &body)));
        assert_eq!(client.ask(&format!("DOWN {}", 50 * MB)).await, (50 * MB).to_string());
        client.skip(50 * MB).await;
        assert_eq!(client.line().await, "end");
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), toy, setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "end");
    assert!(seen.input.load(Ordering::Relaxed) <= 16 << 10, "one read at a time");
    assert!(seen.output.load(Ordering::Relaxed) <= (64 << 10) + CHUNK, "the limit and one chunk");
}

#[tokio::test]
async fn a_body_ends_at_its_dot_and_the_pipeline_goes_on() {
    let body = "..stuffed\r\nend\r\n";
    let wire = format!("DATA\r\n{body}.\r\nECHO after\r\n");
    for cut in 0..=wire.len() {
        let (ours, theirs) = duplex(256);
        let talk = async {
            let mut client = Client::new(theirs);
            client.send(&wire.as_bytes()[..cut]).await;
            tokio::task::yield_now().await;
            client.send(&wire.as_bytes()[cut..]).await;
            let expected = format!("{} {}", body.len() - 1, sum(0, &body.as_bytes()[1..]));
            for expected in ["hello", "go", &expected, "after"] {
                assert_eq!(client.line().await, expected, "cut at {cut}");
            }
        };
        let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
        assert_eq!(ended.unwrap(), "peer");
    }
}

#[tokio::test]
async fn an_unwanted_body_is_skipped_and_then_refused() {
    let (ours, theirs) = duplex(64);
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        for _ in 0..2 {
            assert_eq!(client.ask("DATA").await, "go");
            client.send("unwanted\r\n".repeat(1000)).await;
            assert_eq!(client.ask(".").await, "refused");
        }
        assert_eq!(client.ask("DATA").await, "go");
        client.send("unwanted\r\n").await;
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "skipped");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_cut_off_and_the_handler_ends() {
    let (ours, theirs) = duplex(4096);
    let failure = Arc::new(Mutex::new(None));
    let handler = |mut talk: net::Conversation<Toy>| {
        let failure = failure.clone();
        async move {
            while talk.answer(dialogue::Answer::Part("x".repeat(1000))).await.is_ok() {}
            assert!(matches!(talk.next().await, Some(dialogue::Event::Ended(dialogue::Ended::Peer))));
            assert!(talk.next().await.is_none());
            *failure.lock().unwrap() = talk.failure();
        }
    };
    let begun = Instant::now();
    let session = converse(over(ours), Toy::now(), setup(Stop::never()), handler);
    tokio::time::timeout(Duration::from_secs(10_000), session).await.unwrap().unwrap();
    assert_eq!(*failure.lock().unwrap(), Some(Failure::TooSlow));
    assert_eq!(begun.elapsed().as_secs(), 300);
    drop(theirs);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_but_steadily_gets_everything() {
    let (ours, theirs) = duplex(4096);
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        client.send("DOWN 200000\r\n").await;
        let mut read = 0;
        let mut piece = vec![0; 1000];
        while read < 200_000 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let size = client.stream.read(&mut piece).await.unwrap();
            assert!(size > 0, "cut off after {read}");
            read += size;
        }
        client.line().await;
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "end");
}
