//! Mail that was accepted and is not yet done with: who it is still for, when to try again, and why it is late.
//!
//! Changes are [`db::Step`]s, so that they can be committed together with those of the store: [`Enqueue`] with the
//! deposits of local recipients, [`Settle`] with the one deposit it stands for (so a local mailbox never gets a
//! message twice), [`Report`] with the bounce that tells of it,
//! [`Manage`] for the operator. [`schedule`] is a function of an entry and `now`. Who tries what is
//! the business of `mda` (local) and `outbound` (everything else).
//!
//! A recipient is pending, held or failed; a delivered one has no row, and a message without recipients is gone. One
//! that failed stays until its bounce is sent; one that arrived, if its sender wants to hear of it, until that was sent.
//!
//! | crash after                              | rows            | body            | then                                              |
//! |------------------------------------------|-----------------|-----------------|---------------------------------------------------|
//! | the commit of [`Enqueue`]                | pending         | row or spool    | tried when due                                    |
//! | a remote peer's 250, before [`Settle`]   | pending         | row or spool    | sent again: at least once                         |
//! | the commit of the last [`Settle`]        | none            | spool           | discarded, or swept after 36 h                    |
//!
//! Limits: one node owns the whole queue so far ([`NODE`]); a throttle per destination comes with `outbound`.

#![forbid(unsafe_code)]

mod enqueue;
mod id;
mod manage;
pub mod message;
mod read;
mod report;
pub mod schedule;
mod settle;

pub use enqueue::Enqueue;
pub use id::QueueId;
pub use manage::{Manage, Managed, Wish};
pub use message::{Arrived, Entry, Message, Notify, Recipient, Route, State};
pub use read::{BodyError, Cursor, Kind, body, due, due_after, list, next_due, reader, sealed, show, spooled, to_report};
pub use report::Report;
pub use schedule::{Backoff, Next};
pub use settle::{Outcome, Settle, Settled};

/// The node that owns the queue: there is only one so far.
pub const NODE: i64 = 1;

/// Rung beside a message's own bell when its recipients are to be tried now whatever is known of their hosts ([`Wish::Flush`]): no message has
/// this number.
pub const FLUSH: db::Key = db::Key::Queued(-1);

/// The queue's tables.
pub const MIGRATIONS: &[db::Migration] = &[db::Migration { version: 3, name: "queue", text: include_str!("../../../migrations/0003_queue.sql") }];

/// Why the queue says no. Travels in [`db::Error::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The recipient is no longer waiting: delivered, held or deleted meanwhile.
    #[error("a recipient of queued message {0} is no longer waiting")]
    Gone(QueueId),
    /// It is not in the queue.
    #[error("no message {0} in the queue; see: posthouse queue list")]
    NoSuchMessage(QueueId),
}

impl From<Refused> for db::Error {
    fn from(refused: Refused) -> db::Error {
        db::Error::refused(refused)
    }
}

/// The queue's refusal inside `error`, if it is one.
pub fn refused(error: &db::Error) -> Option<Refused> {
    error.refusal().copied()
}
