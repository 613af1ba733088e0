//! A toy protocol: `ECHO text`, `UP n` (a body of n octets after the go-ahead), `DATA` (a body up to a dot), `DOWN n`,
//! `IDLE` (until a line comes), `STARTTLS`, `COMPRESS`, `PANIC`, `QUIT`. And a client that reads and writes raw octets.

use bytes::{Bytes, BytesMut};
use dialogue::{Answer, BareLf, Counted, Dialogue, Dots, Ended, Event, Lines, Piece, Wants};
use net::{At, Connection, Conversation, Peer, Setup, Stop};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const CHUNK: usize = 64 << 10;

pub struct Toy {
    state: State,
    next: State,
    lines: Lines,
    deadline: Instant,
    pub seen: Arc<Seen>,
}

/// The most that lay in the loop's buffers.
#[derive(Default)]
pub struct Seen {
    pub input: AtomicUsize,
    pub output: AtomicUsize,
    pub upgrades: AtomicUsize,
}

#[derive(Clone)]
enum State {
    Command,
    Answer,
    Up(Counted),
    Data(Dots),
    Idle,
    Upgrade,
    Compress,
    Close,
    Gone,
}

impl Toy {
    pub fn new(now: Instant) -> Toy {
        Toy {
            state: State::Answer,
            next: State::Command,
            lines: Lines::new(1000, BareLf::Ends),
            deadline: now + PATIENCE,
            seen: Arc::default(),
        }
    }

    pub fn now() -> Toy {
        Toy::new(tokio::time::Instant::now().into_std())
    }

    fn command(&mut self, line: Bytes) -> Event<String> {
        let line = String::from_utf8_lossy(&line).into_owned();
        self.next = match line.split_once(' ') {
            Some(("UP", size)) => State::Up(Counted::new(size.parse().unwrap_or(0))),
            _ if line == "DATA" => State::Data(Dots::new()),
            _ if line == "IDLE" => State::Idle,
            _ => State::Command,
        };
        self.state = State::Answer;
        Event::Command(line)
    }

    fn body_end(&mut self) -> Event<String> {
        self.state = State::Answer;
        Event::BodyEnd
    }
}

impl Dialogue for Toy {
    type Command = String;
    type Answer = String;

    fn receive(&mut self, input: &mut BytesMut, now: Instant) -> Option<Event<String>> {
        self.seen.input.fetch_max(input.len(), Ordering::Relaxed);
        match &mut self.state {
            State::Up(counted) => {
                let piece = counted.take(input);
                self.deadline = now + PATIENCE;
                match piece {
                    Some(piece) => Some(Event::Body(piece)),
                    None if counted.left() == 0 => Some(self.body_end()),
                    None => None,
                }
            }
            State::Data(dots) => match dots.take(input)? {
                Piece::Data(piece) => {
                    self.deadline = now + PATIENCE;
                    Some(Event::Body(piece))
                }
                Piece::End(_) => Some(self.body_end()),
            },
            State::Idle => {
                let line = self.lines.take(input)?;
                self.state = State::Answer;
                Some(Event::Line(line.text))
            }
            State::Command => {
                let line = self.lines.take(input)?;
                Some(match line.checked() {
                    Ok(text) => self.command(text),
                    Err(fault) => self.command(format!("BAD {fault:?}").into()),
                })
            }
            _ => None,
        }
    }

    fn ended(&mut self, why: Ended, _now: Instant) -> Option<Event<String>> {
        self.state = match (why, &self.state) {
            (Ended::Peer, _) => State::Gone,
            (Ended::Stop, State::Up(_) | State::Data(_)) => return None,
            _ => State::Answer,
        };
        Some(Event::Ended(why))
    }

    fn wants(&self) -> Wants {
        match self.state {
            State::Command | State::Up(_) | State::Data(_) => Wants::INPUT,
            State::Answer => Wants::ANSWERS,
            State::Idle => Wants::BOTH,
            State::Upgrade => Wants::UPGRADE,
            State::Compress => Wants::COMPRESS,
            State::Close => Wants::CLOSE,
            State::Gone => Wants::NOTHING,
        }
    }

