//! The one pass over a message.
//!
//! Works line by line, but holds no line: of a line in a body only whether it begins like a delimiter, of one in a header what
//! fits the limits. The open parts stand on a stack, the root at the bottom; a delimiter of any of them closes all above it.
//!
//! ```text
//!            blank line              delimiter of a multipart below: all above it close
//!  Header ─────────────► Leaf        end delimiter: it takes no more parts (its epilogue)
//!                      ► Multipart ──► its parts, each beginning in Header
//!                      ► Message ────► the inner message, beginning in Header
//! ```

use super::{DEPTH_MAX, Kind, Limits, Media, Part, Structure, content};
use crate::envelope::Envelope;
use crate::header;

/// Octets of a boundary. RFC 2046 §5.1.1 says 70; a longer one than this is taken for none.
const BOUNDARY_MAX: usize = 1000;
/// Octets of a line that may be a delimiter: `--`, the boundary, `--`. What follows may only be blank.
const DELIMITER_MAX: usize = BOUNDARY_MAX + 4;

/// Reads a message in its canonical form, in any cuts, and finds its [`Structure`].
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    open: Vec<Open>,
    envelope: Envelope,
    /// Octets and line ends so far.
    offset: u64,
    lines: u64,
    line: Line,
    /// Octets of the line end before this line: they belong to a delimiter, if this is one.
    line_end_before: u64,
    /// The fields of the header being read that matter.
    kept: Vec<u8>,
    /// Where the current line begins in `kept`, and whether the field it may continue is kept.
    kept_line: usize,
    keeping: bool,
    /// What is left of the limits.
    parts_left: usize,
    headers_left: usize,
    addresses_left: usize,
}

/// The line being read.
#[derive(Debug, Default)]
struct Line {
    length: u64,
    last: u8,
    /// It begins with `-`; then its begin is here, and whether all after that is blank.
    dashed: bool,
    begin: Vec<u8>,
    rest_blank: bool,
}

/// A part whose end has not come yet.
#[derive(Debug)]
struct Open {
    part: Part,
    /// Line ends before its body.
    lines_before: u64,
    /// Its header is a message's: it has an envelope.
    is_message: bool,
    /// Its default type is `message/rfc822` (RFC 2046 §5.1.5).
    in_digest: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Header,
    Leaf,
    Multipart {
        /// `None` once its end delimiter was seen, or if it has none.
        boundary: Option<Vec<u8>>,
        parts: Vec<Part>,
    },
    Message {
        envelope: Box<Envelope>,
        part: Option<Box<Part>>,
    },
}

#[derive(Clone, Copy)]
enum Delimiter {
    Next,
    End,
}

impl Scanner {
    pub fn new(limits: Limits) -> Scanner {
        let limits = Limits { depth: limits.depth.min(DEPTH_MAX), ..limits };
        let mut scanner = Scanner {
            limits,
            open: Vec::new(),
            envelope: Envelope::default(),
            offset: 0,
            lines: 0,
            line: Line::default(),
            line_end_before: 0,
            kept: Vec::new(),
            kept_line: 0,
            keeping: false,
            parts_left: limits.parts.saturating_sub(1),
            headers_left: limits.headers,
            addresses_left: limits.addresses,
        };
        scanner.open(true, false);
        scanner
    }

