//! What SEARCH, SORT and THREAD look at of headers, kept ready: a derived file a mailbox, and the same in memory while it is used.
//!
//! `keys/ACCOUNT/MAILBOX` beside the spool, in [`crate::frames`] of records, some for each time that new messages were looked at.
//! Bodies never change, so neither do records; those of messages that are gone are left out when the file is read, and it is written
//! anew when they are the greater part. A file is of this mailbox and time line if its last message that is still there is the one of
//! that UID: a database restored from a backup may have given UIDs to others.
//!
//! Memory: some 400 octets a message, for all mailboxes at most 64 MiB beside those just in use, and none for long (`lately`). A mailbox of more than
//! [`MOST`] messages has keys of its first ones only; whoever asks reads the headers of the others.

mod columns;
mod record;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bodies::Reader;
use db::Error;
use mail::Uid;

use crate::frames::{End, FRAME, Frames};
use crate::lately::{Lately, Shared};
use crate::{AccountId, MailboxId, Message, Store};

pub use columns::{Facts, Keys};
use record::Record;

/// Messages of one mailbox whose keys are kept: at their longest, those of one kind of text are below 2³² octets.
pub const MOST: usize = 1_000_000;

/// Fewer are looked at anew as fast as read from a file.
const LEAST: usize = 200;

/// Messages looked at for one frame.
const BATCH: usize = 500;

/// Messages opened at once: each may hold some hundred kilobytes.
const AT_ONCE: usize = 16;

/// Octets of a header that are looked at.
const HEADER: u64 = 1 << 20;

const MAGIC: &[u8; 8] = b"PHkeys1\n";

/// Fields whose text is kept for being looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sought {
    Subject,
    From,
    To,
    Cc,
    Bcc,
    MessageId,
}

const SOUGHT: [&str; 6] = ["Subject", "From", "To", "Cc", "Bcc", "Message-ID"];

impl Sought {
    /// By the name of the field.
    pub fn of_name(name: &str) -> Option<Sought> {
        use Sought::{Bcc, Cc, From, MessageId, Subject, To};
        let index = SOUGHT.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        [Subject, From, To, Cc, Bcc, MessageId].get(index).copied()
    }
}

/// Texts that are kept for being compared: see `mail::sorting`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InOrder {
    Subject,
    From,
    To,
    Cc,
    DisplayFrom,
    DisplayTo,
}

const IN_ORDER: usize = 6;
const TEXTS: usize = SOUGHT.len() + IN_ORDER;

/// The keys of the mailboxes that were searched lately.
pub(crate) type Kept = Lately<(AccountId, MailboxId), Arc<Slot>>;

/// One mailbox. Who looks at new messages holds it; others of that mailbox wait, and find them done.
#[derive(Default)]
pub(crate) struct Slot {
    keys: tokio::sync::Mutex<Option<Loaded>>,
    /// Octets of memory.
    octets: AtomicUsize,
}

struct Loaded {
    keys: Arc<Keys>,
    file: Frames,
    /// Where the file ends; `None` when it is not ours to write any more.
    end: Option<End>,
    /// Frames that are not written yet.
    pending: Vec<Vec<u8>>,
}

impl Shared for Arc<Slot> {
    /// Octets: the keys of 160,000 messages.
    const MOST: usize = 64 << 20;

    fn weight(&self) -> usize {
        self.octets.load(Ordering::Relaxed)
    }

    fn is_held(&self) -> bool {
        Arc::strong_count(self) > 1
    }
}

