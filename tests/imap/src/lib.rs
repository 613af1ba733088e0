//! IMAP seen from outside. Two testers over one small reader of what servers say; nothing here links a crate of the house,
//! and either tester runs against any server.
//!
//! * **The differential tester** ([`difference`]) gives one script to two servers, Debian's Dovecot and ours, over a
//!   [`corpus`] of ugly messages, and compares trees, not octets. What differs is a bug, or stands with its reason in
//!   `differential/known.txt`.
//! * **The stateful tester** ([`model`]): several clients of one account do at random what mail programs do, and are held to what they were
//!   told. `cargo run -p imap-tests --bin imap-model -- --host … --port … --user … --password …` runs it against any server.
//!
//! Below them: [`value`] and [`response`] read what a server says, strictly; [`wire`] is a connection with its transcript;
//! [`server`] is somewhere to connect to, [`ours`] the program under test; [`dice`] is chance that a seed repeats.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod dice;
pub mod difference;
pub mod model;
pub mod ours;
pub mod response;
pub mod server;
pub mod structure;
pub mod value;
pub mod wire;
