//! FETCH, UID FETCH — RFC 3501 §6.4.5; CHANGEDSINCE, VANISHED — RFC 7162 §3.1.4, §3.2.6; BINARY — RFC 3516.
//!
//! Messages go out as they are read: rows in chunks of [`ROWS`], small bodies inside their line, others as a literal in
//! pieces. Rows and bodies of those to come are read meanwhile. What a client asked of a message that was expunged elsewhere is left out (E-07).

use imap::command::Fetch;
use imap::command::fetch::{Item, Partial, Section, SectionText};
use imap::response::{FetchItem, FetchLine, FlagList, Label};
use imap::view::{Chosen, Expunge, Message, Report};
use imap::{Response, Tagged};
use mail::mime::Structure;
use mail::{Flags, Uid};
use std::pin::Pin;
use std::sync::Arc;
use store::{AccountId, Store};

use crate::ahead::Ahead;
use crate::decoded::{self, Coded};
use crate::enabled::Enabled;
use crate::halt::{Halt, Outcome};
use crate::listing::Listing;
use crate::no;
use crate::octets::{self, Octets};
use crate::opened::Opened;
use crate::resync;
use crate::selected::{Fate, Selected, flagged};
use crate::session::Reader;
use crate::talk::Talk;

/// Messages read from the store at once: enough that questions are few, few enough that their rows are small.
pub(crate) const ROWS: usize = 500;
/// The same where their structures are wanted: usually a kilobyte each, but a hostile one takes a few megabytes, and the next are read ahead.
const STRUCTURES: usize = 16;
/// Octets given inside a line; longer ones are streamed.
const SMALL: u64 = 32 * 1024;
/// Octets (roughly) held back to go out together, be it many lines or many items of one.
const HELD: usize = 48 * 1024;
/// What an item counts for besides its octets: most structures are so long.
const ITEM: usize = 512;

pub(super) async fn fetch(reader: &mut Reader, fetch: &Fetch) -> Outcome {
    let (store, account, enabled) = (reader.store(), reader.account(), reader.enabled);
    let (selected, talk) = reader.selected()?;
    let mut chosen = selected.view.resolve(&fetch.set, fetch.uid)?;
    if let Some(since) = fetch.changed_since {
        if fetch.vanished && !enabled.qresync() {
            return Ok(Tagged::bad("ENABLE QRESYNC first"));
        }
        chosen = selected.view.changed_since(&chosen, since);
        if fetch.vanished {
            talk.say_all(resync::vanished(&store, account, selected, &fetch.set, since, 0).await?).await?;
        }
    }
    let seen = match fetch.sets_seen() && !selected.read_only {
        true => set_seen(selected, &store, account, &chosen).await?,
        false => Vec::new(),
    };
    let listing = if seen.is_empty() { Listing::of(fetch, &store, account, selected, chosen.len()).await? } else { None };
    let left = match listing {
        Some(listing) => selected.view.numbered(&listing.all(talk, &chosen).await?),
        None => chosen.clone(),
    };
    let worst = Fetching::new(fetch, &store, account, selected, &seen, enabled).all(talk, &left).await?;
    told(selected, fetch, &chosen, &seen, enabled);
    Ok(match worst {
        Shown::Unreadable => no::unreadable(),
        Shown::Undecodable => no::unknown_encoding(),
        Shown::Gone if !fetch.uid => no::expunged(),
        Shown::Gone | Shown::Whole => Tagged::ok("FETCH completed"),
    })
}

/// Sets `\Seen` where it isn't, in one step for all (F-05); gives those it was set on. Others may have taken it away and the
/// client not know yet: looks first.
async fn set_seen(selected: &mut Selected, store: &Store, account: AccountId, chosen: &Chosen) -> Result<Vec<Uid>, Halt> {
    if selected.catch_up(store, account).await? == Fate::Gone {
        return Ok(Vec::new());
    }
    let unseen = |message: &Message| !message.is_gone() && !message.flags.contains(Flags::SEEN);
    let uids: Vec<Uid> = selected.view.messages(chosen).filter(|(_, message)| unseen(message)).map(|(_, message)| message.uid).collect();
    if uids.is_empty() {
        return Ok(uids);
    }
    let stored = store.set_flags(account, selected.id, uids, store::Change::Add(Flags::SEEN), None).await?;
    let rows: Vec<_> = stored.rows.iter().map(flagged).collect();
    selected.view.stored(&rows, |flags| flags | Flags::SEEN, Report::Flags);
    Ok(rows.into_iter().map(|row| row.uid).collect())
}

