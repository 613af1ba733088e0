//! Shelves: what somebody computed of each message of a mailbox, kept so that it need not be computed again. The store knows a kind by
//! its name and version only; what an entry says is its owner's affair. Entries never change, since messages don't.
//!
//! A file a mailbox and kind, `snapshots/ACCOUNT/MAILBOX.KIND` beside the views (see `snapshot`). All derived: what is missing, torn, of another
//! time line or unreadable is computed again, and without the files everything works, slower.

mod file;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use db::Error;
use mail::{Uid, UidValidity};

use crate::lately::{Lately, Shared};
use crate::snapshot::{LEAST, Mark};
use crate::{AccountId, MailboxId, Store};
use file::{Owner, ShelfFile};

/// Entries put at once are worth a block from here on; fewer are computed again as fast.
const WORTH: usize = 64;
/// Octets of an entry at most. Whoever has more does without.
const LONGEST: usize = 64 << 10;

/// What is kept: its name, which is part of the file's, and the version of its form. Files of another version are begun anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Lower-case letters.
    pub name: &'static str,
    /// Raised with every change of what an entry says.
    pub version: u32,
}

/// Shelves used lately, shared by their sessions.
pub(crate) type Shelves = Lately<(AccountId, MailboxId, Kind), Shelf>;

/// What one kind says of the messages of a mailbox.
#[derive(Clone)]
pub struct Shelf {
    inner: Arc<Inner>,
    /// The account's last change as it was opened.
    mark: Mark,
}

struct Inner {
    path: PathBuf,
    owner: Owner,
    /// None: there is no file yet, or no more.
    file: Mutex<Option<ShelfFile>>,
}

/// Reads a shelf from one end to the other; keeps the block it read last.
pub struct Reading {
    shelf: Shelf,
    last: Option<(usize, Bytes)>,
}

impl Store {
    /// The shelf of a mailbox that has `messages`; None for so few that it isn't worth a file.
    pub async fn shelf(&self, account: AccountId, mailbox: MailboxId, uidvalidity: UidValidity, messages: usize, kind: Kind) -> Result<Option<Shelf>, Error> {
        if messages < LEAST {
            return Ok(None);
        }
        let mut tx = self.db().read().await?;
        let mark = self.mark(&mut tx, account).await?;
        let key = (account, mailbox, kind);
        let owner = Owner { version: kind.version, account: account.get(), mailbox: mailbox.get(), uidvalidity: uidvalidity.get() };
        if let Some(known) = self.inner.shelves.get(key).filter(|known| known.inner.owner == owner) {
            return Ok(Some(Shelf { inner: known.inner, mark }));
        }
        let path = self.snapshots(account).join(format!("{mailbox}.{}", kind.name));
        let read = path.clone();
        let file = blocking(move || ShelfFile::open(&read, owner)).await?;
        let file = match file.filter(|file| file.len() <= messages.saturating_mul(2)) {
            Some(file) => match file.mark() {
                Some(mark) if !self.stands(&mut tx, account, mark).await? => None,
                _ => Some(file),
            },
            None => None,
        };
        let shelf = Shelf { inner: Arc::new(Inner { path, owner, file: Mutex::new(file) }), mark };
        self.inner.shelves.keep(key, shelf.clone());
        self.tend();
        Ok(Some(shelf))
    }
}

impl Shared for Shelf {
    /// Places of entries: 16 octets each, so 64 MiB.
    const MOST: usize = 4 << 20;

    fn weight(&self) -> usize {
        self.file().as_ref().map_or(0, ShelfFile::len) + 64
    }

    fn is_held(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }
}

impl Shelf {
    fn file(&self) -> MutexGuard<'_, Option<ShelfFile>> {
        self.inner.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of `uids` (ascending) it has no entry of.
    pub fn missing(&self, uids: &[Uid]) -> Vec<Uid> {
        self.file().as_ref().map_or_else(|| uids.to_vec(), |file| file.missing(uids))
    }

    /// Begins to read. What other processes put there meanwhile is seen.
    pub async fn read(&self) -> Result<Reading, Error> {
        let shelf = self.clone();
        blocking(move || {
            let mut file = shelf.file();
            if file.as_mut().is_some_and(|file| file.is_replaced() || !file.catch_up()) {
                *file = ShelfFile::open(&shelf.inner.path, shelf.inner.owner);
            }
        })
        .await?;
        Ok(Reading { shelf: self.clone(), last: None })
    }

    /// Puts entries, by ascending UID; those that are too long, and too few of them, are left out. It is a cache: what fails is told to
    /// the log and nobody else.
    pub async fn put(&self, entries: Vec<(Uid, Bytes)>) {
        if entries.len() < WORTH {
            return;
        }
        let shelf = self.clone();
        let path = shelf.inner.path.display().to_string();
        match blocking(move || shelf.put_now(entries)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("{path}: {error}; the mailbox is read more slowly until it can be written"),
            Err(error) => tracing::warn!("{path}: {error}"),
        }
    }

    fn put_now(&self, entries: Vec<(Uid, Bytes)>) -> std::io::Result<()> {
        let mut slot = self.file();
        let file = match &mut *slot {
            Some(file) => file,
            none => none.insert(ShelfFile::begin(&self.inner.path, self.inner.owner)?),
        };
        let entries: Vec<_> = entries.into_iter().filter(|(uid, data)| data.len() <= LONGEST && !file.missing(&[*uid]).is_empty()).collect();
        let (mut rest, mut written) = (&entries[..], Ok(()));
        while !rest.is_empty() && written.is_ok() {
            let mut octets = 0;
            let fits = |(_, data): &&(Uid, Bytes)| {
                octets += data.len();
                octets <= file::OCTETS
            };
            let count = rest.iter().take(file::ENTRIES).take_while(fits).count();
            let (block, after) = rest.split_at(count);
            written = file.append(self.mark, block);
            rest = after;
        }
        // A block that is half there would stop whoever reads on: the next begins anew.
        if written.is_err() || !file.catch_up() {
            *slot = None;
            let _ = std::fs::remove_file(&self.inner.path);
        }
        written
    }
}

impl Reading {
    /// The entries of these UIDs (ascending), where there are any.
    pub async fn next(mut self, uids: Vec<Uid>) -> Result<(Reading, Vec<Option<Bytes>>), Error> {
        blocking(move || {
            let mut found = vec![None; uids.len()];
            let wanted = self.shelf.file().as_ref().map(|file| file.wanted(&uids)).unwrap_or_default();
            for block in wanted {
                let data = match &self.last {
                    Some((number, data)) if *number == block.number() => data.clone(),
                    _ => {
                        let Some(data) = block.read() else { continue };
                        self.last = Some((block.number(), data.clone()));
                        data
                    }
                };
                for (index, entry) in block.entries(&data) {
                    found[index] = Some(entry);
                }
            }
            (self, found)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Broken(error.to_string()))
}
