//! SMTP and LMTP as a server speaks them, and SMTP as a client does ([`client`]), without a socket. Start at `session.rs`.
//!
//! Implements RFC 5321 (§4.1 commands, §4.2 replies, §4.5.2 transparency through `dialogue::Dots`), 1870 (SIZE), 2034
//! (enhanced codes), 2920 (pipelining), 3207 (STARTTLS), 3461 (DSN: its parameters), 4954 (AUTH as an exchange; mechanisms
//! are `sasl`'s), 6152 (8BITMIME);
//! and LMTP (RFC 2033). Leaves out, so far: SMTPUTF8, CHUNKING; for good: EXPN (502), VRFY beyond 252, source
//! routes (read and forgotten), bare line ends and NULs (refused: smuggling).
//!
//! [`Session`] turns lines into [`Command`]s. What the grammar alone can answer comes as [`Command::Decided`], which the
//! handler passes on; whether a sender, recipient or password is *welcome* is the handler's answer, and moves the state.
//!
//! Limits: [`Limits`], each with its reason. Memory of a session: one line of input; not its recipients, not its body.

#![forbid(unsafe_code)]

pub mod client;
mod command;
pub mod dsn;
mod limits;
mod parameters;
mod path;
mod reply;
mod session;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod verb;

pub use command::{Command, Decided};
pub use limits::Limits;
pub use reply::Reply;
pub use session::Session;
pub use settings::{Language, Settings};
pub use verb::{Auth, BodyType, Client, Greeting, Mail, Rcpt};
