#![forbid(unsafe_code)]
//! IMAP as spoken by a server, without a socket, file, clock or runtime.
//!
//! Implements RFC 3501 (§6 commands, §7 responses, §9 grammar) and once it is enabled 9051 (IMAP4rev2), 2177 IDLE, 2342 NAMESPACE,
//! 2971 ID, 3348 CHILDREN, 3502 MULTIAPPEND, 3516 BINARY, 3691 UNSELECT, 4315 UIDPLUS, 4959 SASL-IR, 4978 COMPRESS, 5161 ENABLE,
//! 5530 response codes, 6851 MOVE, 7162 CONDSTORE and QRESYNC, 7888 LITERAL- before and LITERAL+ after login;
//! of lists 5258 LIST-EXTENDED, 5819 LIST-STATUS, 6154 SPECIAL-USE and CREATE-SPECIAL-USE, 8438 STATUS=SIZE, 9208 QUOTA;
//! of searches 4731 ESEARCH, 5032 WITHIN, 5182 SEARCHRES, 5256 SORT and THREAD, 5267 §3 ESORT, 5957 SORT=DISPLAY.
//! Leaves out, so they are unknown commands or items and get `BAD`: ACL, METADATA. UTF8=ACCEPT can't be enabled.
//!
//! # Where to look
//! * [`command`]: what a client can say, one file a command; a [`Command`] that exists is valid, nothing later checks
//!   its syntax again.
//! * [`response`]: what a server can say, and how it is written.
//! * [`session`]: the [`Session`] dialogue: lines, literals, continuations, bad commands, deadlines.
//! * [`Names`]: mailbox names in modified UTF-7, or once IMAP4rev2 is on in UTF-8.
//! * [`view`]: one session's sequence numbers, and what it must still be told.
//! * [`Limits`]: every bound, with its reason.
//!
//! # A conversation, seen by the handler
//! The handler answers with [`Response`]s inside `dialogue::Answer`; it never writes a tag, the session knows it.
//! Below, `→` is what the handler gets, `←` what it answers. A tagged line is always the last answer of a command.
//!
//! * **Greeting.** The handler speaks first: `← Done(Condition(ok with Code::Capability))`, or
//!   `← Close(Bye)` to turn the client away.
//! * **Plain command.** `→ Command(c)`; `← Part(untagged)` any number; `← Done(Tagged)`. Prefer one
//!   [`Response::Batch`] to many small parts: each answer crosses a channel.
//! * **Reflex.** `→ Command{ body: CommandBody::Reflex(r) }` is what the session says by itself (a literal is welcome,
//!   a syntax error): hand it back, `← r.answer()`, and go on. It may come in place of any event, also of `BodyEnd` or
//!   `Line`: then the APPEND, the exchange or the IDLE under way is over and answered by it, drop what you have. If
//!   `r.closes()`, it is the end.
//! * **FETCH with bodies.** Small answers: `← Part(Fetch(FetchLine{seq, items}))`. To stream a section:
//!   `← Part(FetchBegin{seq, items})`, then for each body `← Part(FetchLiteral{label, length})`, `← Chunk(bytes)`
//!   until exactly `length` octets went out, `← Part(FetchItems(items))` for more small items, and
//!   `← Part(FetchEnd)`. A promise of octets that isn't kept can't be repaired: if the source fails half way,
//!   `← Close(Bye)`; the session then writes nothing more (it would be read as message data) and closes.
//! * **APPEND.** `→ Command(Append{mailbox, message: {flags, date, size, ..}})`. To refuse: `← Done(Tagged NO)`; the session keeps
//!   the client's literal, if it is already on its way, from being read as commands. To accept: `← Go(Continue("OK"))`
//!   (nothing is written if the client doesn't wait for it), then `→ Body(bytes)`… and `→ BodyEnd` once the
//!   command is whole: commit, `← Done(Tagged OK)`. No answer within the body: if the disk is full, read on and
//!   say so after `BodyEnd`. A `Reflex` or `Ended` in place of `BodyEnd` drops the draft. So may `Command(AppendMore(message))` come:
//!   this message is whole and another one follows, to be refused or accepted likewise; they are committed together.
//! * **AUTHENTICATE.** `→ Command(Authenticate{mechanism, initial})`; `← Go(Challenge(bytes))` writes `+ base64`,
//!   `→ Line(bytes)` is the client's answer, decoded already (`*` and bad base64 come as a `Reflex`).
//!   Repeat; at last `← Done(Tagged::ok(..).entering(Entering::LoggedIn))`.
//! * **LOGIN.** `← Done(Tagged::ok(..).entering(Entering::LoggedIn))` likewise. Only that moves the session's limits, deadlines
//!   and legal commands.
//! * **ENABLE.** `← Done(Tagged::ok(..).entering(Entering::Rev2))` once IMAP4rev2 is on: from then on names are in UTF-8, both ways.
//! * **IDLE.** `→ Command(Idle)`; `← Go(Continue("idling"))`, `← Part(..)` as things happen, `→ Line(_)`, which is always DONE:
//!   `← Done(OK)`. (Anything else the client says is a `Reflex`.)
//! * **STARTTLS.** `→ Command(StartTls)`; `← Upgrade(Tagged OK)`, or `← Done(NO)`.
//! * **COMPRESS.** `→ Command(Compress)`; `← Compress(Tagged OK)`, or `← Done(NO)`.
//! * **LOGOUT.** `← Close(Batch[Bye, Tagged OK])`.
//! * **Ended.** `→ Ended(Timeout | Stop | Garbled)`: `← Close(Bye)` (C-08), after a `Done` if a command was under way and is
//!   finished. `→ Ended(Peer)`: stop; an answer goes nowhere.
//!
//! Before login the session itself refuses what needs a login, and afterwards LOGIN, AUTHENTICATE and STARTTLS. Which
//! mailbox is selected, and whether TLS is needed for a password, is the handler's to know.

pub mod command;
mod cursor;
pub mod flags;
mod limits;
mod names;
pub mod response;
pub mod session;
pub mod set;
pub mod view;

pub use command::{Command, CommandBody, Reflex, Tag};
pub use flags::{FlagArguments, FlagNames};
pub use limits::Limits;
pub use names::Names;
pub use response::{Code, Condition, Entering, FetchItem, FetchLine, Label, Response, Tagged};
pub use session::Session;
pub use set::SequenceSet;
pub use view::View;
