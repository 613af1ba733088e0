//! The header of a message: fields, folding, and text as a reader sees it (RFC 5322 §2.2, RFC 2047).
//!
//! Lines may end in CRLF or LF. Nothing here fails: a line without a colon is a field without a name.

use std::ops::Range;

/// One field as it stands in the header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field<'h> {
    /// Without the blanks some write before the colon; empty for a line that is no field.
    pub name: &'h [u8],
    /// All after the colon, folded as it came, without its last line end.
    pub value: &'h [u8],
    /// Where name, value and last line end lie in the header.
    pub span: Range<usize>,
}

impl Field<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields from the top down to the first empty line, or the end.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { header, at: 0 }
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'h> {
    header: &'h [u8],
    at: usize,
}

impl<'h> Iterator for Fields<'h> {
    type Item = Field<'h>;

    fn next(&mut self) -> Option<Field<'h>> {
        let start = self.at;
        let first = line_at(self.header, start)?;
        if is_blank(first) {
            self.at = self.header.len();
            return None;
        }
        let mut end = start + first.len();
        while let Some(line) = line_at(self.header, end).filter(|line| matches!(line.first(), Some(b' ' | b'\t'))) {
            end += line.len();
        }
        self.at = end;
        let whole = without_line_end(self.header.get(start..end)?);
        let (name, value) = split_at_colon(whole);
        Some(Field { name, value, span: start..end })
    }
}

/// The raw value of the first field of that name, folded as it came.
pub fn find<'h>(header: &'h [u8], name: &str) -> Option<&'h [u8]> {
    fields(header).find(|field| field.is(name)).map(|field| field.value)
}

/// The raw values of all fields of that name, from the top down.
pub fn find_all<'h>(header: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
    fields(header).filter(move |field| field.is(name)).map(|field| field.value)
}

/// Where the body begins: after the first empty line, or at the end if there is none.
pub fn end_of_header(message: &[u8]) -> usize {
    let mut at = 0;
    while let Some(line) = line_at(message, at) {
        at += line.len();
        if is_blank(line) {
            return at;
        }
    }
    message.len()
}

/// The value on one line, without the blanks around it (RFC 5322 §2.2.3).
///
/// What comes out has no CR, LF or NUL and so can be an IMAP string: a tab that folded is a space, a lone CR or LF too,
/// a NUL is gone.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            0 => {}
            b'\r' if bytes.peek() == Some(&b'\n') => {}
            b'\n' if matches!(bytes.peek(), Some(b' ' | b'\t')) => {
                bytes.next();
                out.push(b' ');
            }
            b'\r' | b'\n' => out.push(b' '),
            other => out.push(other),
        }
    }
    let end = out.iter().rposition(|byte| !is_blank_byte(byte)).map_or(0, |last| last + 1);
    out.truncate(end);
    let start = out.iter().position(|byte| !is_blank_byte(byte)).unwrap_or(0);
    out.drain(..start);
    out
}

pub use crate::encoded_word::decode_text;

/// The header of a message that streams by, up to a limit: for those who must know it before the message is stored.
#[derive(Clone, Debug)]
pub struct HeaderBuf {
    limit: usize,
    bytes: Vec<u8>,
    /// Octets of the line being read; a line end ends the header if there are none but its CR.
    line: LineSoFar,
    complete: bool,
    cut_off: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LineSoFar {
    Empty,
    Cr,
    Text,
}

impl HeaderBuf {
    /// Keeps at most `limit` octets (Postfix's `header_size_limit` is 102,400 a field).
    pub fn new(limit: usize) -> HeaderBuf {
        HeaderBuf { limit, bytes: Vec::new(), line: LineSoFar::Empty, complete: false, cut_off: false }
    }

    /// Takes the next octets of the message, in any cuts; after the empty line nothing more is kept.
    pub fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !self.complete && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            let kept = line.len().min(self.limit.saturating_sub(self.bytes.len()));
            self.bytes.extend_from_slice(line.get(..kept).unwrap_or_default());
            self.cut_off |= kept < line.len();
            self.line = match (self.line, line) {
                (LineSoFar::Empty | LineSoFar::Cr, b"\n") | (LineSoFar::Empty, b"\r\n") => {
                    self.complete = true;
                    return;
                }
                (LineSoFar::Empty, b"\r") => LineSoFar::Cr,
                (_, line) if line.ends_with(b"\n") => LineSoFar::Empty,
                _ => LineSoFar::Text,
            };
        }
    }

    /// The header so far, with its empty line if that has come.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the empty line has come.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the header was longer than the limit, so that its end is not here.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
    }
}

