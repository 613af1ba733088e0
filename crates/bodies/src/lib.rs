//! Where the bytes of messages lie: in a spool while they arrive, then as plain files in a Maildir that any program
//! reads. Bodies never change. Rows of the database say which exist; this crate knows no row, no UID and no protocol.
//!
//! Implements the Maildir format (Bernstein) with Maildir++ folders, Dovecot's `S=`/`W=` and mbsync's `,U=` in names.
//! Files hold LF, as every Maildir program writes them, except a message with `\r\r\n` in it: that one keeps CRLF, and its
//! name says `S=` equal to `W=`. Drafts, the spool and readers speak CRLF form only.
//! Left out so far: mbox and object stores, `maildirsize`, `dovecot-uidlist`.
//!
//! The way of a body: [`Draft`] (streamed in) → [`Sealed`] (durable, or small enough for the commit itself) → a commit
//! names it by [`Place`] → [`Job::Place`] writes the file → [`Bodies::sync`] → the row forgets the place and
//! [`Bodies::discard`] the spool file. A crash may come between any two:
//!
//! | crash after                    | bytes                        | row         | told | who cleans up                                        |
//! |--------------------------------|------------------------------|-------------|------|------------------------------------------------------|
//! | writing a draft                | spool/, maybe torn           | no          | no   | [`Bodies::sweep`] after 36 h                         |
//! | sealing it                     | spool/, durable              | no          | no   | the same                                             |
//! | a commit, outcome unknown      | spool/ (kept: abandoned)     | maybe       | no   | the row if there is one, else the sweeper            |
//! | the commit                     | spool/ or in the row         | place       | 250? | recovery places it: `Place { again: true }`          |
//! | writing `tmp/`                 | and tmp/, maybe torn         | place       | yes  | the same, over the torn file; else [`Bodies::sweep_tmp`] |
//! | moving to `new/` or `cur/`     | and there, maybe empty       | place       | yes  | the same, written anew where it stands now           |
//! | the sync                       | and there, durable           | place       | yes  | the same: costs only time                            |
//! | clearing the row               | in the folder; spool/ too    | file        | yes  | the sweeper, for the spool file                      |
//! | discarding the spool file      | in the folder                | file        | yes  | nobody                                               |
//! | a commit that removes, before [`Job::Remove`] | in the folder | no, a to-do | yes  | the to-do, done again                                |
//!
//! Limits: [`INLINE_LIMIT`], [`PREFIX_LIMIT`], [`CHUNK_SIZE`], [`READ_LIMIT`], [`SWEEP_AGE`], [`WRITERS`], [`READERS`].
//! File work never runs on the runtime's own threads; it is done in groups by [`Bodies::work`].

#![forbid(unsafe_code)]

mod draft;
mod error;
mod folder;
mod location;
mod name;
mod place;
mod reader;
mod sweep;
mod work;

use std::collections::HashMap;
use std::collections::hash_map;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::work::Finder;

pub use draft::{Draft, INLINE_LIMIT, Kind, Sealed};
pub use error::Error;
pub use folder::{Entry, Folder, Scan};
pub use location::{Home, MailLocation};
pub use name::{FileName, Hints, host_part};
pub use place::{Name, PREFIX_LIMIT, Place, Prefix, Source};
pub use reader::{CHUNK_SIZE, READ_LIMIT, Reader};
pub use sweep::{SWEEP_AGE, Swept};
pub use work::{File, Job, Placement};

/// Workers that write files at once: beyond about this many a file system's journal is the limit.
pub const WRITERS: usize = 4;

/// Workers that read files at once: more than writers, since readers mostly wait for the disk.
pub const READERS: usize = 16;

/// What [`Bodies::open`] needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where bodies over [`INLINE_LIMIT`] wait; made if it is not there. One file system with room for a day's mail.
    pub spool: PathBuf,
    /// Where accounts' mail lies.
    pub location: MailLocation,
}

/// All bodies of a store. Cheap to clone.
#[derive(Clone)]
pub struct Bodies(Arc<Inner>);

struct Inner {
    settings: Settings,
    host: Arc<str>,
    /// The spool's directory, held open to be synced.
    spool: fs::File,
    writers: Semaphore,
    readers: Semaphore,
    /// One descriptor for each file system we have synced, kept: the system reports a failed write only to
    /// descriptors that were open before it.
    synced: Mutex<HashMap<u64, Arc<fs::File>>>,
}

