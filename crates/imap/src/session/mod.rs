//! The server's end of an IMAP connection as a [`Dialogue`].
//!
//! ```text
//!            ┌─────────────── Done ◄───────────────────────────────────────────┐
//! Greeting ──┤                                                                 │
//!            └► Reading ──command──► Running ──Go──► Body ──► Tail ──BodyEnd, AppendMore──► Running
//!                │  ▲                  │  ▲ └──Go──► Exchange (SASL, IDLE) ──Line──┘
//!        literal │  │ Go               │  └─ reflex ─ Skipping (the rest of a refused command)
//!                ▼  │                  ├─Upgrade, Compress─► Upgrading ─► Reading
//!               Asking                 └─Close───► Closed
//! ```
//!
//! What is skipped: after a refusal, whatever the client has sent or will send without waiting belongs to the refused command,
//! and must never be read as commands (RFC 7888 §4, A-03).

mod assembly;
mod skip;

use crate::command::{self, Command, CommandBody, Reaction, Reflex, Stage, Tag, append};
use crate::cursor::{Bad, Cursor};
use crate::response::{Code, Entering, Response, Tagged};
use crate::{Limits, command::authenticate, command::idle};
use assembly::{Assembly, Found};
use bytes::{Bytes, BytesMut};
use dialogue::{Answer, BareLf, Counted, Dialogue, Ended, Event, Lines, Wants};
use memchr::memchr;
use skip::{Skip, Skipped};
use std::time::{Duration, Instant};

pub struct Session {
    limits: Limits,
    state: State,
    stage: Stage,
    /// TLS stands.
    secured: bool,
    /// Syntax errors in a row.
    errors: u32,
    connected: Instant,
    deadline: Instant,
    /// Octets of a literal announced in a FETCH answer and not yet sent.
    owed: u64,
}

enum State {
    /// The handler speaks first.
    Greeting,
    /// Waiting for a command, or for more of one.
    Reading(Assembly),
    /// A literal of the command waits for its `+`.
    Asking(Assembly, usize),
    /// The handler is at work.
    Running { tag: Option<Tag>, then: Then },
    /// A message of an APPEND.
    Body { tag: Option<Tag>, left: Counted, content: Content },
    /// What follows the message: the end of the line, or the announcement of another one.
    Tail { tag: Option<Tag>, tail: Assembly, content: Content },
    /// The client's lines after a `Go`.
    Exchange { tag: Option<Tag>, kind: Exchange, lines: Lines },
    /// Throwing away the rest of a command; then the refusal, if it wasn't given already.
    Skipping { skip: Skip, refusal: Option<(Option<Tag>, Bad)> },
    /// To TLS, or to compression.
    Upgrading(Layer),
    Ended { why: Ended, tag: Option<Tag> },
    Closed,
}

/// What `Go` would begin.
#[derive(Clone, Copy)]
enum Then {
    Nothing,
    Append { size: u64, waits: bool, binary: bool },
    Exchange(Exchange),
}

impl Then {
    fn append(message: &append::Message) -> Then {
        Then::Append { size: message.size, waits: message.waits, binary: message.binary }
    }
}

/// What the octets of a message may be, and whether they were (A-05).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// literal8: any.
    Binary,
    /// `CHAR8`: no NUL.
    Text,
    /// There was a NUL in a `CHAR8`.
    Spoilt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Exchange {
    Sasl,
    Idle,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Tls,
    Deflate,
}

enum Judged {
    Command(Command),
    /// Good so far, and there is room for the literal that comes next.
    Literal { size: usize, waits: bool },
    Refused(Bad),
}

type Heard = Option<Event<Command>>;

/// Tag of a reflex whose command had none; shown to nobody.
const NO_TAG: &str = "*";

impl Session {
    /// `secured`: TLS stands already (imaps).
    pub fn new(limits: Limits, secured: bool, now: Instant) -> Self {
        let deadline = now + limits.login_time;
        Session { limits, state: State::Greeting, stage: Stage::BeforeLogin, secured, errors: 0, connected: now, deadline, owed: 0 }
    }

    pub fn logged_in(&self) -> bool {
        self.stage.logged_in()
    }

