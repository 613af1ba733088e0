//! What SEARCH, SORT and THREAD look at of headers, kept ready: an entry a message on a shelf, and the same in memory while it is
//! used.
//!
//! Memory: some 400 octets a message, for all mailboxes at most 64 MiB beside those just in use, and none for long (`lately`). A mailbox of more than
//! [`MOST`] messages has keys of its first ones only; whoever asks reads the headers of the others.

mod columns;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use db::Error;
use mail::{Uid, UidValidity};

use crate::derive::{self, Made, Wanted};
use crate::lately::{Lately, Shared};
use crate::{AccountId, Kind, MailboxId, Reading, Store};

pub use columns::{Head, Keys};
pub(crate) use record::Record;

/// Messages of one mailbox whose keys are kept: at their longest, those of one kind of text are below 2³² octets.
pub const MOST: usize = 1_000_000;

/// The shelf they stand on. Few records are longer: those are made each time.
pub(crate) const KIND: Kind = Kind { name: "keys", version: 1, longest: 64 << 10 };

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
    keys: tokio::sync::Mutex<Option<(UidValidity, Arc<Keys>)>>,
    /// Octets of memory.
    octets: AtomicUsize,
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
    /// The keys of a mailbox with those of all `uids` (ascending) that are there, but those beyond [`MOST`]. At the first time this reads
    /// all their headers: it may take long, and goes on from there when it is dropped and asked again.
    pub async fn keys(&self, account: AccountId, mailbox: MailboxId, uidvalidity: UidValidity, uids: &[Uid]) -> Result<Arc<Keys>, Error> {
        let slot = self.inner.keys.get_or_default((account, mailbox));
        self.tend();
        let mut held = slot.keys.lock().await;
        let keys = match &mut *held {
            Some((known, keys)) if *known == uidvalidity => keys,
            held => &mut held.insert((uidvalidity, Arc::default())).1,
        };
        let last = keys.heads().last().map(|head| head.uid);
        let new = uids.partition_point(|uid| last.is_some_and(|last| *uid <= last));
        let new = uids.get(new..).unwrap_or_default();
        if !new.is_empty() {
            let shelf = self.shelf(account, mailbox, uidvalidity, uids.len(), KIND).await?;
            let mut reading = match &shelf {
                Some(shelf) => Some(shelf.read().await?),
                None => None,
            };
            for some in new.chunks(derive::BATCH) {
                if keys.len() >= MOST {
                    break;
                }
                let (records, made);
                (reading, records) = kept(reading, some).await?;
                made = self.missing_keys(account, mailbox, some, &records).await?;
                derive::put(shelf.as_ref(), None, &made).await;
                Arc::make_mut(keys).extend(some, records, made);
                slot.octets.store(keys.octets(), Ordering::Relaxed);
            }
        }
        let keys = keys.clone();
        drop(held);
        drop(slot);
        self.inner.keys.shrink();
        Ok(keys)
    }

    /// The keys of a mailbox as far as they are in memory.
    pub fn keys_at_hand(&self, account: AccountId, mailbox: MailboxId, uidvalidity: UidValidity) -> Option<Arc<Keys>> {
        let slot = self.inner.keys.get((account, mailbox))?;
        let held = slot.keys.try_lock().ok()?;
        held.as_ref().filter(|(known, _)| *known == uidvalidity).map(|(_, keys)| keys.clone())
    }

    /// The keys of these messages alone (ascending; at most some hundreds), which are not kept.
    pub async fn keys_of(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Keys, Error> {
        let mut keys = Keys::default();
        let made = self.missing_keys(account, mailbox, uids, &vec![None; uids.len()]).await?;
        keys.extend(uids, vec![None; uids.len()], made);
        Ok(keys)
    }

    async fn missing_keys(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid], records: &[Option<Record>]) -> Result<Vec<Made>, Error> {
        let missing: Vec<Uid> = uids.iter().zip(records).filter(|(_, record)| record.is_none()).map(|(uid, _)| *uid).collect();
        self.derive(account, mailbox, &missing, Wanted { keys: true, texts: false }).await
    }
}

/// Records that stand on the shelf.
async fn kept(reading: Option<Reading>, uids: &[Uid]) -> Result<(Option<Reading>, Vec<Option<Record>>), Error> {
    let Some(reading) = reading else { return Ok((None, vec![None; uids.len()])) };
    let (reading, entries) = reading.next(uids.to_vec()).await?;
    let unpack = |entry: Option<Bytes>| Record::unpack(&entry?);
    Ok((Some(reading), entries.into_iter().map(unpack).collect()))
}

impl Keys {
    /// Takes in what was kept of these messages, and what was made.
    fn extend(&mut self, uids: &[Uid], records: Vec<Option<Record>>, made: Vec<Made>) {
        let mut made = made.into_iter().peekable();
        for (uid, record) in uids.iter().zip(records) {
            let record = record.or_else(|| made.next_if(|made| made.of.uid == *uid).map(|made| made.record));
            if let Some(record) = record {
                self.push(*uid, &record);
            }
        }
    }
}

#[cfg(test)]
mod tests;
