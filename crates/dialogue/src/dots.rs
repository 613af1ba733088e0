//! The transparency of DATA and of POP3's long answers (RFC 5321 §4.5.2, RFC 1939 §3): a dot before a line's first dot,
//! and a line of one dot as the end.
//!
//! Only CRLF `.` CRLF ends a body. `LF.LF`, `LF.CRLF`, `CR.CR` and their like are content, whatever other servers make of
//! them: to disagree about the end of a message is to smuggle a second one. A bare CR or LF is remembered and told at the
//! true end, where the message can be refused without losing step with the peer.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr, memchr2};

/// Decodes a body, in place and in pieces as they come.
#[derive(Debug, Clone, Default)]
pub struct Dots {
    place: Place,
    seen: Seen,
}

/// What [`Dots::take`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Decoded octets, never empty. The CRLF before the last dot is the body's.
    Data(Bytes),
    /// The true end; what follows in the input is the next command.
    End(Seen),
}

/// Irregular line ends met on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// A CR without LF after it.
    pub bare_cr: bool,
    /// An LF without CR before it.
    pub bare_lf: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// After CRLF, or at the very beginning.
    #[default]
    LineStart,
    Middle,
    AfterCr,
}

impl Dots {
    /// At the beginning of a body.
    pub fn new() -> Dots {
        Dots::default()
    }

    /// The next piece. `None`: more input is needed; a dot that may be the end's stays in `input` meanwhile.
    pub fn take(&mut self, input: &mut BytesMut) -> Option<Piece> {
        let (mut read, mut write) = (0, 0);
        while read < input.len() {
            if self.place == Place::LineStart && input[read] == b'.' {
                match (input.get(read + 1), input.get(read + 2)) {
                    (None, _) | (Some(b'\r'), None) => break,
                    (Some(b'\r'), Some(b'\n')) if write == 0 => {
                        let _ = input.split_to(read + 3);
                        return Some(Piece::End(std::mem::take(self).seen));
                    }
                    (Some(b'\r'), Some(b'\n')) => break,
                    _ => read += 1,          // the stuffed dot: left out
                }
                self.place = Place::Middle;
            }
            let size = self.run(&input[read..]);
            input.copy_within(read..read + size, write);
            read += size;
            write += size;
        }
        if read == 0 {
            return None;
        }
        let data = input.split_to(read);
        (write > 0).then(|| Piece::Data(data.freeze().slice(..write)))
    }

    /// How many octets may be taken as they are: up to a CRLF or irregular line end, included.
    fn run(&mut self, octets: &[u8]) -> usize {
        if self.place == Place::AfterCr {
            if octets.first() == Some(&b'\n') {
                self.place = Place::LineStart;
                return 1;
            }
            self.seen.bare_cr = true;
        }
        self.place = Place::Middle;
        let Some(at) = memchr2(b'\r', b'\n', octets) else {
            return octets.len();
        };
        if octets[at] == b'\n' {
            self.seen.bare_lf = true;
            return at + 1;
        }
        if octets.get(at + 1) == Some(&b'\n') {
            self.place = Place::LineStart;
            return at + 2;
        }
        self.place = Place::AfterCr;
        at + 1
    }
}

/// Stuffs dots into a body on its way out, in pieces.
#[derive(Debug, Clone)]
pub struct Encoder {
    place: Place,
    strict: bool,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// Leaves every octet as it is but for the dots (POP3, where the size was announced).
    pub fn new() -> Encoder {
        Encoder { place: Place::LineStart, strict: false }
    }

    /// Makes every bare CR or LF a CRLF (SMTP towards others, where a bare one could smuggle: RFC 5321 §2.3.8).
    pub fn strict() -> Encoder {
        Encoder { place: Place::LineStart, strict: true }
    }

    /// Appends `octets`, stuffed, to `out`.
    pub fn push(&mut self, mut octets: &[u8], out: &mut BytesMut) {
        out.reserve(octets.len() + octets.len() / 64 + 8);
        while let Some(&first) = octets.first() {
            let size = match self.place {
                Place::AfterCr if first == b'\n' => {
                    out.put_u8(b'\n');
                    self.place = Place::LineStart;
                    1
                }
                Place::AfterCr if self.strict => {
                    out.put_u8(b'\n');
                    self.place = Place::LineStart;
                    0
                }
                Place::LineStart if first == b'.' => {
                    out.put_slice(b"..");
                    self.place = Place::Middle;
                    1
                }
                _ => self.run(octets, out),
            };
            octets = octets.get(size..).unwrap_or_default();
        }
    }

    fn run(&mut self, octets: &[u8], out: &mut BytesMut) -> usize {
        let end = if self.strict { memchr2(b'\r', b'\n', octets) } else { memchr(b'\r', octets) };
        let Some(at) = end else {
            out.put_slice(octets);
            self.place = Place::Middle;
            return octets.len();
        };
        out.put_slice(&octets[..at]);
        out.put_u8(b'\r');
        if octets[at] == b'\n' {
            out.put_u8(b'\n');
            self.place = Place::LineStart;
        } else {
            self.place = Place::AfterCr;
        }
        at + 1
    }

