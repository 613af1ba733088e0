//! The session: which state it is in, whose turn it is.
//!
//! ```text
//!   greeting ─Done─► AUTHORIZATION ─LoggedIn─► TRANSACTION ─QUIT, Close─► over
//!                      │  ▲   └─QUIT, Close──────────────────────────────► over
//!                 STLS │  │ upgraded (what was known is forgotten)
//!                      └──┘
//! ```
//! RFC 1939's UPDATE is the daemon's: it happens while QUIT is being answered.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use dialogue::{Answer, BareLf, Dialogue, Encoder, Ended, Event, Fault, Lines, Wants};

use crate::command::{self, When};
use crate::{Command, Limits, Reply};

/// One POP3 session, the server's end. Memory: one command line.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    lines: Lines,
    state: State,
    turn: Turn,
    /// Stuffs the chunks of the answer under way.
    dots: Encoder,
    bad_commands: u32,
}

#[derive(Debug)]
enum State {
    Authorization { user: Option<String> },
    Transaction,
}

/// Who is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The client has to send a command, by `until`.
    Client { until: Instant },
    /// The client has to send a line of an AUTH exchange, by `until`.
    Exchange { until: Instant },
    /// An answer is due.
    Handler,
    Upgrade,
    Close,
    Gone,
}

impl Session {
    /// A session that begins with the greeting.
    pub fn new(limits: Limits) -> Session {
        Session {
            limits,
            lines: Lines::new(limits.auth_line, BareLf::Ends), // people test with telnet, and no body comes this way
            state: State::Authorization { user: None },
            turn: Turn::Handler,
            dots: Encoder::new(),
            bad_commands: 0,
        }
    }

    fn command(&mut self, line: Result<Bytes, Fault>) -> Command {
        let read = line.map_err(faulty).and_then(|line| match &mut self.state {
            _ if line.len() + 2 > self.limits.command && !is_auth(&line) => Err(faulty(Fault::TooLong)),
            State::Authorization { user } => command::read(&line, When::Authorization, user),
            State::Transaction => command::read(&line, When::Transaction, &mut None),
        });
        read.unwrap_or_else(|reply| {
            self.bad_commands = self.bad_commands.saturating_add(1);
            Command::Refused { reply, last: self.bad_commands >= self.limits.bad_commands }
        })
    }

    /// What an answer changes beyond the bytes it writes.
    fn note(&mut self, reply: &Reply) {
        match (reply, &mut self.state) {
            (Reply::LoggedIn { .. }, _) => {
                self.state = State::Transaction;
                self.lines.set_limit(self.limits.command);
            }
            (Reply::Err(..), State::Authorization { user }) => *user = None, // PASS only after a USER that was welcome
            _ => {}
        }
    }

    fn write(&mut self, reply: &Reply, out: &mut BytesMut) {
        match reply {
            Reply::Follows(_) => self.dots = Encoder::new(),
            Reply::End => std::mem::take(&mut self.dots).finish(out),
            _ => {}
        }
        reply.write(out);
    }
}

impl Dialogue for Session {
    type Command = Command;
    type Answer = Reply;

    fn receive(&mut self, input: &mut BytesMut, _now: Instant) -> Option<Event<Command>> {
        let exchange = match self.turn {
            Turn::Client { .. } => false,
            Turn::Exchange { .. } => true,
            Turn::Handler | Turn::Upgrade | Turn::Close | Turn::Gone => return None,
        };
        let line = self.lines.take(input)?.checked();
        self.turn = Turn::Handler;
        Some(match line {
            Ok(line) if exchange => Event::Line(line),
            line => Event::Command(self.command(line)),
        })
    }

    fn ended(&mut self, why: Ended, _now: Instant) -> Option<Event<Command>> {
        self.turn = if matches!(why, Ended::Peer | Ended::Garbled) { Turn::Gone } else { Turn::Handler };
        Some(Event::Ended(why))
    }

    fn wants(&self) -> Wants {
        match self.turn {
            Turn::Client { .. } | Turn::Exchange { .. } => Wants::INPUT,
            Turn::Handler => Wants::ANSWERS,
            Turn::Upgrade => Wants::UPGRADE,
            Turn::Close => Wants::CLOSE,
            Turn::Gone => Wants::NOTHING,
        }
    }

