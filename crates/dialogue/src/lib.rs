//! A session as a value: what it wants, events, answers, deadlines; and the small readers every mail protocol
//! needs (`Lines`, `Counted` for literals and BDAT, `Dots` and its `Encoder`).
//!
//! No socket, file, clock or runtime here: bytes come in, events come out; answers go in, bytes come out; time is the
//! argument `now`. A protocol crate (`smtp`, `imap`, `pop3`, `sieve`) implements [`Dialogue`] for either of its ends;
//! the one loop in `net` pumps it; a *handler* (in a daemon) is the other partner: it takes events, gives answers.
//!
//! ```text
//!   socket ──bytes──► input ──receive──► Event ──► handler
//!   socket ◄─flush── output ◄──answer─── Answer ◄─ handler
//! ```
//!
//! # The rules of the game
//!
//! **Who speaks first.** A server's end starts with `answers` only: its first answer is the greeting
//! (`Done(greeting)`, or `Close(greeting)` to refuse the connection). A client's end starts with `input` only: the
//! peer's greeting is its first `Command`. A dialogue that wants to notice a client that talks before it is greeted
//! wants `input` too, from the start.
//!
//! **One command at a time.** Several commands may already lie in `input` (pipelining). `receive` takes one, gives it
//! as `Event::Command` and leaves the others. From then on an answer is *due*: `wants()` says `answers` and not `input`,
//! so the loop does not call `receive` again until the dialogue wants input: after `Done`, or after a `Go`. The loop
//! alone owns unread input; a dialogue keeps nothing it did not take. In particular, after a command that may lead to an
//! upgrade it must not want input before it was answered, so that no byte sent in clear outlives the handshake.
//!
//! **`receive` writes nothing.** Whatever goes to the peer, even a bare `+ ` or `500 what?`, is an answer of the handler:
//! a command that does not parse is a `Command` too (one that says why), and one that waits for a literal asks for `Go`.
//!
//! **Answers**, and what they do to `wants()`:
//!
//! | answer       | written                                        | after it the dialogue wants                           |
//! |--------------|------------------------------------------------|-------------------------------------------------------|
//! | `Part(a)`    | a piece; more follows (untagged responses, one | the same as before: the command is still being        |
//! |              | line of several, the head before `Chunk`s)     | answered. In IDLE and after a greeting, too           |
//! | `Go(a)`      | go-ahead: 354, `+ `, `+ idling`, a challenge   | `input` as well: `Body`… `BodyEnd` or `Line` follow.  |
//! |              |                                                | `answers` stays if it may speak meanwhile (IDLE)      |
//! | `Chunk(b)`   | raw octets of a body on its way down, as the   | the same. The dialogue stuffs dots, or counts down    |
//! |              | `Part` before it announced; ≤ 64 KiB each      | the literal; octets that exceed it are left out       |
//! | `Done(a)`    | the end of the answer (tagged, last line)      | `input`, no `answers`: the command is over            |
//! | `Upgrade(a)` | like `Done`                                    | `upgrade`, nothing else, until `upgraded` is called   |
//! | `Compress(a)`| like `Done`                                    | `compress`, nothing else, until `upgraded` is called  |
//! | `Close(a)`   | like `Done`; may come unasked (421, `* BYE`)   | `close`, nothing else, for ever                       |
//!
//! For a client's end an answer is the next command: `Done(command)` sends it and wants the reply as `input`;
//! `Part(command)` sends it and wants further `answers` as well (a pipelined group); `Go` is not used; `Chunk`s are the message, and
//! `Done` after them its end. `Upgrade(command)` sends nothing itself if the peer's consent came as the last reply.
//!
//! **Bodies.** When a body may be refused before it is sent, the command comes first and `Go` or `Done` decides. A body
//! that cannot be held up (non-synchronizing literals, BDAT) follows its `Command` at once; then the dialogue wants `input`
//! without being told. It comes as `Body` pieces (any size up to what was read) and one `BodyEnd`, after which the answer
//! is due. A handler reads to `BodyEnd` (or `Ended`) before it answers: `answers` is not wanted within a body, and a
//! second answer given there would wait for ever.
//!
//! **Lines.** While `Go` has put the dialogue into an exchange (SASL, IDLE) the peer's lines come as `Line`, without
//! their end of line. A line that breaks the limit or the rules is the protocol's to report (usually as a `Command`).
//!
//! **The end.** `ended(why, now)` is called once the input is used up (`Peer`), the deadline has passed while the loop waited for input
//! (`Timeout`), what comes can't be decompressed (`Garbled`), or the server stops (`Stop`). It gives `Event::Ended(why)`, the last event of all, and from then on
//! wants `answers` (unless `Peer`), so that the handler may say `Close(421 …)`. Two exceptions: for `Stop` it
//! gives `None` where the peer shall first finish (a message being received): the loop asks again whenever it would wait
//! for input, and cuts the session at the stop's own deadline; for `Peer` and `Timeout`, `None` means that the handler
//! needs no telling: it sees the end of the events.
//!
//! **`wants()` changes only within `receive`, `ended`, `answer` and `upgraded`**, never by time passing: it is a pure
//! function of the state. Several wishes may hold at once; the loop serves them in the order close, upgrade, compress, answers, input.
//!
//! **`deadline()`** is when to stop waiting for input, set when the waiting began (for a command as a whole, not for each
//! read: a peer that sends one octet a minute gains nothing). It is looked at only while the loop waits for the peer, so our
//! own slowness never counts, and the loop adds the time the peer took to take the last answer; `None` means no limit. A least rate for bodies is kept by moving the deadline on by what
//! arrived. Limits of writing are the loop's.
//!
//! Limits: none of its own; each reader takes its limit as an argument.

