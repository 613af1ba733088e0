//! The other end: sends octets, reads whole responses.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longer than anything takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A byte stream of any kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub struct Client {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

impl Client {
    pub fn new(stream: impl Stream + 'static) -> Client {
        Client { stream: Box::new(stream), read: Vec::new() }
    }

    /// The stream, when nothing more was read than asked for.
    pub fn into_stream(self) -> Box<dyn Stream> {
        assert!(self.read.is_empty(), "unread: {}", shown(&self.read));
        self.stream
    }

    /// Past the greeting and logged in.
    pub async fn login(stream: impl Stream + 'static, user: &str) -> Client {
        let mut client = Client::new(stream);
        client.response().await.expect("a greeting");
        let answer = client.command(&format!("LOGIN {user}@example.test secret")).await;
        assert!(answer.last().is_some_and(|line| line.starts_with("x OK ")), "{answer:?}");
        client
    }

    pub async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.expect("the server reads");
    }

    /// As `send`, where the server may have had enough.
    pub async fn send_if_open(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets).await;
        let _ = self.stream.shutdown().await;
    }

    /// Until the server closes.
    pub async fn read_to_end(&mut self) {
        while self.more().await {
            self.read.clear();
        }
    }

    /// A command under the tag `x` and all its responses.
    pub async fn command(&mut self, command: &str) -> Vec<String> {
        self.send(format!("x {command}\r\n").as_bytes()).await;
        let mut answer = Vec::new();
        while let Some(response) = self.response().await {
            let last = response.starts_with("x ");
            answer.push(response);
            if last {
                break;
            }
        }
        answer
    }

    /// One response with its literals, each as `{=octets}`; `None` at the end.
    pub async fn response(&mut self) -> Option<String> {
        let mut response = String::new();
        loop {
            let line = self.line().await?;
            match literal(&line) {
                None => {
                    response.push_str(&shown(&line));
                    assert!(!response.contains("[ALERT]"), "C-10: {response}");
                    return Some(response);
                }
                Some((before, size)) => {
                    response.push_str(&shown(before));
                    let octets = self.octets(size).await;
                    response.push_str(&format!("{{={}}}", shown(&octets)));
                }
            }
        }
    }

    async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.read, b"\r\n") {
                let rest = self.read.split_off(end + 2);
                let mut line = std::mem::replace(&mut self.read, rest);
                line.truncate(end);
                return Some(line);
            }
            if !self.more().await {
                assert!(self.read.is_empty(), "an unfinished line: {}", shown(&self.read));
                return None;
            }
        }
    }

    async fn octets(&mut self, size: usize) -> Vec<u8> {
        while self.read.len() < size {
            assert!(self.more().await, "the connection ended in a literal");
        }
        let rest = self.read.split_off(size);
        std::mem::replace(&mut self.read, rest)
    }

    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let size = read.expect("the server says nothing").unwrap_or(0);
        self.read.extend_from_slice(&buffer[..size]);
        size > 0
    }

    /// Everything up to and with the tagged line of tag `x`, as it came.
    pub async fn raw_answer(&mut self) -> Vec<u8> {
        loop {
            // Our messages have no such line.
            let tail = self.read.get(self.read.len().saturating_sub(200)..).unwrap_or_default();
            let tagged = [&b"\nx OK"[..], b"\nx NO", b"\nx BAD"];
            if self.read.ends_with(b"\r\n") && tagged.iter().any(|tag| memchr::memmem::find(tail, tag).is_some() || self.read.starts_with(&tag[1..])) {
                return std::mem::take(&mut self.read);
            }
            assert!(self.more().await, "the connection ended");
        }
    }
}

/// A line that ends in `{n}`.
fn literal(line: &[u8]) -> Option<(&[u8], usize)> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|byte| *byte == b'{')?;
    let size = std::str::from_utf8(&inside[open + 1..]).ok()?.parse().ok()?;
    Some((&line[..open], size))
}

/// Octets in one line of text.
pub fn shown(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).replace('\r', "\\r").replace('\n', "\\n").replace('\0', "\\0")
}
