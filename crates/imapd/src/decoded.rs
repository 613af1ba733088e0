//! What BINARY shows: a part with its transfer encoding undone — RFC 3516. What is broken is decoded as well as it goes (B-11), and
//! as often as it is asked for to the same octets.

use std::ops::Range;

use bodies::Reader;
use bytes::Bytes;
use imap::command::fetch::Partial;
use mail::mime::{Kind, Structure};
use mail::transfer::{Decoder, Encoding};

use crate::octets;

/// Octets of a message, and how they are coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coded {
    range: Range<u64>,
    encoding: Encoding,
}

/// What decoding gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Measured {
    pub(crate) size: u64,
    /// They need a literal8.
    pub(crate) has_nul: bool,
}

/// Finds a part. `None`: nobody knows its encoding. Only leaves are coded: what says it of a multipart or of a message is wrong (RFC
/// 2045 §6.4). The message itself (`[]`) is what it is; a part that is not there is empty, as in BODY (B-03).
pub(crate) fn locate(part: &[u32], structure: Option<&Structure>, size: u64) -> Option<Coded> {
    let plain = |range| Some(Coded { range, encoding: Encoding::Identity });
    let Some(structure) = structure.filter(|_| !part.is_empty()) else { return plain(0..size) };
    let Some(found) = structure.part(part) else { return plain(0..0) };
    match found.kind {
        Kind::Leaf => Some(Coded { range: found.body.clone(), encoding: Encoding::of(found.encoding.as_deref())? }),
        _ => plain(found.body.clone()),
    }
}

impl Coded {
    /// Decodes it all, and keeps nothing.
    pub(crate) async fn measure(&self, partial: Option<Partial>, reader: &mut Reader) -> Result<Measured, bodies::Error> {
        let mut measured = Measured::default();
        let mut pieces = self.pieces(partial, reader);
        while let Some(piece) = pieces.next().await? {
            measured.size += piece.len() as u64;
            measured.has_nul |= memchr::memchr(0, &piece).is_some();
        }
        Ok(measured)
    }

    /// The decoded octets that `<origin.length>` asks for.
    pub(crate) fn pieces<'r>(&self, partial: Option<Partial>, reader: &'r mut Reader) -> Pieces<'r> {
        reader.range(self.range.start, self.range.end.saturating_sub(self.range.start));
        Pieces { reader, decoder: Some(Decoder::new(self.encoding)), at: 0, wanted: octets::clip(&(0..u64::MAX), partial) }
    }
}

/// Decoded octets, a piece at a time: each no longer than what was read for it.
pub(crate) struct Pieces<'r> {
    reader: &'r mut Reader,
    /// `None`: the part is at its end.
    decoder: Option<Decoder>,
    /// Octets decoded so far.
    at: u64,
    wanted: Range<u64>,
}

impl Pieces<'_> {
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, bodies::Error> {
        while self.at < self.wanted.end {
            let Some(decoder) = &mut self.decoder else { return Ok(None) };
            let mut octets = Vec::new();
            match self.reader.chunk().await? {
                Some(chunk) => decoder.push(&chunk, &mut octets),
                None => {
                    if let Some(decoder) = self.decoder.take() {
                        decoder.finish(&mut octets);
                    }
                }
            }
            let piece = self.clip(octets);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn clip(&mut self, octets: Vec<u8>) -> Bytes {
        let count = octets.len() as u64;
        let within = |at: u64| at.saturating_sub(self.at).min(count) as usize; // no more than the length
        let range = within(self.wanted.start)..within(self.wanted.end);
        self.at += count;
        Bytes::from(octets).slice(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGE: &str = "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\
        Content-Transfer-Encoding: BASE64\r\n\r\nAGFi\r\nY2Q=\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db =\r\nc  \r\n\r\n--b\r\n\
        Content-Transfer-Encoding: x-uuencode\r\n\r\nabc\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--b--";

    async fn shown(message: &str, part: &[u32], partial: Option<Partial>) -> Option<(Vec<u8>, Measured)> {
        let structure = Structure::of_message(message.as_bytes());
        let coded = locate(part, Some(&structure), structure.size)?;
        let mut reader = Reader::inline(Bytes::copy_from_slice(message.as_bytes()));
        let measured = coded.measure(partial, &mut reader).await.unwrap();
        let mut octets = Vec::new();
        let mut pieces = coded.pieces(partial, &mut reader);
        while let Some(piece) = pieces.next().await.unwrap() {
            octets.extend_from_slice(&piece);
        }
        Some((octets, measured))
    }

    #[tokio::test]
    async fn b_11_parts_are_decoded() {
        let partial = |origin, length| Some(Partial { origin, length });
        let table: &[(&[u32], Option<Partial>, Option<&[u8]>)] = &[
            (&[1], None, Some(b"\0abcd")),
            (&[1], partial(1, 2), Some(b"ab")),
            (&[1], partial(4, 100), Some(b"d")),
            (&[1], partial(5, 1), Some(b"")),
            (&[2], None, Some(b"a=b c\r\n")),
            (&[2], partial(2, 3), Some(b"b c")),
            (&[3], None, None),
            (&[4], None, Some(b"Content-Transfer-Encoding: base64\r\n\r\neA==")),
            (&[4, 1], None, Some(b"x")),
            (&[5], None, Some(b"")),
            (&[], partial(0, 12), Some(b"Content-Type")),
        ];
        for (part, partial, expected) in table {
            let got = shown(MESSAGE, part, *partial).await;
            assert_eq!(got.as_ref().map(|(octets, _)| &octets[..]), *expected, "{part:?} {partial:?}");
            if let Some((octets, measured)) = got {
                assert_eq!(measured, Measured { size: octets.len() as u64, has_nul: octets.contains(&0) }, "{part:?}");
            }
        }
    }

    proptest! {
        /// Whatever is in a part: its size is that of its octets, and a partial is a part of them.
        #[test]
        fn sizes_are_true(body in "[ -~=\r\n]{0,200}", encoding in "base64|quoted-printable|8bit", origin in 0u64..50, length in 1u64..50) {
            let message = format!("Content-Transfer-Encoding: {encoding}\r\n\r\n{body}");
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (whole, measured) = shown(&message, &[1], None).await.unwrap();
                prop_assert_eq!(measured.size, whole.len() as u64);
                let (some, _) = shown(&message, &[1], Some(Partial { origin, length })).await.unwrap();
                let start = whole.len().min(origin as usize);
                prop_assert_eq!(&some[..], &whole[start..whole.len().min(start + length as usize)]);
                Ok(())
            })?;
        }
    }
}