#![forbid(unsafe_code)]

mod counted;
pub mod dots;
mod lines;

pub use counted::Counted;
pub use dots::{Dots, Encoder, Piece};
pub use lines::{BareLf, Fault, Line, Lines};

use bytes::{Bytes, BytesMut};
use std::time::Instant;

/// One end of a protocol, as a value. The rules are in the crate's first comment.
pub trait Dialogue {
    /// What the peer says; for a client's end, the peer's reply.
    type Command: Send;
    /// What we say; for a client's end, the next command.
    type Answer: Send;
    /// Removes from `input` what it may take now and leaves the rest. Called only while `wants().input`; `None`: more
    /// octets are needed. It may take octets and still give `None` (a line being skipped).
    fn receive(&mut self, input: &mut BytesMut, now: Instant) -> Option<Event<Self::Command>>;
    /// The peer closed, the deadline passed, or the server stops.
    fn ended(&mut self, why: Ended, now: Instant) -> Option<Event<Self::Command>>;
    /// What it wants now.
    fn wants(&self) -> Wants;
    /// Appends the answer to `out`. Called only while `wants().answers`.
    fn answer(&mut self, part: Answer<Self::Answer>, out: &mut BytesMut, now: Instant);
    /// TLS stands, or compression, whichever was wanted; the loop has thrown away all input from before. Before TLS, state learnt in
    /// clear is to be forgotten.
    fn upgraded(&mut self, now: Instant);
    /// When to give up waiting for input; see the crate's first comment.
    fn deadline(&self) -> Option<Instant>;
    /// What the peer is told, as the last thing, when the handler fell over while an answer was due. `None`: nothing.
    fn apology(&self) -> Option<Self::Answer> {
        None
    }
}

/// What came from the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<C> {
    /// A command (or reply), complete but for a body that may follow. An answer is due.
    Command(C),
    /// A piece of a body or literal, decoded; never empty.
    Body(Bytes),
    /// The body is complete. An answer is due.
    BodyEnd,
    /// A line of an exchange (SASL, IDLE), without its end of line.
    Line(Bytes),
    /// The last event.
    Ended(Ended),
}

/// What goes to the peer; the table in the crate's first comment says when to use which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<A> {
    /// A piece of the answer; more follows.
    Part(A),
    /// Go ahead: the peer may send its body or line.
    Go(A),
    /// Raw octets of a body.
    Chunk(Bytes),
    /// The end of the answer.
    Done(A),
    /// The end of the answer, then TLS begins.
    Upgrade(A),
    /// The end of the answer; everything after it is compressed, both ways.
    Compress(A),
    /// The end of the answer and of the session.
    Close(A),
}

/// Why a session ends from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The peer closed, or the connection broke.
    Peer,
    /// The deadline passed.
    Timeout,
    /// The server stops.
    Stop,
    /// The peer's octets cannot be read any more (what they are compressed in is broken); it can still be told.
    Garbled,
}

/// What a dialogue wants now. Nothing at all means that it waits for the end of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// Octets from the peer.
    pub input: bool,
    /// Answers from the handler.
    pub answers: bool,
    /// TLS, once all output is flushed.
    pub upgrade: bool,
    /// Compression, once all output is flushed.
    pub compress: bool,
    /// The end, once all output is flushed.
    pub close: bool,
}

impl Wants {
    /// Waits for the peer only.
    pub const INPUT: Wants = Wants { input: true, answers: false, upgrade: false, compress: false, close: false };
    /// An answer is due.
    pub const ANSWERS: Wants = Wants { input: false, answers: true, upgrade: false, compress: false, close: false };
    /// Both may speak (IDLE).
    pub const BOTH: Wants = Wants { input: true, answers: true, upgrade: false, compress: false, close: false };
    /// After `Answer::Upgrade`.
    pub const UPGRADE: Wants = Wants { input: false, answers: false, upgrade: true, compress: false, close: false };
    /// After `Answer::Compress`.
    pub const COMPRESS: Wants = Wants { input: false, answers: false, upgrade: false, compress: true, close: false };
    /// After `Answer::Close`.
    pub const CLOSE: Wants = Wants { input: false, answers: false, upgrade: false, compress: false, close: true };
    /// Nothing: the peer is gone.
    pub const NOTHING: Wants = Wants { input: false, answers: false, upgrade: false, compress: false, close: false };
}
