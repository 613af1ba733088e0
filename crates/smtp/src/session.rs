//! The server's end of a session as a [`Dialogue`].
//!
//! Every line becomes a [`Command`] for the handler, those the grammar refuses too, so that the handler sees all a peer
//! does. The transaction's state lives here as a value (`state.rs`); this file adds what goes on within a command:
//! AUTH's exchange, DATA's body, the upgrade, the end; and counts what is held against the peer.

use crate::command::Decided;
use crate::reply::shown;
use crate::state::{Asked, Known, State, Step, idle};
use crate::verb::{self, Client, Malformed, UNKNOWN, Verb};
use crate::{Command, Language, Reply, Settings};
use bytes::{Bytes, BytesMut};
use dialogue::dots::Seen;
use dialogue::{Answer, BareLf, Dialogue, Dots, Ended, Event, Fault, Lines, Piece, Wants};
use mail::Status;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Octets of another protocol's line that are shown in the log.
const SAID: usize = 128;

/// One client's session, from the greeting to the end.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    lines: Lines,
    phase: Phase,
    secured: bool,
    authenticated: bool,
    /// Refusals since the last accepted message.
    errors: u32,
    /// Commands that did nothing since the last accepted message.
    junk: u32,
    /// Since when we wait for the peer's command, line or body.
    since: Instant,
}

#[derive(Debug)]
enum Phase {
    /// The handler is to greet.
    Greeting,
    /// A command may come.
    Ready(State),
    /// The handler is to pass on what was decided.
    Decided { state: State, forgiven: bool, last: bool, times: usize },
    /// The handler is to judge.
    Asked(Asked),
    /// AUTH: a line is to come, or the handler is to answer one.
    Exchange(Client),
    Responded(Client),
    Body(Body),
    /// The body is complete; the handler is to accept it, with so many replies still to give.
    Received { client: Client, replies: usize },
    Upgrading,
    /// Timeout or stop: the handler may say why.
    Ending,
    Closed,
    Gone,
}

#[derive(Debug)]
struct Body {
    client: Client,
    /// Replies to its end: one, or in LMTP one for each recipient (RFC 2033 §4.2).
    replies: usize,
    dots: Dots,
    /// Octets so far, dots removed.
    size: u64,
    /// Set once it cannot be accepted any more: from then on it is read and dropped.
    refusal: Option<Reply>,
}

impl Session {
    /// A session that is to be greeted; `secured` when TLS came before it (port 465).
    pub fn new(settings: Arc<Settings>, secured: bool, now: Instant) -> Session {
        let lines = lines(&settings);
        Session { settings, lines, phase: Phase::Greeting, secured, authenticated: false, errors: 0, junk: 0, since: now }
    }

    fn command(&mut self, state: State, input: &mut BytesMut) -> Option<Event<Command>> {
        if self.errors >= self.settings.limits.errors {
            let reply = Reply::closing(Status(4, 7, 0), &self.settings.host, "Error: too many errors");
            return self.decide(state, Decided { verb: UNKNOWN, reply, last: true, forgiven: false, said: None });
        }
        let Some(line) = self.lines.take(input) else {
            self.phase = Phase::Ready(state);
            return None;
        };
        match line.fault {
            Some(fault) => {
                let decided = Decided { verb: UNKNOWN, reply: self.faulty(fault), last: fault == Fault::BareLf, forgiven: false, said: None };
                self.decide(state, decided)
            }
            None => self.line(state, &line.text, !input.is_empty()),
        }
    }

    fn line(&mut self, state: State, line: &[u8], more: bool) -> Option<Event<Command>> {
        match verb::parse(line, &self.settings) {
            Ok((name, _)) if name != "AUTH" && line.len() > self.settings.limits.command => {
                let reply = self.faulty(Fault::TooLong);
                self.decide(state, Decided { verb: name, reply, last: false, forgiven: false, said: None })
            }
            Ok((name, verb)) if more && self.must_wait(&verb) => {
                self.decide(state, Decided { verb: name, reply: Reply::OUT_OF_STEP, last: true, forgiven: false, said: None })
            }
            Ok((name, verb)) => self.step(state, name, verb),
            Err(Malformed { verb, reply, last }) => {
                let said = last.then(|| shown(line, SAID));
                self.decide(state, Decided { verb, reply, last, forgiven: false, said })
            }
        }
    }

    fn step(&mut self, state: State, name: &'static str, verb: Verb) -> Option<Event<Command>> {
        if matches!(verb, Verb::Noop | Verb::Help | Verb::Vrfy(_) | Verb::Rset | Verb::Hello(_)) {
            self.junk = self.junk.saturating_add(1);
            self.errors += u32::from(self.junk > self.settings.limits.junk);
        }
        let known = Known { settings: &self.settings, secured: self.secured, authenticated: self.authenticated };
        let plain = |reply, forgiven| Decided { verb: name, reply, last: false, forgiven, said: None };
        match state.on(verb, known) {
            Step::Decided(state, reply) => self.decide(state, plain(reply, false)),
            Step::Forgiven(state, reply) => self.decide(state, plain(reply, true)),
            Step::Ask(asked, command) => {
                self.phase = Phase::Asked(asked);
                Some(Event::Command(command))
            }
        }
    }