    /// A new command may come: sets its deadline.
    fn ready(&mut self, now: Instant) {
        self.state = State::Reading(Assembly::default());
        self.deadline = self.patience(now);
    }

    fn patience(&self, now: Instant) -> Instant {
        if self.logged_in() { now + self.limits.idle_time } else { self.connected + self.limits.login_time }
    }

    fn command_limit(&self) -> usize {
        if self.logged_in() { self.limits.command } else { self.limits.command_before_login }
    }

    fn swallow_limit(&self) -> u64 {
        if self.logged_in() { self.limits.swallow } else { self.limits.swallow_before_login }
    }

    fn read(&mut self, mut assembly: Assembly, input: &mut BytesMut) -> Heard {
        loop {
            match assembly.take(input, self.command_limit()) {
                // iOS sends some between its commands. Dovecot says nothing either.
                Found::Line if assembly.is_blank() => {
                    assembly = Assembly::default();
                    continue;
                }
                Found::Line => {}
                Found::More => {
                    self.state = State::Reading(assembly);
                    return None;
                }
                Found::TooLong => {
                    let refusal = Bad::Syntax(Some(Code::TooBig), "Command too long");
                    let tag = Tag::of_line(assembly.text());
                    return self.skip(Skip::line(assembly.segment(), self.swallow_limit()), tag, refusal, input);
                }
            }
            match self.judge(&assembly) {
                Judged::Command(command) => return self.accept(command, input),
                Judged::Literal { size, waits: false } => assembly.expect_literal(size),
                Judged::Literal { size, waits: true } => {
                    self.state = State::Asking(assembly, size);
                    return Some(reflex(Reaction::Continue));
                }
                Judged::Refused(bad) => {
                    let tag = Tag::of_line(assembly.text());
                    return match assembly.announced() {
                        Some((size, false)) => self.skip(Skip::literal(size, self.swallow_limit()), tag, bad, input),
                        _ => self.refuse(tag, bad),
                    };
                }
            }
        }
    }

    /// What a command is that ends, for now, at the end of a line.
    fn judge(&self, assembly: &Assembly) -> Judged {
        if !assembly.crlf() {
            return Judged::Refused(Bad::syntax("A line ends with CRLF"));
        }
        let announced = assembly.announced();
        let text = if announced.is_some() { assembly.text() } else { assembly.line() };
        let parsed = command::parse(text, announced.is_none(), self.stage, &self.limits);
        match (parsed, announced) {
            (Ok(command), _) => Judged::Command(command),
            (Err(Bad::NeedsLiteral), Some((size, waits))) => match self.room(assembly, size, waits) {
                Ok(size) => Judged::Literal { size, waits },
                Err(bad) => Judged::Refused(bad),
            },
            (Err(bad), _) => Judged::Refused(bad),
        }
    }

    /// Whether a literal may be held in memory.
    fn room(&self, assembly: &Assembly, size: u64, waits: bool) -> Result<usize, Bad> {
        let too_big = || Bad::Syntax(Some(Code::TooBig), "Literal too long");
        if assembly.literals() >= self.limits.literals {
            return Err(Bad::limit("Too many literals"));
        }
        if !waits && !self.logged_in() && size > self.limits.unsynchronised_literal {
            return Err(too_big());
        }
        let size = usize::try_from(size).map_err(|_| too_big())?;
        let left = self.command_limit().saturating_sub(assembly.text().len());
        if size > left { Err(too_big()) } else { Ok(size) }
    }

    /// `unread`: what the client has sent behind it. Nothing is added to it until the command is answered, so one look tells.
    fn accept(&mut self, mut command: Command, unread: &[u8]) -> Heard {
        let tag = Some(command.tag.clone());
        let then = match &command.body {
            CommandBody::StartTls if self.secured => return self.refuse(tag, Bad::syntax("TLS is active already")),
            CommandBody::Append(append) => Then::append(&append.message),
            CommandBody::Authenticate(_) => Then::Exchange(Exchange::Sasl),
            CommandBody::Idle => Then::Exchange(Exchange::Idle),
            _ => Then::Nothing,
        };
        if self.logged_in() && matches!(then, Then::Nothing) {
            command.number_follows = command::next::is_by_number(unread);
        }
        self.errors = 0;
        self.state = State::Running { tag, then };
        Some(Event::Command(command))
    }

