//! What a user of this machine hands in: an envelope and the message, as `sendmail` says it through `run/submit` or leaves it in `maildrop/`.
//!
//! ```text
//! letter   = "posthouse letter 1" LF *( word [SP value] LF ) LF message
//! word     = "sender" / "recipient" / "body" / "ret" / "envid" / "notify"
//! message  = as after DATA: lines by CRLF, dots doubled, ended by CRLF "." CRLF
//! ```
//! A letter without its end is not whole and is never taken, whoever or whatever cut it off. Addresses may lack a domain: ours is put there. A
//! value is one line: an address that holds a line end is no address, so nothing in it becomes another word.
//!
//! Pure: no file, no socket. Limits: [`LINE`], [`RECIPIENTS`].

use mail::{Address, BadAddress, ReversePath};
use queue::Notify;
use std::fmt;

/// The first line; another number is another program's.
pub const FIRST: &str = "posthouse letter 1";

/// Octets of a line of the envelope: an address of the greatest length in quotes, and the word before it.
pub const LINE: usize = 1_024;

/// Each costs a row in one commit.
pub const RECIPIENTS: usize = crate::recipient::PLACES;

/// An envelope as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// Empty for `<>`.
    pub sender: String,
    /// At least one in a letter that is to be taken.
    pub recipients: Vec<String>,
    /// Octets above 127 were announced (`-B8BITMIME`).
    pub eight_bit: bool,
    /// A bounce brings back the header only (RFC 3461, RET=HDRS).
    pub headers_only: bool,
    /// ENVID of RFC 3461, as xtext.
    pub envid: Option<String>,
    /// NOTIFY of RFC 3461, for every recipient.
    pub notify: Option<Notify>,
}

/// Why something is no letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLetter {
    #[error("it does not begin as a letter does")]
    First,
    #[error("line {0} of its envelope is not understood")]
    Line(usize),
    #[error("it names nobody")]
    Nobody,
    #[error("it names more than {RECIPIENTS} recipients")]
    TooMany,
    #[error("it ends before its end")]
    Cut,
}

/// Reads an envelope line by line.
#[derive(Debug, Default)]
pub struct Reading {
    letter: Letter,
    lines: usize,
}

impl Reading {
    /// Takes a line without its end; gives the letter at the empty line.
    ///
    /// # Errors
    /// See [`NoLetter`].
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Letter>, NoLetter> {
        self.lines += 1;
        if self.lines == 1 {
            return if line == FIRST.as_bytes() { Ok(None) } else { Err(NoLetter::First) };
        }
        if line.is_empty() {
            return if self.letter.recipients.is_empty() { Err(NoLetter::Nobody) } else { Ok(Some(std::mem::take(&mut self.letter))) };
        }
        let text = std::str::from_utf8(line).ok().filter(|text| line.len() <= LINE && !text.chars().any(char::is_control));
        let (word, value) = text.map(|text| text.split_once(' ').unwrap_or((text, ""))).ok_or(NoLetter::Line(self.lines))?;
        let letter = &mut self.letter;
        match (word, value) {
            ("sender", value) => letter.sender = value.to_owned(),
            ("recipient", _) if letter.recipients.len() >= RECIPIENTS => return Err(NoLetter::TooMany),
            ("recipient", value) if !value.is_empty() => letter.recipients.push(value.to_owned()),
            ("body", "8BITMIME") => letter.eight_bit = true,
            ("ret", "HDRS") => letter.headers_only = true,
            ("envid", value) if !value.is_empty() => letter.envid = Some(value.to_owned()),
            ("notify", value) => letter.notify = Some(notify(value).ok_or(NoLetter::Line(self.lines))?),
            _ => return Err(NoLetter::Line(self.lines)),
        }
        Ok(None)
    }
}

/// The envelope with its empty line. Values must be single lines.
impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}\nsender {}", self.sender)?;
        if self.eight_bit {
            writeln!(f, "body 8BITMIME")?;
        }
        if self.headers_only {
            writeln!(f, "ret HDRS")?;
        }
        if let Some(envid) = &self.envid {
            writeln!(f, "envid {envid}")?;
        }
        if let Some(Notify(bits)) = self.notify {
            let names = NOTIFY.iter().filter(|(_, bit)| bits & bit.0 != 0).map(|(name, _)| *name);
            let names = names.collect::<Vec<_>>().join(",");
            writeln!(f, "notify {}", if names.is_empty() { "NEVER" } else { &names })?;
        }
        self.recipients.iter().try_for_each(|recipient| writeln!(f, "recipient {recipient}"))?;
        writeln!(f)
    }
}

