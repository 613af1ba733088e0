//! Text of header fields as a reader sees it: encoded words (RFC 2047) and bare 8-bit.
//!
//! ```text
//! encoded-word = "=?" charset [ "*" language ] "?" ( "B" / "Q" ) "?" encoded-text "?="
//! ```
//! Words that follow one another in one charset are joined *before* they are decoded: many senders cut within a character.

use encoding_rs::{Encoding as Charset, WINDOWS_1252};
use mail_parser::decoders::charsets::map::charset_decoder;

use crate::transfer::{Decoder, Encoding};

/// Octets of a charset's name; the longest registered one has about 45.
const CHARSET_MAX: usize = 64;

/// The text of a raw field value. Total: what cannot be decoded stays as it is. Bare 8-bit is UTF-8 or, if it is not,
/// windows-1252.
pub fn decode_text(value: &[u8]) -> String {
    let line = crate::header::unfold(value);
    let (mut out, mut rest) = (String::with_capacity(line.len()), &line[..]);
    let mut run: Option<Run> = None;
    while !rest.is_empty() {
        if let Some((word, after)) = EncodedWord::at(rest) {
            rest = after;
            match &mut run {
                Some(run) if run.charset.eq_ignore_ascii_case(word.charset) => word.decode_into(&mut run.bytes),
                _ => {
                    finish(&mut run, &mut out);
                    let mut bytes = Vec::new();
                    word.decode_into(&mut bytes);
                    run = Some(Run { charset: word.charset.to_vec(), bytes });
                }
            }
            // Blanks between two encoded words are not part of the text (RFC 2047 §6.2).
            let next = rest.trim_ascii_start();
            if EncodedWord::at(next).is_some() {
                rest = next;
            }
        } else {
            finish(&mut run, &mut out);
            let end = memchr::memmem::find(rest.get(1..).unwrap_or_default(), b"=?").map_or(rest.len(), |at| at + 1);
            let (plain, after) = rest.split_at(end);
            out.push_str(&guess(plain));
            rest = after;
        }
    }
    finish(&mut run, &mut out);
    out
}

/// Bytes in a named charset as text; `None` if nobody here knows the charset.
pub fn decode_charset(charset: &[u8], bytes: &[u8]) -> Option<String> {
    if charset.len() > CHARSET_MAX {
        return None;
    }
    if let Some(encoding) = Charset::for_label(charset) {
        return Some(encoding.decode_without_bom_handling(bytes).0.into_owned());
    }
    // UTF-7 and the code pages that the web has given up, but mail has not.
    charset_decoder(charset).map(|decode| decode(bytes))
}

/// Bytes of no named charset: UTF-8 if they are, else windows-1252, which always is.
pub fn guess(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Octets of the encoded word at the very start, if there is one.
pub(crate) fn encoded_word_length(text: &[u8]) -> Option<usize> {
    EncodedWord::at(text).map(|(_, after)| text.len() - after.len())
}

/// What adjacent words of one charset have given so far.
struct Run {
    charset: Vec<u8>,
    bytes: Vec<u8>,
}

fn finish(run: &mut Option<Run>, out: &mut String) {
    if let Some(run) = run.take() {
        out.push_str(&decode_charset(&run.charset, &run.bytes).unwrap_or_else(|| guess(&run.bytes)));
    }
}

struct EncodedWord<'t> {
    charset: &'t [u8],
    base64: bool,
    text: &'t [u8],
}

impl<'t> EncodedWord<'t> {
    /// The word at the very start, and what follows it.
    fn at(text: &'t [u8]) -> Option<(EncodedWord<'t>, &'t [u8])> {
        let rest = text.strip_prefix(b"=?")?;
        let mark = memchr::memchr(b'?', rest.get(..CHARSET_MAX.min(rest.len()))?)?;
        let (charset, rest) = (rest.get(..mark)?, rest.get(mark + 1..)?);
        let charset = charset.split(|byte| *byte == b'*').next().unwrap_or_default();
        if charset.is_empty() || !charset.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let base64 = match rest.get(..2)? {
            b"B?" | b"b?" => true,
            b"Q?" | b"q?" => false,
            _ => return None,
        };
        let rest = rest.get(2..)?;
        // The text has no '?', so the first one ends it: the search never looks at the same octets twice.
        let end = memchr::memchr(b'?', rest)?;
        let after = rest.get(end + 1..)?.strip_prefix(b"=")?;
        Some((EncodedWord { charset, base64, text: rest.get(..end)? }, after))
    }

    fn decode_into(&self, out: &mut Vec<u8>) {
        if self.base64 { Decoder::new(Encoding::Base64).push(self.text, out) } else { decode_q(self.text, out) }
    }
}

fn decode_q(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'_' => out.push(b' '),
            b'=' => match hex(rest) {
                Some(decoded) => {
                    out.push(decoded);
                    rest = rest.get(2..).unwrap_or_default();
                }
                None => out.push(b'='),
            },
            other => out.push(other),
        }
    }
}

/// The octet two hexadecimal digits name.
pub(crate) fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts() {
        for (given, seen) in [
            ("plain", "plain"),
            ("=?ISO-8859-1?Q?a=E9_b?=", "aé b"),
            ("=?utf-8?b?w7w=?=", "ü"),
            ("=?utf-8*de?q?=C3=BC?= x", "ü x"),
            ("a =?utf-8?q?b?= c", "a b c"),
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?=\r\n\t=?iso-8859-1?q?=FC?=", "aü"),
            ("=?utf-8?q?=C3?= =?UTF-8?q?=BC?=", "ü"),
            ("=?utf-8?b?w7?= =?utf-8?b?w=?=", "\u{fffd}"),
            ("x=?utf-8?q?b?=y", "xby"),
            ("=?gb2312?B?xOO6ww==?=", "你好"),
            ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
            ("=?utf-7?q?+AOQ-?=", "ä"),
            ("=?nobody-knows?q?=C3=BC?=", "ü"),
            ("=?utf-8?x?y?=", "=?utf-8?x?y?="),
            ("=?utf-8?q?open", "=?utf-8?q?open"),
            ("=?=?=?", "=?=?=?"),
            ("=?utf-8?q?=zz=?=", "=zz="),
        ] {
            assert_eq!(decode_text(given.as_bytes()), seen, "{given}");
        }
        assert_eq!(decode_text(b"caf\xe9"), "café");
        assert_eq!(decode_text("café".as_bytes()), "café");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "(=\\?(utf-8|utf-7|x)\\?[bqBQ]\\?[=A-F0-9_?+/-]{0,9}(\\?=)? ?){0,6}") {
            let _ = decode_text(&bytes);
            let _ = decode_text(text.as_bytes());
        }
    }
}
