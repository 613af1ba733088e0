//! What becomes of an accepted message: each recipient's aliases are followed, and the ends of all ways become one
//! [`Plan`], one transaction of deposits and queue entries. SMTP, LMTP, `sendmail`, `deliver`, bounces and retries all
//! end here. Acknowledge only after [`Plan::commit`].
//!
//! Implements the final delivery of RFC 5321 §4.4 (`Return-Path`; `Delivered-To` against loops) and the codes of RFC 3463
//! ([`status`]). Left out so far: `.forward`, Sieve, programs. A recipient that failed waits in the queue; `outbound` tells its sender.
//!
//! | the store refuses                  | at acceptance                                | from the queue                        |
//! |------------------------------------|----------------------------------------------|---------------------------------------|
//! | no mailbox of that name            | INBOX instead                                | INBOX instead                         |
//! | over quota                         | all local recipients to the queue, then 250  | deferred 4.2.2, after 5 days failed   |
//! | no such account                    | the same                                     | failed 5.1.1                          |
//!
//! | crash after                        | then                                                                                |
//! |------------------------------------|-------------------------------------------------------------------------------------|
//! | linking bodies for more recipients | swept: no row names them                                                            |
//! | the commit                         | everything is there or nothing; the sender may send it again if it heard no 250     |
//! | a retry's commit                   | the mailbox has it and the queue's row is gone, or neither                          |
//!
//! Limits: [`Limits`], [`runner::CONCURRENCY`]; those of aliases are `route`'s.

#![forbid(unsafe_code)]

mod arrival;
mod expand;
pub mod log;
mod plan;
pub mod prefix;
mod routes;
pub mod runner;
pub mod status;

use mail::Address;

pub use expand::{Delivery, Destination, Expanded, Recipient, expand, expand_again};
pub use plan::{How, Limits, Message, Plan, Receipt, Taken};
pub use routes::Routes;
pub use runner::{Runner, Tried};

/// Why a message was not taken. Nothing was changed, unless [`db::Error::Closed`] says that nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Bodies(#[from] bodies::Error),
    /// A queued body cannot be read.
    #[error(transparent)]
    Queue(#[from] queue::BodyError),
    /// It was delivered to this address before and has come back.
    #[error("mail forwarding loop for {0}; look at the aliases and forwards on its way")]
    Loop(Address),
    /// There is no recipient.
    #[error("no recipient is left; the caller must name one")]
    NobodyLeft,
}
