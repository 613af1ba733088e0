//! How sessions end.

use crate::toy::*;
use dialogue::{Answer, Event};
use net::{Broken, Conversation, Stop, Stopper, converse};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn c_11_a_deadline_is_for_a_command_and_not_for_each_octet() {
    let (ours, theirs) = duplex(1024);
    let begun = Instant::now();
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        for _ in 0..5 {
            tokio::time::sleep(PATIENCE / 6).await;
            client.send("E").await;
        }
        assert_eq!(client.line().await, "bye Timeout");
        assert_eq!(client.line().await, "EOF");
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "told");
}

#[tokio::test]
async fn c_11_a_peer_that_closes_its_half_still_gets_all_answers() {
    let (ours, theirs) = duplex(16);
    let talk = async {
        let mut client = Client::new(theirs);
        client.send("ECHO one\r\n").await;
        client.send("ECHO two\r\nECHO thr").await;
        client.stream.shutdown().await.unwrap();
        for expected in ["hello", "one", "two", "EOF"] {
            assert_eq!(client.line().await, expected);
        }
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "peer");
}

#[tokio::test(start_paused = true)]
async fn a_handler_runs_to_its_end_though_the_peer_is_gone() {
    let (ours, theirs) = duplex(1024);
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        client.send("SLOW\r\n").await;
    };
    let begun = Instant::now();
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "peer");
    assert_eq!(begun.elapsed(), 10 * PATIENCE);
}

#[tokio::test]
async fn the_end_of_a_handler_does_not_overtake_its_last_answer() {
    let (ours, theirs) = duplex(8);
    let handler = |mut talk: Conversation<Toy>| async move {
        for _ in 0..100 {
            talk.answer(Answer::Part("a line of some length".into())).await.unwrap();
        }
        talk.answer(Answer::Done("the last".into())).await.unwrap();
    };
    let talk = async {
        let mut client = Client::new(theirs);
        for _ in 0..100 {
            assert_eq!(client.line().await, "a line of some length");
        }
        assert_eq!(client.line().await, "the last");
        assert_eq!(client.line().await, "EOF");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), handler), talk);
    ended.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_the_last_answer_there_are_no_events_and_no_answers() {
    let (ours, theirs) = duplex(1024);
    let handler = |mut talk: Conversation<Toy>| async move {
        talk.answer(Answer::Close("no room".into())).await.unwrap();
        assert_eq!(talk.next().await, None);
        assert!(talk.answer(Answer::Part("more".into())).await.is_err());
    };
    let mut client = Client::new(theirs);
    client.send("ECHO unheard\r\n").await;
    let talk = async {
        assert_eq!(client.line().await, "no room");
        assert_eq!(client.line().await, "EOF");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), handler), talk);
    ended.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_a_peer_that_is_still_talking_but_not_for_ever() {
    let (ours, theirs) = duplex(1024);
    let begun = Instant::now();
    let talk = async {
        let mut client = Client::new(theirs);
        client.send("QUIT\r\nECHO unheard\r\n").await;
        for expected in ["hello", "bye", "EOF"] {
            assert_eq!(client.line().await, expected);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.send("ECHO late\r\n").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(client.stream.write_all(b"ECHO never\r\n").await.is_err());
    };
    let session = async { (converse(over(ours), Toy::now(), setup(Stop::never()), daemon).await, begun.elapsed()) };
    let ((ended, took), ()) = tokio::join!(session, talk);
    assert_eq!((ended.unwrap(), took.as_secs()), ("end", 2));
}

#[tokio::test]
async fn a_panic_of_the_handler_ends_the_session_and_is_told() {
    let (ours, theirs) = duplex(1024);
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.ask("PANIC").await, "sorry");
        assert_eq!(client.line().await, "EOF");
    };
    let session = async { converse(over(ours), Toy::now(), setup(Stop::never()), daemon).await };
    let (ended, ()) = tokio::join!(session, talk);
    assert!(matches!(ended, Err(Broken::Panicked(message)) if message == "as asked"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_tells_who_waits_and_lets_a_body_finish() {
    let stopper = Stopper::new();
    let (idle_ours, idle_theirs) = duplex(1024);
    let (busy_ours, busy_theirs) = duplex(1024);
    let talk = async {
        let (mut idle, mut busy) = (Client::new(idle_theirs), Client::new(busy_theirs));
        assert_eq!(idle.line().await, "hello");
        assert_eq!(idle.ask("IDLE").await, "idling");
        assert_eq!(busy.line().await, "hello");
        assert_eq!(busy.ask("UP 4").await, "go");
        busy.send("ab").await;
        stopper.request(Duration::from_secs(30));
        assert_eq!(idle.line().await, "bye Some(Ended(Stop))");
        assert_eq!(idle.line().await, "EOF");
        busy.send("cd").await;
        assert_eq!(busy.line().await, format!("4 {}", sum(0, b"abcd")));
        assert_eq!(busy.line().await, "bye Stop");
        assert_eq!(busy.line().await, "EOF");
    };
    let begun = Instant::now();
    let (idle, busy, ()) = tokio::join!(
        converse(over(idle_ours), Toy::now(), setup(stopper.stop()), daemon),
        converse(over(busy_ours), Toy::now(), setup(stopper.stop()), daemon),
        talk
    );
    assert_eq!((idle.unwrap(), busy.unwrap()), ("end", "told"));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_grace_of_a_stop_ends_for_everybody() {
    let stopper = Stopper::new();
    let (ours, theirs) = duplex(1024);
    let begun = Instant::now();
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.ask("UP 4").await, "go");
        stopper.request(Duration::from_secs(30));
        assert_eq!(client.line().await, "EOF");
    };
    let session = async { converse(over(ours), Toy::now(), setup(stopper.stop()), daemon).await };
    let (ended, ()) = tokio::join!(session, talk);
    assert!(matches!(ended, Err(Broken::Cut)));
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_peer_that_is_gone_within_a_body_is_told_and_no_answer_waits_for_ever() {
    let (ours, theirs) = duplex(1024);
    let handler = |mut talk: Conversation<Toy>| async move {
        talk.answer(Answer::Done("hello".into())).await.unwrap();
        assert!(matches!(talk.next().await, Some(Event::Command(_))));
        talk.answer(Answer::Go("go".into())).await.unwrap();
        let mut octets = 0;
        while let Some(Event::Body(piece)) = talk.next().await {
            octets += piece.len();
        }
        while talk.answer(Answer::Done("ok".into())).await.is_ok() {}
        (octets, talk.failure().unwrap())
    };
    let talk = async {
        let mut client = Client::new(theirs);
        client.send("UP 10\r\nabcde").await;
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.line().await, "go");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), handler), talk);
    assert_eq!(ended.unwrap(), (5, net::Failure::Closed));
}
