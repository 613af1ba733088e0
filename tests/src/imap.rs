//! The least IMAP client: blocking, over plain TCP (`plaintext_auth = loopback`).

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use crate::until::SOON;

/// A message as FETCH tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// Its UID.
    pub uid: u32,
    /// Its flags and keywords.
    pub flags: Vec<String>,
    /// All of it.
    pub text: Vec<u8>,
}

impl Message {
    /// Whether it has `flag`.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|has| has.eq_ignore_ascii_case(flag))
    }

    /// What stands after `Subject: `.
    pub fn subject(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
    }
}

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
        Imap::try_login(at, user, password).unwrap_or_else(|error| panic!("IMAP: {user}: {error}"))
    }

    /// Connects and logs in, if the server lives.
    pub fn try_login(at: SocketAddr, user: &str, password: &str) -> Result<Imap> {
        let stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_nodelay(true)?;
        let mut imap = Imap { stream: BufReader::new(stream), tag: 0 };
        let greeting = imap.line()?;
        if !greeting.starts_with("* OK") {
            return Err(Error::other(greeting));
        }
        imap.try_ask(&format!("LOGIN \"{user}\" \"{password}\""))?;
        Ok(imap)
    }

    /// Sends a command and gives everything until its OK, literals included.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.try_ask(command).unwrap_or_else(|error| panic!("IMAP: {command}: {error}"))
    }

    /// Sends a command and gives everything before its OK; an error for NO, BAD or the end of the connection.
    pub fn try_ask(&mut self, command: &str) -> Result<String> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.stream.get_mut().write_all(format!("{tag} {command}\r\n").as_bytes())?;
        self.result(&tag).map(|(untagged, _)| untagged)
    }

    /// Appends `text` to `mailbox`; gives its UID.
    pub fn append(&mut self, mailbox: &str, text: &str) -> Result<u32> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.stream.get_mut().write_all(format!("{tag} APPEND {mailbox} {{{}}}\r\n", text.len()).as_bytes())?;
        let welcome = self.line()?;
        if !welcome.starts_with('+') {
            return Err(Error::other(welcome));
        }
        self.stream.get_mut().write_all(format!("{text}\r\n").as_bytes())?;
        let (_, answer) = self.result(&tag)?;
        let uid = answer.rsplit_once("[APPENDUID ").and_then(|(_, rest)| rest.split([' ', ']']).nth(1)?.parse().ok());
        uid.ok_or_else(|| Error::other(answer))
    }

    /// Appends `text` with `flags` to `mailbox`.
    #[track_caller]
    pub fn put(&mut self, mailbox: &str, flags: &str, text: &[u8]) {
        self.tag += 1;
        let command = format!("t{} APPEND \"{mailbox}\" ({flags}) {{{}+}}\r\n", self.tag, text.len());
        self.stream.get_mut().write_all(&[command.as_bytes(), text, b"\r\n"].concat()).expect("a connection");
        self.result(&format!("t{}", self.tag)).unwrap_or_else(|error| panic!("IMAP: {command}: {error}"));
    }

    /// The names of all mailboxes, as they are on the wire.
    #[track_caller]
    pub fn mailboxes(&mut self) -> Vec<String> {
        let listed = self.ask("LIST \"\" *");
        listed.lines().filter_map(|line| line.rsplit_once(" \"/\" ")).map(|(_, name)| name.trim_matches('"').to_owned()).collect()
    }

    /// Opens `mailbox` without changing it, and reads all messages.
    #[track_caller]
    pub fn messages(&mut self, mailbox: &str) -> Vec<Message> {
        self.ask(&format!("EXAMINE \"{mailbox}\""));
        self.tag += 1;
        let command = format!("t{} UID FETCH 1:* (UID FLAGS BODY.PEEK[])\r\n", self.tag);
        self.stream.get_mut().write_all(command.as_bytes()).expect("a connection");
        let mut messages = Vec::new();
        loop {
            let line = self.line().expect("a line");
            if line.starts_with(&format!("t{} ", self.tag)) {
                assert!(line.contains(" OK "), "{line}");
                return messages;
            }
            if !line.contains(" FETCH (") {
                continue; // what came meanwhile is told, too
            }
            let after = |word: &str| line.split_once(word).map(|(_, rest)| rest.trim_end()).unwrap_or_else(|| panic!("{word}: {line}"));
            let (flags, _) = after("FLAGS (").split_once(')').expect("flags");
            let uid = after("UID ").split(' ').next().and_then(|uid| uid.parse().ok()).expect("a UID");
            let mut text = vec![0; after("BODY[] {").trim_end_matches('}').parse().expect("a literal")];
            self.stream.read_exact(&mut text).expect("a literal");
            self.line().expect("the end of a line");
            messages.push(Message { uid, flags: flags.split_whitespace().map(str::to_owned).collect(), text });
        }
    }

    /// Everything before the tagged OK, and that.
    fn result(&mut self, tag: &str) -> Result<(String, String)> {
        let mut all = String::new();
        loop {
            let line = self.line()?;
            if let Some(result) = line.strip_prefix(&format!("{tag} ")) {
                return if result.starts_with("OK") { Ok((all, line)) } else { Err(Error::other(line)) };
            }
            all.push_str(&line);
            if let Some(size) = line.trim_end().strip_suffix('}').and_then(|line| line.rsplit_once('{')).and_then(|(_, size)| size.parse().ok()) {
                let mut literal = vec![0; size];
                self.stream.read_exact(&mut literal)?;
                all.push_str(&String::from_utf8_lossy(&literal));
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\r\n") {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
