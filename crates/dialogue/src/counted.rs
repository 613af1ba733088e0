//! A body of a length known beforehand: IMAP literals (RFC 9051 §4.3), BDAT (RFC 3030 §2).

use bytes::{Bytes, BytesMut};

/// Takes exactly so many octets, in whatever pieces they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted(u64);

impl Counted {
    /// Expects `octets`.
    pub fn new(octets: u64) -> Counted {
        Counted(octets)
    }

    /// Octets still to come; 0: the body is complete.
    pub fn left(self) -> u64 {
        self.0
    }

    /// The next piece, never empty; `None` when `input` is empty or the body complete (see [`Counted::left`]).
    pub fn take(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        let size = usize::try_from(self.0).unwrap_or(usize::MAX).min(input.len());
        if size == 0 {
            return None;
        }
        self.0 -= size as u64;
        Some(input.split_to(size).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_it_was_promised_and_not_one_octet_more() {
        for cut in 0..=8 {
            let wire = b"hello\r\na";
            let mut counted = Counted::new(5);
            let mut input = BytesMut::from(&wire[..cut]);
            let mut body = Vec::new();
            body.extend(counted.take(&mut input).into_iter().flatten());
            input.extend_from_slice(&wire[cut..]);
            body.extend(counted.take(&mut input).into_iter().flatten());
            assert_eq!((&body[..], counted.left(), &input[..]), (&b"hello"[..], 0, &b"\r\na"[..]), "cut at {cut}");
        }
    }
}
