//! A command being put together: lines, and the literals between them, as one text in the wire's own form.

use crate::cursor::number;
use bytes::{Buf, BytesMut};
use memchr::{memchr, memrchr};

#[derive(Default)]
pub(super) struct Assembly {
    text: Vec<u8>,
    /// Octets of the literal being read.
    literal: usize,
    /// Where the current line began, behind the last literal: only there can a literal be announced.
    segment: usize,
    literals: usize,
}

pub(super) enum Found {
    More,
    /// The text ends with a line feed now.
    Line,
    /// The limit is passed, in the middle of a line; what was taken is in the text.
    TooLong,
}

impl Assembly {
    /// Takes octets up to the end of the line; each is looked at once.
    pub fn take(&mut self, input: &mut BytesMut, limit: usize) -> Found {
        let size = self.literal.min(input.len());
        self.text.extend_from_slice(&input[..size]);
        input.advance(size);
        self.literal -= size;
        if size > 0 && self.literal == 0 {
            self.segment = self.text.len();
        }
        if self.literal > 0 || input.is_empty() {
            return Found::More;
        }
        let end = memchr(b'\n', input);
        let size = end.map_or(input.len(), |at| at + 1);
        if self.text.len() + size > limit {
            // The beginning is kept for its tag.
            let fits = limit.saturating_sub(self.text.len()).min(size);
            self.text.extend_from_slice(&input[..fits]);
            input.advance(fits);
            return Found::TooLong;
        }
        self.text.extend_from_slice(&input[..size]);
        input.advance(size);
        if end.is_some() { Found::Line } else { Found::More }
    }

    /// A literal of this size comes next.
    pub fn expect_literal(&mut self, size: usize) {
        self.literal = size;
        self.literals += 1;
        self.segment = self.text.len(); // of an empty literal the line goes on here
    }

    pub fn literals(&self) -> usize {
        self.literals
    }

    /// All of it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The current line so far.
    pub fn segment(&self) -> &[u8] {
        self.text.get(self.segment..).unwrap_or_default()
    }

    /// A line with nothing on it, where a command would begin.
    pub fn is_blank(&self) -> bool {
        self.text == b"\r\n"
    }

    pub fn crlf(&self) -> bool {
        self.segment().ends_with(b"\r\n")
    }

    /// All of it without the end of its last line.
    pub fn line(&self) -> &[u8] {
        without_end(&self.text)
    }

    /// The literal announced at the end of the line: size, and whether the client waits.
    pub fn announced(&self) -> Option<(u64, bool)> {
        announced(self.segment())
    }
}

/// `…{n}` or `…{n+}` and an end of line.
pub(super) fn announced(line: &[u8]) -> Option<(u64, bool)> {
    let line = without_end(line).strip_suffix(b"}")?;
    let inside = line.get(memrchr(b'{', line)? + 1..)?;
    let (digits, waits) = match inside.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inside, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // What doesn't fit in 63 bits is too much to skip as well.
    Some((number(digits).unwrap_or(u64::MAX), waits))
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
