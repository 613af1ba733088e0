//! The client's end: what we say to another server, and what it may answer. Start at `session.rs`.
//!
//! Implements RFC 5321 §4.1 (EHLO with its fallback HELO, MAIL, RCPT, DATA, RSET, QUIT), §4.2 (replies), §4.5.2 (dots), §4.5.3.2 (a time
//! limit for each command), 1870 (SIZE), 2034, 2920 (pipelining), 3207 (STARTTLS), 3461 §5 (DSN parameters), 4954 (AUTH), 6152 (8BITMIME).
//! Leaves out, so far: SMTPUTF8, CHUNKING, LIMITS.
//!
//! A server's reply is hostile input: its lines, their number and their codes are checked before anybody reads them, and what is kept of
//! it is printable ASCII. Which commands to send, and what a reply means for whom, is the handler's (`outbound`).

mod capabilities;
mod reply;
mod request;
mod session;
#[cfg(test)]
mod tests;

pub use capabilities::Capabilities;
pub use reply::{LINES, Reply, TEXT, Unreadable};
pub use request::{MailRequest, RcptRequest, Request};
pub use session::{Said, Session, Timeouts};
