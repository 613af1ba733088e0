//! Strings in a body: every text part, decoded, in pieces; the headers of messages within; and those of parts, apart.
//!
//! Memory: a piece, its decoded text, and as much of the text before it as the longest string needs to be found across the seam.

use bodies::Reader;
use mail::fold::fold_into;
use mail::mime::Structure;
use store::texts::{Place, decode, fields, places};

/// Which strings were found, by their index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(super) bodies: Vec<bool>,
    /// In headers of parts, which TEXT looks into and BODY does not.
    pub(super) parts: Vec<bool>,
}

/// Which of these folded strings the body holds; and, `in_parts`, the headers of its parts.
pub(super) async fn search(reader: &mut Reader, structure: &Structure, needles: &[Vec<u8>], in_parts: bool) -> Result<Looked, bodies::Error> {
    let (mut bodies, mut parts) = (Hunt::new(needles), Hunt::new(needles));
    for place in places(structure) {
        match place {
            _ if bodies.is_over() => break, // so TEXT is decided too
            Place::PartHeader(range) if in_parts => parts.fields(&reader.read(range).await?),
            Place::PartHeader(_) => {}
            Place::Header(range) => bodies.fields(&reader.read(range).await?),
            Place::Text(part) => {
                bodies.begin();
                decode(reader, part, |text| {
                    bodies.push(text);
                    !bodies.is_over()
                })
                .await?;
            }
        }
    }
    Ok(Looked { bodies: bodies.found, parts: parts.found })
}

/// Strings being looked for.
struct Hunt<'n> {
    needles: &'n [Vec<u8>],
    found: Vec<bool>,
    /// Folded text: the end of what was seen, and the new piece.
    window: Vec<u8>,
    folded: String,
    /// What must be kept for a string that lies across a seam.
    keep: usize,
}

impl<'n> Hunt<'n> {
    fn new(needles: &'n [Vec<u8>]) -> Hunt<'n> {
        let keep = needles.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1);
        let found = needles.iter().map(Vec::is_empty).collect(); // an empty string is everywhere
        Hunt { needles, found, window: Vec::new(), folded: String::new(), keep }
    }

    fn is_over(&self) -> bool {
        self.found.iter().all(|found| *found)
    }

    /// Another text: nothing is found across two.
    fn begin(&mut self) {
        self.window.clear();
    }

    fn push(&mut self, text: &str) {
        self.folded.clear();
        fold_into(text, &mut self.folded);
        self.window.extend_from_slice(self.folded.as_bytes());
        for (needle, found) in self.needles.iter().zip(&mut self.found) {
            *found = *found || memchr::memmem::find(&self.window, needle).is_some();
        }
        let surplus = self.window.len().saturating_sub(self.keep);
        self.window.drain(..surplus);
    }

    fn fields(&mut self, octets: &[u8]) {
        for field in fields(octets) {
            self.begin();
            self.push(&field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::fold::fold;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn looked(message: &[u8], needle: &str) -> Looked {
        let structure = Structure::of_message(message);
        let mut reader = Reader::inline(Bytes::copy_from_slice(message));
        let needles = [fold(needle).into_bytes()];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(search(&mut reader, &structure, &needles, true)).unwrap()
    }

    fn holds(message: &[u8], needle: &str) -> bool {
        looked(message, needle).bodies[0]
    }

    #[test]
    fn q_02_text_is_decoded_before_it_is_compared() {
        let qp = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe aus K=\r\n=F6ln\r\n";
        assert!(holds(qp, "grüße") && holds(qp, "KÖLN") && !holds(qp, "=FC"));
        let base64 = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOf\r\nZQ==\r\n";
        assert!(holds(base64, "grüße") && !holds(base64, "R3LD"));
        let latin = b"\r\nGr\xfc\xdfe\r\n";
        assert!(holds(latin, "grüße"));
        assert!(holds("\r\nGrüße\r\n".as_bytes(), "rüß") && !holds("\r\nGrüße\r\n".as_bytes(), "grusse"));
    }

    #[test]
    fn q_02_bodies_are_text_parts_and_inner_headers() {
        let mixed = b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n\r\npicture\r\n\
            --b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?inn=C3=A9r?=\r\n\r\nletter\r\n--b--\r\n";
        for (needle, is) in [("HTML", true), ("innér", true), ("letter", true), ("picture", false), ("outer", false), ("", true), ("html</p>letter", false)] {
            assert_eq!(holds(mixed, needle), is, "{needle}");
        }
    }

    #[test]
    fn q_02_headers_of_parts_are_looked_into_apart() {
        let mixed = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n\
            Content-Disposition: attachment;\r\n filename=\"=?utf-8?q?M=C3=B6we?=.png\"\r\n\r\npicture\r\n--b--\r\n";
        for (needle, is) in [("m\u{f6}we.png", true), ("content-disposition: attach", true), ("multipart", false), ("picture", false), ("=c3", false)] {
            assert_eq!(looked(mixed, needle), Looked { bodies: vec![false], parts: vec![is] }, "{needle}");
        }
    }

    #[test]
    fn a_string_across_pieces_is_found() {
        let mut message = b"\r\n".to_vec();
        message.extend(std::iter::repeat_n(b'x', bodies::CHUNK_SIZE - 5));
        message.extend_from_slice(b"NeedleInTheSeam\r\n");
        assert!(holds(&message, "needleintheseam"));
        assert!(!holds(&message, "needle in"));
    }

    proptest! {
        #[test]
        fn where_text_is_cut_is_no_matter(text in "[abÄß ]{0,40}", needles in proptest::collection::vec("[abäß ]{0,6}", 0..4), cuts in proptest::collection::vec(0..40usize, 0..5)) {
            let needles: Vec<Vec<u8>> = needles.iter().map(|needle| fold(needle).into_bytes()).collect();
            let whole = fold(&text);
            let expected: Vec<bool> = needles.iter().map(|needle| memchr::memmem::find(whole.as_bytes(), needle).is_some()).collect();
            let mut hunt = Hunt::new(&needles);
            hunt.begin();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.chars().count())).collect();
            cuts.sort_unstable();
            let characters: Vec<char> = text.chars().collect();
            let mut from = 0;
            for to in cuts.into_iter().chain([characters.len()]) {
                hunt.push(&characters[from..to].iter().collect::<String>());
                from = to;
            }
            prop_assert_eq!(hunt.found, expected);
        }
    }
}
