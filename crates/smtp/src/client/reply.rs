//! A reply as it is read — RFC 5321 §4.2.1.
//!
//! ```text
//! Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//! Reply-code = %x32-35 %x30-35 %x30-39
//! ```

use crate::reply::shown;
use dialogue::{Fault, Line};
use mail::Status;
use std::fmt;

/// Octets of a reply's line that are taken in, its CRLF included: four times what RFC 5321 §4.5.3.1.5 allows, Postfix's `line_length_limit`.
pub const LINE: usize = 2_048;
/// Lines of one reply: the longest EHLO has some thirty.
pub const LINES: usize = 100;
/// Octets of a line's text that are kept, for the log and the bounce.
pub const TEXT: usize = 510;

/// What a server said to one command: a code and at least one line, printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    lines: Vec<String>,
}

/// Why what came is no reply. Nothing that follows it can be trusted to belong to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A line does not begin with a code.
    NoCode,
    /// A line is longer than [`LINE`].
    TooLong,
    /// It has more than [`LINES`] lines.
    TooManyLines,
    /// Its lines have codes of different classes.
    CodesDiffer,
    /// A line has a bare CR or a NUL in it.
    Control,
    /// Nothing was asked.
    Unasked,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Unreadable::NoCode => "a reply without a code",
            Unreadable::TooLong => "a reply with a line that is too long",
            Unreadable::TooManyLines => "a reply with too many lines",
            Unreadable::CodesDiffer => "a reply whose lines have different codes",
            Unreadable::Control => "a reply with control characters",
            Unreadable::Unasked => "a reply to nothing",
        })
    }
}

impl Reply {
    /// One line, for tests and for replies of our own making.
    pub fn new(code: u16, text: &str) -> Reply {
        Reply { code, lines: vec![shown(text.as_bytes(), TEXT)] }
    }

    pub fn code(&self) -> u16 {
        self.code
    }

    /// 2yz.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 5yz.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Its texts, without codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The enhanced code (RFC 2034) if it has one of the code's own class.
    pub fn status(&self) -> Option<Status> {
        let first = self.lines.first()?.split(' ').next()?;
        Status::parse(first).filter(|status| u16::from(status.0) == self.code / 100)
    }

    /// The enhanced code, or the one that stands for its class: X.0.0.
    pub fn status_or_class(&self) -> Status {
        self.status().unwrap_or(Status(u8::try_from(self.code / 100).unwrap_or(4), 0, 0))
    }
}

/// As it came, on one line: `550-5.1.1 Unknown 550 5.1.1 Really`.
impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, line) in self.lines.iter().enumerate() {
            let last = n + 1 == self.lines.len();
            let blank = if n > 0 { " " } else { "" };
            write!(out, "{blank}{}{}{line}", self.code, if last { ' ' } else { '-' })?;
        }
        Ok(())
    }
}

/// A reply of which not all lines came yet.
#[derive(Debug, Default)]
pub(super) struct Partial {
    code: Option<u16>,
    lines: Vec<String>,
}

impl Partial {
    /// Takes a line; `Some` when the reply is complete or no reply at all.
    pub fn take(&mut self, line: Line) -> Option<Result<Reply, Unreadable>> {
        match self.put(line) {
            Ok(false) => None,
            Ok(true) => {
                let Partial { code, lines } = std::mem::take(self);
                Some(code.map(|code| Reply { code, lines }).ok_or(Unreadable::NoCode))
            }
            Err(unreadable) => {
                *self = Partial::default();
                Some(Err(unreadable))
            }
        }
    }

    /// Whether it was the last.
    fn put(&mut self, line: Line) -> Result<bool, Unreadable> {
        let text = line.checked().map_err(|fault| if fault == Fault::TooLong { Unreadable::TooLong } else { Unreadable::Control })?;
        let (code, last, rest) = split(&text).ok_or(Unreadable::NoCode)?;
        if self.code.is_some_and(|before| before / 100 != code / 100) {
            return Err(Unreadable::CodesDiffer);
        }
        if self.lines.len() == LINES {
            return Err(Unreadable::TooManyLines);
        }
        self.code = Some(code);
        self.lines.push(shown(rest, TEXT));
        Ok(last)
    }
}

/// Code, whether the line is the last, and its text. A line of nothing but a code is one, as RFC 5321 §4.2 asks of clients.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let &[first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9'] = digits else { return None };
    let code = [first, second, third].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some((code, true, b"")),
        Some((b' ', text)) => Some((code, true, text)),
        Some((b'-', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}
