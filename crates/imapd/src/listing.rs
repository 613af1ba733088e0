//! Lists of many messages: what mail programs ask of a whole mailbox, from shelves (`store::Shelf`) instead of the database and the files.
//!
//! Three shelves: sizes and dates ([`Facts`]); ENVELOPE and BODYSTRUCTURE, as they go on the wire; the header fields that programs list
//! ([`FIELDS`]), as they stand in the message. What is missing there is read the long way once, a chunk at a time, and put there. A message of
//! which more would be kept than a shelf takes is left to the ordinary FETCH.
//!
//! One chunk is read while the one before goes out; memory is that of two chunks.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use imap::Response;
use imap::command::Fetch;
use imap::command::fetch::{Item, Section, SectionText};
use imap::response::lines::Written;
use imap::response::{FetchItem, FetchLines};
use imap::view::{Chosen, Message};
use mail::Uid;
use mail::mime::Structure;
use store::{AccountId, Facts, Identity, Kind, MailboxId, Reading, Shelf, Store};
use tokio::task::JoinHandle;

use crate::ahead::Ahead;
use crate::command::fetch::ROWS;
use crate::halt::Halt;
use crate::octets;
use crate::selected::Selected;
use crate::talk::Talk;

/// Octets of an entry at most: a chunk of them is in memory.
const LONGEST: usize = 64 << 10;
/// An entry: octets of the envelope (32 bits), envelope, body structure; both with their names.
const STRUCTURE: Kind = Kind { name: "structure", version: 1, longest: LONGEST };
/// An entry: the fields [`FIELDS`] of the header, in their order and as they are.
const HEADER: Kind = Kind { name: "header", version: 1, longest: LONGEST };

/// What mail programs ask of whole mailboxes: Thunderbird, mutt, neomutt, K-9, Apple's and Roundcube's lists together.
const FIELDS: [&str; 29] = [
    "bcc",
    "cc",
    "content-description",
    "content-transfer-encoding",
    "content-type",
    "date",
    "disposition-notification-to",
    "from",
    "importance",
    "in-reply-to",
    "lines",
    "list-id",
    "list-post",
    "list-unsubscribe",
    "message-id",
    "mime-version",
    "newsgroups",
    "priority",
    "received",
    "references",
    "reply-to",
    "sender",
    "subject",
    "to",
    "x-draft-info",
    "x-label",
    "x-priority",
    "x-spam-flag",
    "user-agent",
];

/// Below this many messages the ordinary way is as fast.
const WORTH: usize = 64;
/// Octets written before they go out.
const PIECE: usize = 48 * 1024;
/// Messages read the long way at once: a structure may have a megabyte.
const FILL: usize = 32;

/// What of a FETCH stands on shelves. `None`: something doesn't.
#[derive(Clone, Copy, Default)]
struct Plan {
    facts: bool,
    structure: bool,
    header: bool,
}

impl Plan {
    fn of(items: &[Item]) -> Option<Plan> {
        let mut plan = Plan::default();
        for item in items {
            match item {
                Item::Uid | Item::Flags | Item::ModSeq => {}
                Item::InternalDate | Item::Size => plan.facts = true,
                Item::Envelope | Item::BodyStructure => plan.structure = true,
                item => match item.octets() {
                    Some((section, None)) if is_kept(&section) => plan.header = true,
                    _ => return None,
                },
            }
        }
        Some(plan)
    }

    fn needs_shelf(self) -> bool {
        self.facts || self.structure || self.header
    }
}

fn is_kept(section: &Section) -> bool {
    match &section.text {
        SectionText::HeaderFields(names) => section.part.is_empty() && names.iter().all(|name| FIELDS.iter().any(|kept| name.eq_ignore_ascii_case(kept))),
        _ => false,
    }
}

/// A FETCH of what stands on shelves.
pub(crate) struct Listing<'a> {
    fetch: &'a Fetch,
    /// The names of items of octets, in their order.
    labels: Vec<Option<Written>>,
    plan: Plan,
    store: &'a Store,
    account: AccountId,
    selected: &'a Selected,
    shelves: Shelves,
    lines: FetchLines,
}

