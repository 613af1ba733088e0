//! From 8 bits to 7 for a server that takes no more (RFC 6152 §3): parts that say `8bit` or `binary` become quoted-printable (RFC 2045 §6.7).
//!
//! As Postfix does it: what says so is converted, a multipart or message around it says `7bit` then, and nothing else is touched; what has octets
//! above 127 without saying so goes as it is. A signature over a converted part does not hold any more.
//!
//! ```text
//!  Header ──blank line──► Leaf (as it is | quoted-printable)
//!                       ► Multipart: its parts, each beginning in Header; a delimiter of one below closes all above it
//!                       ► message/rfc822: the inner message, beginning in Header
//! ```
//!
//! Streams in any cuts; holds a header ([`HEADER_MAX`]) or the beginning of a line. It is total: what is no MIME goes as it is.

use super::{DEPTH_MAX, Media, Part, content};
use crate::header;

/// Octets of a header. A part with a longer one is a leaf that goes as it is.
const HEADER_MAX: usize = 256 << 10;
/// Octets of a boundary (RFC 2046 §5.1.1 says 70); a longer one is taken for none.
const BOUNDARY_MAX: usize = 1_000;
/// Octets of a line that may be a delimiter.
const LINE_MAX: usize = BOUNDARY_MAX + 64;
/// Columns of a quoted-printable line, without the `=` that breaks it (RFC 2045 §6.7, rule 5).
const COLUMNS: usize = 75;

/// Converts a message in CRLF form.
#[derive(Debug)]
pub struct Downgrade {
    /// Boundaries of the open multiparts, the outermost first, each with whether it is a digest.
    open: Vec<(Vec<u8>, bool)>,
    state: State,
    /// A header, or the beginning of a line.
    held: Vec<u8>,
    /// The line is longer than `held`: it is no delimiter, and its rest goes where its beginning went.
    long: bool,
    /// Where the line begins in `held`, while a header is read.
    line: usize,
}

#[derive(Debug)]
enum State {
    /// `digest`: without a Content-Type it is a message (RFC 2046 §5.1.5).
    Header { digest: bool },
    Plain,
    Quoted(Quoted),
}

impl Default for Downgrade {
    fn default() -> Downgrade {
        Downgrade { open: Vec::new(), state: State::Header { digest: false }, held: Vec::new(), long: false, line: 0 }
    }
}

