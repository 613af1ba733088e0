//! The content of a leaf: its transfer encoding undone (RFC 2045 §6), and its text as UTF-8.
//!
//! Streams in any cuts and is total: what is no base64 is passed over, what is no quoted-printable stays as it is. What search,
//! preview and BINARY read goes through here; it holds a few octets at most.

use encoding_rs::{CoderResult, Encoding as Charset, WINDOWS_1252};

use crate::encoded_word::hex;

/// Blanks held back until it is known whether they end a line; a longer run cannot be an accident and is given out.
const BLANKS_MAX: usize = 1000;
/// Room made for text at a time.
const TEXT_STEP: usize = 4096;

/// How a leaf is coded for its transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// `7bit`, `8bit`, `binary`: as it is.
    Identity,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    /// Of [`Part::encoding`](crate::mime::Part::encoding); `None` for one nobody knows (IMAP's UNKNOWN-CTE).
    pub fn of(name: Option<&str>) -> Option<Encoding> {
        let name = name.unwrap_or("7bit");
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("7bit") || is("8bit") || is("binary") {
            Some(Encoding::Identity)
        } else if is("base64") {
            Some(Encoding::Base64)
        } else if is("quoted-printable") {
            Some(Encoding::QuotedPrintable)
        } else {
            None
        }
    }
}

/// Undoes a transfer encoding.
#[derive(Clone, Debug)]
pub struct Decoder(State);

#[derive(Clone, Debug)]
enum State {
    Identity,
    Base64 { bits: u32, held: u32 },
    Quoted(Quoted),
}

impl Decoder {
    pub fn new(encoding: Encoding) -> Decoder {
        Decoder(match encoding {
            Encoding::Identity => State::Identity,
            Encoding::Base64 => State::Base64 { bits: 0, held: 0 },
            Encoding::QuotedPrintable => State::Quoted(Quoted::default()),
        })
    }

    /// Appends to `out` what `chunk` stands for.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => out.extend_from_slice(chunk),
            State::Base64 { bits, held } => base64(chunk, bits, held, out),
            State::Quoted(quoted) => chunk.iter().for_each(|byte| quoted.push(*byte, out)),
        }
    }

    /// The leaf is over: what was held back is given out.
    pub fn finish(self, out: &mut Vec<u8>) {
        if let State::Quoted(quoted) = self.0 {
            quoted.finish(out);
        }
    }
}

/// Whole groups of four or what is left of them; after padding a new group may begin.
fn base64(chunk: &[u8], bits: &mut u32, held: &mut u32, out: &mut Vec<u8>) {
    out.reserve(chunk.len() / 4 * 3);
    for byte in chunk {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                *held = 0;
                continue;
            }
            _ => continue,
        };
        *bits = (*bits << 6 | u32::from(value)) & 0xff_ffff;
        *held += 6;
        if *held >= 8 {
            *held -= 8;
            out.push((*bits >> *held & 0xff) as u8);
        }
    }
}

/// RFC 2045 §6.7: `=XX`, soft line ends, blanks at the end of a line that a relay has added.
#[derive(Clone, Debug, Default)]
struct Quoted {
    after: After,
    /// Blanks (and a CR) that may be the end of a line.
    blanks: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum After {
    #[default]
    Plain,
    Equals,
    /// `=` and one digit.
    Digit(u8),
    /// `=` and what is in `blanks`.
    EqualsBlanks,
}

impl Quoted {
    fn push(&mut self, byte: u8, out: &mut Vec<u8>) {
        let blank = matches!(byte, b' ' | b'\t' | b'\r') && self.blanks.len() < BLANKS_MAX;
        match self.after {
            After::Equals if byte.is_ascii_hexdigit() => self.after = After::Digit(byte),
            After::Digit(first) if byte.is_ascii_hexdigit() => {
                out.extend(hex(&[first, byte]));
                self.after = After::Plain;
            }
            After::Equals | After::EqualsBlanks if byte == b'\n' => {
                self.blanks.clear();
                self.after = After::Plain;
            }
            After::Equals | After::EqualsBlanks if blank => {
                self.blanks.push(byte);
                self.after = After::EqualsBlanks;
            }
            After::Plain => self.plain(byte, blank, out),
            After::Equals | After::Digit(_) | After::EqualsBlanks => {
                self.give_back(out);
                self.plain(byte, blank, out);
            }
        }
    }

