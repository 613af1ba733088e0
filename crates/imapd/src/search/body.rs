//! Strings in a body: every text part, decoded, in pieces; and the headers of messages within. Or all of that, to be kept.
//!
//! Memory: a piece, its decoded text, and as much of the text before it as the longest string needs to be found across the seam.

use std::ops::Range;

use bodies::Reader;
use mail::fold::fold_into;
use mail::mime::{Kind, Part, Structure};
use mail::transfer::{Decoder, Encoding, TextDecoder};
use store::texts::{Text, WHOLE};

use super::{needles_in_header, text};
use crate::octets::HEADER_LIMIT;

/// Which of these folded strings the body holds.
pub(super) async fn search(reader: &mut Reader, structure: &Structure, needles: &[Vec<u8>]) -> Result<Vec<bool>, bodies::Error> {
    let mut hunt = Hunt::new(needles);
    let mut places = Vec::new();
    places_of(&structure.root, &mut places);
    for place in places {
        if hunt.is_over() {
            break;
        }
        match place {
            Place::Header(range) => {
                let end = range.end.min(range.start.saturating_add(HEADER_LIMIT));
                let header = reader.read(range.start..end).await?;
                hunt.found_all(needles_in_header(&header, needles));
            }
            Place::Text(part) => {
                hunt.begin();
                decode(reader, part, |text| {
                    hunt.push(text);
                    !hunt.is_over()
                })
                .await?;
            }
        }
    }
    Ok(hunt.found)
}

/// Appends all that is searched of a body, folded, as [`store::texts`] keeps it; false when it is longer than that.
pub(super) async fn keep(reader: &mut Reader, structure: &Structure, kept: &mut Vec<u8>) -> Result<bool, bodies::Error> {
    let mut places = Vec::new();
    places_of(&structure.root, &mut places);
    let mut folded = String::new();
    for place in places {
        match place {
            Place::Header(range) => {
                let end = range.end.min(range.start.saturating_add(HEADER_LIMIT));
                text::fields(&reader.read(range.start..end).await?, kept);
            }
            Place::Text(part) => {
                Text::part(kept);
                decode(reader, part, |text| {
                    folded.clear();
                    fold_into(text, &mut folded);
                    kept.extend_from_slice(folded.as_bytes());
                    kept.len() <= WHOLE
                })
                .await?;
            }
        }
        if kept.len() > WHOLE {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is text in a message, in its order. Parts nest at most `mail::mime::DEPTH_MAX` deep.
enum Place<'s> {
    Header(Range<u64>),
    Text(&'s Part),
}

fn places_of<'s>(part: &'s Part, places: &mut Vec<Place<'s>>) {
    match &part.kind {
        Kind::Leaf if matches!(part.media.kind.as_str(), "text" | "message") => places.push(Place::Text(part)),
        Kind::Leaf => {}
        Kind::Multipart(parts) => parts.iter().for_each(|part| places_of(part, places)),
        Kind::Message { part, .. } => {
            places.push(Place::Header(part.header.clone()));
            places_of(part, places);
        }
    }
}

/// Gives a part's text in pieces, as long as they are taken.
async fn decode(reader: &mut Reader, part: &Part, mut take: impl FnMut(&str) -> bool) -> Result<(), bodies::Error> {
    // An encoding nobody knows is looked at as it is.
    let mut transfer = Decoder::new(Encoding::of(part.encoding.as_deref()).unwrap_or(Encoding::Identity));
    let mut charset = TextDecoder::new(part.media.charset());
    let (mut octets, mut text) = (Vec::new(), String::new());
    reader.range(part.body.start, part.body.end.saturating_sub(part.body.start));
    while let Some(piece) = reader.chunk().await? {
        octets.clear();
        text.clear();
        transfer.push(&piece, &mut octets);
        charset.push(&octets, &mut text);
        if !take(&text) {
            return Ok(());
        }
        tokio::task::yield_now().await; // a large body is much work, and others wait
    }
    octets.clear();
    text.clear();
    transfer.finish(&mut octets);
    charset.push(&octets, &mut text);
    charset.finish(&mut text);
    take(&text);
    Ok(())
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

    fn found_all(&mut self, indexes: impl IntoIterator<Item = usize>) {
        for index in indexes {
            if let Some(found) = self.found.get_mut(index) {
                *found = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::fold::fold;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn holds(message: &[u8], needle: &str) -> bool {
        let structure = Structure::of_message(message);
        let mut reader = Reader::inline(Bytes::copy_from_slice(message));
        let needles = [fold(needle).into_bytes()];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(search(&mut reader, &structure, &needles)).unwrap()[0]
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