    fn decide(&mut self, state: State, decided: Decided) -> Option<Event<Command>> {
        self.phase = Phase::Decided { state, forgiven: decided.forgiven, last: decided.last, times: 1 };
        Some(Event::Command(Command::Decided(decided)))
    }

    /// Whether a client that sends on after this command is out of step (RFC 2920 §3.1).
    fn must_wait(&self, verb: &Verb) -> bool {
        match verb {
            Verb::StartTls => true,
            Verb::Hello(_) | Verb::Data | Verb::Auth(_) => self.settings.forbid_early_talk,
            _ => false,
        }
    }

    fn faulty(&self, fault: Fault) -> Reply {
        let host = &self.settings.host;
        match fault {
            Fault::TooLong => Reply::new(500, Status(5, 5, 2), format!("{host} Error: command too long")),
            Fault::BareLf => Reply::new(500, Status(5, 5, 2), format!("{host} Error: bare <LF> received")),
            Fault::BareCr => Reply::new(500, Status(5, 5, 2), format!("{host} Error: bare <CR> received")),
            Fault::Nul => Reply::BAD_SYNTAX,
        }
    }

    /// A line of AUTH's exchange.
    fn exchange(&mut self, client: Client, input: &mut BytesMut) -> Option<Event<Command>> {
        let Some(line) = self.lines.take(input) else {
            self.phase = Phase::Exchange(client);
            return None;
        };
        let reply = match line.fault {
            None => {
                self.phase = Phase::Responded(client);
                return Some(Event::Line(line.text));
            }
            Some(Fault::TooLong) => Reply::AUTH_TOO_LONG,
            Some(fault) => self.faulty(fault),
        };
        let last = line.fault == Some(Fault::BareLf);
        self.decide(idle(client), Decided { verb: "AUTH", reply, last, forgiven: false, said: None })
    }

    fn body(&mut self, mut body: Body, input: &mut BytesMut) -> Option<Event<Command>> {
        while let Some(piece) = body.dots.take(input) {
            match piece {
                Piece::Data(data) => {
                    if let Some(data) = body.piece(data, self.settings.limits.message) {
                        self.phase = Phase::Body(body);
                        return Some(Event::Body(data));
                    }
                }
                Piece::End(seen) => return self.body_ended(body, seen),
            }
        }
        self.phase = Phase::Body(body);
        None
    }

    fn body_ended(&mut self, body: Body, seen: Seen) -> Option<Event<Command>> {
        // a sender and a receiver that disagree about line ends are how a second message is smuggled in: what follows
        // the end, which one of the two may not hold for the end, is not obeyed either
        let irregular = seen.bare_lf || seen.bare_cr;
        let what = if seen.bare_lf { "LF" } else { "CR" };
        let bare = || Reply::new(550, Status(5, 5, 2), format!("{} Error: bare <{what}> received", self.settings.host));
        match if irregular { Some(bare()) } else { body.refusal } {
            Some(reply) => {
                let decided = Decided { verb: "DATA", reply, last: irregular, forgiven: false, said: None };
                self.phase = Phase::Decided { state: idle(body.client), forgiven: false, last: irregular, times: body.replies };
                Some(Event::Command(Command::Decided(decided)))
            }
            None => {
                self.phase = Phase::Received { client: body.client, replies: body.replies };
                Some(Event::BodyEnd)
            }
        }
    }

    /// A reply for one of several recipients.
    fn part(&mut self, reply: &Reply, out: &mut BytesMut) {
        match &mut self.phase {
            Phase::Received { replies, .. } if *replies > 1 => *replies -= 1,
            Phase::Received { .. } => return, // the last is `Done`'s
            _ => {}
        }
        reply.put(out);
    }

    /// Where `Go` leads: to the body or the exchange it was asked for.
    fn go(&mut self, phase: Phase, reply: &Reply) -> Phase {
        match phase {
            Phase::Asked(Asked::Data { before }) => {
                let (client, count) = before.into_client();
                let replies = if self.settings.language == Language::Lmtp { count } else { 1 };
                Phase::Body(Body { client, replies, dots: Dots::new(), size: 0, refusal: None })
            }
            Phase::Asked(Asked::Auth { client }) | Phase::Responded(client) => Phase::Exchange(client),
            other => self.done(other, reply),
        }
    }

