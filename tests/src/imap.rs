//! The least IMAP client: blocking, over plain TCP (`plaintext_auth = loopback`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::until::SOON;

/// A connection that has logged in.
#[derive(Debug)]
pub struct Imap {
    stream: BufReader<TcpStream>,
    tag: u32,
}

impl Imap {
    /// Connects and logs in.
    #[track_caller]
    pub fn login(at: SocketAddr, user: &str, password: &str) -> Imap {
        let stream = TcpStream::connect(at).expect("IMAP");
        stream.set_read_timeout(Some(SOON)).expect("a socket");
        let mut imap = Imap { stream: BufReader::new(stream), tag: 0 };
        let greeting = imap.line();
        assert!(greeting.starts_with("* OK"), "{greeting}");
        imap.ask(&format!("LOGIN \"{user}\" \"{password}\""));
        imap
    }

    /// Sends a command and gives everything until its OK, literals included.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.stream.get_mut().write_all(format!("{tag} {command}\r\n").as_bytes()).expect("IMAP");
        let mut all = String::new();
        loop {
            let line = self.line();
            if let Some(result) = line.strip_prefix(&format!("{tag} ")) {
                assert!(result.starts_with("OK"), "{command}: {line}");
                return all;
            }
            all.push_str(&line);
            if let Some(size) = line.trim_end().strip_suffix('}').and_then(|line| line.rsplit_once('{')).and_then(|(_, size)| size.parse().ok()) {
                let mut literal = vec![0; size];
                self.stream.read_exact(&mut literal).expect("a literal");
                all.push_str(&String::from_utf8_lossy(&literal));
            }
        }
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).expect("IMAP");
        assert!(line.ends_with(b"\r\n"), "the connection ended after {:?}", String::from_utf8_lossy(&line));
        String::from_utf8_lossy(&line).into_owned()
    }
}
