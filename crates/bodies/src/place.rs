//! Names of bytes that wait in the spool, and the text by which a row of the database names them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::Error;

/// A random 128-bit name, given to a body before anything is written; printed `R` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u128);

/// `R` and 32 digits.
const NAME_LEN: usize = 33;

impl Name {
    /// A new name; 128 random bits are not met twice.
    pub fn random() -> Name {
        Name(rand::random())
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    pub fn parse(text: &str) -> Option<Name> {
        let digits = text.strip_prefix('R').filter(|digits| digits.len() == NAME_LEN - 1)?;
        if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(digits, 16).ok().map(Name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "R{:032x}", self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Header lines that stand before a shared body in one recipient's copy: `Return-Path` and the like.
/// Whole CRLF lines; empty for a body that stands alone.
pub type Prefix = Arc<str>;

/// Longest prefix, in bytes: three trace lines with the longest addresses (320 bytes each) fit four times.
pub const PREFIX_LIMIT: usize = 4 * 1024;

/// Where a body waits until it is placed in a folder, as the column `place` holds it:
/// `i` (the bytes are in the database) or `t:R<hex>` followed by the prefix as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the database; the row has all bytes, prefix included.
    Inline,
    /// In the spool under this name, in CRLF form, to be preceded by the prefix.
    Spooled { name: Name, prefix: Prefix },
}

impl Place {
    /// Reads what [`Display`](fmt::Display) writes; `None` for anything else, such as places of other kinds of store.
    pub fn parse(text: &str) -> Option<Place> {
        if text == "i" {
            return Some(Place::Inline);
        }
        let rest = text.strip_prefix("t:")?;
        let name = Name::parse(rest.get(..NAME_LEN)?)?;
        let prefix = rest.get(NAME_LEN..)?;
        valid_prefix(prefix).ok()?;
        Some(Place::Spooled { name, prefix: prefix.into() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Inline => out.write_str("i"),
            Place::Spooled { name, prefix } => write!(out, "t:{name}{prefix}"),
        }
    }
}

/// What a file in a folder is made from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The whole message in CRLF form.
    Inline(Bytes),
    /// A spool file in CRLF form, preceded by the prefix. The file stays: its owner removes it once the placed
    /// copy is durable and no row names it any more.
    Spooled { name: Name, prefix: Prefix },
}

/// A prefix is whole CRLF lines without NUL, so that it can be a column of text and never changes the disk form.
pub(crate) fn valid_prefix(prefix: &str) -> Result<(), Error> {
    let bad = |why| Err(Error::BadName { what: "the prefix", value: prefix.chars().take(80).collect(), why });
    if prefix.len() > PREFIX_LIMIT {
        return bad("it is longer than a prefix may be");
    }
    if prefix.contains('\0') {
        return bad("it contains a NUL");
    }
    let mut rest = prefix;
    while !rest.is_empty() {
        let Some((line, after)) = rest.split_once("\r\n") else { return bad("its last line does not end in CRLF") };
        if line.contains(['\r', '\n']) {
            return bad("a line contains a bare CR or LF");
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back() {
        let name = Name::parse("R00000000000000000000000000000abc").expect("a name");
        for place in [
            Place::Inline,
            Place::Spooled { name, prefix: "".into() },
            Place::Spooled { name, prefix: "Return-Path: <ä@example.test>\r\n".into() },
        ] {
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
    }

    #[test]
    fn what_is_not_a_place_is_refused() {
        let name = Name::random().to_string();
        for text in ["", "I", "i ", "t:", "t:R", "t:../../etc/passwd", "o:m/ab/cd", &format!("t:{}", name.to_uppercase()), &format!("t:{name}no line"), "t:R0000000000000000000000000000000é"] {
            assert_eq!(Place::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_prefix_is_whole_lines() {
        for good in ["", "A: b\r\n", "A: b\r\nC: d\r\n"] {
            assert!(valid_prefix(good).is_ok(), "{good:?}");
        }
        for bad in ["A: b", "A: b\n", "A: b\r\r\n", "A\nB: c\r\n", "A: \0\r\n", "\r", "A: b\r\nC"] {
            assert!(valid_prefix(bad).is_err(), "{bad:?}");
        }
    }
}
