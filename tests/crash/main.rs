//! Killed at any instruction, and the power cut: what was answered with 250 is there, once (DESIGN §4.1).
//!
//! A load of messages, each with an id, runs until the server is killed; then it is started again, and every id is looked
//! for in IMAP and in the Maildir: acknowledged exactly once, unacknowledged none or one, a message of two recipients
//! in both mailboxes or in neither, whole, and under the UID it had before.
//!
//! A judge that finds nothing wrong proves nothing, so each kind has a control that must turn red: a go-between that says 250
//! before the COMMIT, a start that skips recovery, a server whose fsync does nothing.

#![forbid(unsafe_code)]

mod eager;
mod judge;
mod kill;
mod load;
mod power;
mod world;
