use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::ConnectOptions;

use crate::engine::{Readers, Tx};
use crate::migrate::{self, Migration, Tokens};
use crate::writer::{self, Engine, Outcome, Writers};
use crate::{Bells, Error};

const TOKENS: Tokens = Tokens { blob: "BLOB", wr: "WITHOUT ROWID" };

/// Reading connections. Reads are short; more would only add page caches.
const READERS: u32 = 4;
/// How long a reader waits for a connection, and a writer for another program's lock.
const WAIT: Duration = Duration::from_secs(10);
/// Page caches, in KiB: 4 MiB for the writer, 1 MiB for each reader, so 8 MiB in all.
const WRITER_CACHE: &str = "-4096";
const READER_CACHE: &str = "-1024";
/// Bytes of write-ahead log after which a task of its own writes it back; the writer never does.
const CHECKPOINT_AT: u64 = 64 << 20;
/// Bytes of its file that a log which begins anew keeps, as a part of [`CHECKPOINT_AT`]: one transaction may have made it much
/// larger, and its size tells when to write back.
const LOG_KEPT: u64 = 2;
/// Groups between two looks at the size of the log.
const CHECKPOINT_LOOK: u64 = 64;

pub(crate) async fn open(path: &Path, migrations: &[Migration], bells: Arc<Bells>) -> Result<(Readers, Writers), Error> {
    open_with(path, migrations, bells, WAIT, CHECKPOINT_AT).await
}

/// [`open`], and everything after it, that waits at most so long for other programs, and writes a log of so many bytes back.
async fn open_with(path: &Path, migrations: &[Migration], bells: Arc<Bells>, wait: Duration, checkpoint_at: u64) -> Result<(Readers, Writers), Error> {
    let mut lock = WriteLock::open(path, wait)?;
    make_private(path)?;
    let log_kept = (checkpoint_at / LOG_KEPT).to_string();
    let writing = options(path, WRITER_CACHE, wait).pragma("wal_autocheckpoint", "0").pragma("journal_size_limit", log_kept);
    let mut tx = Tx::sqlite(writing.connect().await.map_err(|error| cannot_open(path, error.into()))?);
    let held = lock.take().await?;
    tx.control("BEGIN IMMEDIATE").await.map_err(|error| cannot_open(path, error))?;
    if let Err(error) = migrate::migrate(&mut tx, TOKENS, migrations, writer::now()).await {
        tx.close().await;
        return Err(cannot_open(path, error));
    }
    tx.control("COMMIT").await.map_err(|error| cannot_open(path, error))?;
    drop(held);
    let reading = options(path, READER_CACHE, wait).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(wait).test_before_acquire(false).connect_with(reading).await;
    let pool = pool.map_err(|error| cannot_open(path, error.into()))?;
    let checkpoints = Checkpoints::start(path, checkpoint_at)?;
    let writer = Writer { path: path.into(), options: writing, tx: Some(tx), lock, checkpoints, groups: 0 };
    Ok((Readers::Sqlite(pool), Writers::start(vec![Box::new(writer) as Box<dyn Engine>], bells)))
}

fn options(path: &Path, cache: &'static str, wait: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(wait)
        .pragma("cache_size", cache)
        .statement_cache_capacity(400)
        .disable_statement_logging()
}

/// The file holds mail and password records: nobody else reads it. SQLite gives its other files the same rights.
fn make_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::Engine(format!("{}: {error}; is its directory there, and may this user write to it?", path.display())))
        }
        _ => Ok(()),
    }
}

/// Which file, and what to do about it.
fn cannot_open(path: &Path, error: Error) -> Error {
    let path = path.display();
    match error {
        Error::Busy(text) => Error::Busy(format!("{path}: {text}; end the other program that holds it (`fuser {path}` names it), or try again")),
        Error::Engine(text) => Error::Engine(format!("{path}: {text}; {}", advice(&text))),
        Error::Full(text) => Error::Full(format!("{path}: {text}; {}", advice(&text))),
        other => other,
    }
}