impl Store {
    /// The keys of a mailbox with those of all `uids` (ascending) that are there, but those beyond [`MOST`]. At the first time this reads all their headers: it may take long, and go on from there when it is
    /// dropped and asked again.
    pub async fn keys(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Arc<Keys>, Error> {
        let slot = self.inner.keys.get_or_default((account, mailbox));
        self.tend();
        let mut held = slot.keys.lock().await;
        let loaded = match &mut *held {
            Some(loaded) => loaded,
            nothing => nothing.insert(self.load_keys(account, mailbox, uids).await?),
        };
        let last = loaded.keys.facts().last().map(|facts| facts.uid);
        let new = uids.partition_point(|uid| last.is_some_and(|last| *uid <= last));
        for uids in uids.get(new..).unwrap_or_default().chunks(BATCH) {
            if loaded.keys.len() >= MOST {
                break;
            }
            let records = self.records(account, mailbox, uids).await?;
            loaded.add(&records);
            loaded.write().await;
            slot.octets.store(loaded.keys.octets(), Ordering::Relaxed);
        }
        slot.octets.store(loaded.keys.octets(), Ordering::Relaxed);
        let keys = loaded.keys.clone();
        drop(held);
        drop(slot);
        self.inner.keys.shrink();
        Ok(keys)
    }

    /// The keys of a mailbox as far as they are in memory.
    pub fn keys_at_hand(&self, account: AccountId, mailbox: MailboxId) -> Option<Arc<Keys>> {
        let slot = self.inner.keys.get((account, mailbox))?;
        let held = slot.keys.try_lock().ok()?;
        held.as_ref().map(|loaded| loaded.keys.clone())
    }

    /// The keys of these messages alone (ascending; at most some hundreds), which are not kept.
    pub async fn keys_of(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Keys, Error> {
        let mut keys = Keys::default();
        for (record, _) in self.records(account, mailbox, uids).await? {
            keys.push(&record);
        }
        Ok(keys)
    }

    /// From the file, if it is of this mailbox and time line.
    async fn load_keys(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Loaded, Error> {
        let rows = self.db().query("SELECT uidvalidity, uidnext FROM mailbox WHERE account_id = ?1 AND id = ?2", &[account.into(), mailbox.into()]).await?;
        let (uidvalidity, uidnext) = rows.first().map_or((0, 0), |row| (row.int(0) as u32, row.int(1)));
        let file = Frames::new(self.keys_directory(account).join(mailbox.to_string()), MAGIC, account, mailbox, uidvalidity);
        let there: Vec<Uid> = uids.to_vec();
        let reading = file.clone();
        let read = tokio::task::spawn_blocking(move || read_file(&reading, &there)).await.map_err(|error| Error::Broken(error.to_string()))?;
        let empty = |end| Loaded { keys: Arc::default(), file: file.clone(), end, pending: Vec::new() };
        let (keys, end, pending) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!("keys of mailbox {mailbox} of account {account}: {error}; they are made anew");
                return Ok(empty(None));
            }
        };
        let is_below = keys.facts().last().is_none_or(|last| i64::from(last.uid.get()) < uidnext);
        if keys.is_empty() || !is_below || !self.is_same(account, mailbox, &keys).await? {
            return Ok(empty(Some(End::default())));
        }
        Ok(Loaded { keys: Arc::new(keys), file, end: Some(end), pending })
    }

    /// Whether the last message of these that is there is the one that has its UID in the database: then all before it are too.
    async fn is_same(&self, account: AccountId, mailbox: MailboxId, keys: &Keys) -> Result<bool, Error> {
        let last = keys.facts().get(keys.len().saturating_sub(BATCH)..).unwrap_or_default();
        let uids: Vec<Uid> = last.iter().map(|facts| facts.uid).collect();
        let rows = self.messages(account, mailbox, &uids, false).await?;
        let Some(row) = rows.last() else { return Ok(false) };
        Ok(keys.index(row.row.uid).and_then(|index| keys.identity(index)) == Some(record::identity(row)))
    }

    /// Records of those that are there, ascending; and whether they may be written. Of one that can't be read it says only what the
    /// row does, until the next start.
    async fn records(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<(Record, bool)>, Error> {
        let rows = self.messages(account, mailbox, uids, false).await?;
        let mut records = Vec::with_capacity(rows.len());
        for some in rows.chunks(AT_ONCE) {
            let uids: Vec<Uid> = some.iter().map(|row| row.row.uid).collect();
            for (uid, reader) in self.read_all(account, mailbox, &uids).await? {
                let Some(row) = some.iter().find(|row| row.row.uid == uid) else { continue };
                records.push(record(row, reader).await);
            }
        }
        records.sort_by_key(|(record, _)| record.uid);
        Ok(records)
    }

    fn keys_directory(&self, account: AccountId) -> PathBuf {
        self.derived("keys").join(account.to_string())
    }
}

async fn record(row: &Message, reader: Result<Reader, Error>) -> (Record, bool) {
    let header = match reader {
        Ok(mut reader) => reader.header(HEADER).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match header {
        Ok(header) => (Record::new(row, &header), true),
        Err(error) => {
            tracing::error!(uid = %row.row.uid, error, "a message can't be searched");
            (Record { is_whole: false, ..Record::new(row, b"") }, false)
        }
    }
}

/// The keys of those records whose messages are there, or came after those that are known; and where the file ends. If it is to be
/// written anew: its begin, and the frames to be written.
fn read_file(file: &Frames, there: &[Uid]) -> std::io::Result<(Keys, End, Vec<Vec<u8>>)> {
    let (mut keys, mut dead) = (Keys::default(), 0);
    let is_there = |record: &Record| Uid::new(record.uid).is_some_and(|uid| there.last().is_none_or(|last| uid > *last) || there.binary_search(&uid).is_ok());
    let end = records(file, |record| {
        let is_kept = is_there(&record) && keys.len() < MOST && keys.push(&record);
        dead += usize::from(!is_kept);
    })?;
    if dead <= keys.len() {
        return Ok((keys, end, Vec::new()));
    }
    let (mut frames, mut frame) = (Vec::new(), Vec::new());
    records(file, |record| {
        if is_there(&record) {
            record.pack(&mut frame);
        }
        if frame.len() > FRAME / 4 {
            frames.push(std::mem::take(&mut frame));
        }
    })?;
    frames.push(frame);
    Ok((keys, End::default(), frames))
}

fn records(file: &Frames, mut take: impl FnMut(Record)) -> std::io::Result<End> {
    file.read(|_, mut frame| {
        while !frame.is_empty() {
            let Some(record) = Record::unpack(&mut frame) else { return false };
            take(record);
        }
        true
    })
}

impl Loaded {
    fn add(&mut self, records: &[(Record, bool)]) {
        let keys = Arc::make_mut(&mut self.keys);
        let mut frame = Vec::new();
        for (record, is_written) in records {
            if keys.push(record) && *is_written {
                record.pack(&mut frame);
            }
        }
        if !frame.is_empty() {
            self.pending.push(frame);
        }
    }

    /// Writes what is pending. Without the file everything works, slower.
    async fn write(&mut self) {
        let Some(end) = self.end.filter(|_| self.keys.len() >= LEAST && !self.pending.is_empty()) else { return };
        let (file, frames) = (self.file.clone(), std::mem::take(&mut self.pending));
        self.end = match tokio::task::spawn_blocking(move || file.append(end, &frames)).await {
            Ok(Ok(end)) => end,
            Ok(Err(error)) => {
                tracing::warn!("keys of a mailbox can't be written: {error}; it is searched more slowly after the next start");
                None
            }
            Err(error) => {
                tracing::warn!("keys of a mailbox: {error}");
                None
            }
        };
    }
}

#[cfg(test)]
mod tests;