/// What stood in the lines need not be told again. Flags without their MODSEQ are not all, for who wants both.
fn told(selected: &mut Selected, fetch: &Fetch, chosen: &Chosen, seen: &[Uid], enabled: Enabled) {
    let whole = fetch.items.contains(&Item::Flags) && (!enabled.condstore() || fetch.items.contains(&Item::ModSeq));
    if whole && selected.view.has_news(Expunge::Later) {
        selected.view.uids(chosen).into_iter().for_each(|uid| selected.view.shown(uid));
    } else {
        seen.iter().for_each(|uid| selected.view.shown(*uid));
    }
}

/// How much of a message could be shown; the worst is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Whole,
    /// Expunged elsewhere.
    Gone,
    /// BINARY of a part whose transfer encoding nobody knows.
    Undecodable,
    /// Its file is missing or broken: the operator's to mend, and no reason to withhold the others.
    Unreadable,
}

fn unreadable(message: &Message, error: &dyn std::fmt::Display) -> Shown {
    tracing::error!(uid = %message.uid, %error, "a message can't be read");
    Shown::Unreadable
}

/// One FETCH on its way.
struct Fetching<'a> {
    fetch: &'a Fetch,
    store: &'a Store,
    account: AccountId,
    selected: &'a Selected,
    /// `\Seen` was set on these just now: their lines show their flags.
    seen: &'a [Uid],
    enabled: Enabled,
    /// Lines that go out together.
    held: Vec<Response>,
    held_octets: usize,
}

