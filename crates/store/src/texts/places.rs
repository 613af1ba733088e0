//! Where the text of a message is, and how it is read: every text part, decoded, in pieces; the headers of parts; the headers of
//! messages within.
//!
//! Parts nest at most `mail::mime::DEPTH_MAX` deep. What is below that is not looked at.

use std::ops::Range;

use bodies::Reader;
use mail::header;
use mail::mime::{Kind, Part, Structure};
use mail::transfer::{Decoder, Encoding, TextDecoder};

/// Octets of a header that are looked at, here and to choose fields from it: what comes after is passed over. Real headers have some
/// kilobytes; this bounds the memory of a session.
pub const HEADER_LIMIT: u64 = 1 << 20;

/// What is text in a message, but its own header.
pub enum Place<'s> {
    /// Of a part: TEXT looks there, BODY doesn't.
    PartHeader(Range<u64>),
    /// Of a message within.
    Header(Range<u64>),
    Text(&'s Part),
}

/// All places of a message, in their order.
pub fn places(structure: &Structure) -> Vec<Place<'_>> {
    let mut found = Vec::new();
    within(&structure.root, &mut found);
    found
}

fn within<'s>(part: &'s Part, places: &mut Vec<Place<'s>>) {
    match &part.kind {
        Kind::Leaf if matches!(part.media.kind.as_str(), "text" | "message") => places.push(Place::Text(part)),
        Kind::Leaf => {}
        Kind::Multipart(parts) => {
            for part in parts {
                places.push(Place::PartHeader(limited(&part.header)));
                within(part, places);
            }
        }
        Kind::Message { part, .. } => {
            places.push(Place::Header(limited(&part.header)));
            within(part, places);
        }
    }
}

fn limited(header: &Range<u64>) -> Range<u64> {
    header.start..header.end.min(header.start.saturating_add(HEADER_LIMIT))
}

/// Each field of a header as a reader sees it.
pub fn fields(octets: &[u8]) -> impl Iterator<Item = String> {
    header::fields(octets).map(|field| format!("{}: {}", String::from_utf8_lossy(field.name), header::decode_text(field.value).trim()))
}

/// Gives a part's text in pieces, as long as they are taken.
pub async fn decode(reader: &mut Reader, part: &Part, mut take: impl FnMut(&str) -> bool) -> Result<(), bodies::Error> {
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
