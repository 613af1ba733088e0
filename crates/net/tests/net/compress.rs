//! Compression both ways (RFC 4978), cut anywhere, unfolded and broken.

use crate::toy::*;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use net::{Octets, Stop, converse};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const MB: usize = 1 << 20;

/// The client's end of a compressed session.
struct Zip {
    stream: DuplexStream,
    ours: Compress,
    theirs: Decompress,
    read: Vec<u8>,
}

impl Zip {
    /// Asks for compression, in clear.
    async fn begin(stream: DuplexStream) -> Zip {
        let mut client = Client::new(stream);
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.ask("COMPRESS").await, "go");
        Zip::over(client)
    }

    fn over(client: Client<DuplexStream>) -> Zip {
        Zip { stream: client.stream, ours: Compress::new(Compression::best(), false), theirs: Decompress::new(false), read: Vec::new() }
    }

    fn squeeze(&mut self, octets: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut squeezed = Vec::with_capacity(octets.len() + 1024);
        self.ours.compress_vec(octets, &mut squeezed, flush).unwrap();
        squeezed
    }

    async fn send(&mut self, octets: &[u8]) {
        let squeezed = self.squeeze(octets, FlushCompress::Sync);
        self.stream.write_all(&squeezed).await.unwrap();
    }

    /// So many octets of what the server said; fewer at its end.
    async fn read(&mut self, size: usize) -> Vec<u8> {
        let mut squeezed = [0; 4096];
        while self.read.len() < size {
            let got = self.stream.read(&mut squeezed).await.unwrap();
            if got == 0 {
                break;
            }
            let mut left = &squeezed[..got];
            while !left.is_empty() {
                let before = self.theirs.total_in();
                self.read.reserve(64 << 10);
                self.theirs.decompress_vec(left, &mut self.read, FlushDecompress::None).unwrap();
                left = &left[(self.theirs.total_in() - before) as usize..];
            }
            // What did not fit is still inside.
            loop {
                let before = self.read.len();
                self.read.reserve(64 << 10);
                self.theirs.decompress_vec(&[], &mut self.read, FlushDecompress::None).unwrap();
                if self.read.len() == before {
                    break;
                }
            }
        }
        let rest = self.read.split_off(size.min(self.read.len()));
        std::mem::replace(&mut self.read, rest)
    }

    async fn line(&mut self) -> String {
        for size in 1.. {
            let so_far = self.read(size).await;
            if so_far.ends_with(b"\r\n") || so_far.len() < size {
                return String::from_utf8_lossy(&so_far).trim_end().to_owned();
            }
            self.read.splice(0..0, so_far);
        }
        unreachable!()
    }

    async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.line().await
    }
}

#[tokio::test]
async fn commands_cut_anywhere_are_answered_in_order() {
    let wire = Zip::over(Client::new(duplex(1).0)).squeeze(b"ECHO one\r\nECHO one two\r\nQUIT\r\n", FlushCompress::Sync);
    for cut in 0..=wire.len() {
        let (ours, theirs) = duplex(64);
        let talk = async {
            let mut client = Zip::begin(theirs).await;
            client.stream.write_all(&wire[..cut]).await.unwrap();
            tokio::task::yield_now().await;
            client.stream.write_all(&wire[cut..]).await.unwrap();
            for expected in ["one", "one two", "bye", ""] {
                assert_eq!(client.line().await, expected, "cut at {cut}");
            }
        };
        let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
        assert_eq!(ended.unwrap(), "end");
    }
}

#[tokio::test]
async fn what_was_sent_in_clear_behind_it_is_never_obeyed() {
    let (ours, theirs) = duplex(1024);
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        client.send("COMPRESS\r\nECHO injected\r\nECHO half").await;
        assert_eq!(client.line().await, "go");
        let mut client = Zip::over(client);
        assert_eq!(client.ask("ECHO safe").await, "safe");
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "end");
}

