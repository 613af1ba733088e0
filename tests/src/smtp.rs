//! The least SMTP client: blocking, over plain TCP.

use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::net::{SocketAddr, TcpStream};

use crate::until::SOON;

/// A connection that has said EHLO.
#[derive(Debug)]
pub struct Smtp {
    stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects, and says EHLO.
    pub fn connect(at: SocketAddr) -> Result<Smtp> {
        let stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_nodelay(true)?;
        let mut smtp = Smtp { stream: BufReader::new(stream) };
        smtp.reply()?;
        smtp.say("EHLO client.example.net\r\n")?;
        Ok(smtp)
    }

    /// Sends `text` and gives the reply to it, or an error for one of 4xx or 5xx.
    pub fn say(&mut self, text: &str) -> Result<String> {
        self.stream.get_mut().write_all(text.as_bytes())?;
        self.reply()
    }

    /// Sends a message; `Ok` is its 250. `text` is in CRLF form and has no line that begins with a dot.
    pub fn send(&mut self, from: &str, to: &[&str], text: &str) -> Result<String> {
        self.say(&format!("MAIL FROM:<{from}>\r\n"))?;
        for to in to {
            self.say(&format!("RCPT TO:<{to}>\r\n"))?;
        }
        self.say("DATA\r\n")?;
        self.say(&format!("{text}.\r\n"))
    }

    fn reply(&mut self) -> Result<String> {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            if self.stream.read_line(&mut reply)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if reply.as_bytes().get(start + 3) != Some(&b'-') {
                break;
            }
        }
        if reply.starts_with(['2', '3']) { Ok(reply) } else { Err(Error::other(reply)) }
    }
}
