//! Writing the terminals of RFC 3501 §9. Whatever comes in, what goes out is grammatical.

use super::Text;
use crate::cursor::{is_atom_char, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use std::fmt::{Arguments, Write};
use std::ops::RangeInclusive;

/// Longest quoted string we write; some clients read lines into small buffers, all read literals (B-10).
const QUOTED: usize = 512;

/// Our own constants and numbers.
pub(super) fn push(out: &mut BytesMut, text: Arguments<'_>) {
    // Writing to memory doesn't fail.
    let _ = out.write_fmt(text);
}

pub(super) fn number(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `sequence-set` of ranges.
pub(super) fn ranges(out: &mut BytesMut, ranges: &[RangeInclusive<u32>]) {
    for (index, range) in ranges.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b",");
        }
        number(out, u64::from(*range.start()));
        if range.start() != range.end() {
            out.extend_from_slice(b":");
            number(out, u64::from(*range.end()));
        }
    }
}

/// Human-readable `text`: one line of ASCII, whatever it was made of.
pub(super) fn text(out: &mut BytesMut, text: &str) {
    out.extend(text.chars().map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
}

/// ` A B C`, of names that are atoms.
pub(super) fn spaced(out: &mut BytesMut, names: &[Text]) {
    for name in names {
        out.extend_from_slice(b" ");
        text(out, name);
    }
}

/// `string`: quoted where that is possible and short, else a literal.
pub fn string(out: &mut BytesMut, octets: &[u8]) {
    let plain = |byte: &u8| (0x20..0x7f).contains(byte) || *byte == b'\t';
    if octets.len() > QUOTED || !octets.iter().all(plain) {
        return literal_without_nul(out, octets);
    }
    quoted(out, octets);
}

pub fn nstring(out: &mut BytesMut, octets: Option<&[u8]>) {
    match octets {
        Some(octets) => string(out, octets),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `astring`: bare where it is an atom. `NIL` is quoted, lest it be read as one, and so is `]`, which not all readers expect.
pub(crate) fn astring(out: &mut BytesMut, octets: &[u8]) {
    let bare = !octets.is_empty() && run(octets, is_atom_char).len() == octets.len();
    if bare && !octets.eq_ignore_ascii_case(b"NIL") { out.extend_from_slice(octets) } else { string(out, octets) }
}

/// `astring` of IMAP4rev2, where a quoted string may be in UTF-8 (RFC 9051 §4.3).
pub(crate) fn astring_utf8(out: &mut BytesMut, text: &str) {
    if text.is_ascii() || text.len() > QUOTED || text.chars().any(char::is_control) {
        return astring(out, text.as_bytes());
    }
    quoted(out, text.as_bytes());
}

fn quoted(out: &mut BytesMut, octets: &[u8]) {
    out.extend_from_slice(b"\"");
    for &byte in octets {
        if matches!(byte, b'"' | b'\\') {
            out.extend_from_slice(b"\\");
        }
        out.extend_from_slice(&[byte]);
    }
    out.extend_from_slice(b"\"");
}

/// Octets of a message as they are.
pub(super) fn literal(out: &mut BytesMut, octets: &[u8]) {
    push(out, format_args!("{{{}}}\r\n", octets.len()));
    out.extend_from_slice(octets);
}

/// `CHAR8` has no NUL, and some clients end there; 0x80 keeps the length.
fn literal_without_nul(out: &mut BytesMut, octets: &[u8]) {
    push(out, format_args!("{{{}}}\r\n", octets.len()));
    out.extend(octets.iter().map(|&byte| if byte == 0 { 0x80 } else { byte }));
}

pub(super) fn base64(out: &mut BytesMut, octets: &[u8]) {
    out.extend_from_slice(STANDARD.encode(octets).as_bytes());
}