    fn refuse(&mut self, tag: Option<Tag>, bad: Bad) -> Heard {
        if matches!(bad, Bad::Syntax(..)) {
            self.errors += 1;
        }
        let empties_saved = bad == Bad::Charset { saves: true };
        let refusal = Response::Tagged(bad.tagged());
        let most = if self.logged_in() { self.limits.errors } else { self.limits.errors_before_login };
        let reaction = if self.errors >= most {
            let bye = Response::Bye(None, "Too many invalid commands".into());
            Reaction::Close(Response::Batch(vec![refusal, bye]))
        } else {
            Reaction::Refuse(refusal)
        };
        self.state = State::Running { tag: tag.clone(), then: Then::Nothing };
        let tag = tag.unwrap_or_else(|| Tag::constant(NO_TAG));
        Some(said(tag, Reflex { reaction, empties_saved }))
    }

    /// Throws away the rest of a command, then refuses it.
    fn skip(&mut self, skip: Skip, tag: Option<Tag>, refusal: Bad, input: &mut BytesMut) -> Heard {
        self.skip_on(skip, Some((tag, refusal)), input)
    }

    fn skip_on(&mut self, mut skip: Skip, refusal: Option<(Option<Tag>, Bad)>, input: &mut BytesMut) -> Heard {
        match (skip.take(input), refusal) {
            (Skipped::More, refusal) => {
                self.state = State::Skipping { skip, refusal };
                None
            }
            (Skipped::Done, Some((tag, bad))) => self.refuse(tag, bad),
            (Skipped::Done, None) => {
                self.state = State::Reading(Assembly::default());
                self.read(Assembly::default(), input)
            }
            (Skipped::TooMuch, _) => {
                self.state = State::Running { tag: None, then: Then::Nothing };
                let bye = Response::Bye(Some(Code::TooBig), "Too much data for a refused command".into());
                Some(reflex(Reaction::Close(bye)))
            }
        }
    }

    fn body(&mut self, tag: Option<Tag>, mut left: Counted, mut content: Content, input: &mut BytesMut) -> Heard {
        if left.left() == 0 {
            return self.tail(tag, Assembly::default(), content, input);
        }
        let piece = left.take(input);
        if let Some(piece) = &piece {
            // Slower than this is no upload.
            self.deadline += Duration::from_micros(1_000_000 * piece.len() as u64 / self.limits.append_rate.max(1));
            if content == Content::Text && memchr(0, piece).is_some() {
                content = Content::Spoilt;
            }
        }
        self.state = State::Body { tag, left, content };
        piece.map(Event::Body)
    }

    /// `APPEND` ends with its messages: anything but the end of the line or one more of them makes it invalid, and nothing is stored.
    fn tail(&mut self, tag: Option<Tag>, mut tail: Assembly, content: Content, input: &mut BytesMut) -> Heard {
        let too_long = Bad::syntax("Nothing expected after the message");
        match tail.take(input, self.command_limit()) {
            Found::More => {
                self.state = State::Tail { tag, tail, content };
                None
            }
            Found::TooLong => self.skip(Skip::line(tail.segment(), self.swallow_limit()), tag, too_long, input),
            Found::Line => match self.after_message(&tail, content) {
                Ok(None) => {
                    self.state = State::Running { tag, then: Then::Nothing };
                    Some(Event::BodyEnd)
                }
                Ok(Some(message)) => self.more(tag, message),
                Err(bad) => match tail.announced() {
                    Some((size, false)) => self.skip(Skip::literal(size, self.swallow_limit()), tag, bad, input),
                    _ => self.refuse(tag, bad),
                },
            },
        }
    }

    /// What the line behind a message says: nothing, or that another one comes.
    fn after_message(&self, tail: &Assembly, content: Content) -> Result<Option<append::Message>, Bad> {
        if content == Content::Spoilt {
            return Err(Bad::syntax("NUL in the message"));
        }
        match tail.crlf() {
            true if tail.line().is_empty() => Ok(None),
            true if tail.announced().is_some() => append::parse_more(&mut Cursor::new(tail.text(), false, &self.limits)).map(Some),
            _ => Err(Bad::syntax("Nothing expected after the message")),
        }
    }

