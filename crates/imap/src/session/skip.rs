//! Throwing away the rest of a refused command: to the end of its line, and over literals that come without being asked for.

use super::assembly::announced;
use bytes::{Buf, BytesMut};
use memchr::memchr;

pub(super) struct Skip {
    /// Octets of a literal still to come.
    literal: u64,
    /// The last octets of the current line: enough to see `{n+}` at its end.
    tail: Vec<u8>,
    /// How much we are willing to throw away.
    budget: u64,
}

pub(super) enum Skipped {
    More,
    Done,
    TooMuch,
}

/// Longest `{n+}` with its CRLF that is still understood: 20 digits.
const TAIL: usize = 32;

impl Skip {
    /// Within a line of which this was read.
    pub fn line(begun: &[u8], budget: u64) -> Self {
        let mut skip = Skip { literal: 0, tail: Vec::new(), budget };
        skip.remember(begun);
        skip
    }

    /// Before a literal.
    pub fn literal(size: u64, budget: u64) -> Self {
        Skip { literal: size, tail: Vec::new(), budget }
    }

    pub fn take(&mut self, input: &mut BytesMut) -> Skipped {
        loop {
            // Hopeless promises end at once, not after the budget was read.
            if self.literal > self.budget {
                return Skipped::TooMuch;
            }
            let size = usize::try_from(self.literal).unwrap_or(usize::MAX).min(input.len());
            input.advance(size);
            self.literal -= size as u64;
            self.budget -= size as u64;
            if self.literal > 0 || input.is_empty() {
                return Skipped::More;
            }
            let end = memchr(b'\n', input);
            let size = end.map_or(input.len(), |at| at + 1);
            let Some(budget) = self.budget.checked_sub(size as u64) else { return Skipped::TooMuch };
            self.budget = budget;
            self.remember(&input[..size]);
            input.advance(size);
            if end.is_none() {
                return Skipped::More;
            }
            match announced(&self.tail) {
                Some((size, false)) => self.literal = size,
                _ => return Skipped::Done,
            }
            self.tail.clear();
        }
    }

    fn remember(&mut self, octets: &[u8]) {
        self.tail.extend_from_slice(octets.get(octets.len().saturating_sub(TAIL)..).unwrap_or_default());
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_line_is_not_kept() {
        let mut skip = Skip::line(&[b'x'; 1000], 1 << 20);
        for _ in 0..100 {
            assert!(matches!(skip.take(&mut BytesMut::from(&[b'x'; 1000][..])), Skipped::More));
            assert!(skip.tail.len() <= TAIL);
        }
        let mut input = BytesMut::from(&b"{3+}\r\nabc {18446744073709551615+}\r\n"[..]);
        assert!(matches!(skip.take(&mut input), Skipped::TooMuch));
    }
}
