//! The text of messages, decoded and without regard to case, kept in one file a mailbox: SEARCH BODY and TEXT look through that in
//! place of the messages.
//!
//! `text/ACCOUNT/MAILBOX` beside the spool, in [`crate::frames`]. A frame is of some messages: how many (32 bits); of each its UID
//! (32), message and arrival (64 each), whether its text is whole (8), octets of its header's and its body's text (32 each); then all
//! header texts, then all body texts. Parts of a text have a NUL between them and behind the last, so that nothing is found across two.
//!
//! What the text of a message is, whoever searches says ([`Text`]); here it lies and is looked through, by two threads, a frame in
//! memory each. As with [`crate::keys`], a file of another time line is made anew, and so is one that is mostly of messages that are
//! gone.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use db::Error;
use mail::Uid;
use memchr::memmem::Finder;

use crate::frames::{End, Frames};
use crate::lately::{Lately, Shared};
use crate::{AccountId, MailboxId, Message, Store};

/// Octets kept of one message's text: a book. Of a longer one the message must be looked at when nothing is found before.
pub const WHOLE: usize = 2 << 20;

/// Strings looked for at once: as many bits are kept of each message.
pub const NEEDLES: usize = 32;

/// Octets of text in a frame, roughly: what a thread has in memory.
const FRAME_TEXT: usize = 4 << 20;

/// Threads that look through text at once, of all sessions.
pub(crate) const THREADS: usize = 2;

/// Messages of which one at least must be there still for a file to be known as the mailbox's.
const LAST: usize = 500;

/// A file in which more messages are gone than are there, and so many, is made anew.
const DEAD: usize = 1_000;

const MAGIC: &[u8; 8] = b"PHtext1\n";
/// Octets of what is said of each message.
const ENTRY: usize = 29;

/// The text of a message, folded (`mail::fold`). [`Text::part`] keeps the parts apart.
#[derive(Clone, Debug, Default)]
pub struct Text {
    pub header: Vec<u8>,
    pub body: Vec<u8>,
    pub is_whole: bool,
}

/// What was found in a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub uid: Uid,
    /// A string that is not found is not in it.
    pub is_whole: bool,
    /// The strings that its header has, by their bits.
    pub header: u32,
    pub body: u32,
}

/// Mailboxes whose text was looked for lately: a few numbers for each frame. The text itself stays on the disk, and in its cache.
pub(crate) type Opened = Lately<(AccountId, MailboxId), Slot>;

type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

/// What is known of a file.
pub(crate) struct Known {
    file: Frames,
    /// `None`: not ours to write.
    end: Option<End>,
    frames: Vec<Place>,
    last: Option<Uid>,
    next: Frame,
}

/// Octets of a whole frame in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    size: usize,
}

/// A frame in the making.
#[derive(Default)]
struct Frame {
    entries: Vec<u8>,
    headers: Vec<u8>,
    bodies: Vec<u8>,
}

impl Shared for Slot {
    /// Mailboxes; beyond it those not in use are opened anew.
    const MOST: usize = 1_000;

    fn weight(&self) -> usize {
        1
    }

    fn is_held(&self) -> bool {
        Arc::strong_count(self) > 1
    }
}

/// The text of one mailbox. While one session has it, to add to it or to look through it, others wait.
pub struct Texts {
    held: tokio::sync::OwnedMutexGuard<Option<Known>>,
    store: Store,
}

impl Text {
    /// Begins another part of a text.
    pub fn part(text: &mut Vec<u8>) {
        if !text.is_empty() {
            text.push(0);
        }
    }
}

impl Store {
    /// The text of a mailbox, as far as it is kept. `there`: the UIDs that are known to be there, ascending.
    pub async fn texts(&self, account: AccountId, mailbox: MailboxId, there: &[Uid]) -> Result<Texts, Error> {
        let mut held = self.inner.texts.get_or_default((account, mailbox)).lock_owned().await;
        self.tend();
        if held.is_none() {
            *held = Some(self.open_texts(account, mailbox, there).await?);
        }
        Ok(Texts { held, store: self.clone() })
    }

    async fn open_texts(&self, account: AccountId, mailbox: MailboxId, there: &[Uid]) -> Result<Known, Error> {
        let rows = self.db().query("SELECT uidvalidity, uidnext FROM mailbox WHERE account_id = ?1 AND id = ?2", &[account.into(), mailbox.into()]).await?;
        let (uidvalidity, uidnext) = rows.first().map_or((0, 0), |row| (row.int(0) as u32, row.int(1)));
        let file = Frames::new(self.derived("text").join(account.to_string()).join(mailbox.to_string()), MAGIC, account, mailbox, uidvalidity);
        let (reading, known) = (file.clone(), there.to_vec());
        let read = tokio::task::spawn_blocking(move || Contents::read(&reading, &known)).await.map_err(|error| Error::Broken(error.to_string()))?;
        let empty = |end| Known { file: file.clone(), end, frames: Vec::new(), last: None, next: Frame::default() };
        let contents = match read {
            Ok(contents) => contents,
            Err(error) => {
                tracing::warn!("text of mailbox {mailbox} of account {account}: {error}; it is searched more slowly");
                return Ok(empty(None));
            }
        };
        let is_below = contents.last.is_none_or(|last| i64::from(last.get()) < uidnext);
        let is_worth_it = contents.dead <= contents.living || contents.dead < DEAD;
        if !is_below || !is_worth_it || !self.is_its(account, mailbox, &contents.identities).await? {
            return Ok(empty(Some(End::default())));
        }
        Ok(Known { end: Some(contents.end), frames: contents.frames, last: contents.last, ..empty(None) })
    }

