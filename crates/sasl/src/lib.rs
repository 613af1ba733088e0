//! SASL as a server speaks it, and as a client does ([`Client`]): exchanges over bytes, and the records passwords are checked against.
//!
//! Implements SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677, with `tls-exporter` of RFC 9266), PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login-00, which every printer and Outlook
//! still speaks), the base64 rules that SMTP, IMAP, POP3 and ManageSieve share (RFC 4648 §4, strict as
//! RFC 5034 §4 and RFC 4954 §4 demand), and password records as Dovecot writes them ([`record`]):
//! `{ARGON2ID}$argon2id$v=19$m=…,t=…,p=…$salt$hash` (RFC 9106, PHC string) is written, what old servers wrote is read.
//!
//! Leaves out SCRAM-SHA-1, OAUTHBEARER, XOAUTH2 and EXTERNAL, other channel bindings than `tls-exporter`, and CRAM-MD5,
//! DIGEST-MD5 and NTLM for good: those need the password in clear on the server. SCRAM's keys are of the password after
//! SASLprep (RFC 4013) where that takes it; names and other passwords are what the client sent, checked to be UTF-8 without
//! controls: nothing that an old server took is refused.
//!
//! Limits: see [`MAX_NAME`], [`MAX_PASSWORD`], [`MAX_RESPONSE`] and, for records, [`record`].
//! Never here: a socket, a clock, who exists. No `Debug` of this crate prints a password.

#![forbid(unsafe_code)]

pub mod base64;
mod client;
mod credentials;
mod exchange;
mod login;
mod mechanism;
mod plain;
pub mod record;
pub mod scram;

pub use client::{BadServer, Client};
pub use credentials::{Credentials, MAX_NAME, MAX_PASSWORD};
pub use exchange::{Exchange, MAX_RESPONSE, Step};
pub use mechanism::Mechanism;
pub use record::{BadRecord, Record};