    fn plain(&mut self, byte: u8, blank: bool, out: &mut Vec<u8>) {
        if blank {
            return self.blanks.push(byte);
        }
        if byte == b'\n' {
            let cr = self.blanks.last() == Some(&b'\r');
            self.blanks.clear();
            return out.extend_from_slice(if cr { b"\r\n" } else { b"\n" });
        }
        out.append(&mut self.blanks);
        match byte {
            b'=' => self.after = After::Equals,
            other => out.push(other),
        }
    }

    /// It was no escape after all: its octets stand for themselves.
    fn give_back(&mut self, out: &mut Vec<u8>) {
        out.push(b'=');
        if let After::Digit(first) = self.after {
            out.push(first);
        }
        out.append(&mut self.blanks);
        self.after = After::Plain;
    }

    /// A `=` at the very end is a soft line end that lost its line end.
    fn finish(mut self, out: &mut Vec<u8>) {
        match self.after {
            After::Digit(_) => self.give_back(out),
            After::Plain => out.append(&mut self.blanks),
            After::Equals | After::EqualsBlanks => {}
        }
    }
}

/// Makes UTF-8 of a text in a charset.
pub struct TextDecoder(Text);

enum Text {
    Charset(encoding_rs::Decoder),
    /// UTF-8 if it is, octet by octet windows-1252 if not; holds the begin of a character.
    Guess(Vec<u8>),
}

impl TextDecoder {
    /// `charset` is [`Media::charset`](crate::mime::Media::charset). None, `us-ascii` and unknown ones are guessed: those who
    /// say so send UTF-8 or windows-1252. A byte order mark tells more than the name: `utf-16` is either order (RFC 2781 §3.2).
    pub fn new(charset: Option<&[u8]>) -> TextDecoder {
        let guessed = |name: &[u8]| name.eq_ignore_ascii_case(b"us-ascii") || name.eq_ignore_ascii_case(b"ascii");
        let known = charset.filter(|name| !guessed(name)).and_then(Charset::for_label);
        TextDecoder(known.map_or(Text::Guess(Vec::new()), |charset| Text::Charset(charset.new_decoder())))
    }

    /// Appends to `out` the text of `chunk`; the begin of a character at its end waits for the next.
    pub fn push(&mut self, chunk: &[u8], out: &mut String) {
        match &mut self.0 {
            Text::Charset(decoder) => decode(decoder, chunk, false, out),
            Text::Guess(held) => {
                held.extend_from_slice(chunk);
                let rest = guess(held, out);
                held.drain(..rest);
            }
        }
    }