/// What the operator can do, by what SQLite said.
fn advice(text: &str) -> &'static str {
    let said = |words: &str| text.contains(words);
    if said("disk is full") || said("No space left") {
        "free some space on its file system"
    } else if said("readonly") || said("read-only") || said("unable to open") || said("ermission denied") {
        "is the directory there, and may this user write to it and to the file?"
    } else if said("not a database") || said("malformed") {
        "it is damaged, or no database: move it away and restore it from a backup"
    } else if said("disk I/O error") {
        "the disk is full or reports errors: look at the free space and at the kernel's log"
    } else {
        "is the directory there, writable, and not full?"
    }
}

/// Where the processes of a store meet, beside the database.
pub(crate) fn run_directory(database: &Path) -> PathBuf {
    database.parent().unwrap_or(Path::new(".")).join("run")
}

/// The file on which writers of several processes queue: fair, unlike SQLite's polling.
struct WriteLock {
    file: Arc<OwnedFd>,
    path: PathBuf,
    wait: Duration,
    /// A wait that was given up is still under way on its thread: the next one goes on with it.
    waiting: Option<Waiting>,
}

/// A thread that waits for the lock. A wait for `flock` cannot be broken off.
struct Waiting {
    thread: tokio::task::JoinHandle<rustix::io::Result<bool>>,
    state: Arc<Mutex<Wait>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Wanted,
    GivenUp,
    Taken,
}

impl Waiting {
    fn start(file: Arc<OwnedFd>) -> Waiting {
        use rustix::fs::{FlockOperation, flock};
        let state = Arc::new(Mutex::new(Wait::Wanted));
        let seen = state.clone();
        let thread = tokio::task::spawn_blocking(move || {
            flock(&*file, FlockOperation::LockExclusive)?;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match *seen {
                // Nobody here waits any more: others may.
                Wait::GivenUp => flock(&*file, FlockOperation::Unlock).map(|()| false),
                Wait::Wanted | Wait::Taken => {
                    *seen = Wait::Taken;
                    Ok(true)
                }
            }
        });
        Waiting { thread, state }
    }

    fn want(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Wait::Wanted;
    }

    /// True when the lock came in this very moment.
    fn give_up(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == Wait::Wanted {
            *state = Wait::GivenUp;
        }
        *state == Wait::Taken
    }
}

impl WriteLock {
    fn open(database: &Path, wait: Duration) -> Result<WriteLock, Error> {
        use rustix::fs::{Mode, OFlags};
        let directory = run_directory(database);
        let failed = |path: &Path, error: &dyn std::fmt::Display| {
            Error::Engine(format!("{}: {error}; is the directory above it there, and may this user write to it?", path.display()))
        };
        std::fs::create_dir_all(&directory).map_err(|error| failed(&directory, &error))?;
        let path = directory.join("write.lock");
        let opened = rustix::fs::open(&path, OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
        let file = opened.map(Arc::new).map_err(|error| failed(&path, &error))?;
        Ok(WriteLock { file, path, wait, waiting: None })
    }

    /// Busy when another process has held it for too long.
    async fn take(&mut self) -> Result<Held, Error> {
        let deadline = tokio::time::Instant::now() + self.wait;
        loop {
            let mut waiting = match self.waiting.take() {
                Some(waiting) => waiting,
                None => match rustix::fs::flock(&*self.file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => return Ok(Held(self.file.clone())),
                    Err(rustix::io::Errno::WOULDBLOCK) => Waiting::start(self.file.clone()),
                    Err(error) => return Err(self.failed(&error)),
                },
            };
            waiting.want();
            match tokio::time::timeout_at(deadline, &mut waiting.thread).await {
                Ok(Ok(Ok(true))) => return Ok(Held(self.file.clone())),
                // It came after it was given up, and was let go.
                Ok(Ok(Ok(false))) => {}
                Ok(Ok(Err(error))) => return Err(self.failed(&error)),
                Ok(Err(error)) => return Err(self.failed(&error)),
                Err(_) if waiting.give_up() => return Ok(Held(self.file.clone())),
                Err(_) => {
                    self.waiting = Some(waiting);
                    let (path, waited) = (self.path.display(), self.wait.as_secs());
                    return Err(Error::Busy(format!("{path}: another process of this store has held it for {waited} s; look what it does")));
                }
            }
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Engine(format!("{}: {error}", self.path.display()))
    }
}

/// This process may write, until it is dropped.
struct Held(Arc<OwnedFd>);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file would release it too; unlocking cannot fail on a file that is open.
        let _ = rustix::fs::flock(&*self.0, rustix::fs::FlockOperation::Unlock);
    }
}

