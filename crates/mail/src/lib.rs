//! The words of mail: what the other crates talk about, and what can be known of a message from its bytes alone.
//!
//! | module | what | from |
//! |---|---|---|
//! | [`uid`] [`flags`] [`name`] [`mutf7`] [`special_use`] | identity, flags and mailboxes | RFC 9051 §2.3, §5.1, 5788, 6154, Maildir++ |
//! | [`address`] [`path`] [`status`] | who, and what became of it | RFC 5321 §4.1.2, 3463 |
//! | [`header`] [`encoded_word`] | fields, folding, decoded text | RFC 5322 §2.2, 2047 |
//! | [`subject`] [`thread`] [`sorting`] [`casemap`] [`fold`] | base subjects, threads, what is sorted by, text in order and without case | RFC 5256, 5957, 5051 |
//! | [`envelope`] [`mime`] | ENVELOPE and BODYSTRUCTURE, in one streaming pass | RFC 3501 §7.4.2, 2045, 2046, 2183, 2231 |
//! | [`rewrite`] | addresses within a field, put otherwise | RFC 5322 §3.4 |
//! | [`date`] [`trace`] | dates, `Received:`, `Return-Path:`, `Delivered-To:` | RFC 5322 §3.3, 5321 §4.4 |
//! | [`transfer`] | base64, quoted-printable and charsets of a leaf | RFC 2045 §6 |
//! | [`line_ending`] | CRLF in the program, LF on the disk | |
//!
//! No socket, file, clock or runtime here. Everything that reads a message is *total*: a malformed message gives a poorer
//! answer, never an error and never a panic; and bounded: depth, parts, header bytes, addresses (see [`mime::Limits`],
//! [`envelope::MAX_ADDRESSES`]). Everything that reads a name or an address is *strict*.
//!
//! Left out: SMTPUTF8 (an address is ASCII), Unicode normalisation of mailbox names.
//! `mail-parser` is used for dates and rare charsets only: it never sees more than one header value.
#![forbid(unsafe_code)]

pub mod address;
pub mod casemap;
pub mod date;
pub mod flags;
pub mod fold;
pub mod mime;
pub mod mutf7;
pub mod name;
pub mod path;
pub mod rewrite;
pub mod sorting;
pub mod special_use;
pub mod status;
pub mod subject;
pub mod thread;
pub mod trace;
pub mod transfer;
pub mod uid;
pub mod encoded_word;
pub mod envelope;
pub mod header;
pub mod line_ending;

pub use address::{Address, BadAddress};
pub use date::Date;
pub use envelope::{Envelope, EnvelopeAddress};
pub use flags::{BadKeyword, Flags, Keyword};
pub use name::{BadName, MailboxName};
pub use path::{ForwardPath, ReversePath};
pub use special_use::SpecialUse;
pub use status::Status;
pub use uid::{ModSeq, Uid, UidValidity};