impl<'a> Fetching<'a> {
    fn new(fetch: &'a Fetch, store: &'a Store, account: AccountId, selected: &'a Selected, seen: &'a [Uid], enabled: Enabled) -> Fetching<'a> {
        Fetching { fetch, store, account, selected, seen, enabled, held: Vec::new(), held_octets: 0 }
    }

    /// All of the chosen messages; says what befell the worst of them.
    async fn all(mut self, talk: &mut Talk, chosen: &Chosen) -> Result<Shown, Halt> {
        let items = &self.fetch.items;
        let needs_row = items.iter().any(|item| !matches!(item, Item::Flags | Item::Uid | Item::ModSeq));
        let needs_structure = items.iter().any(needs_structure);
        let needs_octets = items.iter().any(|item| item.octets().is_some());
        let at_once = if needs_structure { STRUCTURES } else { ROWS };
        let mut worst = Shown::Whole;
        let mut messages = self.selected.view.messages(chosen);
        let mut rows_ahead = self.rows(if needs_row { self.selected.view.uids(chosen) } else { Vec::new() }, at_once, needs_structure);
        let mut opened = Opened::new(self.store, self.account, self.selected.id);
        let mut next_rows = async |opened: &mut Opened| {
            let rows = rows_ahead.next().await.transpose()?.unwrap_or_default();
            if needs_octets {
                opened.add(&rows);
            }
            Ok::<_, db::Error>(rows)
        };
        let mut after = next_rows(&mut opened).await?;
        loop {
            let some: Vec<(u32, &Message)> = messages.by_ref().take(at_once).collect();
            if some.is_empty() {
                break;
            }
            // Those of the next chunk, so that its first bodies are opened while this one's last are told.
            let rows = std::mem::replace(&mut after, next_rows(&mut opened).await?);
            for (seq, message) in some {
                let row = rows.binary_search_by_key(&message.uid, |row| row.row.uid).ok().and_then(|index| rows.get(index));
                let shown = match needs_row && row.is_none() {
                    true => Shown::Gone,
                    false => {
                        let reader = if needs_octets { opened.next(message.uid).await } else { Ok(None) };
                        self.one(talk, seq, message, row, reader).await?
                    }
                };
                worst = worst.max(shown);
            }
        }
        self.flush(talk).await?;
        Ok(worst)
    }

    /// The rows of these messages, so many at once, ahead of their turn.
    fn rows(&self, uids: Vec<Uid>, at_once: usize, with_structure: bool) -> Ahead<impl Iterator<Item = RowsWork> + use<>, Rows> {
        let (store, account, mailbox) = (self.store.clone(), self.account, self.selected.id);
        let mut uids = uids.into_iter();
        Ahead::new(std::iter::from_fn(move || -> Option<RowsWork> {
            let (store, some) = (store.clone(), uids.by_ref().take(at_once).collect::<Vec<_>>());
            (!some.is_empty()).then(|| -> RowsWork { Box::pin(async move { store.messages(account, mailbox, &some, with_structure).await }) })
        }))
    }

    /// One message. What can't be shown of it stops neither the line that was begun nor the other messages.
    async fn one(&mut self, talk: &mut Talk, seq: u32, message: &Message, row: Option<&store::Message>, reader: Body) -> Result<Shown, Halt> {
        let mut line = Line { seq, uid: message.uid, items: Vec::new(), begun: false, octets: 0 };
        let shown = match self.fill(talk, &mut line, message, row, reader).await {
            Ok(shown) => shown,
            Err(Halt::Store(error)) if !matches!(error, db::Error::Busy(_) | db::Error::Closed) => unreadable(message, &error),
            Err(Halt::Body(error)) => unreadable(message, &error),
            Err(halt) => return Err(halt),
        };
        match shown {
            Shown::Whole => self.end(talk, line).await?,
            _ if line.begun => talk.say(Response::FetchEnd).await?,
            _ => {}
        }
        Ok(shown)
    }

    async fn fill(&mut self, talk: &mut Talk, line: &mut Line, message: &Message, row: Option<&store::Message>, reader: Body) -> Result<Shown, Halt> {
        let mut reader = reader?;
        let mut source = None;
        // A message that was made \Seen shows what it is now, and as any line that the client has not asked for (RFC 7162 §3.2.4).
        let form = match self.seen.binary_search(&message.uid) {
            Ok(_) => Some(self.enabled.form(self.fetch.uid)),
            Err(_) => None,
        };
        let unasked = |item: &Item| !self.fetch.items.contains(item);
        if unasked(&Item::Uid) && form.map_or(self.fetch.uid, |form| form.uid) {
            line.items.push(FetchItem::Uid(message.uid));
        }
        if unasked(&Item::Flags) && form.is_some() {
            line.items.push(self.flags(message));
        }
        if unasked(&Item::ModSeq) && form.is_some_and(|form| form.modseq) {
            line.items.push(FetchItem::ModSeq(message.modseq));
        }
        for item in &self.fetch.items {
            match (item, row) {
                (Item::Uid, _) => line.items.push(FetchItem::Uid(message.uid)),
                (Item::Flags, _) => line.items.push(self.flags(message)),
                (Item::ModSeq, _) => line.items.push(FetchItem::ModSeq(message.modseq)),
                (_, None) => return Ok(Shown::Gone),
                (Item::InternalDate, Some(row)) => line.items.push(FetchItem::InternalDate(row.internaldate)),
                (Item::Size, Some(row)) => line.items.push(FetchItem::Size(row.size)),
                (item, Some(row)) => {
                    if source.is_none() {
                        source = Source::open(self, item, row, reader.take()).await?;
                    }
                    let Some(source) = &mut source else { return Ok(Shown::Gone) };
                    match self.read_item(talk, line, item, source).await? {
                        Shown::Whole => {}
                        shown => return Ok(shown),
                    }
                }
            }
        }
        Ok(Shown::Whole)
    }

    fn flags(&self, message: &Message) -> FetchItem {
        let names = self.selected.view.names().clone();
        FetchItem::Flags(FlagList { flags: message.flags, recent: message.recent, names })
    }

    /// An item that is made from the structure or the octets.
    async fn read_item(&mut self, talk: &mut Talk, line: &mut Line, item: &Item, source: &mut Source) -> Result<Shown, Halt> {
        let structure = source.structure.clone();
        match (item, structure) {
            (Item::Envelope, Some(structure)) => line.items.push(FetchItem::Envelope(Box::new(structure.envelope.clone()))),
            (Item::Body, Some(structure)) => line.items.push(FetchItem::Body(structure)),
            (Item::BodyStructure, Some(structure)) => line.items.push(FetchItem::BodyStructure(structure)),
            (Item::Envelope | Item::Body | Item::BodyStructure, None) => return Ok(Shown::Gone),
            (Item::Binary { part, partial, .. }, structure) => {
                let Some(coded) = decoded::locate(part, structure.as_deref(), source.size) else { return Ok(Shown::Undecodable) };
                let Some(reader) = &mut source.reader else { return Ok(Shown::Gone) };
                self.decoded(talk, line, part, coded, *partial, reader).await?;
            }
            (Item::BinarySize { part }, structure) => {
                let Some(coded) = decoded::locate(part, structure.as_deref(), source.size) else { return Ok(Shown::Undecodable) };
                let Some(reader) = &mut source.reader else { return Ok(Shown::Gone) };
                line.items.push(FetchItem::BinarySize(part.clone(), coded.measure(None, reader).await?.size));
            }
            (item, structure) => {
                let (Some(label), Some((section, partial))) = (item.label(), item.octets()) else { return Ok(Shown::Whole) };
                let found = match structure {
                    Some(structure) => octets::locate(&section, &structure),
                    None => Octets::Range(0..source.size),
                };
                let Some(reader) = &mut source.reader else { return Ok(Shown::Gone) };
                self.octets(talk, line, label, found, partial, reader).await?;
            }
        }
        line.octets += ITEM;
        if line.octets >= HELD {
            self.begin(talk, line).await?;
        }
        Ok(Shown::Whole)
    }

    /// Octets of the message: inside the line if they are few, else streamed.
    async fn octets(
        &mut self,
        talk: &mut Talk,
        line: &mut Line,
        label: Label,
        found: Octets<'_>,
        partial: Option<Partial>,
        reader: &mut bodies::Reader,
    ) -> Result<(), Halt> {
        let range = match found {
            Octets::Range(range) => octets::clip(&range, partial),
            Octets::Fields { header, names, named } => {
                let chosen = octets::without_nul(octets::fields(reader, &header, names, named, partial).await?);
                line.octets += chosen.len();
                line.items.push(FetchItem::Octets(label, Some(chosen)));
                return Ok(());
            }
        };
        let length = range.end.saturating_sub(range.start);
        if length <= SMALL {
            let read = octets::without_nul(reader.read(range).await?);
            line.octets += read.len();
            line.items.push(FetchItem::Octets(label, Some(read)));
            return Ok(());
        }
        self.begin(talk, line).await?;
        talk.say(Response::FetchLiteral { label, length }).await?;
        reader.range(range.start, length);
        let mut left = length;
        while left > 0 {
            let Some(piece) = reader.chunk().await.map_err(|error| torn(&error))? else { return Err(Halt::Torn) };
            left = left.saturating_sub(piece.len() as u64);
            talk.chunk(octets::without_nul(piece)).await?;
        }
        Ok(())
    }

    /// A part decoded, likewise. It is gone through twice if it is long: its size stands before it.
    async fn decoded(&mut self, talk: &mut Talk, line: &mut Line, part: &[u32], coded: Coded, partial: Option<Partial>, reader: &mut bodies::Reader) -> Result<(), Halt> {
        let label = |has_nul| Label::Binary { part: part.to_vec(), origin: partial.map(|partial| partial.origin), has_nul };
        let measured = coded.measure(partial, reader).await?;
        let mut pieces = coded.pieces(partial, reader);
        if measured.size <= SMALL {
            let mut octets = Vec::new();
            while let Some(piece) = pieces.next().await? {
                octets.extend_from_slice(&piece);
            }
            line.octets += octets.len();
            line.items.push(FetchItem::Octets(label(measured.has_nul), Some(octets.into())));
            return Ok(());
        }
        self.begin(talk, line).await?;
        talk.say(Response::FetchLiteral { label: label(measured.has_nul), length: measured.size }).await?;
        let mut left = measured.size;
        while left > 0 {
            let Some(piece) = pieces.next().await.map_err(|error| torn(&error))? else { return Err(Halt::Torn) };
            left = left.saturating_sub(piece.len() as u64);
            talk.chunk(piece).await?;
        }
        Ok(())
    }

    /// Puts on the wire what the line has so far.
    async fn begin(&mut self, talk: &mut Talk, line: &mut Line) -> Result<(), Halt> {
        let mut items = std::mem::take(&mut line.items);
        line.octets = 0;
        if line.begun {
            if !items.is_empty() {
                talk.say(Response::FetchItems(items)).await?;
            }
            return Ok(());
        }
        if items.is_empty() {
            items.push(FetchItem::Uid(line.uid)); // a line begins with an item
        }
        self.flush(talk).await?;
        line.begun = true;
        Ok(talk.say(Response::FetchBegin(FetchLine { seq: line.seq, items })).await?)
    }

    async fn end(&mut self, talk: &mut Talk, line: Line) -> Result<(), Halt> {
        if line.begun {
            let mut last = Vec::new();
            if !line.items.is_empty() {
                last.push(Response::FetchItems(line.items));
            }
            last.push(Response::FetchEnd);
            return Ok(talk.say(Response::Batch(last)).await?);
        }
        self.held_octets += line.octets + 16;
        self.held.push(Response::Fetch(FetchLine { seq: line.seq, items: line.items }));
        if self.held_octets >= HELD || self.held.len() >= ROWS {
            self.flush(talk).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, talk: &mut Talk) -> Result<(), Halt> {
        self.held_octets = 0;
        if self.held.is_empty() {
            return Ok(());
        }
        Ok(talk.say(Response::Batch(std::mem::take(&mut self.held))).await?)
    }
}