/// The shelves that a FETCH needs.
#[derive(Default)]
struct Shelves {
    facts: Option<Shelf>,
    structure: Option<Shelf>,
    header: Option<Shelf>,
}

/// The same, being read.
#[derive(Default)]
struct Readings {
    facts: Option<Reading>,
    structure: Option<Reading>,
    header: Option<Reading>,
}

/// What the shelves say of one message.
#[derive(Clone, Default)]
struct Entry {
    facts: Option<Bytes>,
    structure: Option<Bytes>,
    header: Option<Bytes>,
}

impl Entry {
    fn is_whole(&self, plan: Plan) -> bool {
        (!plan.facts || self.facts.is_some()) && (!plan.structure || self.structure.is_some()) && (!plan.header || self.header.is_some())
    }
}

impl<'a> Listing<'a> {
    /// When all that is asked stands on shelves, and is asked of many messages; else `None`.
    pub(crate) async fn of(fetch: &'a Fetch, store: &'a Store, account: AccountId, selected: &'a Selected, count: usize) -> Result<Option<Listing<'a>>, Halt> {
        let Some(plan) = Plan::of(&fetch.items) else { return Ok(None) };
        let mut shelves = Shelves::default();
        if plan.needs_shelf() {
            if count < WORTH {
                return Ok(None); // before the store is asked: a single message is what is fetched most
            }
            let messages = selected.view.count() as usize;
            let shelf = async |wanted: bool, kind| match wanted {
                true => store.shelf(account, selected.id, selected.uidvalidity, messages, kind).await,
                false => Ok(None),
            };
            shelves.facts = shelf(plan.facts, Facts::KIND).await?;
            shelves.structure = shelf(plan.structure, STRUCTURE).await?;
            shelves.header = shelf(plan.header, HEADER).await?;
            if !shelves.are_all_of(plan) {
                return Ok(None);
            }
        }
        let labels = fetch.items.iter().map(|item| item.label().as_ref().map(Written::label)).collect();
        Ok(Some(Listing { fetch, labels, plan, store, account, selected, shelves, lines: FetchLines::default() }))
    }

    /// All of the chosen messages, but those whose sequence numbers it gives back.
    pub(crate) async fn all(mut self, talk: &mut Talk, chosen: &Chosen) -> Result<Vec<u32>, Halt> {
        let mut left = Vec::new();
        let mut messages = self.selected.view.messages(chosen);
        let mut next_chunk = || messages.by_ref().take(ROWS).collect::<Vec<_>>();
        let mut chunk = next_chunk();
        let mut ahead = match self.plan.needs_shelf() {
            true => Some(ReadAhead::of(self.shelves.begin().await?, &chunk)),
            false => None,
        };
        while !chunk.is_empty() {
            let after = next_chunk();
            let mut entries = Vec::new();
            if let Some(reading) = ahead.take() {
                let (readings, found) = reading.end().await?;
                if !after.is_empty() {
                    ahead = Some(ReadAhead::of(readings, &after));
                }
                entries = self.filled(&chunk, found).await?;
            }
            let nothing = Entry::default();
            for (index, (seq, message)) in chunk.iter().enumerate() {
                let entry = entries.get(index).unwrap_or(&nothing);
                if self.line(*seq, message, entry).is_none() {
                    left.push(*seq);
                }
                if self.lines.len() >= PIECE {
                    talk.say(Response::FetchLines(std::mem::take(&mut self.lines))).await?;
                }
            }
            chunk = after;
        }
        if !self.lines.is_empty() {
            talk.say(Response::FetchLines(self.lines)).await?;
        }
        Ok(left)
    }

    /// Writes a message's line; `None`, and nothing written, when its entry lacks something.
    fn line(&mut self, seq: u32, message: &Message, entry: &Entry) -> Option<()> {
        let facts = if self.plan.facts { Some(Facts::from_bytes(entry.facts.as_ref()?)?) } else { None };
        let structure = if self.plan.structure { Some(Described::from_entry(entry.structure.as_ref()?)?) } else { None };
        if self.plan.header && entry.header.is_none() {
            return None;
        }
        let mut line = self.lines.line(seq);
        if self.fetch.uid && !self.fetch.items.contains(&Item::Uid) {
            line.uid(message.uid);
        }
        for (item, label) in self.fetch.items.iter().zip(&self.labels) {
            match (item, &facts, &structure) {
                (Item::Uid, ..) => line.uid(message.uid),
                (Item::Flags, ..) => line.flags(message.flags, message.recent, self.selected.view.names()),
                (Item::ModSeq, ..) => line.item(&FetchItem::ModSeq(message.modseq)),
                (Item::InternalDate, Some(facts), _) => line.item(&FetchItem::InternalDate(facts.internaldate)),
                (Item::Size, Some(facts), _) => line.item(&FetchItem::Size(facts.size)),
                (Item::Envelope, _, Some(structure)) => line.written(&structure.envelope),
                (Item::BodyStructure, _, Some(structure)) => line.written(&structure.body),
                (Item::Section { section: Section { text: SectionText::HeaderFields(names), .. }, .. }, ..) => {
                    if let (Some(label), Some(header)) = (label, &entry.header) {
                        line.octets(label, &octets::chosen(header, names, true));
                    }
                }
                _ => {} // the plan has no other item
            }
        }
        line.end();
        Some(())
    }

    /// The entries of a chunk; what the shelves lack is read the long way, and put there.
    async fn filled(&self, chunk: &[(u32, &Message)], mut entries: Vec<Entry>) -> Result<Vec<Entry>, Halt> {
        let lacks = |(_, entry): &(&Uid, &Entry)| !entry.is_whole(self.plan);
        let uids: Vec<Uid> = chunk.iter().map(|(_, message)| message.uid).collect();
        let missing: Vec<Uid> = uids.iter().zip(&entries).filter(lacks).map(|(uid, _)| *uid).collect();
        let mut made = Vec::new();
        let (store, account, mailbox, plan) = (self.store, self.account, self.selected.id, self.plan);
        let mut making = Ahead::new(missing.chunks(FILL).map(|some| entries_of(store.clone(), account, mailbox, some.to_vec(), plan)));
        while let Some(some) = making.next().await {
            made.extend(some?);
        }
        for (of, entry) in &made {
            if let Some(slot) = uids.binary_search(&of.uid).ok().and_then(|index| entries.get_mut(index)) {
                *slot = entry.clone();
            }
        }
        self.shelves.put(made).await;
        Ok(entries)
    }
}

/// Entries from the database and the messages. Those that are gone, or can't be read, are left out.
async fn entries_of(store: Store, account: AccountId, mailbox: MailboxId, uids: Vec<Uid>, plan: Plan) -> Result<Vec<(Identity, Entry)>, db::Error> {
    let needs_structure = plan.structure || plan.header;
    let messages = store.messages(account, mailbox, &uids, needs_structure).await?;
    let mut bodies = if plan.header { store.read_all(account, mailbox, &uids).await? } else { Vec::new() };
    let mut made = Vec::new();
    for message in &messages {
        let mut entry = Entry { facts: plan.facts.then(|| Facts::of(message).to_bytes()), ..Entry::default() };
        if needs_structure {
            // What fails here fails again in the ordinary FETCH, which says so.
            let Ok(Some(structure)) = store.structure(account, mailbox, message).await else { continue };
            if plan.header {
                let body = bodies.binary_search_by_key(&message.row.uid, |(uid, _)| *uid).ok().and_then(|at| bodies.get_mut(at));
                let Some((_, Ok(body))) = body else { continue };
                let Ok(header) = octets::fields(body, &structure.root.header, &FIELDS, true, None).await else { continue };
                entry.header = Some(octets::without_nul(header));
            }
            entry.structure = plan.structure.then(|| Described::of(structure).to_entry());
        }
        made.push((message.identity(), entry));
    }
    Ok(made)
}

impl Shelves {
    fn are_all_of(&self, plan: Plan) -> bool {
        (self.facts.is_some(), self.structure.is_some(), self.header.is_some()) == (plan.facts, plan.structure, plan.header)
    }

