//! What leaves the queue: mail to other hosts, and what becomes of mail that cannot be delivered. Start at `runner.rs`,
//! then `delivery.rs` (hops and hosts) and `visit/` (one connection).
//!
//! ```text
//!  queue ─due─► runner ─► schedule ─job─► delivery ─► resolve ─► dial ─► visit: TLS, smtp::client ─► peer
//!    ▲                                       └── shared: Settle, each recipient by itself
//!    └── bounce: failed recipients and late ones, a report a message, through the same Plan as any mail
//! ```
//!
//! Implements RFC 5321 §5 (MX, with RFC 7505), §4.5.4 (sending strategy), §4.2 (what replies mean for whom), 3207 (opportunistic, RFC 7435), 6152 (§3, down-grade),
//! 3461 (§5.2.1, what is handed on, and reports of what was relayed), and reports in the format of RFC 3464 as Postfix writes them. A remote peer may get a message twice, never not at all: what it said is
//! written down after it said so, and a crash between the two repeats what was in flight.
//!
//! Leaves out, so far: DANE, MTA-STS, client certificates, verified certificates, SMTPUTF8 (and so 8-bit octets in a header go as they are),
//! happy eyeballs, concurrency by recipient (`smtp_destination_recipient_limit = 1` is by domain too).
//!
//! Limits: [`runner::SESSIONS`], [`runner::ACTIVE`], [`runner::SHARE`], and those of [`schedule::Limits`]. A message's octets are never all in memory,
//! but for the part of it that a bounce returns.

#![forbid(unsafe_code)]

mod active;
pub mod bounce;
mod delivery;
mod hop;
mod log;
mod login;
pub mod resolve;
pub mod runner;
pub mod schedule;
mod settings;
mod shared;
mod visit;
mod work;

pub use hop::{BadHop, Hop};
pub use login::Logins;
pub use runner::Outbound;
pub use settings::{Settings, TlsLevel};