impl Downgrade {
    /// Appends to `out` what goes in place of `chunk`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (piece, after) = rest.split_at(end);
            self.piece(piece, out);
            rest = after;
        }
    }

    /// The message is over: what was held back is given out.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Header { .. } | State::Plain => out.extend_from_slice(&self.held),
            State::Quoted(quoted) => {
                quoted.push(&self.held, out);
                quoted.finish(out);
            }
        }
    }

    /// A line, or a piece of one.
    fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let ends = piece.ends_with(b"\n");
        if self.long {
            self.give(piece, out);
            self.long = !ends;
            return;
        }
        self.held.extend_from_slice(piece);
        let line = self.held.get(self.line..).unwrap_or_default();
        if matches!(self.state, State::Header { .. }) {
            if ends {
                self.header_line(out);
            } else if self.held.len() > HEADER_MAX {
                self.give_up_header(true, out);
            }
        } else if ends {
            self.body_line(out);
        } else if line.len() > LINE_MAX || !line.starts_with(b"-") {
            let begun = std::mem::take(&mut self.held);
            self.give(&begun, out);
            self.long = true;
        }
    }

    fn header_line(&mut self, out: &mut Vec<u8>) {
        let line = self.held.get(self.line..).unwrap_or_default();
        if matches!(line, b"\r\n" | b"\n") {
            return self.enter(out);
        }
        if let Some((depth, last)) = self.delimits(line) {
            // a part that is all header
            let whole = std::mem::take(&mut self.held);
            out.extend_from_slice(&whole);
            self.line = 0;
            return self.delimited(depth, last);
        }
        self.line = self.held.len();
        if self.held.len() > HEADER_MAX {
            self.give_up_header(false, out);
        }
    }

    /// It is too long to be looked at.
    fn give_up_header(&mut self, in_line: bool, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.line = 0;
        self.long = in_line;
        self.state = State::Plain;
    }

    /// The header is over.
    fn enter(&mut self, out: &mut Vec<u8>) {
        let State::Header { digest } = self.state else { return };
        let head = std::mem::take(&mut self.held);
        self.line = 0;
        let (mut part, mut media) = (Part::default(), None);
        for field in header::fields(&head) {
            let read = content::note(&mut part, &field);
            media = media.or(read);
        }
        let inner_message = Media { kind: "message".into(), subtype: "rfc822".into(), params: Vec::new() };
        let media = media.unwrap_or_else(|| if digest { inner_message } else { Media::default() });
        let converts = matches!(part.encoding.as_deref(), Some("8bit" | "binary"));
        let plain = converts || matches!(part.encoding.as_deref(), None | Some("7bit"));
        let boundary = media.params.iter().find(|(name, _)| name == "boundary").map(|(_, value)| value.trim_ascii_end().to_vec());
        let boundary = boundary.filter(|boundary| (1..=BOUNDARY_MAX).contains(&boundary.len()));
        let (state, says) = match boundary {
            Some(boundary) if media.kind == "multipart" && self.open.len() < DEPTH_MAX => {
                self.open.push((boundary, media.subtype == "digest"));
                (State::Plain, Some("7bit"))
            }
            _ if media.is("message", "rfc822") && plain => (State::Header { digest: false }, Some("7bit")),
            // RFC 2046 §5.2: no other kind of message may be coded
            _ if matches!(media.kind.as_str(), "multipart" | "message") => (State::Plain, None),
            _ if converts => (State::Quoted(Quoted::default()), Some("quoted-printable")),
            _ => (State::Plain, None),
        };
        self.state = state;
        match says.filter(|_| converts) {
            Some(says) => relabelled(&head, says, out),
            None => out.extend_from_slice(&head),
        }
    }

    fn body_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.held);
        match self.delimits(&line) {
            Some((depth, last)) => {
                if let State::Quoted(quoted) = &mut self.state {
                    quoted.finish(out);
                }
                out.extend_from_slice(&line);
                self.delimited(depth, last);
            }
            None => self.give(&line, out),
        }
    }

    fn give(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match &mut self.state {
            State::Quoted(quoted) => quoted.push(octets, out),
            State::Header { .. } | State::Plain => out.extend_from_slice(octets),
        }
    }

    /// Whose delimiter a line is, and whether it is the last.
    fn delimits(&self, line: &[u8]) -> Option<(usize, bool)> {
        let text = line.trim_ascii_end().strip_prefix(b"--")?;
        let of = |boundary: &[u8]| match text.strip_prefix(boundary) {
            Some(b"") => Some(false),
            Some(b"--") => Some(true),
            _ => None,
        };
        self.open.iter().enumerate().rev().find_map(|(depth, (boundary, _))| Some((depth, of(boundary)?)))
    }

    fn delimited(&mut self, depth: usize, last: bool) {
        self.open.truncate(depth + 1);
        let digest = self.open.last().is_some_and(|(_, digest)| *digest);
        if last {
            self.open.pop();
        }
        self.state = if last { State::Plain } else { State::Header { digest } };
    }
}

/// A header with another Content-Transfer-Encoding.
fn relabelled(head: &[u8], says: &str, out: &mut Vec<u8>) {
    let mut at = 0;
    let mut said = false;
    for field in header::fields(head).filter(|field| field.is("Content-Transfer-Encoding")) {
        out.extend_from_slice(head.get(at..field.span.start).unwrap_or_default());
        if !said {
            out.extend_from_slice(format!("Content-Transfer-Encoding: {says}\r\n").as_bytes());
            said = true;
        }
        at = field.span.end;
    }
    out.extend_from_slice(head.get(at..).unwrap_or_default());
}

/// Quoted-printable (RFC 2045 §6.7), octet by octet.
#[derive(Debug, Default)]
struct Quoted {
    column: usize,
    /// A blank that may be the end of a line, a CR that may begin its end.
    blank: Option<u8>,
    cr: bool,
}