impl Bodies {
    /// Opens (and makes) the spool. Blocks for a moment: for the start.
    pub fn open(settings: Settings) -> Result<Bodies, Error> {
        let path = &settings.spool;
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| Error::io("make the spool", path, source))?;
        let spool = fs::File::open(path).map_err(|source| Error::io("open the spool", path, source))?;
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Ok(Bodies(Arc::new(Inner {
            host: host_part(&host),
            spool,
            writers: Semaphore::new(WRITERS),
            readers: Semaphore::new(READERS),
            synced: Mutex::default(),
            settings,
        })))
    }

    /// The home of an account's address.
    pub fn home(&self, address: &mail::Address) -> Result<Home, Error> {
        self.0.settings.location.home(address)
    }

    /// A folder of a home: `dir` is empty for INBOX or `.Name` (`mail::MailboxName::maildir_dir`).
    pub fn folder(&self, home: &Home, dir: &str) -> Result<Folder, Error> {
        Folder::new(self, home, dir)
    }

    /// The directories of a home that are folders, INBOX (empty) first if it is there. For adopting what others made.
    pub async fn folders(&self, home: &Home) -> Result<Vec<String>, Error> {
        let home = home.clone();
        self.read_work(move || {
            let failed = |source| Error::io("list the home", &home.0, source);
            let mut dirs = Vec::new();
            if home.0.join("cur").is_dir() {
                dirs.push(String::new());
            }
            let entries = match fs::read_dir(&home.0) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(dirs),
                other => other.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                if let Some(name) = entry.file_name().to_str().filter(|name| name.starts_with('.'))
                    && entry.path().join("cur").is_dir()
                {
                    dirs.push(name.to_string());
                }
            }
            dirs.sort();
            Ok(dirs)
        })
        .await
    }

    /// Starts a body.
    pub fn draft(&self) -> Draft {
        Draft::new(self.clone())
    }

    /// A second body with the bytes of one that a row names already: a hard link, durable when this returns. `size`
    /// and `disk_size` are those of the first [`Sealed`].
    pub async fn sealed_again(&self, source: Source, size: u64, disk_size: u64) -> Result<Sealed, Error> {
        Sealed::again(self, source, size, disk_size).await
    }

    /// Reads a body that is not yet placed.
    pub async fn reader(&self, source: Source) -> Result<Reader, Error> {
        match source {
            Source::Inline(bytes) => Ok(Reader::inline(bytes)),
            spooled => {
                let bodies = self.clone();
                self.read_work(move || Reader::open_source(&bodies, spooled)).await
            }
        }
    }

    pub(crate) async fn open_file(&self, file: File) -> Result<Reader, Error> {
        let bodies = self.clone();
        self.read_work(move || Reader::open_file(&bodies, &mut Finder::default(), &file)).await
    }

    /// Opens a group of messages in one hop to a worker; for small ones that reads them whole.
    pub async fn open_files(&self, files: Vec<File>) -> Result<Vec<Result<Reader, Error>>, Error> {
        let bodies = self.clone();
        self.read_work(move || {
            let mut finder = Finder::default();
            Ok(files.iter().map(|file| Reader::open_file(&bodies, &mut finder, file)).collect())
        })
        .await
    }

    /// Does a group of jobs, in order, on one worker. The answers stand in the same order; the outer error is that
    /// of the workers themselves. Nothing is durable before [`Bodies::sync`]. Once started a group runs to its end.
    pub async fn work(&self, jobs: Vec<Job>) -> Result<Vec<Result<(), Error>>, Error> {
        let bodies = self.clone();
        self.write_work(move || Ok(work::run(&bodies, &jobs))).await
    }

    /// Makes everything done so far in these homes durable: one `syncfs` for each file system they lie on. Homes
    /// that do not exist have nothing to sync.
    pub async fn sync(&self, homes: &[Home]) -> Result<(), Error> {
        let (bodies, homes) = (self.clone(), homes.to_vec());
        self.write_work(move || bodies.sync_now(&homes)).await
    }

    fn sync_now(&self, homes: &[Home]) -> Result<(), Error> {
        let mut systems: HashMap<u64, (Arc<fs::File>, &Path)> = HashMap::new();
        for home in homes {
            let failed = |source| Error::io("make the folders durable", &home.0, source);
            let device = match fs::metadata(&home.0) {
                Ok(meta) => meta.dev(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if let hash_map::Entry::Vacant(system) = systems.entry(device) {
                let mut synced = self.0.synced.lock().unwrap_or_else(PoisonError::into_inner);
                let held = match synced.get(&device) {
                    Some(held) => held.clone(),
                    None => synced.entry(device).or_insert(Arc::new(fs::File::open(&home.0).map_err(failed)?)).clone(),
                };
                system.insert((held, &home.0));
            }
        }
        for (held, home) in systems.values() {
            rustix::fs::syncfs(&**held).map_err(|source| Error::io("make the folders durable", home, source.into()))?;
        }
        Ok(())
    }

    /// Removes spool files that no row names any more. Fine if they are gone.
    pub async fn discard(&self, names: Vec<Name>) -> Result<(), Error> {
        let bodies = self.clone();
        self.write_work(move || names.iter().try_for_each(|name| sweep::remove_file(&bodies.spool_path(*name)))).await
    }

    /// Removes an account's home with all mail in it. Fine if it is gone.
    pub async fn remove_home(&self, home: &Home) -> Result<(), Error> {
        let home = home.clone();
        self.write_work(move || folder::remove_tree(&home.0)).await
    }

    /// This machine's part of file names.
    pub fn host(&self) -> Arc<str> {
        self.0.host.clone()
    }

    /// For messages to the operator: the directory above all homes, and the spool.
    pub fn directories(&self) -> (PathBuf, PathBuf) {
        (self.0.settings.location.root(), self.0.settings.spool.clone())
    }

    pub(crate) fn spool(&self) -> &Path {
        &self.0.settings.spool
    }

    pub(crate) fn spool_path(&self, name: Name) -> PathBuf {
        self.spool().join(name.to_string())
    }

    /// Makes the names in the spool durable.
    pub(crate) fn sync_spool(&self) -> Result<(), Error> {
        self.0.spool.sync_all().map_err(|source| Error::io("make the spool durable", self.spool(), source))
    }

    pub(crate) async fn write_work<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        self.on_worker(&self.0.writers, work).await
    }

    pub(crate) async fn read_work<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        self.on_worker(&self.0.readers, work).await
    }

    async fn on_worker<T: Send + 'static>(&self, workers: &Semaphore, work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        let stopped = || Error::Stopped { path: self.0.settings.spool.clone() };
        let _turn = workers.acquire().await.map_err(|_| stopped())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| stopped())?
    }
}

impl std::fmt::Debug for Bodies {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Bodies({})", self.0.settings.location)
    }
}