    /// Where the end of an answer leads.
    fn done(&mut self, phase: Phase, reply: &Reply) -> Phase {
        let welcome = reply.is_positive();
        if reply.is_refusal() && !matches!(phase, Phase::Decided { forgiven: true, .. }) {
            self.errors = self.errors.saturating_add(1);
        }
        match phase {
            Phase::Greeting => Phase::Ready(State::Connected),
            Phase::Decided { last: true, .. } | Phase::Asked(Asked::Quit) => Phase::Closed,
            Phase::Decided { state, .. } => Phase::Ready(state),
            Phase::Asked(asked) => {
                self.authenticated |= welcome && matches!(asked, Asked::Auth { .. });
                Phase::Ready(asked.answered(welcome))
            }
            Phase::Responded(client) => {
                self.authenticated |= welcome;
                Phase::Ready(idle(client))
            }
            Phase::Received { client, .. } => {
                if welcome {
                    (self.errors, self.junk) = (0, 0);
                }
                Phase::Ready(idle(client))
            }
            Phase::Ending => Phase::Closed,
            other => other,
        }
    }
}

impl Phase {
    /// How often the end of the answer is written.
    fn replies(&self) -> usize {
        match self {
            Phase::Decided { times, .. } => *times,
            Phase::Received { replies, .. } => *replies,
            _ => 1,
        }
    }
}

impl Body {
    /// The piece, if the body may still be accepted.
    fn piece(&mut self, data: Bytes, most: Option<u64>) -> Option<Bytes> {
        self.size = self.size.saturating_add(data.len() as u64);
        if self.refusal.is_none() && memchr::memchr(0, &data).is_some() {
            self.refusal = Some(Reply::NUL);
        }
        if self.refusal.is_none() && most.is_some_and(|most| self.size > most) {
            self.refusal = Some(Reply::TOO_BIG);
        }
        self.refusal.is_none().then_some(data)
    }
}

impl Dialogue for Session {
    type Command = Command;
    type Answer = Reply;

    fn receive(&mut self, input: &mut BytesMut, _: Instant) -> Option<Event<Command>> {
        match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Ready(state) => self.command(state, input),
            Phase::Exchange(client) => self.exchange(client, input),
            Phase::Body(body) => self.body(body, input),
            other => {
                self.phase = other;
                None
            }
        }
    }

    fn ended(&mut self, why: Ended, _: Instant) -> Option<Event<Command>> {
        match (&self.phase, why) {
            (Phase::Closed | Phase::Gone | Phase::Ending, _) | (Phase::Body(_), Ended::Stop) => return None,
            (_, Ended::Peer | Ended::Garbled) => self.phase = Phase::Gone,
            (_, Ended::Timeout | Ended::Stop) => self.phase = Phase::Ending,
        }
        Some(Event::Ended(why))
    }

    fn wants(&self) -> Wants {
        match self.phase {
            Phase::Ready(_) | Phase::Exchange(_) | Phase::Body(_) => Wants::INPUT,
            Phase::Upgrading => Wants::UPGRADE,
            Phase::Closed => Wants::CLOSE,
            Phase::Gone => Wants::NOTHING,
            _ => Wants::ANSWERS,
        }
    }

    fn answer(&mut self, part: Answer<Reply>, out: &mut BytesMut, now: Instant) {
        let phase = match &part {
            Answer::Part(reply) => return self.part(reply, out),
            Answer::Chunk(_) => return, // this end sends no bodies
            _ => std::mem::replace(&mut self.phase, Phase::Gone),
        };
        if let Answer::Go(reply) | Answer::Done(reply) | Answer::Upgrade(reply) | Answer::Compress(reply) | Answer::Close(reply) = &part {
            (0..phase.replies()).for_each(|_| reply.put(out));
        }
        self.since = now;
        self.phase = match part {
            Answer::Go(reply) => self.go(phase, &reply),
            Answer::Upgrade(_) if matches!(phase, Phase::Asked(Asked::StartTls { .. })) => Phase::Upgrading,
            Answer::Close(_) => Phase::Closed,
            Answer::Done(reply) | Answer::Upgrade(reply) | Answer::Compress(reply) => self.done(phase, &reply),
            Answer::Part(_) | Answer::Chunk(_) => phase,
        };
    }

    /// RFC 3207 §4.2: all that was said in clear is forgotten.
    fn upgraded(&mut self, now: Instant) {
        self.secured = true;
        self.authenticated = false;
        self.lines = lines(&self.settings);
        self.phase = Phase::Ready(State::Connected);
        self.since = now;
    }

    fn deadline(&self) -> Option<Instant> {
        let limits = &self.settings.limits;
        let grace = match &self.phase {
            Phase::Body(body) => Duration::from_secs(body.size / limits.body_rate.max(1)),
            Phase::Ready(_) | Phase::Exchange(_) => Duration::ZERO,
            _ => return None,
        };
        self.since.checked_add(limits.command_time)?.checked_add(grace)
    }

    fn apology(&self) -> Option<Reply> {
        Some(Reply::closing(Status(4, 3, 0), &self.settings.host, "Error: internal error"))
    }
}

/// Lines long enough for AUTH where there is AUTH; other commands are measured once they are read.
fn lines(settings: &Settings) -> Lines {
    let limits = &settings.limits;
    let most = if settings.mechanisms.is_empty() { limits.command } else { limits.auth_line.max(limits.command) };
    Lines::new(most.saturating_add("\r\n".len()), BareLf::Fault)
}