#[tokio::test]
async fn bodies_go_both_ways_and_a_bomb_unfolds_in_small_pieces() {
    let (ours, theirs) = duplex(4096);
    let toy = Toy::now();
    let seen = toy.seen.clone();
    let talk = async {
        let mut client = Zip::begin(theirs).await;
        // A thousand octets for each one sent.
        let bomb = vec![0; 50 * MB];
        assert_eq!(client.ask(&format!("UP {}", bomb.len())).await, "go");
        let squeezed = client.squeeze(&bomb, FlushCompress::Sync);
        assert!(squeezed.len() < bomb.len() / 500, "{}", squeezed.len());
        client.stream.write_all(&squeezed).await.unwrap();
        assert_eq!(client.line().await, format!("{} {}", bomb.len(), sum(0, &bomb)));
        assert_eq!(client.ask(&format!("DOWN {}", 5 * MB)).await, (5 * MB).to_string());
        assert_eq!(client.read(5 * MB).await.len(), 5 * MB);
        assert_eq!(client.line().await, "end");
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), toy, setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "end");
    assert!(seen.input.load(Ordering::Relaxed) <= 16 << 10, "one piece at a time");
}

#[tokio::test]
async fn a_broken_stream_and_one_that_ended_are_told_and_end() {
    let garbage = b"ECHO in clear, for all that was agreed\r\n".to_vec();
    let mut last = Zip::over(Client::new(duplex(1).0));
    let finished = last.squeeze(b"ECHO one\r\n", FlushCompress::Finish);
    let more = [finished.clone(), finished.clone()].concat();
    for (wire, answered) in [(garbage, false), (finished, true), (more, true)] {
        let (ours, theirs) = duplex(1024);
        let talk = async {
            let mut client = Zip::begin(theirs).await;
            client.stream.write_all(&wire).await.unwrap();
            if answered {
                assert_eq!(client.line().await, "one");
            }
            assert_eq!(client.line().await, "bye Garbled");
            assert_eq!(client.line().await, "");
        };
        let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
        assert_eq!(ended.unwrap(), "told");
    }
}

#[tokio::test]
async fn a_stream_cut_off_anywhere_ends_the_session() {
    let wire = Zip::over(Client::new(duplex(1).0)).squeeze(b"ECHO one\r\nECHO one two\r\n", FlushCompress::Sync);
    for cut in 0..wire.len() {
        let (ours, theirs) = duplex(1024);
        let talk = async {
            let mut client = Zip::begin(theirs).await;
            client.stream.write_all(&wire[..cut]).await.unwrap();
            client.stream.shutdown().await.unwrap();
            while !client.line().await.is_empty() {}
        };
        let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
        assert_eq!(ended.unwrap(), "peer", "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_rest_the_same_stream_goes_on() {
    let (ours, theirs) = duplex(1024);
    let talk = async {
        let mut client = Zip::begin(theirs).await;
        for n in 0..3 {
            let text = format!("{n} the same words again and again");
            assert_eq!(client.ask(&format!("ECHO {text}")).await, text);
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), daemon), talk);
    assert_eq!(ended.unwrap(), "end");
}

#[tokio::test]
async fn octets_are_counted_as_the_protocol_has_them() {
    let (ours, theirs) = duplex(1024);
    let talk = async {
        let mut client = Zip::begin(theirs).await;
        assert_eq!(client.ask(&format!("ECHO {}", "x".repeat(500))).await.len(), 500);
        client.stream.shutdown().await.unwrap();
    };
    let counting = |mut talk: net::Conversation<Toy>| async move {
        let _ = talk.answer(dialogue::Answer::Done("hello".into())).await;
        while let Some(event) = talk.next().await {
            match event {
                dialogue::Event::Command(line) if line == "COMPRESS" => talk.answer(dialogue::Answer::Compress("go".into())).await.unwrap(),
                dialogue::Event::Command(line) => talk.answer(dialogue::Answer::Done(line[5..].into())).await.unwrap(),
                _ => break,
            }
        }
        talk.octets()
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup(Stop::never()), counting), talk);
    let sent = "COMPRESS\r\n".len() + "ECHO \r\n".len() + 500;
    let said = "hello\r\n".len() + "go\r\n".len() + 502;
    assert_eq!(ended.unwrap(), Octets { read: sent as u64, written: said as u64 });
}
