//! One file a command.

pub mod alias;
pub mod check;
pub mod domain;
pub mod explain;
pub mod mailbox;
pub mod queue;
pub mod user;
