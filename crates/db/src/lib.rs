//! One database, two engines: transactions, group commit, retry, migrations. Knows no mail.
//!
//! A change is a value, a [`Step`]; several that must stand or fall together are a [`Unit`]. [`Db::commit`]
//! hands a unit to a writer, which takes whatever queued up during the last commit and runs it as one
//! *group* inside one transaction: what the disk's flush costs is shared by everyone who waited for it. Inside a
//! group, steps run in *waves* (see [`wave`]): in a wave a key is changed by one step, or by several of one kind
//! that combine, so that each kind needs one multi-row statement a wave and arrival order per key is kept.
//!
//! * SQLite: one writer task in a process, `synchronous=FULL`, WAL; writers of several processes queue on a
//!   blocking `flock` before `BEGIN IMMEDIATE`, because SQLite's busy handler polls without fairness.
//! * PostgreSQL: [`WRITERS`] writer tasks, a unit belongs to one by its first key; a group takes advisory locks of its keys
//!   in ascending order before anything else. A commit whose outcome was lost with the connection is settled by the
//!   row it left, or did not leave, in `landed`.
//!
//! **One text for both engines.** Statements use `?1`, `?2` …; blobs are bound, never written; times are BIGINT
//! milliseconds, booleans and enums BIGINT; `RETURNING` has no order, so key it; NULLs are typed ([`Value`]).
//!
//! Limits: a group has at most [`GROUP_UNITS`] units and [`GROUP_BYTES`] bytes; a statement at most [`BINDS`] binds.
//!
//! Who is refused harms nobody: a unit that is refused where another before it changes the same key runs once more alone, for
//! what it was refused for may not have happened. When the engine cannot ([`Error::Busy`], [`Error::Engine`]) all of a group are told at
//! once; only [`Error::Closed`] leaves it open whether a change happened.
//!
//! **Bells.** Listeners ([`Db::on_commit`]) hear of a commit of this process at once, and of one of another process of the store within
//! some milliseconds once [`Db::listen`] was called: over Unix datagrams beside the database, or NOTIFY. A bell may be lost.
//!
//! What a crash leaves: a group is in the database whole or not at all; nobody is answered before it is durable.

#![forbid(unsafe_code)]

mod bus;
mod engine;
mod error;
mod hold;
mod migrate;
mod postgres;
mod row;
mod sqlite;
mod step;
pub mod testing;
mod together;
mod unit;
mod url;
pub mod wave;
mod writer;

pub use engine::{BINDS, Tx, statements};
pub use error::{Error, Failed};
pub use hold::Hold;
pub use migrate::Migration;
pub use row::{Row, Value};
pub use step::{BoxFuture, Key, Locks, Step};
pub use unit::Unit;
pub use url::Url;
pub use writer::{GROUP_BYTES, GROUP_UNITS, WRITERS};

use std::sync::{Arc, RwLock};

/// `db`'s own tables; every crate with tables exports such a list, and the program runs them in order of version.
pub const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, name: "db", text: include_str!("../../../migrations/0001_db.sql") }];

/// The one database of a store. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    readers: engine::Readers,
    writers: writer::Writers,
    bells: Arc<Bells>,
    url: Url,
}

/// What listeners hear of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed<'k> {
    /// What these keys name.
    Keys(&'k [Key]),
    /// Another process changed something, and what was lost.
    Anything,
}

impl Changed<'_> {
    /// Whether something changed whose key is such.
    pub fn any(&self, such: impl Fn(&Key) -> bool) -> bool {
        match self {
            Changed::Keys(keys) => keys.iter().any(such),
            Changed::Anything => true,
        }
    }
}