    /// Whether the last of these messages that is there is the one that has its UID in the database: then all before it are too.
    async fn is_its(&self, account: AccountId, mailbox: MailboxId, identities: &[(Uid, (i64, i64))]) -> Result<bool, Error> {
        let uids: Vec<Uid> = identities.iter().map(|(uid, _)| *uid).collect();
        let rows = self.messages(account, mailbox, &uids, false).await?;
        let Some(row) = rows.last() else { return Ok(false) };
        Ok(identities.binary_search_by_key(&row.row.uid, |(uid, _)| *uid).is_ok_and(|index| identities[index].1 == identity(row)))
    }
}

/// What a file has.
#[derive(Default)]
struct Contents {
    end: End,
    frames: Vec<Place>,
    last: Option<Uid>,
    living: usize,
    dead: usize,
    /// Of the last messages that may be there.
    identities: Vec<(Uid, (i64, i64))>,
}

impl Contents {
    fn read(file: &Frames, there: &[Uid]) -> std::io::Result<Contents> {
        let mut contents = Contents::default();
        let end = file.read(|at, frame| {
            let Some(table) = Table::of(frame) else { return false };
            for entry in table.entries() {
                if contents.last.is_some_and(|last| last >= entry.uid) {
                    return false;
                }
                contents.last = Some(entry.uid);
                let is_there = there.last().is_none_or(|last| entry.uid > *last) || there.binary_search(&entry.uid).is_ok();
                contents.living += usize::from(is_there);
                contents.dead += usize::from(!is_there);
                if is_there {
                    contents.identities.push((entry.uid, entry.identity));
                }
            }
            let surplus = contents.identities.len().saturating_sub(LAST);
            contents.identities.drain(..surplus);
            contents.frames.push(Place { at, size: frame.len() });
            true
        })?;
        Ok(Contents { end, ..contents })
    }
}

impl Texts {
    /// Up to here all messages that could be read are kept.
    pub fn last(&self) -> Option<Uid> {
        self.known().and_then(|known| known.last)
    }

    fn known(&self) -> Option<&Known> {
        self.held.as_ref()
    }

    /// Adds the text of a message above [`Texts::last`].
    pub async fn add(&mut self, row: &Message, mut text: Text) {
        let Some(known) = self.held.as_mut().filter(|known| known.end.is_some() && known.last.is_none_or(|last| last < row.row.uid)) else { return };
        for part in [&mut text.header, &mut text.body] {
            text.is_whole &= part.len() <= WHOLE;
            part.truncate(WHOLE);
            part.push(0);
        }
        known.last = Some(row.row.uid);
        known.next.add(row, &text);
        if known.next.headers.len() + known.next.bodies.len() >= FRAME_TEXT {
            self.write().await;
        }
    }

    /// Writes what was added. Without the file everything works, slower.
    pub async fn write(&mut self) {
        let Some(known) = &mut *self.held else { return };
        let Some(end) = known.end.filter(|_| !known.next.entries.is_empty()) else { return };
        let (file, frame) = (known.file.clone(), std::mem::take(&mut known.next).pack());
        let place = Place { at: end.next(), size: frame.len() };
        known.end = match tokio::task::spawn_blocking(move || file.append(end, &[frame])).await {
            Ok(Ok(end)) => end,
            Ok(Err(error)) => {
                tracing::warn!("text of a mailbox can't be written: {error}; it is searched more slowly");
                None
            }
            Err(error) => {
                tracing::warn!("text of a mailbox: {error}");
                None
            }
        };
        match known.end {
            Some(_) => known.frames.push(place),
            None => *self.held = None, // whoever comes next opens it again
        }
    }

    /// Looks for strings (folded, at most [`NEEDLES`]) in all that is kept. Ascending by UID.
    pub async fn find(&self, needles: &[Vec<u8>]) -> Result<Vec<Found>, Error> {
        let Some(known) = self.known() else { return Ok(Vec::new()) };
        let half = known.frames.len().div_ceil(THREADS).max(1);
        let needles: Arc<[Vec<u8>]> = needles.into();
        let mut looking = Vec::new();
        for frames in known.frames.chunks(half) {
            let permit = self.store.inner.lookers.clone().acquire_owned().await.map_err(|error| Error::Broken(error.to_string()))?;
            let (path, frames, needles) = (known.file.path().to_owned(), frames.to_vec(), needles.clone());
            looking.push(tokio::task::spawn_blocking(move || {
                let _permit = permit;
                look(&path, &frames, &needles)
            }));
        }
        let mut found = Vec::new();
        for looking in looking {
            let part = looking.await.map_err(|error| Error::Broken(error.to_string()))?;
            found.extend(part.map_err(|error| Error::Engine(format!("text of a mailbox: {error}")))?);
        }
        Ok(found)
    }
}

