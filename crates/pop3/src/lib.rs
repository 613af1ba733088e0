//! POP3 as a server speaks it, without a socket. Start at [`Session`], a [`dialogue::Dialogue`].
//!
//! Implements RFC 1939 (all but APOP, which needs the password in clear on the server), RFC 2449 (CAPA, response
//! codes, pipelining), RFC 2595 §4 (STLS), RFC 5034 (AUTH) and the codes of RFC 3206.
//! Leaves out UTF8 and LANG (RFC 6856), LAST (gone since RFC 1725) and XTND: all answered `-ERR`.
//!
//! Invariant: a [`Command`] that exists is well formed and legal in the state it came in; nothing later checks its
//! syntax again. What the language alone can answer comes as [`Command::Refused`], with the answer.
//! Invariant: no socket, file, clock or mailbox here. [`Maildrop`] knows numbers, sizes and marks, not messages.
//! Never: a password in a `Debug` text.
//!
//! The daemon's part: it speaks first (`Done(Reply::Ok(banner))`), then answers each command with
//! * `Done(reply)` for one line;
//! * `Part(Reply::Follows(…))`, any number of `Chunk`s in CRLF form, `Done(Reply::End)` for many: chunks are dot-stuffed
//!   here, and the last line is ended if it was not. To break off, `Close(Reply::Nothing)`: no end is feigned;
//! * `Go(Reply::Challenge(…))` within AUTH: the next event is `Line`;
//! * `Upgrade(reply)` for STLS, `Close(reply)` for QUIT and when the session has ended.
//!
//! Limits: [`Limits`]; one command is held at a time, and what follows it waits unread in the loop's buffer.

#![forbid(unsafe_code)]

pub mod command;
mod limits;
mod maildrop;
mod number;
mod reply;
mod session;

pub use command::{Command, Secret};
pub use limits::Limits;
pub use maildrop::{Absent, Maildrop};
pub use number::Number;
pub use reply::{Code, Reply, scan_line, unique_id_line};
pub use session::Session;