    /// Another message of the same APPEND.
    fn more(&mut self, tag: Option<Tag>, message: append::Message) -> Heard {
        self.state = State::Running { tag: tag.clone(), then: Then::append(&message) };
        let tag = tag.unwrap_or_else(|| Tag::constant(NO_TAG));
        Some(Event::Command(Command { tag, body: CommandBody::AppendMore(message), number_follows: false }))
    }

    fn exchange(&mut self, tag: Option<Tag>, kind: Exchange, mut lines: Lines, input: &mut BytesMut) -> Heard {
        let Some(line) = lines.take(input) else {
            self.state = State::Exchange { tag, kind, lines };
            return None;
        };
        let heard = match (line.checked(), kind) {
            (Err(_), _) => Err(Bad::syntax("Invalid line")),
            (Ok(line), Exchange::Sasl) => authenticate::response(&line).map(Bytes::from),
            (Ok(line), Exchange::Idle) if idle::is_done(&line) => Ok(line),
            (Ok(_), Exchange::Idle) => Err(Bad::syntax("IDLE ends with DONE")),
        };
        match heard {
            Err(bad) => self.refuse(tag, bad),
            Ok(line) => {
                let then = if kind == Exchange::Sasl { Then::Exchange(kind) } else { Then::Nothing };
                self.state = State::Running { tag, then };
                Some(Event::Line(line))
            }
        }
    }

    fn go(&mut self, response: &Response, out: &mut BytesMut, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Asking(mut assembly, size) => {
                response.write(None, out);
                assembly.expect_literal(size);
                State::Reading(assembly)
            }
            State::Running { tag, then: Then::Append { size, waits, binary } } => {
                if waits {
                    response.write(None, out);
                }
                self.deadline = self.patience(now);
                State::Body { tag, left: Counted::new(size), content: if binary { Content::Binary } else { Content::Text } }
            }
            State::Running { tag, then: Then::Exchange(kind) } => {
                response.write(None, out);
                self.deadline = if kind == Exchange::Idle { now + self.limits.idling_time } else { self.patience(now) };
                State::Exchange { tag, kind, lines: Lines::new(self.limits.sasl_line, BareLf::Ends) }
            }
            state => state, // no go-ahead is due: nothing is written
        };
    }

    fn done(&mut self, response: &Response, out: &mut BytesMut, now: Instant) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.enter(response);
        match state {
            State::Running { tag, then: Then::Append { size, waits: false, .. } } => {
                response.write(tag.as_ref(), out);
                self.deadline = self.patience(now);
                self.state = State::Skipping { skip: Skip::literal(size, self.swallow_limit()), refusal: None };
            }
            State::Ended { why, tag } => {
                response.write(tag.as_ref(), out);
                self.state = State::Ended { why, tag: None };
            }
            state => {
                response.write_as(self.stage.names(), state.tag(), out);
                self.ready(now);
            }
        }
    }

    /// Whether the answer moves the session.
    fn enter(&mut self, response: &Response) {
        let last = match response {
            Response::Batch(responses) => responses.last(),
            response => Some(response),
        };
        let Some(Response::Tagged(Tagged { entering: Some(entering), .. })) = last else { return };
        match entering {
            Entering::LoggedIn if self.stage == Stage::BeforeLogin => (self.stage, self.errors) = (Stage::LoggedIn, 0),
            Entering::Rev2 if self.logged_in() => self.stage = Stage::Rev2,
            _ => {}
        }
    }

    fn part(&mut self, response: &Response, out: &mut BytesMut) {
        response.write_as(self.stage.names(), self.state.tag(), out);
        let last = match response {
            Response::Batch(responses) => responses.last(),
            response => Some(response),
        };
        if let Some(Response::FetchLiteral { length, .. }) = last {
            self.owed = *length;
        }
    }
}