/// Rows of a chunk of messages, and what reads them.
type Rows = Result<Vec<store::Message>, db::Error>;
type RowsWork = Pin<Box<dyn Future<Output = Rows> + Send>>;

/// A line being made.
struct Line {
    seq: u32,
    uid: Uid,
    items: Vec<FetchItem>,
    /// Its beginning is on the wire.
    begun: bool,
    /// Roughly what `items` will be.
    octets: usize,
}

/// A message's octets, if it is still there.
type Body = Result<Option<bodies::Reader>, db::Error>;

/// Where a message's items come from.
struct Source {
    structure: Option<Arc<Structure>>,
    reader: Option<bodies::Reader>,
    size: u64,
}

impl Source {
    /// `None`: the message is gone.
    async fn open(fetching: &Fetching<'_>, item: &Item, row: &store::Message, reader: Option<bodies::Reader>) -> Result<Option<Source>, Halt> {
        let mut source = Source { structure: row.structure.clone(), reader, size: row.size };
        let wanted = needs_structure(item) || fetching.fetch.items.iter().any(needs_structure);
        if wanted && source.structure.is_none() {
            source.structure = fetching.store.structure(fetching.account, fetching.selected.id, row).await?;
            if source.structure.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(source))
    }
}

/// Whether it must be known where the parts lie; of the whole message that is known.
fn needs_structure(item: &Item) -> bool {
    match item {
        Item::Envelope | Item::Body | Item::BodyStructure => true,
        item => item.octets().is_some_and(|(Section { part, text }, _)| !part.is_empty() || text != SectionText::All),
    }
}

/// A body that fails inside a literal can't be answered any more.
fn torn(error: &bodies::Error) -> Halt {
    tracing::error!(%error, "a body failed while it was sent");
    Halt::Torn
}