    async fn begin(&self) -> Result<Readings, db::Error> {
        let begin = async |shelf: &Option<Shelf>| match shelf {
            Some(shelf) => shelf.read().await.map(Some),
            None => Ok(None),
        };
        Ok(Readings { facts: begin(&self.facts).await?, structure: begin(&self.structure).await?, header: begin(&self.header).await? })
    }

    async fn put(&self, made: Vec<(Identity, Entry)>) {
        type Column = fn(&Entry) -> &Option<Bytes>;
        let columns: [(&Option<Shelf>, Column); 3] =
            [(&self.facts, |entry| &entry.facts), (&self.structure, |entry| &entry.structure), (&self.header, |entry| &entry.header)];
        for (shelf, column) in columns {
            if let Some(shelf) = shelf {
                shelf.put(made.iter().filter_map(|(of, entry)| Some((*of, column(entry).clone()?))).collect()).await;
            }
        }
    }
}

/// A chunk that is being read.
struct ReadAhead(JoinHandle<Result<(Readings, Vec<Entry>), db::Error>>);

impl ReadAhead {
    fn of(readings: Readings, chunk: &[(u32, &Message)]) -> ReadAhead {
        let uids: Vec<Uid> = chunk.iter().map(|(_, message)| message.uid).collect();
        ReadAhead(tokio::spawn(readings.next(uids)))
    }

