//! Shelves: what was computed of each message of a mailbox, kept so that it need not be computed again. All that is derived of single
//! messages stands on them: what FETCH lists, what SEARCH, SORT and THREAD look at ([`crate::keys`], [`crate::texts`]). Here a kind is a
//! name and a version; what an entry says is its owner's affair. Entries never change, since messages don't.
//!
//! A file a mailbox and kind, `snapshots/ACCOUNT/MAILBOX.KIND` beside the views (see `snapshot`). What is missing, torn, of another
//! form or unreadable is computed again, and without the files everything works, slower.
//!
//! A file is the mailbox's when of its newest messages the last that is there is the same in the database: then all before it are,
//! for UIDs are given in order. So a database that was put back from a backup, and has given UIDs to other messages since, is
//! known. One that is mostly of messages that are gone is begun anew.

mod file;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use db::Error;
use mail::{Uid, UidValidity};

use crate::lately::{Lately, Shared};
use crate::{AccountId, Identity, MailboxId, Store};
use file::{Owner, ShelfFile, Wanted};

/// Messages of a mailbox that are worth files: fewer are looked at anew as fast.
pub(crate) const LEAST: usize = 200;
/// Entries put at once are worth a block from here on; fewer are computed again as fast.
pub(crate) const WORTH: usize = 64;
/// Messages of a file of which one at least must be there still for it to be known as the mailbox's.
const NEWEST: usize = 500;
/// Threads that go through blocks at once, of all sessions: each has a block in memory.
pub(crate) const THREADS: usize = 2;

/// What is kept: its name, which is part of the file's, and the version of its form. Files of another version are begun anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Lower-case letters.
    pub name: &'static str,
    /// Raised with every change of what an entry says.
    pub version: u32,
    /// Octets of an entry at most (and [`file::LONGEST`]). Whoever has more does without.
    pub longest: usize,
}

/// Shelves used lately, shared by their sessions.
pub(crate) type Shelves = Lately<(AccountId, MailboxId, Kind), Shelf>;

/// What one kind says of the messages of a mailbox.
#[derive(Clone)]
pub struct Shelf {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    owner: Owner,
    kind: Kind,
    /// None: there is no file yet, or no more.
    file: Mutex<Option<ShelfFile>>,
    /// Entries in it, for who does not wait for somebody that reads or writes it.
    entries: AtomicUsize,
    /// Held by who fills it with much, so that others wait in place of doing the same.
    filling: Arc<tokio::sync::Mutex<()>>,
    threads: Arc<tokio::sync::Semaphore>,
}

/// Reads a shelf from one end to the other; keeps the block it read last.
pub struct Reading {
    shelf: Shelf,
    last: Option<(Wanted, Bytes)>,
}

impl Store {
    /// The shelf of a mailbox that has `messages`; None for so few that it isn't worth a file.
    pub async fn shelf(&self, account: AccountId, mailbox: MailboxId, uidvalidity: UidValidity, messages: usize, kind: Kind) -> Result<Option<Shelf>, Error> {
        if messages < LEAST {
            return Ok(None);
        }
        let key = (account, mailbox, kind);
        let owner = Owner { version: kind.version, account: account.get(), mailbox: mailbox.get(), uidvalidity: uidvalidity.get() };
        // Where there was no file, another process may have begun one.
        if let Some(known) = self.inner.shelves.get(key).filter(|known| known.inner.owner == owner && known.file().is_some()) {
            return Ok(Some(known));
        }
        let path = self.snapshots(account).join(format!("{mailbox}.{}", kind.name));
        let read = path.clone();
        let file = match blocking(move || ShelfFile::open(&read, owner)).await? {
            Some(file) if file.len() <= messages.saturating_mul(2) && self.has(account, mailbox, &file.newest(NEWEST)).await? => Some(file),
            _ => None,
        };
        let threads = self.inner.threads.clone();
        let inner = Inner { path, owner, kind, file: Mutex::default(), entries: AtomicUsize::new(0), filling: Arc::default(), threads };
        // Somebody may have opened it meanwhile.
        let shelf = self.inner.shelves.keep(key, Shelf { inner: Arc::new(inner) });
        shelf.change(|known| {
            if known.is_none() {
                *known = file;
            }
        });
        self.tend();
        Ok(Some(shelf))
    }

    /// Whether messages of a file (ascending) are of this mailbox and time line.
    async fn has(&self, account: AccountId, mailbox: MailboxId, newest: &[Identity]) -> Result<bool, Error> {
        let Some(last) = newest.last() else { return Ok(true) };
        let rows = self.db().query("SELECT uidnext FROM mailbox WHERE account_id = ?1 AND id = ?2", &[account.into(), mailbox.into()]).await?;
        if rows.first().is_none_or(|row| row.int(0) <= last.uid.get().into()) {
            return Ok(false);
        }
        let uids: Vec<Uid> = newest.iter().map(|of| of.uid).collect();
        let there = self.messages(account, mailbox, &uids, false).await?;
        Ok(there.last().is_some_and(|message| newest.contains(&message.identity())))
    }
}

impl Shared for Shelf {
    /// Places of entries: 32 octets each, so 64 MiB.
    const MOST: usize = 2 << 20;

    fn weight(&self) -> usize {
        self.inner.entries.load(Ordering::Relaxed) + 64
    }

    fn is_held(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    fn replaces(&self, known: &Shelf) -> bool {
        known.inner.owner != self.inner.owner
    }
}

impl Shelf {
    fn file(&self) -> MutexGuard<'_, Option<ShelfFile>> {
        self.inner.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, work: impl FnOnce(&mut Option<ShelfFile>) -> T) -> T {
        let mut file = self.file();
        let done = work(&mut file);
        self.inner.entries.store(file.as_ref().map_or(0, ShelfFile::len), Ordering::Relaxed);
        done
    }

