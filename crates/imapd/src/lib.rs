#![forbid(unsafe_code)]
//! The IMAP daemon: what each command means, over the language (`imap`), the store and who is asking (`auth`).
//!
//! Implements the meaning of RFC 3501 §6 with 2177 IDLE, 2342 NAMESPACE, 2971 ID, 3348 CHILDREN, 3502 MULTIAPPEND, 3516 BINARY, 3691 UNSELECT,
//! 4315 UIDPLUS, 4959 SASL-IR, 4978 COMPRESS, 5161 ENABLE, 5530 response codes, 6851 MOVE, 7162 CONDSTORE and QRESYNC, 7888 LITERAL+, 7889 APPENDLIMIT;
//! of lists 5258 LIST-EXTENDED, 5819 LIST-STATUS, 6154 SPECIAL-USE (in plain LIST too) and CREATE-SPECIAL-USE, 8438 STATUS=SIZE, 9208
//! QUOTA (SETQUOTA is the administrator's);
//! of searches 4731 ESEARCH, 5032 WITHIN, 5182 SEARCHRES, 5256 SORT and THREAD, 5267 §3 ESORT, 5957 SORT=DISPLAY.
//! Whoever enables it speaks IMAP4rev2 (RFC 9051).
//! Leaves out: UTF8=ACCEPT, shared namespaces.
//!
//! # Where to look
//! * [`Imapd`]: the service; [`Imapd::serve`] is the handler of one connection.
//! * `session`: a connection before and after its login; which command runs when, and what is told with its answer.
//! * `command/`: one file a command. `selected`: the selected mailbox. `no`: refusals and their codes.
//! * `enabled`: what the client has switched on. `resync`: what happened while it was away.
//! * `listing`: FETCH of what programs list of whole mailboxes, from shelves. `opened`: bodies, some at a time.
//! * `octets`: which octets of a message a FETCH section means; `decoded`: those of BINARY. `search`: what SEARCH looks at, cheap
//!   things first.
//!
//! # Invariants
//! * The view (`imap::View`) changes only when the client is told; the store is asked ([`store::Store::changes`]) before
//!   each tagged answer, and in IDLE when the bell rings. Which commands may tell of an EXPUNGE is a column of one table.
//! * No lock and no read transaction is held while an answer waits for the peer: rows are read in chunks
//!   ([`command::fetch::ROWS`]) or from a shelf, bodies in pieces; what is read ahead runs in tasks of its own (`ahead`).
//! * Memory of a session: its view (32 bytes a message), one chunk of rows, one piece of a body, one header
//!   ([`octets::HEADER_LIMIT`]). SEARCH also holds its answer, SORT and THREAD
//!   what they sort by; a FETCH that sets `\Seen`, the UIDs concerned.
//! * A refusal of the store becomes a code in one place; its cause goes to the log, never to the peer.
//!
//! \Recent goes to the first session that *selects* (not examines) the mailbox. Two sessions never both get it; in a race
//! between a delivery and that session's claim, none may.

mod ahead;
mod command;
mod decoded;
mod enabled;
mod flag_names;
mod halt;
mod imapd;
mod listing;
mod no;
mod octets;
mod opened;
mod resync;
mod search;
mod seats;
mod selected;
mod session;
mod settings;
mod talk;

pub use imapd::Imapd;
pub use settings::Settings;