type Bell = Box<dyn Fn(Changed<'_>) + Send + Sync>;

/// Whoever wants to hear which keys a commit changed.
pub(crate) struct Bells {
    here: RwLock<Vec<Bell>>,
    bus: bus::Bus,
}

impl Bells {
    pub(crate) fn start(way: bus::Way) -> Arc<Bells> {
        Arc::new(Bells { here: RwLock::default(), bus: bus::Bus::start(way) })
    }

    /// This process committed.
    pub(crate) fn ring(&self, keys: &[Key]) {
        self.bus.tell_others(keys);
        self.ring_here(Changed::Keys(keys));
    }

    pub(crate) fn ring_here(&self, changed: Changed<'_>) {
        for bell in self.here.read().unwrap_or_else(|poisoned| poisoned.into_inner()).iter() {
            bell(changed);
        }
    }
}

impl Db {
    /// Opens the database at `url`, makes it when it is a SQLite file that is not there, and brings its schema up to
    /// the newest of `migrations`. Starts the writers, so it must run inside a tokio runtime.
    pub async fn open(url: &Url, migrations: &[Migration]) -> Result<Db, Error> {
        let way = match url {
            Url::Sqlite(path) => bus::Way::Datagrams(sqlite::run_directory(path).join("bells").into()),
            Url::Postgres(options) => bus::Way::Notify(options.clone()),
        };
        let bells = Bells::start(way);
        let (readers, writers) = match url {
            Url::Sqlite(path) => sqlite::open(path, migrations, bells.clone()).await?,
            Url::Postgres(options) => postgres::open(options, migrations, bells.clone()).await?,
        };
        Ok(Db { inner: Arc::new(Inner { readers, writers, bells, url: url.clone() }) })
    }

    /// Runs `unit` in a transaction and returns its answers once they are durable. Once called, the unit runs to its
    /// end even when the caller is dropped.
    pub async fn commit<U: Unit>(&self, unit: U) -> Result<U::Done, Error> {
        let mut steps = Vec::new();
        let shape = unit.take_apart(&mut steps);
        if steps.is_empty() {
            return Ok(U::put_together(shape, &mut Vec::new().into_iter()));
        }
        let answers = self.inner.writers.submit(steps).await?;
        Ok(U::put_together(shape, &mut answers.into_iter()))
    }

    /// One reading statement on a connection of the pool.
    pub async fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
        self.inner.readers.query(sql, args).await
    }

    /// One reading statement for many rows, as [`Tx::rows_with`].
    pub async fn query_rows<const N: usize>(&self, sql: &str, fixed: &[Value], rows: &[[Value; N]]) -> Result<Vec<Row>, Error> {
        let mut answers = Vec::new();
        for (sql, args) in engine::chunks(sql, fixed, rows) {
            answers.append(&mut self.query(&sql, &args).await?);
        }
        Ok(answers)
    }

    /// Several reading statements over one snapshot. Never hold it across a write to a peer: it keeps the write-ahead
    /// log from being checkpointed.
    pub async fn read(&self) -> Result<Tx, Error> {
        self.inner.readers.begin().await
    }

    /// `bell` is called after each commit with what changed; of other processes' commits too, once [`Db::listen`] was called. It
    /// must not block.
    pub fn on_commit(&self, bell: impl Fn(Changed<'_>) + Send + Sync + 'static) {
        self.inner.bells.here.write().unwrap_or_else(|poisoned| poisoned.into_inner()).push(Box::new(bell));
    }

    /// Hears of what other processes of the store commit, from now on. For a process that stays: it costs a connection of
    /// PostgreSQL, or a socket.
    pub fn listen(&self) {
        self.inner.bells.bus.listen(&self.inner.bells);
    }

    /// Waits until no other process of the database holds `name`, and holds it. SQLite has one machine's processes only, which
    /// lock files against each other: there it is nothing.
    pub async fn hold(&self, name: &str) -> Result<Hold, Error> {
        hold::hold(&self.inner.url, name).await
    }

    /// Ends the writers after what was submitted is done, and closes the connections.
    pub async fn close(&self) {
        self.inner.writers.close().await;
        self.inner.bells.bus.close().await;
        self.inner.readers.close().await;
    }
}
