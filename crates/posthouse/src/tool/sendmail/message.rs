//! The message on standard input.

use std::fmt;
use std::io::BufRead;

use bytes::BytesMut;
use dialogue::Encoder;
use mail::header;
use smtpd::letter::Letter;

/// A message as it was typed, lines as they came.
#[derive(Debug, PartialEq, Eq)]
pub struct Message(Vec<u8>);

/// Why there is no message.
#[derive(Debug)]
pub enum Unread {
    TooLarge,
    Io(std::io::Error),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::TooLarge => f.write_str("message file too big"),
            Unread::Io(error) => write!(f, "error reading input: {error}"),
        }
    }
}

impl Message {
    /// Reads it whole: nobody is asked to take half a message. Lines that a mailbox begins a message with (`From `) are left out; unless
    /// `ignore_dots`, a line of one dot is the end.
    pub fn read(input: &mut impl BufRead, ignore_dots: bool, most: Option<usize>) -> Result<Message, Unread> {
        let mut text = Vec::new();
        loop {
            let start = text.len();
            let mut limited = std::io::Read::take(&mut *input, most.map_or(u64::MAX, |most| (most - start.min(most)) as u64 + 1));
            if limited.read_until(b'\n', &mut text).map_err(Unread::Io)? == 0 {
                return Ok(Message(text));
            }
            if most.is_some_and(|most| text.len() > most) {
                return Err(Unread::TooLarge);
            }
            let line = text.get(start..).unwrap_or_default();
            if !ignore_dots && line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line)) == Some(b".") {
                text.truncate(start);
                return Ok(Message(text));
            }
            if start == 0 && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
                text.truncate(start);
            }
        }
    }

    /// The fields at its head that are fields.
    fn fields(&self) -> impl Iterator<Item = header::Field<'_>> {
        header::fields(&self.0).take_while(|field| !field.name.is_empty() && field.name.iter().all(|byte| matches!(byte, b'!'..=b'~')))
    }

    /// True if it is sent again by somebody else than its author (RFC 5322 §3.6.6).
    fn is_sent_again(&self) -> bool {
        self.fields().any(|field| ["Resent-To", "Resent-Cc", "Resent-Bcc", "Resent-From"].iter().any(|name| field.is(name)))
    }

    /// The fields that name recipients, for `-t`.
    pub fn recipients(&self) -> Vec<&[u8]> {
        let again = ["Resent-To", "Resent-Cc", "Resent-Bcc"];
        let names = if self.fields().any(|field| again.iter().any(|name| field.is(name))) { again } else { ["To", "Cc", "Bcc"] };
        self.fields().filter(|field| names.iter().any(|name| field.is(name))).map(|field| field.value).collect()
    }

    /// The whole letter: envelope and message. A message without a `From:` gets the sender's, with the name that only this process knows.
    pub fn letter(&self, letter: &Letter, full_name: Option<&str>) -> Vec<u8> {
        let name = if self.is_sent_again() { "Resent-From" } else { "From" };
        let mut out = BytesMut::from(letter.to_string().as_bytes());
        let mut encoder = Encoder::strict();
        if !letter.sender.is_empty() && !self.fields().any(|field| field.is(name)) {
            encoder.push(format!("{name}: {}\n", mailbox(&letter.sender, full_name)).as_bytes(), &mut out);
        }
        encoder.push(&self.0, &mut out);
        encoder.finish(&mut out);
        out.to_vec()
    }
}

/// `Name <address>`; the name in quotes or encoded (RFC 2047) where it must be.
fn mailbox(address: &str, name: Option<&str>) -> String {
    use base64::Engine as _;
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else { return address.to_owned() };
    if !name.is_ascii() || name.chars().any(char::is_control) {
        // short pieces, each whole characters: an encoded word has at most 75 octets
        let mut words = vec![String::new()];
        for c in name.chars().filter(|c| !c.is_control()) {
            match words.last_mut() {
                Some(word) if word.len() + c.len_utf8() <= 42 => word.push(c),
                _ => words.push(c.to_string()),
            }
        }
        let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(word))).collect();
        return format!("{} <{address}>", words.join("\n "));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&byte);
    if name.bytes().all(plain) { format!("{name} <{address}>") } else { format!("\"{}\" <{address}>", name.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, ignore_dots: bool) -> String {
        let message = Message::read(&mut text.as_bytes(), ignore_dots, Some(100)).unwrap_or_else(|error| panic!("{error}"));
        String::from_utf8(message.0).expect("text")
    }

    #[test]
    fn input_is_read_by_the_rules_of_sendmail() {
        assert_eq!(read("a\n.\nb\n", false), "a\n");
        assert_eq!(read("a\r\n.\r\nb\n", false), "a\r\n");
        assert_eq!(read("a\n.\nb\n", true), "a\n.\nb\n");
        assert_eq!(read("a\n..\n.", false), "a\n..\n.");
        assert_eq!(read("From x Tue\n>From y\nA: b\n\nFrom z\n", false), "A: b\n\nFrom z\n");
        assert_eq!(read("", false), "");
        assert!(matches!(Message::read(&mut "x".repeat(101).as_bytes(), true, Some(100)), Err(Unread::TooLarge)));
        assert_eq!(read(&"x".repeat(100), true).len(), 100);
    }

    #[test]
    fn recipients_stand_in_the_header() {
        let of = |text: &str| Message(text.as_bytes().to_vec()).recipients().iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(of("To: a\nSubject: x\nCC: b,\n c\nbcc: d\n\nTo: e\n"), ["a", "b,\n c", "d"]);
        assert_eq!(of("To: a\nResent-To: b\n\n"), ["b"]);
        assert_eq!(of("hello\nTo: a\n"), Vec::<String>::new());
    }

    #[test]
    fn a_letter_ends_in_its_dot_and_has_an_author() {
        let letter = Letter { sender: "joe".into(), recipients: vec!["bob".into()], ..Letter::default() };
        let whole = |text: &str, name: Option<&str>| String::from_utf8(Message(text.as_bytes().to_vec()).letter(&letter, name)).expect("text");
        let envelope = letter.to_string();
        assert_eq!(whole("A: b\n\n.c", Some("Joe")), format!("{envelope}From: Joe <joe>\r\nA: b\r\n\r\n..c\r\n.\r\n"));
        assert_eq!(whole("from: x\n\n", Some("Joe")), format!("{envelope}from: x\r\n\r\n.\r\n"));
        assert_eq!(whole("From: x\nResent-To: y\n\n", None), format!("{envelope}Resent-From: joe\r\nFrom: x\r\nResent-To: y\r\n\r\n.\r\n"));
        assert_eq!(mailbox("a@b", Some("J. \"Q\" Doe")), "\"J. \\\"Q\\\" Doe\" <a@b>");
        assert_eq!(mailbox("a@b", Some("苏")), "=?utf-8?B?6IuP?= <a@b>");
        assert_eq!(mailbox("a@b", Some("x\nBcc: evil")), "=?utf-8?B?eEJjYzogZXZpbA==?= <a@b>");
    }
}
