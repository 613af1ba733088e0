//! The text of messages, decoded and without regard to case, on two shelves a mailbox: SEARCH BODY and TEXT look through that in place
//! of the messages.
//!
//! An entry is a text, folded (`mail::fold`), with a NUL between its parts, so that nothing is found across two, and behind the last; or
//! 0xFF there when it is cut at [`WHOLE`]. No folded text has either. So a block of entries is looked through in one go, whatever
//! the sizes of messages.

mod places;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bodies::Reader;
use bytes::Bytes;
use db::Error;
use mail::mime::Structure;
use mail::{Uid, UidValidity, fold};
use memchr::memmem::Finder;

use crate::derive::Wanted;
use crate::shelf::WORTH;
use crate::{AccountId, Kind, MailboxId, Shelf, Store};

pub use places::{HEADER_LIMIT, Place, decode, fields, places};

/// Octets kept of one text: a book. Of a longer one the message must be looked at when nothing is found before.
pub const WHOLE: usize = 2 << 20;

/// Strings looked for at once: as many bits are kept of each message.
pub const NEEDLES: usize = 32;

/// Fields of the header, and of those of parts.
pub(crate) const HEADER: Kind = Kind { name: "head", version: 1, longest: WHOLE + 1 };
/// Text parts, and the headers of messages within.
pub(crate) const BODY: Kind = Kind { name: "body", version: 1, longest: WHOLE + 1 };

const END: u8 = 0;
const CUT: u8 = 0xff;

/// What was found in a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub uid: Uid,
    /// A string that is not found is not in it.
    pub is_whole: bool,
    /// The strings that its header and those of its parts have, by their bits: none, if it was not looked for them.
    pub header: u32,
    pub body: u32,
}

/// What is looked for, and how.
pub struct TextQuery {
    /// Folded, at most [`NEEDLES`].
    pub needles: Vec<Vec<u8>>,
    /// Not in bodies alone.
    pub with_headers: bool,
    /// What is not kept yet is made first, which reads the messages.
    pub completes: bool,
}

/// What is kept of one message.
pub(crate) struct Texts {
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
}

/// The shelves of a mailbox's text.
pub(crate) struct TextShelves {
    pub(crate) header: Shelf,
    pub(crate) body: Shelf,
}

impl Store {
    /// Looks for strings in what is kept of the text of these messages. Ascending by UID; some may be of others.
    pub async fn find_text(&self, account: AccountId, mailbox: MailboxId, uidvalidity: UidValidity, uids: &[Uid], query: &TextQuery) -> Result<Vec<Found>, Error> {
        let Some(shelves) = self.text_shelves(account, mailbox, uidvalidity, uids.len()).await? else { return Ok(Vec::new()) };
        shelves.header.look_again().await?;
        shelves.body.look_again().await?;
        if query.completes && shelves.missing(uids).len() >= WORTH {
            let _alone = shelves.body.filling().await;
            for some in shelves.missing(uids).chunks(crate::derive::BATCH) {
                let made = self.derive(account, mailbox, some, Wanted { keys: false, texts: true }).await?;
                if !crate::derive::put(None, Some(&shelves), &made).await {
                    break; // it is told; what is not kept is looked at as it is
                }
            }
        }
        let body = find(&shelves.body, &query.needles).await?;
        Ok(if query.with_headers { both(find(&shelves.header, &query.needles).await?, body) } else { body })
    }

    pub(crate) async fn text_shelves(&self, account: AccountId, mailbox: MailboxId, uidvalidity: UidValidity, messages: usize) -> Result<Option<TextShelves>, Error> {
        let header = self.shelf(account, mailbox, uidvalidity, messages, HEADER).await?;
        let body = self.shelf(account, mailbox, uidvalidity, messages, BODY).await?;
        Ok(header.zip(body).map(|(header, body)| TextShelves { header, body }))
    }
}

impl TextShelves {
    /// Which of `uids` (ascending) one of the two lacks.
    pub(crate) fn missing(&self, uids: &[Uid]) -> Vec<Uid> {
        let mut missing = [self.header.missing(uids), self.body.missing(uids)].concat();
        missing.sort_unstable();
        missing.dedup();
        missing
    }
}

