use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::ConnectOptions;

use crate::engine::{Readers, Tx};
use crate::migrate::{self, Migration, Tokens};
use crate::writer::{self, Engine, Writers};
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
/// Groups between two looks at the size of the log.
const CHECKPOINT_LOOK: u64 = 64;

pub(crate) async fn open(path: &Path, migrations: &[Migration], bells: Arc<Bells>) -> Result<(Readers, Writers), Error> {
    let lock = open_lock(path)?;
    let mut connection = options(path, WRITER_CACHE).create_if_missing(true).connect().await.map_err(|error| cannot_open(path, &error))?;
    sqlx::query("PRAGMA wal_autocheckpoint = 0").execute(&mut connection).await?;
    let mut tx = Tx::sqlite(connection);
    let guard = WriteLock::take(&lock).await?;
    tx.query("BEGIN IMMEDIATE", &[]).await?;
    match migrate::migrate(&mut tx, TOKENS, migrations, writer::now()).await {
        Ok(()) => tx.query("COMMIT", &[]).await?,
        Err(error) => {
            tx.query("ROLLBACK", &[]).await?;
            return Err(error);
        }
    };
    drop(guard);
    let reading = options(path, READER_CACHE).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(WAIT).connect_with(reading).await?;
    let checkpoints = Checkpoints::start(path)?;
    let writer = Writer { tx, lock, checkpoints, groups: 0 };
    Ok((Readers::Sqlite(pool), Writers::start(vec![Box::new(writer) as Box<dyn Engine>], bells)))
}

fn options(path: &Path, cache: &'static str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(WAIT)
        .pragma("cache_size", cache)
        .statement_cache_capacity(400)
        .disable_statement_logging()
}

fn cannot_open(path: &Path, error: &sqlx::Error) -> Error {
    Error::Engine(format!("{}: {error}; is the directory there, writable, and not full?", path.display()))
}

/// The file on which writers of several processes queue: fair, unlike SQLite's polling.
fn open_lock(database: &Path) -> Result<Arc<OwnedFd>, Error> {
    use rustix::fs::{Mode, OFlags};
    let directory = database.parent().unwrap_or(Path::new(".")).join("run");
    std::fs::create_dir_all(&directory).map_err(|error| Error::Engine(format!("{}: {error}", directory.display())))?;
    let path = directory.join("write.lock");
    let opened = rustix::fs::open(&path, OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
    opened.map(Arc::new).map_err(|error| Error::Engine(format!("{}: {error}", path.display())))
}

/// Held while this process writes.
struct WriteLock(Arc<OwnedFd>);

impl WriteLock {
    async fn take(file: &Arc<OwnedFd>) -> Result<WriteLock, Error> {
        use rustix::fs::{flock, FlockOperation};
        let lock_error = |error: rustix::io::Errno| Error::Engine(format!("run/write.lock: {error}"));
        match flock(&**file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(WriteLock(file.clone())),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(lock_error(error)),
        }
        let waiting = file.clone();
        let waited = tokio::task::spawn_blocking(move || flock(&*waiting, FlockOperation::LockExclusive)).await;
        waited.map_err(|error| Error::Broken(error.to_string()))?.map_err(lock_error)?;
        Ok(WriteLock(file.clone()))
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Closing the file would release it too; unlocking cannot fail on a file that is open.
        let _ = rustix::fs::flock(&*self.0, rustix::fs::FlockOperation::Unlock);
    }
}

struct Writer {
    tx: Tx,
    lock: Arc<OwnedFd>,
    checkpoints: Checkpoints,
    groups: u64,
}

impl Engine for Writer {
    fn run<'t>(&'t mut self, group: &'t [&'t writer::Request]) -> crate::BoxFuture<'t, writer::Outcome> {
        Box::pin(async move {
            let _held = match WriteLock::take(&self.lock).await {
                Ok(held) => held,
                Err(error) => return writer::Outcome::Failed(error),
            };
            if let Err(error) = self.tx.query("BEGIN IMMEDIATE", &[]).await {
                return writer::Outcome::Failed(error);
            }
            let outcome = writer::run_waves(&mut self.tx, group).await;
            let end = if matches!(outcome, writer::Outcome::Done(_)) { "COMMIT" } else { "ROLLBACK" };
            let ended = self.tx.query(end, &[]).await;
            self.groups += 1;
            if self.groups.is_multiple_of(CHECKPOINT_LOOK) {
                self.checkpoints.look();
            }
            match ended {
                Ok(_) => outcome,
                // A COMMIT that failed changed nothing, but may have left the transaction open.
                Err(error) => {
                    if end == "COMMIT" && let Err(still) = self.tx.query("ROLLBACK", &[]).await {
                        tracing::debug!("after a failed COMMIT: {still}");
                    }
                    writer::Outcome::Failed(error)
                }
            }
        })
    }

    fn close(self: Box<Self>) -> crate::BoxFuture<'static, ()> {
        Box::pin(async move {
            self.checkpoints.stop().await;
            self.tx.close().await;
        })
    }
}

/// The task that writes the log back into the database, so that no commit waits for it.
struct Checkpoints {
    log: PathBuf,
    wake: tokio::sync::mpsc::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Checkpoints {
    fn start(path: &Path) -> Result<Checkpoints, Error> {
        let (wake, mut woken) = tokio::sync::mpsc::channel::<()>(1);
        let options = options(path, READER_CACHE).pragma("wal_autocheckpoint", "0");
        let task = tokio::spawn(async move {
            while woken.recv().await.is_some() {
                if let Err(error) = checkpoint(&options).await {
                    tracing::warn!("checkpoint of the database: {error}; it is tried again");
                }
            }
        });
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Checkpoints { log: log.into(), wake, task })
    }

    fn look(&self) {
        if std::fs::metadata(&self.log).is_ok_and(|log| log.len() >= CHECKPOINT_AT) {
            // Full means one is asked for already.
            let _ = self.wake.try_send(());
        }
    }

    async fn stop(self) {
        drop(self.wake);
        if let Err(error) = self.task.await {
            tracing::warn!("the checkpoint task: {error}");
        }
    }
}

async fn checkpoint(options: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = options.clone().connect().await?;
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await?;
    sqlx::Connection::close(connection).await
}