impl Frame {
    fn add(&mut self, row: &Message, text: &Text) {
        let (id, arrival) = identity(row);
        self.entries.extend_from_slice(&row.row.uid.get().to_le_bytes());
        self.entries.extend_from_slice(&id.to_le_bytes());
        self.entries.extend_from_slice(&arrival.to_le_bytes());
        self.entries.push(text.is_whole.into());
        self.entries.extend_from_slice(&(text.header.len() as u32).to_le_bytes()); // at most WHOLE and a NUL
        self.entries.extend_from_slice(&(text.body.len() as u32).to_le_bytes());
        self.headers.extend_from_slice(&text.header);
        self.bodies.extend_from_slice(&text.body);
    }

    fn pack(self) -> Vec<u8> {
        let count = (self.entries.len() / ENTRY) as u32;
        [&count.to_le_bytes()[..], &self.entries, &self.headers, &self.bodies].concat()
    }
}

fn identity(row: &Message) -> (i64, i64) {
    (row.row.id.get(), row.savedate)
}

/// A frame as it is read.
struct Table<'f> {
    entries: &'f [[u8; ENTRY]],
    headers: &'f [u8],
    bodies: &'f [u8],
}

struct Entry {
    uid: Uid,
    identity: (i64, i64),
    is_whole: bool,
    header: usize,
    body: usize,
}

impl<'f> Table<'f> {
    /// `None` where its parts are not as long as it says.
    fn of(frame: &'f [u8]) -> Option<Table<'f>> {
        let (count, rest) = frame.split_first_chunk::<4>()?;
        let (entries, text) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(ENTRY)?)?;
        let entries = entries.as_chunks::<ENTRY>().0;
        let mut headers = 0usize;
        let mut bodies = 0usize;
        for entry in entries {
            let entry = Entry::of(entry)?;
            (headers, bodies) = (headers.checked_add(entry.header)?, bodies.checked_add(entry.body)?);
        }
        let (headers, rest) = text.split_at_checked(headers)?;
        (rest.len() == bodies).then_some(Table { entries, headers, bodies: rest })
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().filter_map(Entry::of) // all are, or there were no table
    }
}

impl Entry {
    fn of(octets: &[u8; ENTRY]) -> Option<Entry> {
        let (uid, rest) = octets.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (arrival, rest) = rest.split_first_chunk()?;
        let (is_whole, rest) = rest.split_first()?;
        let (header, rest) = rest.split_first_chunk()?;
        let (body, _) = rest.split_first_chunk()?;
        Some(Entry {
            uid: Uid::new(u32::from_le_bytes(*uid))?,
            identity: (i64::from_le_bytes(*id), i64::from_le_bytes(*arrival)),
            is_whole: *is_whole != 0,
            header: u32::from_le_bytes(*header) as usize,
            body: u32::from_le_bytes(*body) as usize,
        })
    }
}

/// Looks through frames, one in memory at a time.
fn look(path: &Path, frames: &[Place], needles: &[Vec<u8>]) -> std::io::Result<Vec<Found>> {
    let file = File::open(path)?;
    let finders: Vec<Finder<'_>> = needles.iter().take(NEEDLES).map(Finder::new).collect();
    let (mut found, mut frame) = (Vec::new(), Vec::new());
    for place in frames {
        frame.resize(place.size, 0);
        file.read_exact_at(&mut frame, place.at)?;
        // It was whole when it was opened or written; what is not so any more tells nothing.
        let Some(table) = Table::of(&frame) else { continue };
        let from = found.len();
        found.extend(table.entries().map(|entry| Found { uid: entry.uid, is_whole: entry.is_whole, header: 0, body: 0 }));
        let Some(found) = found.get_mut(from..) else { continue };
        for (bit, finder) in finders.iter().enumerate() {
            hunt(table.headers, table.entries().map(|entry| entry.header), finder, |index| found[index].header |= 1 << bit);
            hunt(table.bodies, table.entries().map(|entry| entry.body), finder, |index| found[index].body |= 1 << bit);
        }
    }
    Ok(found)
}

/// Marks each of the texts, which lie one behind another, that has the string. An empty one is in all.
fn hunt(texts: &[u8], lengths: impl Iterator<Item = usize>, finder: &Finder<'_>, mut mark: impl FnMut(usize)) {
    let (mut next, mut end) = (finder.find(texts), 0);
    for (index, length) in lengths.enumerate() {
        end += length;
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

#[cfg(test)]
mod tests;
