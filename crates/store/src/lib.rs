//! Who has mail, and the mail they have. Knows no protocol.
//!
//! * [`directory`]: domains, accounts, aliases, credentials.
//! * [`mailbox`]: the folders of an account. [`view`]: the messages of one, as a packed value that follows the log.
//! * Changes are [`db::Step`]s, one file each: [`Deposit`], [`SetFlags`], [`Copy`], [`Move`], [`Expunge`] … They can be committed together
//!   with steps of the queue; [`Store`]'s methods commit one alone.
//! * [`settle`]: after the commit, makes files of the bodies and file names of the flags; prunes the log; ends what was cut short.
//! * `snapshot`: views of large mailboxes in a file each, derived, beside the spool. [`Shelf`]: what was computed of each message, beside them.
//! * [`keys`]: what SEARCH, SORT and THREAD look at of headers. [`texts`]: the decoded text of messages. Both stand on shelves, and are made
//!   by `derive`.
//! * `lately`: how much of all this stays in memory, and for how long.
//! * [`check`]: recounts what the counters say.
//!
//! The account is the unit of locking: `account.seq` is raised inside the transaction that uses it and gives message ids
//! and MODSEQ, so that commit order = UID order = MODSEQ order = visibility order. What changed is told by one
//! question, [`Store::changes`]; a bell ([`Store::watch`]) only says that it is worth asking.
//!
//! Refusals are [`Refused`], inside [`db::Error::Refused`]; [`refused`] takes them out.
//!
//! Several processes may have one store: writers queue in `db`, work on directories is done by one at a time (a lock on the
//! spool), and each hears of what the others commit ([`db::Db::listen`]) and looks every few seconds for what it may have missed.
//!
//! Limits: [`keyword::MOST`] keywords an account, [`mailbox::MOST`] mailboxes an account, UIDs end at 2³²−1.
//!
//! | crash after               | bytes            | row | told | at start                                       |
//! |---------------------------|------------------|-----|------|------------------------------------------------|
//! | sealing a large body      | spool            | no  | no   | swept after 36 hours: nobody was told          |
//! | the commit                | body row / spool | yes | 250? | settled: the file is written from the row      |
//! | writing the file, unsynced| body row / spool | yes | yes  | written again: the row goes only after a sync  |
//! | expunging, before unlink  | file             | no  | yes  | unlinked: `todo` names it                      |
//! | changing flags            | file, old name   | yes | yes  | renamed: `mailbox.mirrored` is behind          |
//! | renaming a mailbox        | old directory    | yes | yes  | moved, before any mail is placed in it: `todo` |
//! | deleting a mailbox        | its directory    | no  | yes  | removed, before any of its name is filled      |
//! | marking an account removed| its home         | yes | no   | erased to the end                              |
//! | writing a snapshot        | torn             | yes | yes  | ignored: its checksum is wrong                 |
//! | writing to a shelf        | torn at its end  | yes | yes  | what is whole counts; cut at the next writing  |

#![forbid(unsafe_code)]

mod bell;
mod change;
pub mod check;
#[cfg(test)]
mod combining;
mod copy;
mod deposit;
mod derive;
pub mod directory;
mod expunge;
mod facts;
mod ids;
mod journal;
pub mod keyword;
pub mod keys;
mod lately;
pub mod mailbox;
mod message;
mod r#move;
mod refused;
mod set_flags;
pub mod settle;
mod shelf;
mod snapshot;
#[cfg(test)]
mod testing;
pub mod texts;
pub mod view;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use bell::Watch;
pub use bodies::Bodies;
pub use copy::{Copied, Copy};
pub use deposit::{Deposit, Deposited};
pub use directory::{Account, Credential, MAX_APP_PASSWORDS, Secret, State};
pub use expunge::{Expunge, Expunged};
pub use facts::Facts;
pub use ids::{AccountId, MailboxId, MessageId};
pub use keyword::Keywords;
pub use keys::Keys;
pub use mailbox::Mailbox;
pub use r#move::Move;
pub use message::{Identity, Message, READ_ALL};
pub use refused::{Refused, refused};
pub use set_flags::{Change, SetFlags, Stored};
pub use shelf::{Kind, Reading, Shelf};
pub use view::{Changes, Row, View};

/// The store's tables.
pub const MIGRATIONS: &[db::Migration] = &[
    db::Migration { version: 2, name: "store", text: include_str!("../../../migrations/0002_store.sql") },
    db::Migration { version: 4, name: "house_key", text: include_str!("../../../migrations/0004_house_key.sql") },
];

/// The one store of users and mailboxes. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    db: db::Db,
    bodies: Bodies,
    bells: bell::Bells,
    views: view::Views,
    shelves: shelf::Shelves,
    keys: keys::Kept,
    tended: lately::Tended,
    /// Who may go through blocks of shelves.
    threads: Arc<tokio::sync::Semaphore>,
    homes: directory::Homes,
    hosted: Arc<directory::Hosted>,
    /// Every body that is due came by this process and was not placed before; see [`settle`].
    unplaced: AtomicBool,
}

impl Store {
    /// The store over an open database (migrated with [`MIGRATIONS`]) and its bodies. Does not settle: see
    /// [`settle::run`].
    pub fn new(db: db::Db, bodies: Bodies) -> Store {
        let bells = bell::Bells::default();
        let hosted = Arc::new(directory::Hosted::default());
        let (ringing, changed) = (bells.clone(), hosted.clone());
        db.on_commit(move |what| {
            changed.note(what);
            ringing.ring(what);
        });
        let inner = Inner {
            db,
            bodies,
            bells,
            views: view::Views::default(),
            shelves: shelf::Shelves::default(),
            keys: keys::Kept::default(),
            tended: lately::Tended::default(),
            threads: Arc::new(tokio::sync::Semaphore::new(shelf::THREADS)),
            homes: directory::Homes::default(),
            hosted,
            unplaced: AtomicBool::new(false),
        };
        Store { inner: Arc::new(inner) }
    }

    /// The database, for committing the store's steps together with others.
    pub fn db(&self) -> &db::Db {
        &self.inner.db
    }

    /// Where new bodies are drafted.
    pub fn bodies(&self) -> &Bodies {
        &self.inner.bodies
    }

    /// Changes of `account` from now on ring this bell: those of this process at once, those of others within some milliseconds
    /// ([`db::Db::listen`]), and within five seconds if that fails.
    pub fn watch(&self, account: AccountId) -> Watch {
        let watch = self.inner.bells.watch(account);
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && self.inner.bells.must_poll()
        {
            runtime.spawn(bell::poll(Arc::downgrade(&self.inner)));
        }
        watch
    }

    /// Ends the writers after what was submitted is done, and closes the database. Whoever still asks is told
    /// [`db::Error::Closed`].
    pub async fn close(&self) {
        self.inner.db.close().await;
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