impl State {
    fn tag(&self) -> Option<&Tag> {
        match self {
            State::Running { tag, .. }
            | State::Body { tag, .. }
            | State::Tail { tag, .. }
            | State::Exchange { tag, .. }
            | State::Ended { tag, .. } => tag.as_ref(),
            _ => None,
        }
    }
}

fn reflex(reaction: Reaction) -> Event<Command> {
    said(Tag::constant(NO_TAG), Reflex { reaction, empties_saved: false })
}

fn said(tag: Tag, reflex: Reflex) -> Event<Command> {
    Event::Command(Command { tag, body: CommandBody::Reflex(reflex), number_follows: false })
}

impl Dialogue for Session {
    type Command = Command;
    type Answer = Response;

    fn receive(&mut self, input: &mut BytesMut, now: Instant) -> Heard {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Reading(assembly) => self.read(assembly, input),
            State::Body { tag, left, content } => self.body(tag, left, content, input),
            State::Tail { tag, tail, content } => self.tail(tag, tail, content, input),
            State::Exchange { tag, kind, lines } => self.exchange(tag, kind, lines, input),
            State::Skipping { skip, refusal } => {
                let answered = refusal.is_none();
                let heard = self.skip_on(skip, refusal, input);
                if answered && !matches!(self.state, State::Skipping { .. }) {
                    self.deadline = self.patience(now);
                }
                heard
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    fn ended(&mut self, why: Ended, _now: Instant) -> Heard {
        if why == Ended::Stop && matches!(self.state, State::Body { .. } | State::Tail { .. } | State::Running { .. }) {
            return None; // a message on its way, a command being answered: first things first
        }
        if matches!(self.state, State::Closed | State::Ended { .. }) {
            return None;
        }
        let tag = self.state.tag().cloned();
        self.state = State::Ended { why, tag };
        Some(Event::Ended(why))
    }

    fn wants(&self) -> Wants {
        match &self.state {
            State::Greeting | State::Asking(..) | State::Running { .. } => Wants::ANSWERS,
            State::Reading(_) | State::Body { .. } | State::Tail { .. } | State::Skipping { .. } => Wants::INPUT,
            State::Exchange { kind: Exchange::Sasl, .. } => Wants::INPUT,
            State::Exchange { kind: Exchange::Idle, .. } => Wants::BOTH,
            State::Upgrading(Layer::Tls) => Wants::UPGRADE,
            State::Upgrading(Layer::Deflate) => Wants::COMPRESS,
            State::Ended { why: Ended::Peer, .. } => Wants::NOTHING,
            State::Ended { .. } => Wants::ANSWERS,
            State::Closed => Wants::CLOSE,
        }
    }

    fn answer(&mut self, part: Answer<Response>, out: &mut BytesMut, now: Instant) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if let Answer::Chunk(octets) = part {
            let size = usize::try_from(self.owed).unwrap_or(usize::MAX).min(octets.len());
            self.owed -= size as u64;
            out.extend_from_slice(octets.get(..size).unwrap_or_default());
            return;
        }
        if self.owed > 0 {
            // The client counts octets: whatever came now would be read as the message. Only the end is left.
            self.state = State::Closed;
            return;
        }
        match part {
            Answer::Part(response) => self.part(&response, out),
            Answer::Go(response) => self.go(&response, out, now),
            Answer::Done(response) => self.done(&response, out, now),
            Answer::Upgrade(response) => {
                response.write(self.state.tag(), out);
                self.state = State::Upgrading(Layer::Tls);
            }
            Answer::Compress(response) => {
                response.write(self.state.tag(), out);
                self.state = State::Upgrading(Layer::Deflate);
            }
            Answer::Close(response) => {
                response.write(self.state.tag(), out);
                self.state = State::Closed;
            }
            Answer::Chunk(_) => {}
        }
    }

    fn upgraded(&mut self, now: Instant) {
        if let State::Upgrading(layer) = self.state {
            self.secured |= layer == Layer::Tls;
            self.errors = 0;
            self.ready(now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.wants().input.then_some(self.deadline)
    }

    /// C-16, RFC 5530 §3.
    fn apology(&self) -> Option<Response> {
        Some(Response::Bye(Some(Code::ServerBug), "An error of the server's; the other sessions go on".into()))
    }
}

#[cfg(test)]
mod tests;