    /// Takes the next octets of the message.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            match memchr::memchr(b'\n', rest) {
                Some(lf) => {
                    let (line, after) = rest.split_at(lf + 1);
                    let before_lf = lf.checked_sub(1).and_then(|at| line.get(at)).copied().unwrap_or(self.line.last);
                    self.take(line);
                    self.end_line(if before_lf == b'\r' { 2 } else { 1 });
                    rest = after;
                }
                None => {
                    self.take(rest);
                    break;
                }
            }
        }
    }

    /// The message is over.
    pub fn finish(mut self) -> Structure {
        if self.line.length > 0 {
            self.end_line(0);
        }
        self.end_headers(self.offset);
        let (offset, lines) = (self.offset, self.lines);
        let mut root = Part::default();
        while let Some(open) = self.open.pop() {
            root = open.closed(offset, lines);
            if !self.open.is_empty() {
                self.adopt(std::mem::take(&mut root));
            }
        }
        Structure { root, size: self.offset, envelope: self.envelope }
    }

    fn in_header(&self) -> bool {
        matches!(self.open.last(), Some(Open { state: State::Header, .. }))
    }

    /// A piece of a line, with its LF if that has come.
    fn take(&mut self, piece: &[u8]) {
        let Some((&first, &last)) = piece.first().zip(piece.last()) else { return };
        if self.line.length == 0 {
            self.line.dashed = first == b'-';
            self.line.rest_blank = true;
        }
        self.line.length += piece.len() as u64;
        self.line.last = last;
        self.offset += piece.len() as u64;
        if self.line.dashed {
            let room = DELIMITER_MAX - self.line.begin.len().min(DELIMITER_MAX);
            let (begin, rest) = piece.split_at(room.min(piece.len()));
            self.line.begin.extend_from_slice(begin);
            self.line.rest_blank &= rest.iter().all(is_blank);
        }
        if self.in_header() {
            let room = self.limits.header.min(self.headers_left).saturating_sub(self.kept.len());
            self.kept.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        }
    }

    /// The line is whole; its line end has so many octets.
    fn end_line(&mut self, line_end: u64) {
        self.lines += u64::from(line_end > 0);
        match self.delimiter() {
            Some((at, delimiter)) => self.delimit(at, delimiter, line_end),
            None if self.in_header() => self.end_header_line(line_end),
            None => {}
        }
        self.kept_line = self.kept.len();
        self.line_end_before = line_end;
        self.line.length = 0;
        self.line.last = 0;
        self.line.begin.clear();
    }

    fn end_header_line(&mut self, line_end: u64) {
        if line_end > 0 && self.line.length == line_end {
            self.kept.truncate(self.kept_line);
            return self.end_header(self.offset);
        }
        let line = self.kept.get(self.kept_line..).unwrap_or_default();
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            let is_message = self.open.last().is_some_and(|open| open.is_message);
            self.keeping = matters(header::split_at_colon(line).0, is_message);
        }
        if !self.keeping {
            self.kept.truncate(self.kept_line);
        }
    }

    /// Whether the line is a delimiter, and of which open part: the innermost it fits.
    fn delimiter(&self) -> Option<(usize, Delimiter)> {
        let line = self.line.dashed.then(|| self.line.begin.strip_prefix(b"--")).flatten()?;
        if !self.line.rest_blank {
            return None;
        }
        self.open.iter().enumerate().rev().find_map(|(at, open)| {
            let State::Multipart { boundary: Some(boundary), .. } = &open.state else { return None };
            let rest = line.strip_prefix(&boundary[..])?;
            if rest.iter().all(is_blank) {
                return Some((at, Delimiter::Next));
            }
            rest.strip_prefix(b"--")?.iter().all(is_blank).then_some((at, Delimiter::End))
        })
    }

    fn delimit(&mut self, at: usize, delimiter: Delimiter, line_end: u64) {
        let start = self.offset - self.line.length;
        self.kept.truncate(self.kept_line);
        self.end_headers(start);
        // The line end before a delimiter is the delimiter's, unless it is the empty line that ended the last header.
        let begun = self.open.last().map_or(0, |open| open.part.body.start);
        let whole_line = start.saturating_sub(self.line_end_before) >= begun;
        let end = if whole_line { start.saturating_sub(self.line_end_before) } else { start };
        let lines = self.lines.saturating_sub(u64::from(line_end > 0) + u64::from(whole_line && self.line_end_before > 0));
        while self.open.len() > at + 1 {
            if let Some(open) = self.open.pop() {
                self.adopt(open.closed(end, lines));
            }
        }
        let Some(State::Multipart { boundary, .. }) = self.open.last_mut().map(|open| &mut open.state) else { return };
        match delimiter {
            Delimiter::Next if self.parts_left > 0 => {
                self.parts_left -= 1;
                let in_digest = self.open.last().is_some_and(|open| open.part.media.is("multipart", "digest"));
                self.open(false, in_digest);
            }
            // The rest is an epilogue, or more than is listed.
            _ => *boundary = None,
        }
    }

    /// A part begins here, with its header.
    fn open(&mut self, is_message: bool, in_digest: bool) {
        let part = Part { header: self.offset..self.offset, ..Part::default() };
        self.open.push(Open { part, lines_before: 0, is_message, in_digest, state: State::Header });
        self.kept.clear();
        self.keeping = false;
    }

    /// Headers that the end, or a delimiter at `at`, cuts short.
    fn end_headers(&mut self, at: u64) {
        while self.in_header() {
            self.end_header(at);
        }
    }

    /// The header of the innermost part is over, its body begins at `at`.
    fn end_header(&mut self, at: u64) {
        let depth = self.open.len() - 1;
        let Some(open) = self.open.last_mut() else { return };
        open.read_header(&self.kept, at, self.lines);
        let envelope = open.is_message.then(|| Envelope::with_budget(&self.kept, &mut self.addresses_left));
        let holds_message = open.enter(depth < self.limits.depth, self.parts_left > 0);
        self.headers_left = self.headers_left.saturating_sub(self.kept.len());
        self.kept.clear();
        if let Some(envelope) = envelope {
            match depth.checked_sub(1).and_then(|above| self.open.get_mut(above)).map(|above| &mut above.state) {
                Some(State::Message { envelope: place, .. }) => **place = envelope,
                _ => self.envelope = envelope,
            }
        }
        if holds_message {
            self.parts_left -= 1;
            self.open(true, false);
            if let Some(inner) = self.open.last_mut() {
                inner.part.header = at..at;
            }
        }
    }

    /// Gives a closed part to the one it lies in.
    fn adopt(&mut self, child: Part) {
        match self.open.last_mut().map(|open| &mut open.state) {
            Some(State::Multipart { parts, .. }) => parts.push(child),
            Some(State::Message { part, .. }) => *part = Some(Box::new(child)),
            _ => {}
        }
    }
}