    /// Which of `uids` (ascending) it has no entry of.
    pub fn missing(&self, uids: &[Uid]) -> Vec<Uid> {
        self.file().as_ref().map_or_else(|| uids.to_vec(), |file| file.missing(uids))
    }

    /// Waits for whoever fills it, and keeps others from it.
    pub(crate) async fn filling(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.inner.filling.clone().lock_owned().await
    }

    /// Begins to read. What other processes put there meanwhile is seen.
    pub async fn read(&self) -> Result<Reading, Error> {
        self.look_again().await?;
        Ok(Reading { shelf: self.clone(), last: None })
    }

    pub(crate) async fn look_again(&self) -> Result<(), Error> {
        let shelf = self.clone();
        blocking(move || {
            shelf.change(|file| match file {
                Some(file) if !file.is_replaced() => file.catch_up(),
                file => *file = file.take().and_then(|_| shelf.reopen()),
            });
        })
        .await
    }

    /// What took the place of a file that was the mailbox's is so too: somebody began it since.
    fn reopen(&self) -> Option<ShelfFile> {
        ShelfFile::open(&self.inner.path, self.inner.owner)
    }

    /// Puts entries, by ascending UID; those that are too long, and too few of them, are left out. It is a cache: what fails is told to
    /// the log, and by false.
    pub async fn put(&self, entries: Vec<(Identity, Bytes)>) -> bool {
        if entries.len() < WORTH {
            return true;
        }
        let shelf = self.clone();
        let path = shelf.inner.path.display().to_string();
        let put = match blocking(move || shelf.change(|file| shelf.put_now(file, entries))).await {
            Ok(put) => put.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        put.inspect_err(|error| tracing::warn!("{path}: {error}; the mailbox is read more slowly until it can be written")).is_ok()
    }

    fn put_now(&self, slot: &mut Option<ShelfFile>, mut entries: Vec<(Identity, Bytes)>) -> std::io::Result<()> {
        let file = match slot {
            Some(file) if !file.is_replaced() => file,
            slot => {
                let file = match slot.take().and_then(|_| self.reopen()) {
                    Some(file) => file,
                    None => ShelfFile::begin(&self.inner.path, self.inner.owner)?,
                };
                slot.insert(file)
            }
        };
        let longest = self.inner.kind.longest.min(file::LONGEST);
        entries.retain(|(of, data)| data.len() <= longest && !file.missing(&[of.uid]).is_empty());
        let mut rest = &entries[..];
        while !rest.is_empty() {
            let mut octets = 0;
            let fits = |(_, data): &&(Identity, Bytes)| {
                octets += data.len();
                octets <= file::OCTETS
            };
            let count = rest.iter().take(file::ENTRIES).take_while(fits).count().max(1);
            let (block, after) = rest.split_at(count);
            file.append(block)?;
            rest = after;
        }
        Ok(())
    }

    /// What is not as it was written shall be made again.
    fn give_up(&self) {
        if self.change(Option::take).is_some_and(|file| !file.is_replaced()) {
            tracing::warn!("{} is damaged; it is made again", self.inner.path.display());
            let _ = std::fs::remove_file(&self.inner.path); // a new one takes its place in any case
        }
    }

    /// Goes through all blocks, on several threads and in no order: what `look` makes of each block's UIDs, their places in its data, and
    /// the data. Of a UID that stands there twice both are given.
    pub(crate) async fn each_block<T: Send + 'static>(
        &self,
        look: impl Fn(&[(Uid, Range<usize>)], &[u8]) -> Vec<T> + Send + Sync + 'static,
    ) -> Result<Vec<T>, Error> {
        let Some((file, blocks)) = self.file().as_ref().map(ShelfFile::blocks) else { return Ok(Vec::new()) };
        let (look, blocks, next) = (Arc::new(look), Arc::new(blocks), Arc::new(AtomicUsize::new(0)));
        let mut threads = Vec::new();
        for _ in 0..THREADS.min(blocks.len()) {
            let permit = self.inner.threads.clone().acquire_owned().await.map_err(|error| Error::Broken(error.to_string()))?;
            let (look, blocks, next, file) = (look.clone(), blocks.clone(), next.clone(), file.clone());
            threads.push(tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let (mut made, mut octets) = (Vec::new(), Vec::new());
                while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some((entries, data)) = block.read(&file, &mut octets) else { return (made, false) };
                    made.extend(look(&entries, data));
                }
                (made, true)
            }));
        }
        let mut all = Vec::new();
        for thread in threads {
            let (made, is_whole) = thread.await.map_err(|error| Error::Broken(error.to_string()))?;
            all.extend(made);
            if !is_whole {
                self.give_up();
            }
        }
        Ok(all)
    }
}

impl Reading {
    /// The entries of these UIDs (ascending), where there are any.
    pub async fn next(mut self, uids: Vec<Uid>) -> Result<(Reading, Vec<Option<Bytes>>), Error> {
        blocking(move || {
            let mut found = vec![None; uids.len()];
            let wanted = self.shelf.file().as_ref().map(|file| file.wanted(&uids)).unwrap_or_default();
            for block in wanted {
                let kept = self.last.take().filter(|(last, _)| last.is_of_same(&block)).map(|(_, data)| data);
                let Some(data) = kept.or_else(|| block.read()) else {
                    self.shelf.give_up();
                    break;
                };
                for (index, entry) in block.entries(&data) {
                    found[index] = Some(entry);
                }
                self.last = Some((block, data));
            }
            (self, found)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Broken(error.to_string()))
}