    async fn end(mut self) -> Result<(Readings, Vec<Entry>), Halt> {
        let read = (&mut self.0).await.map_err(|error| db::Error::Broken(error.to_string()))?;
        Ok(read?)
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Readings {
    async fn next(self, uids: Vec<Uid>) -> Result<(Readings, Vec<Entry>), db::Error> {
        let next = async |reading: Option<Reading>| match reading {
            Some(reading) => reading.next(uids.clone()).await.map(|(reading, found)| (Some(reading), found)),
            None => Ok((None, vec![None; uids.len()])),
        };
        let (facts, mut sizes) = next(self.facts).await?;
        let (structure, mut structures) = next(self.structure).await?;
        let (header, mut headers) = next(self.header).await?;
        let columns = sizes.iter_mut().zip(&mut structures).zip(&mut headers);
        let entries = columns.map(|((facts, structure), header)| Entry { facts: facts.take(), structure: structure.take(), header: header.take() }).collect();
        Ok((Readings { facts, structure, header }, entries))
    }
}

/// What an entry of [`STRUCTURE`] says.
struct Described {
    envelope: Written,
    body: Written,
}

impl Described {
    fn of(structure: Arc<Structure>) -> Described {
        let envelope = Written::item(&FetchItem::Envelope(Box::new(structure.envelope.clone())));
        Described { envelope, body: Written::item(&FetchItem::BodyStructure(structure)) }
    }

    fn to_entry(&self) -> Bytes {
        let (envelope, body) = (self.envelope.octets(), self.body.octets());
        let mut out = BytesMut::with_capacity(4 + envelope.len() + body.len());
        out.put_u32_le(envelope.len() as u32); // a longer one would not stand on a shelf
        out.extend_from_slice(envelope);
        out.extend_from_slice(body);
        out.freeze()
    }

    fn from_entry(entry: &Bytes) -> Option<Described> {
        let length = u32::from_le_bytes(*entry.first_chunk()?) as usize;
        let end = 4usize.checked_add(length).filter(|end| *end <= entry.len())?;
        Some(Described { envelope: Written::again(entry.slice(4..end)), body: Written::again(entry.slice(end..)) })
    }
}