impl Open {
    fn read_header(&mut self, kept: &[u8], body: u64, lines: u64) {
        self.part.header.end = body;
        self.part.body = body..body;
        self.lines_before = lines;
        let mut media: Option<Option<Media>> = None;
        for field in header::fields(kept) {
            let read = content::note(&mut self.part, &field);
            if field.is("Content-Type") && !matches!(media, Some(Some(_))) {
                media = Some(read);
            }
        }
        self.part.media = match media {
            Some(media) => media.unwrap_or_default(),
            None if self.in_digest => Media { kind: "message".into(), subtype: "rfc822".into(), params: Vec::new() },
            None => Media::default(),
        };
    }

    /// From the header into the body. Says whether a message begins in it.
    fn enter(&mut self, may_nest: bool, may_hold_message: bool) -> bool {
        let media = &mut self.part.media;
        let is_multipart = media.kind == "multipart";
        let is_message = media.is("message", "rfc822") || media.is("message", "global");
        let plain = matches!(self.part.encoding.as_deref(), None | Some("7bit" | "8bit" | "binary"));
        self.state = if is_multipart && may_nest {
            let boundary = media.params.iter().find(|(name, _)| name == "boundary").map(|(_, value)| value.trim_ascii_end());
            let usable = boundary.filter(|boundary| (1..=BOUNDARY_MAX).contains(&boundary.len()));
            State::Multipart { boundary: usable.map(<[u8]>::to_vec), parts: Vec::new() }
        } else if is_message && plain && may_nest && may_hold_message {
            State::Message { envelope: Box::default(), part: None }
        } else {
            if is_multipart || is_message {
                // IMAP's grammar wants more of these two than a leaf has.
                (media.kind, media.subtype) = ("application".into(), "octet-stream".into());
            }
            State::Leaf
        };
        matches!(self.state, State::Message { .. })
    }

    fn closed(self, end: u64, lines: u64) -> Part {
        let mut part = self.part;
        part.body.end = end.max(part.body.start);
        part.lines = lines.saturating_sub(self.lines_before);
        part.kind = match self.state {
            State::Header | State::Leaf => Kind::Leaf,
            State::Multipart { parts, .. } if parts.is_empty() => {
                let (start, body, lines) = (part.body.start, part.body.clone(), part.lines);
                Kind::Multipart(vec![Part { header: start..start, body, lines, ..Part::default() }])
            }
            State::Multipart { parts, .. } => Kind::Multipart(parts),
            State::Message { envelope, part } => Kind::Message { envelope, part: part.unwrap_or_default() },
        };
        part
    }
}