    fn answer(&mut self, part: Answer<Reply>, out: &mut BytesMut, now: Instant) {
        let until = now + self.limits.idle;
        let (reply, turn) = match part {
            Answer::Chunk(chunk) => return without_nul(&chunk, |octets| self.dots.push(octets, out)),
            Answer::Part(reply) => (reply, Turn::Handler),
            Answer::Go(reply) => (reply, Turn::Exchange { until }),
            Answer::Done(reply) | Answer::Compress(reply) => (reply, Turn::Client { until }),
            Answer::Upgrade(reply) => (reply, Turn::Upgrade),
            Answer::Close(reply) => (reply, Turn::Close),
        };
        self.write(&reply, out);
        self.note(&reply);
        self.turn = turn;
    }

    fn upgraded(&mut self, now: Instant) {
        self.state = State::Authorization { user: None }; // RFC 2595 §4
        self.turn = Turn::Client { until: now + self.limits.idle };
    }

    fn deadline(&self) -> Option<Instant> {
        match self.turn {
            Turn::Client { until } | Turn::Exchange { until } => Some(until),
            _ => None,
        }
    }
}

fn faulty(fault: Fault) -> Reply {
    Reply::err(match fault {
        Fault::TooLong => "Line too long",
        Fault::BareCr => "A carriage return within the line",
        Fault::BareLf => "A line ends in CR LF",
        Fault::Nul => "A NUL within the line",
    })
}

/// Whether the long limit is the line's.
fn is_auth(line: &[u8]) -> bool {
    line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "))
}

