//! Lines of a bounded length, as commands are sent (RFC 5321 §2.3.8, RFC 9051 §2.2, RFC 1939 §3).

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memrchr};

/// How many octets of a too long line are kept, so that its answer can carry its tag or name its verb.
const KEPT: usize = 128;

/// Takes lines out of the input. An unfinished line stays in the input (where it is looked at once, not again for each
/// octet), a too long one is skipped to its end.
#[derive(Debug, Clone)]
pub struct Lines {
    limit: usize,
    bare_lf: BareLf,
    scanned: usize,
    skipped: Option<Bytes>,
}

/// What a line feed without a carriage return before it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareLf {
    /// It ends the line as CRLF does.
    Ends,
    /// It ends the line too (so that both ends stay in step), with [`Fault::BareLf`].
    Fault,
}

/// One line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its octets; of a too long line the first 128 at most.
    pub text: Bytes,
    /// The first rule it breaks, in the order of [`Fault`]; such a line is to be refused.
    pub fault: Option<Fault>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than the limit.
    TooLong,
    /// It ends in a bare LF, and [`BareLf::Fault`] was asked for.
    BareLf,
    /// It holds a CR that no LF follows.
    BareCr,
    /// It holds a NUL.
    Nul,
}

impl Line {
    /// The text, or the first thing wrong with it.
    pub fn checked(self) -> Result<Bytes, Fault> {
        match self.fault {
            None => Ok(self.text),
            Some(fault) => Err(fault),
        }
    }
}

impl Lines {
    /// Lines of at most `limit` octets, their end of line included.
    pub fn new(limit: usize, bare_lf: BareLf) -> Lines {
        Lines { limit, bare_lf, scanned: 0, skipped: None }
    }

    /// Another limit from now on (longer lines after login, or for SASL).
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The next line; `None`: not complete yet. Between a line begun and its end nobody else may take from `input`.
    pub fn take(&mut self, input: &mut BytesMut) -> Option<Line> {
        let from = self.scanned.min(input.len());
        let Some(lf) = memchr(b'\n', &input[from..]).map(|at| from + at) else {
            self.wait(input);
            return None;
        };
        self.scanned = 0;
        let line = input.split_to(lf + 1).freeze();
        if let Some(kept) = self.skipped.take() {
            return Some(Line { text: kept, fault: Some(Fault::TooLong) });
        }
        if line.len() > self.limit {
            return Some(Line { text: line.slice(..lf.min(KEPT)), fault: Some(Fault::TooLong) });
        }
        let crlf = lf.checked_sub(1).is_some_and(|cr| line[cr] == b'\r');
        let text = line.slice(..if crlf { lf - 1 } else { lf });
        let fault = self.fault(&text, crlf);
        Some(Line { text, fault })
    }

    fn wait(&mut self, input: &mut BytesMut) {
        if self.skipped.is_some() {
            input.clear();
        } else if input.len() >= self.limit {
            self.skipped = Some(Bytes::copy_from_slice(&input[..input.len().min(KEPT)]));
            input.clear();
        }
        self.scanned = input.len();
    }

    fn fault(&self, text: &[u8], crlf: bool) -> Option<Fault> {
        if !crlf && self.bare_lf == BareLf::Fault {
            Some(Fault::BareLf)
        } else if memrchr(b'\r', text).is_some() {
            Some(Fault::BareCr)
        } else if memchr(0, text).is_some() {
            Some(Fault::Nul)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 12;

    fn read(wire: &[u8], cuts: &[usize], bare_lf: BareLf) -> (Vec<Result<Vec<u8>, Fault>>, Vec<u8>) {
        let mut lines = Lines::new(LIMIT, bare_lf);
        let (mut input, mut out, mut from) = (BytesMut::new(), Vec::new(), 0);
        for &cut in cuts.iter().chain([&wire.len()]) {
            input.extend_from_slice(&wire[from..cut]);
            from = cut;
            while let Some(line) = lines.take(&mut input) {
                out.push(line.checked().map(|text| text.to_vec()));
            }
            assert!(input.len() < LIMIT, "an unfinished line is bounded");
        }
        (out, input.to_vec())
    }

    #[test]
    fn each_kind_of_line() {
        type Case<'a> = (&'a [u8], BareLf, Result<&'a [u8], Fault>);
        let table: &[Case] = &[
            (b"NOOP\r\n", BareLf::Fault, Ok(b"NOOP")),
            (b"\r\n", BareLf::Fault, Ok(b"")),
            (b"\n", BareLf::Ends, Ok(b"")),
            (b"NOOP\n", BareLf::Ends, Ok(b"NOOP")),
            (b"NOOP\n", BareLf::Fault, Err(Fault::BareLf)),
            (b"NO\rOP\r\n", BareLf::Fault, Err(Fault::BareCr)),
            (b"NOOP\r\r\n", BareLf::Fault, Err(Fault::BareCr)),
            (b"NO\0OP\r\n", BareLf::Fault, Err(Fault::Nul)),
            (b"0123456789\r\n", BareLf::Fault, Ok(b"0123456789")),
            (b"0123456789a\r\n", BareLf::Fault, Err(Fault::TooLong)),
            (b"0123456789abcdefghijkl\r\n", BareLf::Ends, Err(Fault::TooLong)),
        ];
        for (wire, bare_lf, expected) in table {
            for cut in 0..=wire.len() {
                let (lines, rest) = read(wire, &[cut], *bare_lf);
                assert_eq!(lines, [expected.map(<[u8]>::to_vec)], "{wire:?} cut at {cut}");
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn a_too_long_line_keeps_its_beginning_and_does_not_eat_the_next() {
        let mut lines = Lines::new(200, BareLf::Ends);
        let mut input = BytesMut::from(&b"a1 "[..]);
        input.extend_from_slice(&[b'x'; 500]);
        assert_eq!(lines.take(&mut input), None);
        assert!(input.is_empty());
        input.extend_from_slice(b"yyy\r\nb NOOP\r\n");
        let long = lines.take(&mut input).unwrap();
        assert_eq!((long.fault, long.text.len()), (Some(Fault::TooLong), KEPT));
        assert!(long.text.starts_with(b"a1 xx"));
        assert_eq!(lines.take(&mut input).unwrap().checked().unwrap(), "b NOOP");
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(wire in "[a\r\n\0]{0,60}", cut in prop::collection::vec(0usize..60, 0..6)) {
            let wire = wire.as_bytes();
            let mut cuts: Vec<usize> = cut.into_iter().filter(|&at| at <= wire.len()).collect();
            cuts.sort_unstable();
            let whole: Vec<_> = wire.split_inclusive(|&octet| octet == b'\n').filter(|line| line.ends_with(b"\n")).collect();
            let (lines, _) = read(wire, &cuts, BareLf::Ends);
            prop_assert_eq!(lines.len(), whole.len());
            for (got, line) in lines.iter().zip(whole) {
                prop_assert_eq!(*got == Err(Fault::TooLong), line.len() > LIMIT);
            }
        }
    }
}