/// Whether a structure is made from such a field.
fn matters(name: &[u8], is_message: bool) -> bool {
    let content = name.get(..8).is_some_and(|begin| begin.eq_ignore_ascii_case(b"content-"));
    content || is_message && Envelope::FIELDS.iter().any(|field| field.as_bytes().eq_ignore_ascii_case(name))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree as one line a part: number, type, octets of header and body, lines.
    fn shown(message: &str) -> String {
        let message = crate::line_ending::canonical(message.as_bytes());
        let structure = Structure::of_message(&message);
        assert_eq!(structure.size, message.len() as u64);
        assert_eq!(Structure::from_bytes(&structure.to_bytes()), Ok(structure.clone()));
        let mut out = String::new();
        show(&structure.root, "", &message, &mut out);
        out
    }

    fn show(part: &Part, number: &str, message: &[u8], out: &mut String) {
        let text = |range: &std::ops::Range<u64>| String::from_utf8_lossy(&message[range.start as usize..range.end as usize]).replace("\r\n", "|");
        out.push_str(&format!("{number} {}/{} [{}] [{}] {}\n", part.media.kind, part.media.subtype, text(&part.header), text(&part.body), part.lines));
        for (at, child) in part.parts().iter().enumerate() {
            show(child, &format!("{number}.{}", at + 1), message, out);
        }
        if let Some((_, inner)) = part.message() {
            show(inner, &format!("{number}:"), message, out);
        }
    }

    #[test]
    fn plain_messages() {
        for (message, seen) in [
            ("", " text/plain [] [] 0\n"),
            ("A: b\n\none\ntwo\n", " text/plain [A: b||] [one|two|] 2\n"),
            ("A: b\n\none", " text/plain [A: b||] [one] 0\n"),
            ("A: b", " text/plain [A: b] [] 0\n"),
            ("\n\n", " text/plain [|] [|] 1\n"),
            ("Content-Type: Text/HTML\n\n--x\n", " text/html [Content-Type: Text/HTML||] [--x|] 1\n"),
            ("Content-Type: x\nContent-Type: a/b\n\n", " a/b [Content-Type: x|Content-Type: a/b||] [] 0\n"),
            ("Content-Type:\n a/\n b\n c\n\n", " a/b [Content-Type:| a/| b| c||] [] 0\n"),
            ("Content-Type: a/b\nContent-Type: c/d\n\n", " a/b [Content-Type: a/b|Content-Type: c/d||] [] 0\n"),
        ] {
            assert_eq!(shown(message), seen, "{message:?}");
        }
    }

    #[test]
    fn multiparts() {
        let top = "Content-Type: multipart/mixed; boundary=b\n\n";
        for (body, seen) in [
            (
                "pre\n--b\nContent-Type: a/b\n\none\ntwo\n--b \n\nx\n\n--b--\t\nepi\n--b\n\nlost\n",
                ".1 a/b [Content-Type: a/b||] [one|two] 1\n.2 text/plain [|] [x|] 1\n",
            ),
            ("--b\n--b\n\n--b\n\n\n--b--", ".1 text/plain [] [] 0\n.2 text/plain [|] [] 0\n.3 text/plain [|] [] 0\n"),
            ("--b\nContent-Type: a/b\n--b--\n", ".1 a/b [Content-Type: a/b|] [] 0\n"),
            ("--b\n\nno end\n", ".1 text/plain [|] [no end|] 1\n"),
            ("--b\n\n--bb\n--b-\n--b--x\n-b\n --b\n--b--\n", ".1 text/plain [|] [--bb|--b-|--b--x|-b| --b] 4\n"),
            ("nothing\nhere\n", ".1 text/plain [] [nothing|here|] 2\n"),
            ("--b--\nx", ".1 text/plain [] [--b--|x] 1\n"),
            ("", ".1 text/plain [] [] 0\n"),
        ] {
            let got = shown(&format!("{top}{body}"));
            assert_eq!(got.split_once('\n').map(|(_, parts)| parts), Some(seen), "{body:?}");
        }
        for boundary in ["", "; boundary=", "; boundary=\"  \"", &format!("; boundary={}", "x".repeat(1001))] {
            let got = shown(&format!("Content-Type: multipart/mixed{boundary}\n\n--\nx\n----\n"));
            assert!(got.ends_with(".1 text/plain [] [--|x|----|] 3\n"), "{boundary}: {got}");
        }
    }

    #[test]
    fn nested_boundaries() {
        // One is the beginning of the other; the inner one's end is missing.
        let got = shown(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\nx\n--bb\n\ny\n--b\n\nz\n--b--\n",
        );
        let parts: Vec<_> = got.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(parts, ["", ".1", ".1.1", ".1.2", ".2"]);
        assert!(got.contains(".1.2 text/plain [|] [y] 0\n.2 text/plain [|] [z] 0\n"), "{got}");
        // Both are the same: the inner one takes it, until its end.
        let got = shown(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n\ny\n--b--\n--b\n\nz\n--b--\n",
        );
        assert!(got.contains(".1.2 text/plain [|] [y] 0\n.2 text/plain [|] [z] 0\n"), "{got}");
    }

    #[test]
    fn messages_in_messages() {
        let message = "Subject: out\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: \
            multipart/mixed; boundary=i\n\n--i\n\nx\n--i--\n--b\nContent-Type: message/rfc822\n\nFrom: a@b\n\nflat\n--b--\n";
        let message = crate::line_ending::canonical(message.as_bytes());
        let structure = Structure::of_message(&message);
        let text = |part: Option<&Part>| part.map(|part| String::from_utf8_lossy(&message[part.body.start as usize..part.body.end as usize]).into_owned());
        assert_eq!(structure.envelope.subject.as_deref(), Some(&b"out"[..]));
        assert_eq!(text(structure.part(&[1, 1])).as_deref(), Some("x"));
        assert_eq!(text(structure.part(&[2, 1])).as_deref(), Some("flat"));
        for nothing in [&[][..], &[0], &[3], &[1, 2], &[1, 1, 1], &[2, 2], &[u32::MAX]] {
            assert_eq!(structure.part(nothing), None, "{nothing:?}");
        }
        let (envelope, inner) = structure.part(&[1]).and_then(Part::message).unwrap();
        assert_eq!(envelope.subject.as_deref(), Some(&b"in"[..]));
        assert_eq!((inner.header.start, inner.body.end), (structure.part(&[1]).unwrap().body.start, structure.part(&[1]).unwrap().body.end));
        assert_eq!(structure.part(&[2]).map(|part| part.lines), Some(2));
        // A message that is nothing but a message.
        let flat = Structure::of_message(b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n");
        assert_eq!(flat.part(&[1]), Some(&flat.root));
        assert_eq!(flat.part(&[1, 1]).map(|part| part.lines), Some(1));
        assert!(flat.envelope.subject.is_none());
    }

    #[test]
    fn what_cannot_be_looked_into_is_a_leaf() {
        let coded = shown("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAo=\n");
        assert!(coded.starts_with(" application/octet-stream"), "{coded}");
        let digest = shown("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\ny\n--b\nContent-Type: garbage\n\nz\n--b--\n");
        assert!(digest.contains(".1 message/rfc822 [|] [Subject: x||y] 2\n.1: text/plain [Subject: x||] [y] 0\n.2 text/plain"), "{digest}");
    }

    #[test]
    fn forty_thousand_messages_in_one_another() {
        let message = b"Content-Type: message/rfc822\r\n\r\n".repeat(40_000);
        let walk = move || {
            let structure = Structure::of_message(&message);
            let copy = structure.clone();
            assert_eq!(Structure::from_bytes(&structure.to_bytes()), Ok(copy));
            let (mut part, mut depth) = (&structure.root, 0);
            while let Some((_, inner)) = part.message() {
                (part, depth) = (inner, depth + 1);
            }
            assert_eq!(depth, DEPTH_MAX);
            assert!(part.media.is("application", "octet-stream"));
            assert_eq!(part.body.end, structure.size);
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(walk).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn forty_thousand_multiparts_in_one_another() {
        let message: String = (0..40_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
        let walk = move || assert_eq!(Structure::of_message(message.as_bytes()).part(&[1; DEPTH_MAX]).map(|part| part.parts().len()), Some(0));
        std::thread::Builder::new().stack_size(2 << 20).spawn(walk).unwrap().join().unwrap();
    }

    #[test]
    fn parts_and_headers_are_bounded() {
        let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", "--b\r\n\r\n".repeat(200_000));
        assert_eq!(Structure::of_message(message.as_bytes()).root.parts().len(), 9_999);
        let long = format!("Subject: {}\r\nX: {}\r\nDate: now\r\n\r\n", "s".repeat(1 << 20), "x".repeat(1 << 20));
        let structure = Structure::of_message(long.as_bytes());
        assert_eq!(structure.envelope.subject.map(|subject| subject.len()), Some((256 << 10) - "Subject: ".len()));
        assert_eq!(structure.envelope.date, None);
        let uninteresting = format!("X: {}\r\nDate: now\r\n\r\n", "x".repeat(1 << 20));
        assert_eq!(Structure::of_message(uninteresting.as_bytes()).envelope.date.as_deref(), Some(&b"now"[..]));
    }

    /// Messages that are nearly MIME: loose lines, or a tree with something left out here and there.
    fn messages() -> impl Strategy<Value = Vec<u8>> {
        let end = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", ""]);
        let loose = proptest::collection::vec((line(), end), 0..40).prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect::<String>());
        let leaf = proptest::collection::vec(line(), 0..4).prop_map(|lines| lines.into_iter().map(|line| line + "\r\n").collect::<String>());
        let tree = leaf.prop_recursive(5, 24, 3, |inner| {
            let blank = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", ""]);
            let message = (blank.clone(), inner.clone()).prop_map(|(blank, inner)| format!("Content-Type: message/rfc822\r\n{blank}{inner}"));
            let last = prop::sample::select(vec!["--\r\n", "--\r\n", "--", ""]);
            let digest = prop::sample::select(vec!["mixed", "digest"]);
            let multipart = (digest, "[ab]", blank, proptest::collection::vec(inner, 0..3), last).prop_map(|(subtype, boundary, blank, parts, last)| {
                let parts: String = parts.into_iter().map(|part| format!("--{boundary}\r\n{part}")).collect();
                format!("Content-Type: multipart/{subtype}; boundary={boundary}\r\n{blank}{parts}--{boundary}{last}")
            });
            prop_oneof![message, multipart]
        });
        prop_oneof![loose, tree].prop_map(String::into_bytes)
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => prop::sample::select(vec!["--a", "--b", "--a--", "--b--", "--c ", "--ab", "--", "", "", "", "text", "-", " x", "\t--a", "\r"]).prop_map(str::to_owned),
            2 => ("(multipart/mixed|multipart/digest|message/rfc822|text/plain|x)", "[abc]{0,2}").prop_map(|(media, boundary)| format!("Content-Type: {media}; boundary=\"{boundary}\"")),
            1 => "(From|To|Subject|Content-ID|Content-Disposition|Content-Language|Content-Location): [a-c@<>,:;=\"é]{0,9}",
            1 => "Content-Transfer-Encoding: (7bit|base64)",
        ]
    }

    fn check(part: &Part, within: std::ops::Range<u64>, message: &[u8]) {
        assert!(within.start <= part.header.start && part.header.end == part.body.start && part.body.end <= within.end, "{part:?} in {within:?}");
        let body = &message[part.body.start as usize..part.body.end as usize];
        assert_eq!(part.lines, memchr::memchr_iter(b'\n', body).count() as u64);
        let mut from = part.body.start;
        for child in part.parts() {
            check(child, from..part.body.end, message);
            from = child.body.end;
        }
        if let Some((envelope, inner)) = part.message() {
            assert_eq!((inner.header.start, inner.body.end), (part.body.start, part.body.end));
            check(inner, part.body.clone(), message);
            let header = &message[inner.header.start as usize..inner.header.end as usize];
            assert_eq!(Envelope::of_header(header), *envelope);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn parts_lie_within_their_parents(message in messages()) {
            let structure = Structure::of_message(&message);
            check(&structure.root, 0..message.len() as u64, &message);
            prop_assert_eq!(structure.root.header.end, header::end_of_header(&message) as u64);
            prop_assert_eq!(structure.envelope, Envelope::of_header(&message));
        }

        #[test]
        fn a_message_cut_anywhere_has_one_structure(message in messages(), cut in 0usize..1000) {
            let whole = Structure::of_message(&message);
            let (head, tail) = message.split_at(cut % (message.len() + 1));
            for pieces in [vec![head, tail], message.chunks(1).collect(), message.chunks(3).collect()] {
                let mut scanner = Scanner::new(Limits::default());
                pieces.into_iter().for_each(|piece| scanner.feed(piece));
                prop_assert_eq!(&scanner.finish(), &whole);
            }
        }

        #[test]
        fn small_limits_hold(message in messages(), depth in 0usize..3, parts in 0usize..4, headers in 0usize..60) {
            let limits = Limits { depth, parts, header: headers / 2, headers, addresses: 2 };
            let (mut whole, mut single) = (Scanner::new(limits), Scanner::new(limits));
            whole.feed(&message);
            message.chunks(1).for_each(|octet| single.feed(octet));
            let whole = whole.finish();
            prop_assert_eq!(&whole, &single.finish());
            prop_assert!(deepest(&whole.root) <= depth + 1);
        }
    }

    fn deepest(part: &Part) -> usize {
        let below = part.parts().iter().chain(part.message().map(|(_, inner)| inner));
        below.map(|part| 1 + deepest(part)).max().unwrap_or(0)
    }
}