/// Passes `octets` on with each NUL made 0x80, as Dovecot does: a message may not hold NUL (RFC 5322 §3.5) and Outlook
/// hangs on one. The size stays what LIST said.
fn without_nul(octets: &[u8], mut push: impl FnMut(&[u8])) {
    for piece in octets.split_inclusive(|byte| *byte == 0) {
        match piece.split_last() {
            Some((0, before)) => {
                push(before);
                push(b"\x80");
            }
            _ => push(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Number, Secret};
    use proptest::prelude::*;
    use std::time::Duration;

    fn n(number: u32) -> Number {
        Number::new(number).expect("from 1")
    }

    fn greeted(now: Instant) -> Session {
        let mut session = Session::new(Limits::default());
        assert_eq!(session.wants(), Wants::ANSWERS, "the server speaks first");
        session.answer(Answer::Done(Reply::ok("ready")), &mut BytesMut::new(), now);
        session
    }

    fn logged_in(now: Instant) -> Session {
        let mut session = greeted(now);
        session.turn = Turn::Handler;
        session.answer(Answer::Done(Reply::LoggedIn { messages: 1, octets: 1 }), &mut BytesMut::new(), now);
        session
    }

    /// Answers everything `Ok`; gives the events in order.
    fn drive(session: &mut Session, pieces: &[&[u8]], now: Instant) -> Vec<Event<Command>> {
        let (mut input, mut events) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            while session.wants().input {
                let Some(event) = session.receive(&mut input, now) else { break };
                let reply = match &event {
                    Event::Command(Command::Refused { reply, .. }) => Answer::Done(reply.clone()),
                    Event::Command(Command::Pass { .. }) => Answer::Done(Reply::LoggedIn { messages: 0, octets: 0 }),
                    Event::Command(Command::Auth { .. }) => Answer::Go(Reply::Challenge(Vec::new())),
                    Event::Command(Command::Quit) => Answer::Close(Reply::ok("bye")),
                    _ => Answer::Done(Reply::ok("")),
                };
                session.answer(reply, &mut BytesMut::new(), now);
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn a_conversation_cut_anywhere_is_the_same_conversation() {
        let now = Instant::now();
        let wire = b"CAPA\r\nAUTH PLAIN\r\n*\r\nUSER tim\r\nPASS  a b\r\nLIST 1\r\nFOO\r\nTOP 1 2\r\nQUIT\r\nSTAT\r\n";
        let whole = drive(&mut greeted(now), &[wire], now);
        assert_eq!(
            whole,
            [
                Event::Command(Command::Capa),
                Event::Command(Command::Auth { mechanism: "PLAIN".into(), initial: None }),
                Event::Line(Bytes::from_static(b"*")),
                Event::Command(Command::User("tim".into())),
                Event::Command(Command::Pass { user: "tim".into(), password: Secret::new(b" a b") }),
                Event::Command(Command::List(Some(n(1)))),
                Event::Command(Command::Refused { reply: Reply::err("Unknown command"), last: false }),
                Event::Command(Command::Top { number: n(1), lines: 2 }),
                Event::Command(Command::Quit), // what follows it is not looked at
            ]
        );
        for cut in 0..=wire.len() {
            assert_eq!(drive(&mut greeted(now), &[&wire[..cut], &wire[cut..]], now), whole, "cut at {cut}");
        }
    }

    #[test]
    fn one_command_is_taken_and_the_next_waits_unread() {
        let now = Instant::now();
        let mut session = greeted(now);
        let mut input = BytesMut::from(&b"STLS\r\nUSER evil\r\n"[..]);
        assert_eq!(session.receive(&mut input, now), Some(Event::Command(Command::Stls)));
        assert_eq!((session.wants(), &input[..]), (Wants::ANSWERS, &b"USER evil\r\n"[..]), "the loop can throw it away");
        session.answer(Answer::Upgrade(Reply::ok("Begin TLS")), &mut BytesMut::new(), now);
        assert_eq!(session.wants(), Wants::UPGRADE);
    }

    #[test]
    fn a_name_given_in_clear_does_not_outlive_the_handshake() {
        let now = Instant::now();
        let mut session = greeted(now);
        drive(&mut session, &[b"USER tim\r\n"], now);
        session.turn = Turn::Handler;
        session.answer(Answer::Upgrade(Reply::ok("")), &mut BytesMut::new(), now);
        session.upgraded(now);
        let events = drive(&mut session, &[b"PASS x\r\n"], now);
        assert_eq!(events, [Event::Command(Command::Refused { reply: Reply::err("USER first"), last: false })]);
    }

    #[test]
    fn a_name_that_was_refused_is_forgotten() {
        let now = Instant::now();
        let mut session = greeted(now);
        let mut input = BytesMut::from(&b"USER tim\r\nPASS x\r\n"[..]);
        session.receive(&mut input, now);
        session.answer(Answer::Done(Reply::err("not in clear")), &mut BytesMut::new(), now);
        assert!(matches!(session.receive(&mut input, now), Some(Event::Command(Command::Refused { .. }))));
    }

    #[test]
    fn lines_have_their_limits() {
        let now = Instant::now();
        let long_user = [b"USER ".to_vec(), vec![b'a'; 249], b"\r\n".to_vec()].concat();
        let just_user = [b"USER ".to_vec(), vec![b'a'; 248], b"\r\n".to_vec()].concat();
        let long_auth = [b"AUTH PLAIN ".to_vec(), vec![b'A'; 4000], b"\r\n".to_vec()].concat();
        let too_long_auth = [b"AUTH PLAIN ".to_vec(), vec![b'A'; 13_000], b"\r\n".to_vec()].concat();
        let refused = [Event::Command(Command::Refused { reply: faulty(Fault::TooLong), last: false })];
        assert_eq!(drive(&mut greeted(now), &[&long_user], now), refused);
        assert_ne!(drive(&mut greeted(now), &[&just_user], now), refused);
        assert_ne!(drive(&mut greeted(now), &[&long_auth], now), refused);
        assert_eq!(drive(&mut greeted(now), &[&too_long_auth], now), refused);
        assert_eq!(drive(&mut logged_in(now), &[&long_auth], now), refused, "no AUTH after the login");
        let nul = drive(&mut greeted(now), &[b"USER a\0b\r\n"], now);
        assert_eq!(nul, [Event::Command(Command::Refused { reply: faulty(Fault::Nul), last: false })]);
    }

    #[test]
    fn a_line_too_long_within_auth_ends_the_exchange() {
        let now = Instant::now();
        let mut session = greeted(now);
        let line = [vec![b'A'; 13_000], b"\r\n".to_vec()].concat();
        let events = drive(&mut session, &[b"AUTH PLAIN\r\n", &line, b"QUIT\r\n"], now);
        assert!(matches!(&events[1..], [Event::Command(Command::Refused { .. }), Event::Command(Command::Quit)]), "{events:?}");
    }

    #[test]
    fn the_last_of_too_many_bad_commands_says_so() {
        let now = Instant::now();
        let events = drive(&mut greeted(now), &[&b"GET / HTTP/1.1\r\n".repeat(20)], now);
        let last = |event: &Event<Command>| matches!(event, Event::Command(Command::Refused { last: true, .. }));
        assert_eq!((events.len(), events.iter().position(last)), (20, Some(19)));
    }

    #[test]
    fn a_client_has_ten_minutes_for_a_command_not_for_an_octet() {
        let start = Instant::now();
        let mut session = greeted(start);
        let deadline = session.deadline();
        assert_eq!(deadline, Some(start + Duration::from_secs(600)));
        let mut input = BytesMut::from(&b"NO"[..]);
        assert_eq!(session.receive(&mut input, start + Duration::from_secs(599)), None);
        assert_eq!(session.deadline(), deadline);
        assert_eq!(session.ended(Ended::Timeout, start + Duration::from_secs(600)), Some(Event::Ended(Ended::Timeout)));
        assert_eq!((session.wants(), session.deadline()), (Wants::ANSWERS, None));
        let mut out = BytesMut::new();
        session.answer(Answer::Close(Reply::Nothing), &mut out, start);
        assert_eq!((session.wants(), out.len()), (Wants::CLOSE, 0), "RFC 1939 §3: without sending any response");
    }

    #[test]
    fn when_the_peer_is_gone_nothing_is_wanted() {
        let mut session = greeted(Instant::now());
        assert_eq!(session.ended(Ended::Peer, Instant::now()), Some(Event::Ended(Ended::Peer)));
        assert_eq!(session.wants(), Wants::NOTHING);
    }

    /// The wire of a long answer whose body comes in these chunks.
    fn long_answer(chunks: &[&[u8]]) -> Vec<u8> {
        let now = Instant::now();
        let mut session = logged_in(now);
        let mut out = BytesMut::new();
        session.turn = Turn::Handler;
        session.answer(Answer::Part(Reply::Follows("follows".into())), &mut out, now);
        for chunk in chunks {
            session.answer(Answer::Chunk(Bytes::copy_from_slice(chunk)), &mut out, now);
        }
        session.answer(Answer::Done(Reply::End), &mut out, now);
        assert_eq!(session.wants(), Wants::INPUT);
        out.to_vec()
    }

    #[test]
    fn long_answers_are_stuffed_and_ended() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"", b".\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b".\r\n..a\r\nb.\r\n.c", b"..\r\n...a\r\nb.\r\n..c\r\n.\r\n"),
            (b"a\0\r\n\0.\r\n", b"a\x80\r\n\x80.\r\n.\r\n"),
            (b"\0", b"\x80\r\n.\r\n"),
        ];
        for (body, wire) in table {
            let wire = [b"+OK follows\r\n", wire].concat();
            for cut in 0..=body.len() {
                assert_eq!(long_answer(&[&body[..cut], &body[cut..]]), wire, "{body:?} cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(wire: Vec<u8>, cut: prop::sample::Index) {
            let now = Instant::now();
            let cut = cut.index(wire.len() + 1);
            for session in [greeted, logged_in] {
                let whole = drive(&mut session(now), &[&wire], now);
                prop_assert_eq!(drive(&mut session(now), &[&wire[..cut], &wire[cut..]], now), whole);
            }
        }

        #[test]
        fn a_message_survives_the_stuffing(lines in prop::collection::vec("[.a]{0,3}", 0..12)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let wire = long_answer(&[message.as_bytes()]);
            let body = wire.strip_prefix(b"+OK follows\r\n").expect("its head");
            let mut read = String::new();
            for line in std::str::from_utf8(body).expect("ASCII").split_inclusive("\r\n") {
                if line == ".\r\n" { break }
                read.push_str(line.strip_prefix('.').unwrap_or(line));
            }
            prop_assert_eq!(read, message);
        }
    }
}