struct Writer {
    path: PathBuf,
    options: SqliteConnectOptions,
    /// None after a transaction that did not end as it should: the next one gets a new connection.
    tx: Option<Tx>,
    lock: WriteLock,
    checkpoints: Checkpoints,
    groups: u64,
}

impl Engine for Writer {
    fn run<'t>(&'t mut self, group: &'t [&'t writer::Request]) -> crate::BoxFuture<'t, Outcome> {
        Box::pin(async move {
            let _held = match self.lock.take().await {
                Ok(held) => held,
                Err(error) => return Outcome::Unavailable(error),
            };
            self.groups += 1;
            if self.groups.is_multiple_of(CHECKPOINT_LOOK) {
                self.checkpoints.look();
            }
            if let Some(mut tx) = self.tx.take() {
                self.checkpoints.end(&mut tx).await;
                tx.begin_with_next("BEGIN IMMEDIATE");
                match self.run_on(tx, group).await {
                    Ok(outcome) => return outcome,
                    Err(error @ Error::Busy(_)) => return Outcome::Unavailable(cannot_open(&self.path, error)),
                    Err(error) => tracing::warn!("{}: {error}; trying with a new connection", self.path.display()),
                }
            }
            match self.begin_anew().await {
                Ok(tx) => self.run_on(tx, group).await.unwrap_or_else(|error| Outcome::Failed(self.failed(error))),
                Err(error) => Outcome::Unavailable(cannot_open(&self.path, error)),
            }
        })
    }

    fn close(self: Box<Self>) -> crate::BoxFuture<'static, ()> {
        Box::pin(async move {
            self.checkpoints.stop().await;
            if let Some(tx) = self.tx {
                tx.close().await;
            }
        })
    }
}

impl Writer {
    async fn begin_anew(&self) -> Result<Tx, Error> {
        let mut tx = Tx::sqlite(self.options.connect().await?);
        tx.control("BEGIN IMMEDIATE").await?;
        Ok(tx)
    }

    /// Runs a group in the transaction that `tx` begins or began. An error: there was none when it was to be rolled back, so
    /// it never began, or SQLite rolled it back by itself; nothing was changed.
    async fn run_on(&mut self, mut tx: Tx, group: &[&writer::Request]) -> Result<Outcome, Error> {
        let outcome = writer::run_waves(&mut tx, group).await;
        if let Outcome::Done(answers) = outcome {
            return match tx.control("COMMIT").await {
                Ok(()) => {
                    self.tx = Some(tx);
                    Ok(Outcome::Done(answers))
                }
                Err(error) => self.not_committed(tx, error).await,
            };
        }
        let first = tx.failed().cloned();
        let rolled_back = self.roll_back(tx).await;
        match (outcome, first) {
            (_, Some(error)) if !rolled_back => Err(error),
            (Outcome::Failed(error), _) => Ok(Outcome::Failed(self.failed(error))),
            (outcome, _) => Ok(outcome),
        }
    }

    fn failed(&self, error: Error) -> Error {
        if matches!(error, Error::Full(_)) {
            self.checkpoints.ask();
        }
        cannot_open(&self.path, error)
    }

    /// False when there was nothing to roll back: the next transaction gets a new connection.
    async fn roll_back(&mut self, mut tx: Tx) -> bool {
        let rolled_back = tx.roll_back().await;
        if rolled_back {
            self.tx = Some(tx);
        }
        rolled_back
    }

    /// What a COMMIT that failed means, or a statement that went with it. A full database wrote no commit record, and a busy one
    /// did not even begin. After an error of the disk the record may stand in the log all the same, to be found by a recovery:
    /// nobody knows.
    async fn not_committed(&mut self, tx: Tx, error: Error) -> Result<Outcome, Error> {
        self.roll_back(tx).await;
        if matches!(error, Error::Busy(_)) {
            return Err(error);
        }
        let error = self.failed(error);
        Ok(match &error {
            Error::Engine(text) if text.contains("I/O error") => {
                tracing::error!("COMMIT: {error}");
                Outcome::Unavailable(Error::Closed)
            }
            _ => Outcome::Failed(error),
        })
    }
}