impl Quoted {
    fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        octets.iter().for_each(|octet| self.octet(*octet, out));
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        if octet == b'\n' {
            // a line feed without its CR ends the line too: none comes from us
            self.cr = false;
            self.end_blank(true, out);
            out.extend_from_slice(b"\r\n");
            self.column = 0;
            return;
        }
        if std::mem::take(&mut self.cr) {
            self.end_blank(false, out);
            self.coded(b'\r', out);
        }
        if octet == b'\r' {
            self.cr = true;
            return;
        }
        self.end_blank(false, out);
        match octet {
            b' ' | b'\t' => self.blank = Some(octet),
            b'!'..=b'<' | b'>'..=b'~' => self.plain(octet, out),
            _ => self.coded(octet, out),
        }
    }

    /// Rule 3: a blank may not be the last of a line.
    fn end_blank(&mut self, is_last: bool, out: &mut Vec<u8>) {
        match self.blank.take() {
            Some(blank) if is_last => self.coded(blank, out),
            Some(blank) => self.plain(blank, out),
            None => {}
        }
    }

    fn plain(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.make_room(1, out);
        out.push(octet);
    }

    fn coded(&mut self, octet: u8, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        self.make_room(3, out);
        out.extend_from_slice(&[b'=', DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
    }

    fn make_room(&mut self, columns: usize, out: &mut Vec<u8>) {
        if self.column + columns > COLUMNS {
            out.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
        self.column += columns;
    }

    /// The part ends without a line end.
    fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr) {
            self.end_blank(false, out);
            self.coded(b'\r', out);
        }
        self.end_blank(true, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transfer::{Decoder, Encoding};

    fn downgraded(message: &[u8], piece: usize) -> Vec<u8> {
        let (mut downgrade, mut out) = (Downgrade::default(), Vec::new());
        message.chunks(piece.max(1)).for_each(|chunk| downgrade.push(chunk, &mut out));
        downgrade.finish(&mut out);
        out
    }

    fn text(message: &str) -> String {
        String::from_utf8(downgraded(message.replace('\n', "\r\n").as_bytes(), 7)).expect("UTF-8").replace("\r\n", "\n")
    }

    #[test]
    fn a_text_is_quoted() {
        let body = "Grüße = a\tb \n.\nFrom here\n";
        let head = "Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: ";
        assert_eq!(text(&format!("{head}8BIT\n\n{body}")), format!("{head}quoted-printable\n\nGr=C3=BC=C3=9Fe =3D a\tb=20\n.\nFrom here\n"));
        assert_eq!(text(&format!("{head}base64\n\n{body}")), format!("{head}base64\n\n{body}"), "what says something else");
        assert_eq!(text(&format!("Subject: x\n\n{body}")), format!("Subject: x\n\n{body}"), "what says nothing");
    }

    #[test]
    fn parts_are_converted_each_by_itself() {
        let message = |outer: &str, inner: &str, a: &str| {
            format!(
                "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: {outer}\n\npreamble ü\n--b\nContent-Transfer-Encoding: {inner}\n\n{a}\n--bb\n--b \n\nplain ü\n\
                 --b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: {outer}\n\nSubject: y\nContent-Transfer-Encoding: {inner}\n\n{a}\n--b--\nepilogue ü\n"
            )
        };
        assert_eq!(text(&message("8bit", "8bit", "ü")), message("7bit", "quoted-printable", "=C3=BC"));
    }

    #[test]
    fn lines_are_short_and_long_ones_are_cut() {
        let long = "ü".repeat(3_000);
        let quoted = text(&format!("Content-Transfer-Encoding: 8bit\n\n{long}"));
        assert!(quoted.lines().all(|line| line.len() <= 76) && quoted.is_ascii());
    }

    proptest! {
        #[test]
        fn what_is_quoted_says_the_same(body in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b' '), Just(b'-'), Just(b'='), any::<u8>()], 0..400), piece in 1usize..90) {
            let lines: Vec<u8> = body.iter().flat_map(|byte| if *byte == b'\n' { b"\r\n".to_vec() } else { vec![*byte] }).collect();
            let head = b"Content-Transfer-Encoding: 8bit\r\n\r\n";
            let out = downgraded(&[&head[..], &lines].concat(), piece);
            let start = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n".len();
            prop_assert!(out.is_ascii() && out.split(|byte| *byte == b'\n').all(|line| line.len() <= 77));
            let (mut decoder, mut said) = (Decoder::new(Encoding::QuotedPrintable), Vec::new());
            decoder.push(&out[start..], &mut said);
            decoder.finish(&mut said);
            prop_assert_eq!(said, lines);
        }

        #[test]
        fn the_same_wherever_it_is_cut(message in "((--b|--b--|Content-Type: multipart/(mixed|digest); boundary=b|Content-Type: message/rfc822|Content-Transfer-Encoding: 8bit|ü |x)?\r\n){0,30}", piece in 1usize..20) {
            let whole = downgraded(message.as_bytes(), usize::MAX);
            prop_assert_eq!(downgraded(message.as_bytes(), piece), whole);
        }
    }
}