    /// The text is over.
    pub fn finish(self, out: &mut String) {
        match self.0 {
            Text::Charset(mut decoder) => decode(&mut decoder, b"", true, out),
            Text::Guess(held) => out.push_str(&WINDOWS_1252.decode_without_bom_handling(&held).0),
        }
    }
}

fn decode(decoder: &mut encoding_rs::Decoder, chunk: &[u8], last: bool, out: &mut String) {
    let mut rest = chunk;
    loop {
        out.reserve(rest.len().clamp(16, TEXT_STEP));
        let (result, read, _) = decoder.decode_to_string(rest, out, last);
        rest = rest.get(read..).unwrap_or_default();
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

/// Says how many octets it has used: all but the begin of a character.
fn guess(bytes: &[u8], out: &mut String) -> usize {
    let mut used = 0;
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        used += chunk.valid().len();
        let invalid = chunk.invalid();
        let unfinished = used + invalid.len() == bytes.len() && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if unfinished {
            return used;
        }
        out.push_str(&WINDOWS_1252.decode_without_bom_handling(invalid).0);
        used += invalid.len();
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(encoding: Encoding, chunks: &[&[u8]]) -> Vec<u8> {
        let (mut out, mut decoder) = (Vec::new(), Decoder::new(encoding));
        chunks.iter().for_each(|chunk| decoder.push(chunk, &mut out));
        decoder.finish(&mut out);
        out
    }

    fn text(charset: Option<&str>, chunks: &[&[u8]]) -> String {
        let (mut out, mut decoder) = (String::new(), TextDecoder::new(charset.map(str::as_bytes)));
        chunks.iter().for_each(|chunk| decoder.push(chunk, &mut out));
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn encodings() {
        assert_eq!(Encoding::of(None), Some(Encoding::Identity));
        assert_eq!(Encoding::of(Some("BASE64")), Some(Encoding::Base64));
        assert_eq!(Encoding::of(Some("x-uuencode")), None);
        for (coded, plain) in [
            ("aGVs\r\nbG8=\r\n", "hello"),
            ("aGVsbG8", "hello"),
            ("aGk=aGk=", "hihi"),
            ("a*G k", "hi"),
            ("A", ""),
            ("", ""),
        ] {
            assert_eq!(decoded(Encoding::Base64, &[coded.as_bytes()]), plain.as_bytes(), "{coded}");
        }
        for (coded, plain) in [
            ("a=3Db=0d=0A", "a=b\r\n"),
            ("soft=\r\n line=  \r\n end=\n", "soft line end"),
            ("blanks \t\r\nkept \rx\n", "blanks\r\nkept \rx\n"),
            ("=zz =4 =", "=zz =4 "),
            ("==41", "=A"),
            ("=4=41", "=4A"),
            ("=  x", "=  x"),
            ("end  ", "end  "),
        ] {
            assert_eq!(decoded(Encoding::QuotedPrintable, &[coded.as_bytes()]), plain.as_bytes(), "{coded:?}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(text(Some("iso-8859-1"), &[b"caf\xe9"]), "café");
        assert_eq!(text(Some("utf-8"), &[b"\xef\xbb\xbfcaf\xc3", b"\xa9"]), "café");
        assert_eq!(text(Some("utf-8"), &[b"caf\xc3"]), "caf\u{fffd}");
        for (marked, order) in [(&b"\xfe\xff\0c\0a"[..], "big"), (b"\xff\xfec\0a\0", "little")] {
            assert_eq!(text(Some("utf-16"), &[marked]), "ca", "{order}");
        }
        assert_eq!(text(None, &[b"caf\xc3", b"\xa9 caf\xe9 \xe9"]), "café café é");
        assert_eq!(text(Some("US-ASCII"), &["日本".as_bytes()]), "日本");
        assert_eq!(text(Some("no-such"), &[b"\xff"]), "ÿ");
        assert_eq!(text(Some("iso-2022-jp"), &[b"\x1b$BF|K\\\x1b(B"]), "日本");
    }

    proptest! {
        #[test]
        fn cut_anywhere(bytes in proptest::collection::vec(prop_oneof![Just(b'='), Just(b' '), Just(b'\r'), Just(b'\n'), Just(b'A'), Just(0xc3), Just(0xa9), any::<u8>()], 0..40), size in 1usize..7) {
            let chunks: Vec<_> = bytes.chunks(size).collect();
            for encoding in [Encoding::Identity, Encoding::Base64, Encoding::QuotedPrintable] {
                prop_assert_eq!(decoded(encoding, &chunks), decoded(encoding, &[&bytes]));
            }
            for charset in [None, Some("utf-8"), Some("shift_jis"), Some("utf-16"), Some("gb18030"), Some("iso-2022-jp")] {
                prop_assert_eq!(text(charset, &chunks), text(charset, &[&bytes]));
            }
            prop_assert_eq!(text(None, &[&bytes]).is_empty(), bytes.is_empty());
        }

        #[test]
        fn utf8_is_guessed(given in any::<String>(), size in 1usize..5) {
            let chunks: Vec<_> = given.as_bytes().chunks(size).collect();
            prop_assert_eq!(text(None, &chunks), given);
        }
    }
}