const NOTIFY: [(&str, Notify); 3] = [("SUCCESS", Notify::SUCCESS), ("FAILURE", Notify::FAILURE), ("DELAY", Notify::DELAY)];

/// `NEVER`, or a list of the others (RFC 3461 §4.1), in any case.
pub fn notify(text: &str) -> Option<Notify> {
    if text.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::NEVER);
    }
    let bit = |word: &str| NOTIFY.iter().find(|(name, _)| word.trim_ascii().eq_ignore_ascii_case(name)).map(|(_, bit)| bit.0);
    text.split(',').try_fold(0, |bits, word| Some(bits | bit(word)?)).map(Notify)
}

/// An address as somebody of this machine writes it: without a domain it is of `origin`.
///
/// # Errors
/// It is no address.
pub fn address(text: &str, origin: &str) -> Result<Address, BadAddress> {
    match Address::parse(text) {
        Err(BadAddress::NoDomain) => Address::parse(&format!("{text}@{origin}")),
        other => other,
    }
}

/// The same for a sender, who may be nobody.
///
/// # Errors
/// It is no address.
pub fn sender(text: &str, origin: &str) -> Result<ReversePath, BadAddress> {
    if text.is_empty() { Ok(ReversePath::Null) } else { address(text, origin).map(ReversePath::Address) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Option<Letter>, NoLetter> {
        let mut reading = Reading::default();
        for line in text.split('\n') {
            if let Some(letter) = reading.line(line.as_bytes())? {
                return Ok(Some(letter));
            }
        }
        Ok(None)
    }

    #[test]
    fn what_is_no_letter_says_why() {
        for (text, want) in [
            ("From alice", NoLetter::First),
            ("posthouse letter 1\n\n", NoLetter::Nobody),
            ("posthouse letter 1\nsender a@b\nfrom x\n", NoLetter::Line(3)),
            ("posthouse letter 1\nrecipient a\u{7}b\n", NoLetter::Line(2)),
            ("posthouse letter 1\nrecipient\n", NoLetter::Line(2)),
            ("posthouse letter 1\nnotify NEVER,SUCCESS\n", NoLetter::Line(2)),
        ] {
            assert_eq!(read(text), Err(want), "{text:?}");
        }
        assert_eq!(read(&format!("{FIRST}\nrecipient {}\n", "x".repeat(LINE))), Err(NoLetter::Line(2)));
        assert_eq!(read(&format!("{FIRST}{}\n\n", "\nrecipient x".repeat(RECIPIENTS + 1))), Err(NoLetter::TooMany));
    }

    #[test]
    fn addresses_without_a_domain_are_ours() {
        for (text, want) in [("root", "root@x.test"), ("a@b.test", "a@b.test"), ("\"a b\"", "\"a b\"@x.test"), ("\"a@b\"", "\"a@b\"@x.test")] {
            assert_eq!(address(text, "x.test").map(|address| address.to_string()).as_deref(), Ok(want), "{text}");
        }
        assert!(address("a b", "x.test").is_err() && address("", "x.test").is_err());
        assert_eq!(sender("", "x.test"), Ok(ReversePath::Null));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(sender in "[ -~]{0,20}", recipients in proptest::collection::vec("[!-~][ -~]{0,20}", 1..4), bits in any::<[bool; 2]>(), envid in proptest::option::of("[!-~]{1,9}"), asked in proptest::option::of(0u8..8)) {
            let letter = Letter { sender, recipients, eight_bit: bits[0], headers_only: bits[1], envid, notify: asked.map(Notify) };
            prop_assert_eq!(read(&letter.to_string()), Ok(Some(letter)));
        }

        #[test]
        fn any_octets_are_read(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut reading = Reading::default();
            let _ = reading.line(FIRST.as_bytes());
            let _ = lines.iter().try_for_each(|line| reading.line(line).map(drop));
        }
    }
}