fn is_blank_byte(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The line that begins at `at`, with its line end; `None` at the end.
fn line_at(text: &[u8], at: usize) -> Option<&[u8]> {
    let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
    rest.get(..end)
}

fn is_blank(line: &[u8]) -> bool {
    line == b"\r\n" || line == b"\n"
}

pub(crate) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A name is printable ASCII (RFC 5322 §3.6.8); else the line is a value without a name.
pub(crate) fn split_at_colon(field: &[u8]) -> (&[u8], &[u8]) {
    let nameless = (&field[..0], field);
    let Some(colon) = memchr::memchr(b':', field) else { return nameless };
    let (name, value) = field.split_at(colon);
    let name = name.trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return nameless;
    }
    (name, &value[1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_with_all_their_oddities() {
        let header = b"From me Tue\r\nA: 1\r\nB :\r\n two\r\n\t lines \r\n \r\nno colon\nC:x\n\r\nD: body\r\n";
        let got: Vec<_> = fields(header).map(|f| (f.name, f.value)).collect();
        assert_eq!(
            got,
            [(&b""[..], &b"From me Tue"[..]), (b"A", b" 1"), (b"B", b"\r\n two\r\n\t lines \r\n "), (b"", b"no colon"), (b"C", b"x")]
        );
        assert_eq!(&header[end_of_header(header)..], b"D: body\r\n");
        assert_eq!(find(header, "b").map(unfold), Some(b"two  lines".to_vec()));
        assert_eq!(find(header, "d"), None);
        assert_eq!(find(b"", "d"), None);
        assert_eq!(find_all(b"A: 1\r\nB: 2\r\na: 3", "A").collect::<Vec<_>>(), [b" 1", b" 3"]);
    }

    #[test]
    fn where_a_header_ends() {
        for (message, end) in [("", 0), ("\r\nbody", 2), ("\nbody", 1), ("A: 1", 4), ("A: 1\r\n", 6), ("A: 1\r\n\r\n", 8), ("A: 1\n\nx", 6), ("A\r\r\n\r\nx", 6)] {
            assert_eq!(end_of_header(message.as_bytes()), end, "{message:?}");
        }
    }

    #[test]
    fn unfolded_text_has_no_line_ends() {
        for (given, kept) in [(" a\r\n b ", "a b"), ("a\r\n\tb", "a b"), ("a\n  b", "a  b"), ("a\rb\0c", "a bc"), ("\r\n ", ""), ("", "")] {
            assert_eq!(unfold(given.as_bytes()), kept.as_bytes(), "{given:?}");
        }
    }

    #[test]
    fn a_long_header_is_cut_off() {
        let mut buf = HeaderBuf::new(6);
        buf.push(b"A: 1\r\nB: 2");
        assert_eq!((buf.bytes(), buf.is_cut_off(), buf.is_complete()), (&b"A: 1\r\n"[..], true, false));
        buf.push(b"\r\n\r\n");
        assert!(buf.is_complete());
    }

    proptest! {
        #[test]
        fn a_buffered_header_is_the_header(bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b'a')], 0..40), cut in 1usize..9) {
            let mut buf = HeaderBuf::new(bytes.len());
            bytes.chunks(cut).for_each(|chunk| buf.push(chunk));
            let end = end_of_header(&bytes);
            prop_assert_eq!(buf.bytes(), &bytes[..end]);
            prop_assert!(!buf.is_cut_off());
            prop_assert_eq!(buf.is_complete(), fields(&bytes).map(|field| field.span.end).last().unwrap_or(0) < end);
        }

        #[test]
        fn the_spans_are_the_header_without_a_hole(bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), any::<u8>()], 0..80)) {
            let mut at = 0;
            for field in fields(&bytes) {
                prop_assert_eq!(field.span.start, at);
                at = field.span.end;
            }
            let end = end_of_header(&bytes);
            prop_assert!(at == end || is_blank(&bytes[at..end]));
            prop_assert!(!unfold(&bytes).iter().any(|byte| b"\r\n\0".contains(byte)));
        }
    }
}