/// The text of a message.
pub(crate) async fn of(reader: &mut Reader, structure: &Structure) -> Result<Texts, bodies::Error> {
    let (mut header, mut body) = (Kept::default(), Kept::default());
    header.fields(&reader.header(HEADER_LIMIT).await?);
    for place in places(structure) {
        match place {
            Place::PartHeader(range) => header.fields(&reader.read(range).await?),
            Place::Header(range) => body.fields(&reader.read(range).await?),
            Place::Text(part) => {
                body.part();
                decode(reader, part, |text| body.push(text)).await?;
            }
        }
    }
    Ok(Texts { header: header.end(), body: body.end() })
}

/// A text in the making.
#[derive(Default)]
struct Kept {
    octets: Vec<u8>,
    folded: String,
}

impl Kept {
    fn part(&mut self) {
        if !self.octets.is_empty() && self.octets.len() <= WHOLE {
            self.octets.push(END);
        }
    }

    fn fields(&mut self, octets: &[u8]) {
        for field in fields(octets) {
            self.part();
            self.push(&field);
        }
    }

    /// False: there is no room for more.
    fn push(&mut self, text: &str) -> bool {
        if self.octets.len() > WHOLE {
            return false;
        }
        self.folded.clear();
        fold::fold_into(text, &mut self.folded);
        // A NUL in a message parts it too: it could not be told from an end, and no client can look for one.
        self.octets.extend_from_slice(self.folded.as_bytes());
        self.octets.len() <= WHOLE
    }

    fn end(mut self) -> Bytes {
        let is_whole = self.octets.len() <= WHOLE;
        self.octets.truncate(WHOLE);
        self.octets.push(if is_whole { END } else { CUT });
        self.octets.into()
    }
}

/// What is found in all that stands on a shelf, told as if it were bodies.
async fn find(shelf: &Shelf, needles: &[Vec<u8>]) -> Result<Vec<Found>, Error> {
    let finders: Vec<Finder<'static>> = needles.iter().take(NEEDLES).map(|needle| Finder::new(needle).into_owned()).collect();
    let mut found = shelf.each_block(move |entries, texts| look(entries, texts, &finders)).await?;
    found.sort_by_key(|found| found.uid);
    found.dedup_by_key(|found| found.uid);
    Ok(found)
}

fn look(entries: &[(Uid, Range<usize>)], texts: &[u8], finders: &[Finder<'_>]) -> Vec<Found> {
    let is_whole = |range: &Range<usize>| texts.get(range.clone()).is_some_and(|text| text.last() == Some(&END));
    let mut found: Vec<Found> = entries.iter().map(|(uid, range)| Found { uid: *uid, is_whole: is_whole(range), header: 0, body: 0 }).collect();
    for (bit, finder) in finders.iter().enumerate() {
        hunt(texts, entries.iter().map(|(_, range)| range.end), finder, |index| found[index].body |= 1 << bit);
    }
    found
}

/// Marks each of the texts, which lie one behind another up to these ends, that has the string. An empty one is in all.
fn hunt(texts: &[u8], ends: impl Iterator<Item = usize>, finder: &Finder<'_>, mut mark: impl FnMut(usize)) {
    let mut next = finder.find(texts);
    for (index, end) in ends.enumerate() {
        if finder.needle().is_empty() {
            mark(index);
        } else if let Some(at) = next
            && at < end
        {
            mark(index);
            next = texts.get(end..).and_then(|rest| finder.find(rest)).map(|at| at + end);
        }
    }
}

/// Of messages that stand on both shelves (each ascending): what is found in the one, as their header's, and in the other.
fn both(headers: Vec<Found>, bodies: Vec<Found>) -> Vec<Found> {
    let mut headers = headers.into_iter().peekable();
    let with_header = |body: Found| {
        while headers.next_if(|header| header.uid < body.uid).is_some() {}
        let header = headers.next_if(|header| header.uid == body.uid)?;
        Some(Found { is_whole: header.is_whole && body.is_whole, header: header.body, ..body })
    };
    bodies.into_iter().filter_map(with_header).collect()
}