    /// Appends the end: CRLF if the last line lacks it, then `.` CRLF.
    pub fn finish(self, out: &mut BytesMut) {
        match self.place {
            Place::LineStart => out.put_slice(b".\r\n"),
            Place::AfterCr if self.strict => out.put_slice(b"\n.\r\n"),
            Place::Middle | Place::AfterCr => out.put_slice(b"\r\n.\r\n"),
        }
    }
}

/// Appends a whole body, stuffed and ended, to `out`.
pub fn encode(body: &[u8], out: &mut BytesMut) {
    let mut encoder = Encoder::new();
    encoder.push(body, out);
    encoder.finish(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(wire: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<Seen>, Vec<u8>) {
        let mut dots = Dots::new();
        let (mut input, mut body, mut end, mut from) = (BytesMut::new(), Vec::new(), None, 0);
        for &cut in cuts.iter().chain([&wire.len()]) {
            input.extend_from_slice(&wire[from..cut]);
            from = cut;
            while end.is_none() {
                match dots.take(&mut input) {
                    Some(Piece::Data(data)) => {
                        assert!(!data.is_empty());
                        body.extend_from_slice(&data);
                    }
                    Some(Piece::End(seen)) => end = Some(seen),
                    None => break,
                }
            }
            assert!(end.is_some() || input.len() <= 2, "only a dot that may be the end's is left");
        }
        (body, end, input.to_vec())
    }

    #[test]
    fn only_crlf_dot_crlf_ends_at_every_cut() {
        let fine = Seen::default();
        let lf = Seen { bare_lf: true, ..fine };
        let cr = Seen { bare_cr: true, ..fine };
        let both = Seen { bare_cr: true, bare_lf: true };
        let table: &[(&[u8], &[u8], Seen)] = &[
            (b".\r\n", b"", fine),
            (b"hi\r\n.\r\n", b"hi\r\n", fine),
            (b"..\r\n...x\r\n.y\r\n.\r\n", b".\r\n..x\r\ny\r\n", fine),
            (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", lf),
            (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", lf),
            (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n", cr),
            (b"a\r.\r\nb\r\n.\r\n", b"a\r.\r\nb\r\n", cr),
            (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", cr),
            (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", lf),
            (b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", cr),
            (b"\n.\r\n\r\n.\r\n", b"\n.\r\n\r\n", lf),
            (b"a\r\r\n\n\r\n.\r\n", b"a\r\r\n\n\r\n", both),
            (b"a\n\r\n.\r\n", b"a\n\r\n", lf),
        ];
        for (wire, body, seen) in table {
            let wire = &[wire, &b"QUIT\r\n"[..]].concat();
            for first in 0..=wire.len() {
                for second in first..=wire.len() {
                    let got = decode(wire, &[first, second]);
                    assert_eq!(got, (body.to_vec(), Some(*seen), b"QUIT\r\n".to_vec()), "{wire:?} cut at {first}, {second}");
                }
            }
        }
    }

    #[test]
    fn the_strict_encoder_sends_no_bare_line_end() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b".\r\n"),
            (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r.\rb\r", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\r\n\n.", b"a\r\n\r\n\r\n..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
        ];
        for (body, wire) in table {
            for cut in 0..=body.len() {
                let (mut encoder, mut out) = (Encoder::strict(), BytesMut::new());
                encoder.push(&body[..cut], &mut out);
                encoder.push(&body[cut..], &mut out);
                encoder.finish(&mut out);
                assert_eq!(&out[..], *wire, "{body:?} cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_stuffed_comes_back(body in "[a.\r\n]{0,80}", cuts in prop::collection::vec(0usize..100, 0..8), strict: bool) {
            let mut wire = BytesMut::new();
            let mut encoder = if strict { Encoder::strict() } else { Encoder::new() };
            let half = body.len() / 2;
            encoder.push(&body.as_bytes()[..half], &mut wire);
            encoder.push(&body.as_bytes()[half..], &mut wire);
            encoder.finish(&mut wire);
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|&at| at <= wire.len()).collect();
            cuts.sort_unstable();
            let (decoded, seen, rest) = decode(&wire, &cuts);
            prop_assert!(rest.is_empty());
            if strict {
                prop_assert_eq!(seen, Some(Seen::default()));
            } else {
                let mut expected = body.clone().into_bytes();
                if !expected.is_empty() && !expected.ends_with(b"\r\n") {
                    expected.extend_from_slice(b"\r\n");
                }
                prop_assert_eq!(decoded, expected);
                prop_assert!(seen.is_some());
            }
        }
    }
}
