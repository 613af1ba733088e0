//! TOP — RFC 1939 §7: the header, the empty line, and so many lines of the body.

use super::{Command, Reading, one};
use crate::{Reply, number};

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    let malformed = || Reply::err("TOP takes a message number and a number of lines");
    match reading.words().ok_or_else(malformed)?.as_slice() {
        [message, lines] => {
            let lines = number::digits(lines).ok_or_else(malformed)?;
            Ok(Command::Top { number: one(message)?, lines })
        }
        _ => Err(malformed()),
    }
}

/// Finds where TOP's part of a message ends, chunk by chunk, whatever the cuts.
#[derive(Clone, Debug)]
pub struct Top {
    place: Place,
    line: Line,
    lines: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Header,
    Body,
    Done,
}

/// What the line under way holds so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    Nothing,
    Cr,
    Text,
}

impl Top {
    /// For the header and `lines` lines of the body.
    pub fn new(lines: u32) -> Top {
        Top { place: Place::Header, line: Line::Nothing, lines }
    }

    /// How many bytes of the next chunk (in CRLF form) belong to the answer; fewer than all only at its end.
    pub fn take(&mut self, chunk: &[u8]) -> usize {
        for (at, byte) in chunk.iter().enumerate() {
            if self.place == Place::Done {
                return at;
            }
            self.pass(*byte);
        }
        chunk.len()
    }

    /// Whether all of the answer was seen, so that no more of the message need be read.
    pub fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    /// What is missing when the message has ended: a header without an empty line gets one, since Outlook Express
    /// and Netscape wait for it.
    pub fn missing(&self) -> &'static [u8] {
        match (self.place, self.line) {
            (Place::Header, Line::Nothing) => b"\r\n",
            (Place::Header, Line::Cr) => b"\n",
            (Place::Header, Line::Text) => b"\r\n\r\n",
            _ => b"",
        }
    }

    fn pass(&mut self, byte: u8) {
        match (byte, self.line) {
            (b'\n', line) => {
                let empty = line != Line::Text;
                self.line = Line::Nothing;
                self.end_line(empty);
            }
            (b'\r', Line::Nothing) => self.line = Line::Cr,
            _ => self.line = Line::Text,
        }
    }

    fn end_line(&mut self, empty: bool) {
        match self.place {
            Place::Header if empty => self.place = if self.lines == 0 { Place::Done } else { Place::Body },
            Place::Body => {
                self.lines = self.lines.saturating_sub(1);
                if self.lines == 0 {
                    self.place = Place::Done;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TOP's part of `message`, which comes cut in two at `cut`.
    fn top(message: &[u8], lines: u32, cut: usize) -> Vec<u8> {
        let mut top = Top::new(lines);
        let mut got = Vec::new();
        for chunk in [&message[..cut], &message[cut..]] {
            let taken = top.take(chunk);
            got.extend_from_slice(&chunk[..taken]);
            assert!(taken == chunk.len() || top.is_done());
        }
        if !top.is_done() {
            got.extend_from_slice(top.missing());
        }
        got
    }

    #[test]
    fn the_header_and_so_many_lines_wherever_the_chunks_are_cut() {
        let message = b"A: b\r\nC: d\r\n e\r\n\r\none\r\n\r\n..three\r\nfour";
        let table: [(u32, &[u8]); 6] = [
            (0, b"A: b\r\nC: d\r\n e\r\n\r\n"),
            (1, b"A: b\r\nC: d\r\n e\r\n\r\none\r\n"),
            (2, b"A: b\r\nC: d\r\n e\r\n\r\none\r\n\r\n"),
            (3, b"A: b\r\nC: d\r\n e\r\n\r\none\r\n\r\n..three\r\n"),
            (4, message),
            (u32::MAX, message),
        ];
        for (lines, part) in table {
            for cut in 0..=message.len() {
                assert_eq!(top(message, lines, cut), part, "{lines} lines, cut at {cut}");
            }
        }
    }

    #[test]
    fn a_header_without_an_empty_line_gets_one() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"A: b\r\n", b"A: b\r\n\r\n"),
            (b"A: b", b"A: b\r\n\r\n"),
            (b"", b"\r\n"),
            (b"\r\nbody", b"\r\n"),
            (b"A: b\r\n\r", b"A: b\r\n\r\n"),
            (b"A: b\r\n\r\n", b"A: b\r\n\r\n"),
        ];
        for (message, part) in table {
            for cut in 0..=message.len() {
                assert_eq!(top(message, 0, cut), part, "{:?} cut at {cut}", String::from_utf8_lossy(message));
            }
        }
    }
}
