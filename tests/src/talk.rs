//! A session line by line, in any protocol: for what no client would say.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::until::SOON;

/// A connection that has been greeted.
#[derive(Debug)]
pub struct Talk(BufReader<TcpStream>);

impl Talk {
    /// Connects, and reads the greeting.
    #[track_caller]
    pub fn open(at: SocketAddr) -> Talk {
        let stream = TcpStream::connect(at).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a socket");
        stream.set_write_timeout(Some(SOON)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        let mut talk = Talk(BufReader::new(stream));
        talk.line();
        talk
    }

    /// Sends `text` as it stands.
    #[track_caller]
    pub fn say(&mut self, text: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(text.as_ref()).expect("a connection");
    }

    /// Sends so many octets without a line's end, or as many as the server takes before it hangs up.
    pub fn pour(&mut self, octets: usize) {
        static AT_ONCE: [u8; 1 << 16] = [b'x'; 1 << 16];
        let mut left = octets;
        while left > 0 {
            let now = left.min(AT_ONCE.len());
            if self.0.get_mut().write_all(&AT_ONCE[..now]).is_err() {
                return;
            }
            left -= now;
        }
    }

    /// A line, with its end; empty when the server has closed.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).expect("a connection");
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Says `text`, and reads until a line that is the last of an SMTP reply.
    #[track_caller]
    pub fn ask(&mut self, text: impl AsRef<[u8]>) -> String {
        self.say(text);
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    /// Says `text`, and reads everything until a line that begins with `start` or the end of the connection: what IMAP
    /// answers to a tag, or POP3 until its dot.
    #[track_caller]
    pub fn until(&mut self, text: impl AsRef<[u8]>, start: &str) -> String {
        self.say(text);
        let mut all = String::new();
        loop {
            let line = self.line();
            all.push_str(&line);
            if line.is_empty() || line.starts_with(start) {
                return all;
            }
        }
    }
}