/// The task that writes the log back into the database, so that no commit waits for it.
///
/// A log begins anew only once all of it is written back, and with commits that never pause the task never gets there. So when
/// little is left the writer does the rest between two commits.
struct Checkpoints {
    log: PathBuf,
    at: u64,
    wake: tokio::sync::mpsc::Sender<()>,
    little_left: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Checkpoints {
    fn start(path: &Path, at: u64) -> Result<Checkpoints, Error> {
        let (wake, mut woken) = tokio::sync::mpsc::channel::<()>(1);
        let options = options(path, READER_CACHE, WAIT).pragma("wal_autocheckpoint", "0");
        let little_left = Arc::new(AtomicBool::new(false));
        let tell = little_left.clone();
        let task = tokio::spawn(async move {
            while woken.recv().await.is_some() {
                match checkpoint_most(&options).await {
                    Ok(()) => tell.store(true, Ordering::Relaxed),
                    Err(error) => tracing::warn!("checkpoint of the database: {error}; it is tried again"),
                }
            }
        });
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Checkpoints { log: log.into(), at, wake, little_left, task })
    }

    fn look(&self) {
        if std::fs::metadata(&self.log).is_ok_and(|log| log.len() >= self.at) {
            self.ask();
        }
    }

    /// Asks for one now: a log that was written back begins anew, and needs no more room on a full disk.
    fn ask(&self) {
        // Full means one is asked for already.
        let _ = self.wake.try_send(());
    }

    /// Writes back the little that the task left, on the writer's connection between two transactions.
    async fn end(&self, tx: &mut Tx) {
        if self.little_left.swap(false, Ordering::Relaxed)
            && let Err(error) = tx.control(CHECKPOINT).await
        {
            tracing::warn!("checkpoint of the database: {error}; it is tried again");
        }
    }

    async fn stop(self) {
        drop(self.wake);
        if let Err(error) = self.task.await {
            tracing::warn!("the checkpoint task: {error}");
        }
    }
}

/// Waits for nobody; answers `busy`, pages in the log, pages of them that are written back.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// Pages of a pass after which the rest is the writer's: 8 MiB.
const LITTLE: i64 = 2048;
/// Times over the log; each is shorter than the one before, unless commits come faster than they are written back.
const PASSES: usize = 5;