    fn answer(&mut self, part: Answer<String>, out: &mut BytesMut, now: Instant) {
        assert!(self.wants().answers);
        let line = match part {
            Answer::Part(line) => line,
            Answer::Chunk(chunk) => {
                out.extend_from_slice(&chunk);
                self.seen.output.fetch_max(out.len(), Ordering::Relaxed);
                return;
            }
            Answer::Go(line) => {
                self.state = std::mem::replace(&mut self.next, State::Command);
                line
            }
            Answer::Done(line) => {
                self.state = State::Command;
                line
            }
            Answer::Upgrade(line) => {
                self.state = State::Upgrade;
                line
            }
            Answer::Compress(line) => {
                self.state = State::Compress;
                line
            }
            Answer::Close(line) => {
                self.state = State::Close;
                line
            }
        };
        self.deadline = now + PATIENCE;
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    fn upgraded(&mut self, now: Instant) {
        self.seen.upgrades.fetch_add(1, Ordering::Relaxed);
        self.deadline = now + PATIENCE;
        self.state = State::Command;
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }

    fn apology(&self) -> Option<String> {
        Some("sorry".into())
    }
}

/// The toy's daemon. Its outcome: how the session ended.
pub async fn daemon(mut talk: Conversation<Toy>) -> &'static str {
    if talk.answer(Answer::Done("hello".into())).await.is_err() {
        return "gone";
    }
    while let Some(event) = talk.next().await {
        let answer = match event {
            Event::Ended(Ended::Peer) => {
                assert!(talk.next().await.is_none());
                return "peer";
            }
            Event::Ended(why) => {
                let _ = talk.answer(Answer::Close(format!("bye {why:?}"))).await;
                assert!(talk.next().await.is_none());
                return "told";
            }
            Event::Command(line) => match line.split_once(' ') {
                Some(("ECHO", text)) => Answer::Done(text.to_owned()),
                Some(("UP", _)) => Answer::Go("go".into()),
                Some(("DOWN", size)) => match down(&mut talk, size.parse().unwrap_or(0)).await {
                    Ok(()) => Answer::Done("end".into()),
                    Err(_) => return "gone",
                },
                _ => match line.as_str() {
                    "DATA" => Answer::Go("go".into()),
                    "IDLE" => idle(&mut talk).await,
                    "STARTTLS" => Answer::Upgrade("go".into()),
                    "COMPRESS" => Answer::Compress("go".into()),
                    "SECURED" => Answer::Done(talk.tls().map_or("no".into(), |tls| format!("{} {:?}", tls.protocol, tls.sni))),
                    "BINDING" => Answer::Done(format!("{:?}", talk.binding())),
                    "YIELD" => {
                        tokio::task::yield_now().await;
                        Answer::Done("x".into())
                    }
                    "SLOW" => {
                        tokio::time::sleep(10 * PATIENCE).await;
                        Answer::Done("slow".into())
                    }
                    "PANIC" => panic!("as asked"),
                    "QUIT" => Answer::Close("bye".into()),
                    _ => Answer::Done(format!("what? {line}")),
                },
            },
            Event::Body(piece) if piece.starts_with(b"unwanted") => match talk.skip_body().await {
                Ok(()) => Answer::Done("refused".into()),
                Err(_) => return "skipped",
            },
            Event::Body(piece) => {
                let (octets, sum) = body(&mut talk, piece).await;
                Answer::Done(format!("{octets} {sum}"))
            }
            Event::BodyEnd => Answer::Done("0 0".into()),
            Event::Line(_) => Answer::Done("idled".into()),
        };
        if talk.answer(answer).await.is_err() {
            return "gone";
        }
    }
    "end"
}

async fn down(talk: &mut Conversation<Toy>, size: usize) -> Result<(), net::Gone> {
    talk.answer(Answer::Part(size.to_string())).await?;
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    let mut left = size;
    while left > 0 {
        let size = left.min(CHUNK);
        talk.answer(Answer::Chunk(chunk.slice(..size))).await?;
        left -= size;
    }
    Ok(())
}

/// The rest of a body: its size, and a sum that depends on every octet's place.
async fn body(talk: &mut Conversation<Toy>, first: Bytes) -> (usize, u64) {
    let (mut octets, mut total) = (first.len(), sum(0, &first));
    while let Some(Event::Body(piece)) = talk.next().await {
        octets += piece.len();
        total = sum(total, &piece);
    }
    (octets, total)
}

pub fn sum(before: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(before, |sum, &octet| sum.wrapping_mul(31).wrapping_add(u64::from(octet)))
}

async fn idle(talk: &mut Conversation<Toy>) -> Answer<String> {
    let _ = talk.answer(Answer::Go("idling".into())).await;
    for round in 0.. {
        tokio::select! {
            event = talk.next() => match event {
                Some(Event::Line(_)) => return Answer::Done("idled".into()),
                why => return Answer::Close(format!("bye {why:?}")),
            },
            () = tokio::time::sleep(PATIENCE / 4) => {
                let _ = talk.answer(Answer::Part(format!("still {round}"))).await;
            }
        }
    }
    unreachable!()
}

pub fn setup(stop: Stop) -> Setup {
    Setup { busy: "busy\r\n", ..Setup::new(stop) }
}

pub fn over<S>(stream: S) -> Connection<S> {
    Connection { stream, peer: Peer::local("toy", None) }
}

pub fn loopback() -> At {
    "127.0.0.1:0".parse().unwrap()
}

/// A client that knows nothing but octets.
pub struct Client<S> {
    pub stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Client<S> {
        Client { stream, unread: Vec::new() }
    }

    pub async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next line, or "EOF".
    pub async fn line(&mut self) -> String {
        loop {
            if let Some(lf) = self.unread.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=lf).collect();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            let mut octets = [0; 4096];
            match self.stream.read(&mut octets).await {
                Ok(0) | Err(_) => return "EOF".into(),
                Ok(size) => self.unread.extend_from_slice(&octets[..size]),
            }
        }
    }

    pub async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.line().await
    }

    /// Reads so many octets.
    pub async fn skip(&mut self, mut octets: usize) {
        let known = octets.min(self.unread.len());
        self.unread.drain(..known);
        octets -= known;
        let mut sink = vec![0; 8192];
        while octets > 0 {
            let size = sink.len().min(octets);
            let size = self.stream.read(&mut sink[..size]).await.unwrap();
            assert!(size > 0, "{octets} octets are missing");
            octets -= size;
        }
    }
}