async fn checkpoint_most(options: &SqliteConnectOptions) -> Result<(), Error> {
    let mut tx = Tx::sqlite(options.connect().await?);
    let mut written_back = 0;
    for _ in 0..PASSES {
        let answer = tx.query(CHECKPOINT, &[]).await?;
        let before = std::mem::replace(&mut written_back, answer.first().map_or(0, |row| row.int(2)));
        // What comes during a short pass is less still.
        if written_back - before <= LITTLE {
            break;
        }
    }
    tx.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BoxFuture, Db, Failed, Inner, Key, Locks, Step};

    /// Long enough for SQLite to poll, short enough for a test.
    const SOON: Duration = Duration::from_millis(500);

    struct Nothing;
    impl Step for Nothing {
        type Done = ();
        fn locks(&self, locks: &mut Locks) {
            locks.take(Key::Directory);
        }
        fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
            Box::pin(async move {
                tx.query("DELETE FROM node", &[]).await?;
                Ok(vec![(); batch.len()])
            })
        }
    }

    async fn open(path: &Path) -> Result<Db, Error> {
        let bells = Bells::start(crate::bus::Way::Datagrams(run_directory(path).join("bells").into()));
        let (readers, writers) = open_with(path, crate::MIGRATIONS, bells.clone(), SOON, 1 << 20).await?;
        Ok(Db { inner: Arc::new(Inner { readers, writers, bells, url: crate::Url::Sqlite(path.into()) }) })
    }

    /// Another program, as the sqlite3 shell.
    async fn other(path: &Path) -> Tx {
        Tx::sqlite(SqliteConnectOptions::new().filename(path).connect().await.unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn locked_by_another_program_at_the_start_is_busy_and_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("posthouse.db");
        open(&path).await.unwrap().close().await;
        let mut shell = other(&path).await;
        shell.control("PRAGMA locking_mode = EXCLUSIVE").await.unwrap();
        shell.control("BEGIN EXCLUSIVE").await.unwrap();
        let error = open(&path).await.map(|_| ()).unwrap_err();
        assert!(matches!(&error, Error::Busy(text) if text.contains("posthouse.db") && text.contains("fuser")), "{error:?}");
        shell.close().await;
        open(&path).await.unwrap().close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn locked_by_another_program_while_running_is_busy_for_all_at_once_and_then_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("posthouse.db");
        let db = open(&path).await.unwrap();
        let mut shell = other(&path).await;
        shell.control("BEGIN IMMEDIATE").await.unwrap();
        let started = std::time::Instant::now();
        let waiting = (0..50).map(|_| db.commit(Nothing));
        for result in futures_util::future::join_all(waiting).await {
            assert!(matches!(result, Err(Error::Busy(_))), "{result:?}");
        }
        // Two groups at most: the one that was under way, and those who came meanwhile; not one after the other.
        assert!(started.elapsed() < SOON * 20, "{:?}", started.elapsed());
        shell.control("ROLLBACK").await.unwrap();
        db.commit(Nothing).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_process_that_holds_the_lock_too_long_is_named_and_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("posthouse.db");
        let db = open(&path).await.unwrap();
        let mut lock = WriteLock::open(&path, SOON).unwrap();
        let held = lock.take().await.unwrap();
        for _ in 0..2 {
            let error = db.commit(Nothing).await.unwrap_err();
            assert!(matches!(&error, Error::Busy(text) if text.contains("write.lock")), "{error:?}");
        }
        drop(held);
        // The wait that was given up lets go of what it gets: nobody else waits for a process that wants nothing.
        drop(lock.take().await.unwrap());
        db.commit(Nothing).await.unwrap();
        lock.take().await.unwrap();
    }

    /// Writes some 20 KB.
    struct Fill(i64);
    impl Step for Fill {
        type Done = ();
        fn locks(&self, locks: &mut Locks) {
            locks.take(Key::Account(self.0));
        }
        fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
            Box::pin(async move {
                for fill in batch {
                    let sql = "INSERT INTO node (id, name, addr, epoch, beat, version) VALUES (?1, ?2, ?3, 0, 0, '') ON CONFLICT (id) DO UPDATE SET addr = ?3";
                    tx.execute(sql, &[fill.0.into(), fill.0.to_string().into(), "x".repeat(20_000).into()]).await?;
                }
                Ok(vec![(); batch.len()])
            })
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn commits_that_never_pause_do_not_let_the_log_grow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("posthouse.db");
        let db = open(&path).await.unwrap();
        let committers = (0..8).map(|id| {
            let db = db.clone();
            async move {
                for n in 0..500 {
                    db.commit(Fill(8 * n + id)).await.unwrap();
                }
            }
        });
        futures_util::future::join_all(committers).await;
        // It is looked at every 64 groups of 8 at most, of 20 KB each; the log's file never shrinks. Without an end it is 80 MB.
        let log = std::fs::metadata(directory.path().join("posthouse.db-wal")).unwrap().len();
        assert!(log < 40 << 20, "{log}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_one_transaction_made_large_shrinks_when_it_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("posthouse.db");
        let db = open(&path).await.unwrap();
        let size = || std::fs::metadata(directory.path().join("posthouse.db-wal")).unwrap().len();
        db.commit((0..500).map(Fill).collect::<Vec<_>>()).await.unwrap();
        assert!(size() > 5 << 20, "a transaction of 10 MB: {}", size());
        for n in 0..4 * CHECKPOINT_LOOK as i64 {
            db.commit(Fill(500 + n)).await.unwrap();
        }
        // 1 MiB tells to write back, and is looked at every 64 groups of 20 KB.
        assert!(size() < 5 << 20, "{}", size());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_database_is_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("posthouse.db");
        let db = open(&path).await.unwrap();
        db.commit(Nothing).await.unwrap();
        for name in ["posthouse.db", "posthouse.db-wal", "posthouse.db-shm", "run/write.lock"] {
            let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_database_is_told_with_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("posthouse.db");
        std::fs::write(&path, [b'x'; 4096]).unwrap();
        let error = open(&path).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("posthouse.db") && error.contains("backup"), "{error}");
        let below_a_file = open(&path.join("below.db")).await.map(|_| ()).unwrap_err().to_string();
        assert!(below_a_file.contains("posthouse.db") && below_a_file.contains("may this user"), "{below_a_file}");
    }
}
