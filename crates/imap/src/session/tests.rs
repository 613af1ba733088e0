//! Conversations, each cut in two at every octet: where the network cuts must never matter.

use super::*;
use crate::response::{Condition, FetchItem, FetchLine, Label};
use crate::command::fetch::{Section, SectionText};

/// A handler that says yes to everything, and what it saw.
struct Talk {
    session: Session,
    input: BytesMut,
    out: BytesMut,
    /// Messages appended.
    stored: Vec<Vec<u8>>,
    draft: Vec<u8>,
    /// Messages of the APPEND under way that are whole.
    drafts: Vec<Vec<u8>>,
    /// Commands, without reflexes.
    heard: Vec<CommandBody>,
    /// Of each, whether a command by number lay behind it.
    follows: Vec<bool>,
    running: Option<CommandBody>,
    lines: Vec<Bytes>,
    refuse_append: bool,
    now: Instant,
    closed: bool,
}

fn limits() -> Limits {
    Limits { command_before_login: 200, command: 1000, swallow_before_login: 2000, swallow: 100_000, ..Limits::default() }
}

impl Talk {
    fn new(secured: bool) -> Self {
        let now = Instant::now();
        let mut session = Session::new(limits(), secured, now);
        assert_eq!(session.wants(), Wants::ANSWERS);
        let mut out = BytesMut::new();
        session.answer(Answer::Done(Condition::ok(None, "hi").into()), &mut out, now);
        assert_eq!(&out[..], b"* OK hi\r\n");
        out.clear();
        Talk {
            session, input: BytesMut::new(), out, stored: vec![], draft: vec![], drafts: vec![], heard: vec![], follows: vec![], running: None,
            lines: vec![], refuse_append: false, now, closed: false,
        }
    }

    fn logged_in() -> Self {
        let mut talk = Talk::new(true);
        talk.say(b"l LOGIN u p\r\n");
        assert!(talk.session.logged_in());
        talk.out.clear();
        talk.heard.clear();
        talk.follows.clear();
        talk
    }

    fn say(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        while self.session.wants().input {
            let before = self.input.len();
            match self.session.receive(&mut self.input, self.now) {
                Some(event) => self.on(event),
                None if self.input.is_empty() || self.input.len() == before => break,
                None => {}
            }
        }
        if self.session.wants().upgrade || self.session.wants().compress {
            self.input.clear();
            self.session.upgraded(self.now);
        }
        self.closed = self.session.wants().close;
    }

    fn give(&mut self, answer: Answer<Response>) {
        assert!(self.session.wants().answers, "{answer:?}");
        self.session.answer(answer, &mut self.out, self.now);
    }

    fn on(&mut self, event: Event<Command>) {
        let ok = || Response::from(Tagged::ok("done"));
        match event {
            Event::Command(Command { body: CommandBody::Reflex(reflex), .. }) => {
                if !matches!(reflex.reaction, Reaction::Continue) {
                    self.draft.clear();
                    self.drafts.clear();
                }
                let closes = reflex.closes();
                self.give(reflex.answer());
                assert_eq!(self.session.wants().close, closes);
            }
            Event::Command(Command { body, number_follows, .. }) => {
                self.follows.push(number_follows);
                let answer = match &body {
                    CommandBody::AppendMore(message) if message.size == 0 => {
                        self.draft.clear();
                        self.drafts.clear();
                        Answer::Done(Tagged::no("cancelled").into())
                    }
                    CommandBody::AppendMore(_) => {
                        self.drafts.push(std::mem::take(&mut self.draft));
                        Answer::Go(Response::Continue("OK".into()))
                    }
                    CommandBody::Append(_) if self.refuse_append => Answer::Done(Tagged::no("no room").into()),
                    CommandBody::Append(_) => Answer::Go(Response::Continue("OK".into())),
                    CommandBody::Authenticate(_) => Answer::Go(Response::Challenge(vec![])),
                    CommandBody::Login(_) => Answer::Done(Tagged::ok("in").entering(Entering::LoggedIn).into()),
                    CommandBody::Idle => Answer::Go(Response::Continue("idling".into())),
                    CommandBody::StartTls => Answer::Upgrade(ok()),
                    CommandBody::Compress => Answer::Compress(ok()),
                    CommandBody::Logout => Answer::Close(Response::Batch(vec![Response::Bye(None, "bye".into()), ok()])),
                    _ => Answer::Done(ok()),
                };
                self.heard.push(body.clone());
                self.running = Some(body);
                self.give(answer);
            }
            Event::Body(piece) => {
                assert!(!piece.is_empty());
                self.draft.extend_from_slice(&piece);
            }
            Event::BodyEnd => {
                self.stored.append(&mut self.drafts);
                self.stored.push(std::mem::take(&mut self.draft));
                self.give(Answer::Done(ok()));
            }
            Event::Line(line) => {
                self.lines.push(line);
                let sasl = matches!(self.running, Some(CommandBody::Authenticate(_)));
                let tagged = Tagged::ok("done");
                let tagged = if sasl { tagged.entering(Entering::LoggedIn) } else { tagged };
                self.give(Answer::Done(tagged.into()));
            }
            Event::Ended(why) => panic!("{why:?}"),
        }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// What is written to the client, for each way to cut its octets in two.
fn check(make: impl Fn() -> Talk, wire: &[u8], expected: &str, then: impl Fn(&Talk)) {
    for cut in 0..=wire.len() {
        let mut talk = make();
        talk.say(&wire[..cut]);
        talk.say(&wire[cut..]);
        assert_eq!(talk.said(), expected, "{:?} cut at {cut}", String::from_utf8_lossy(wire));
        then(&talk);
    }
    let mut talk = make();
    wire.iter().for_each(|octet| talk.say(&[*octet]));
    assert_eq!(talk.said(), expected, "octet by octet");
}

#[test]
fn conversations_before_login() {
    let table: &[(&str, &str)] = &[
        ("a NOOP\r\n", "a OK done\r\n"),
        ("a noop\r\nb CAPABILITY\r\n", "a OK done\r\nb OK done\r\n"),
        ("a NOOP \r\n", "a BAD Nothing expected after the arguments\r\n"),
        ("\r\n\r\na NOOP\r\n\r\nb NOOP\r\n", "a OK done\r\nb OK done\r\n"),
        (" \r\n", "* BAD A command begins with a tag\r\n"),
        ("+ NOOP\r\n", "* BAD A command begins with a tag\r\n"),
        ("a\r\n", "a BAD A command follows the tag\r\n"),
        ("a  NOOP\r\n", "a BAD A command follows the tag\r\n"),
        ("a NOOP\n", "a BAD A line ends with CRLF\r\n"),
        ("a XYZZY\r\n", "a BAD Unknown command\r\n"),
        ("a SELECT INBOX\r\n", "a BAD Log in first\r\n"),
        ("a LOGIN u\r\n", "a BAD Missing arguments\r\n"),
        ("a LOGIN u p\r\nb LOGIN u p\r\n", "a OK in\r\nb BAD Already logged in\r\n"),
        ("a LOGIN \"u\" \"p\\\"\" \r\n", "a OK in\r\n"),
        // literals: the session asks for them itself
        ("a LOGIN {1}\r\nu {3}\r\np d\r\n", "+ OK\r\n+ OK\r\na OK in\r\n"),
        ("a LOGIN {1+}\r\nu {3+}\r\n{9}\r\n", "a OK in\r\n"),
        ("a LOGIN u {0}\r\n\r\n", "+ OK\r\na OK in\r\n"),
        ("a LOGIN {2+}\r\na\0 x\r\nb NOOP\r\n", "a BAD NUL in a literal\r\nb OK done\r\n"),
        // what looks like a command in a refused literal is none
        ("a NOOP {8+}\r\nb LOGIN \r\nc NOOP\r\n", "a BAD Nothing expected after the arguments\r\nc OK done\r\n"),
        ("a X {3+}\r\nb X{3+}\r\nc X\r\nd NOOP\r\n", "a BAD Unknown command\r\nd OK done\r\n"),
        ("a X {3}\r\nd NOOP\r\n", "a BAD Unknown command\r\nd OK done\r\n"),
        ("a LOGIN {500}\r\n", "a BAD [TOOBIG] Literal too long\r\n"),
        ("a LOGIN {99999999999999999999999}\r\n", "a BAD Literal expected\r\n"),
        ("a NOOP {99999999999999999999999+}\r\n", "* BYE [TOOBIG] Too much data for a refused command\r\n"),
        // SASL
        ("a AUTHENTICATE PLAIN\r\nAGEAYg==\r\n", "+ \r\na OK done\r\n"),
        ("a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n", "+ \r\na BAD Authentication cancelled\r\nb OK done\r\n"),
        ("a AUTHENTICATE PLAIN\r\nAG\r\n", "+ \r\na BAD Invalid base64\r\n"),
        ("a AUTHENTICATE PLAIN AG\r\n", "a BAD Invalid base64\r\n"),
        ("a LOGOUT\r\nb NOOP\r\n", "* BYE bye\r\na OK done\r\n"),
        // three strikes; the fourth isn't read
        ("a X\r\nb X\r\nc X\r\nd NOOP\r\n",
         "a BAD Unknown command\r\nb BAD Unknown command\r\nc BAD Unknown command\r\n* BYE Too many invalid commands\r\n"),
        ("a X\r\nb X\r\nc NOOP\r\nd X\r\n",
         "a BAD Unknown command\r\nb BAD Unknown command\r\nc OK done\r\nd BAD Unknown command\r\n"),
    ];
    for (wire, expected) in table {
        check(|| Talk::new(false), wire.as_bytes(), expected, |_| {});
    }
}

#[test]
fn conversations_after_login() {
    let table: &[(&str, &str)] = &[
        ("a STARTTLS\r\n", "a BAD Already logged in\r\n"),
        ("a IDLE\r\nDONE\r\n", "+ idling\r\na OK done\r\n"),
        ("a IDLE\r\ndone\r\nb NOOP\r\n", "+ idling\r\na OK done\r\nb OK done\r\n"),
        ("a IDLE\r\nb NOOP\r\nc NOOP\r\n", "+ idling\r\na BAD IDLE ends with DONE\r\nc OK done\r\n"),
        ("a SELECT &\r\n", "a NO [CANNOT] Mailbox name is not possible here\r\n"),
        ("a SELECT INBOX (FROB)\r\n", "a BAD Unknown SELECT parameter\r\n"),
        ("a FROB CONDSTORE\r\n", "a BAD Unknown command\r\n"),
        ("a SEARCH CHARSET X-NO SUBJECT {3+}\r\nabc\r\nb NOOP\r\n",
         "a NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset\r\nb OK done\r\n"),
        ("a FETCH 1 BODY[HEADER.FIELDS ({7}\r\nsubject)]\r\n", "+ OK\r\na OK done\r\n"),
        ("a SEARCH SUBJECT {5000+}\r\n", ""), // waits for what it will refuse
    ];
    for (wire, expected) in table {
        check(Talk::logged_in, wire.as_bytes(), expected, |_| {});
    }
}

#[test]
fn append_streams_its_message() {
    let table: &[(&str, &str, &[&str])] = &[
        ("a APPEND INBOX {5}\r\nhello\r\nb NOOP\r\n", "+ OK\r\na OK done\r\nb OK done\r\n", &["hello"]),
        ("a APPEND INBOX {5+}\r\nhello\r\nb NOOP\r\n", "a OK done\r\nb OK done\r\n", &["hello"]),
        ("a APPEND {5}\r\nINBOX (\\Seen) \" 1-Feb-2024 00:00:00 +0000\" {6}\r\na\r\nb\r\n\r\n", "+ OK\r\n+ OK\r\na OK done\r\n", &["a\r\nb\r\n"]),
        ("a APPEND INBOX {0}\r\n\r\n", "+ OK\r\na OK done\r\n", &[""]),
        ("a APPEND INBOX {6+}\r\n{5+}\r\n\r\nb NOOP\r\n", "a OK done\r\nb OK done\r\n", &["{5+}\r\n"]),
        ("a APPEND INBOX {3+}\r\nabc{3+}\r\nb X\r\nc NOOP\r\n", "a BAD One space expected\r\nc OK done\r\n", &[]),
        ("a APPEND INBOX {3+}\r\nabcd\r\nc NOOP\r\n", "a BAD Nothing expected after the message\r\nc OK done\r\n", &[]),
        ("a APPEND INBOX hello\r\n", "a BAD Literal expected\r\n", &[]),
        ("a APPEND INBOX (\\Recent) {3+}\r\nabc\r\nb NOOP\r\n", "a BAD Unknown system flag\r\nb OK done\r\n", &[]),
        ("a APPEND ../x {3+}\r\nabc\r\nb NOOP\r\n", "a NO [CANNOT] Mailbox name is not possible here\r\nb OK done\r\n", &[]),
    ];
    for (wire, expected, stored) in table {
        check(Talk::logged_in, wire.as_bytes(), expected, |talk| {
            assert!(talk.stored.iter().eq(stored.iter().map(|message| message.as_bytes())), "{:?}", talk.stored);
        });
    }
}

/// RFC 3502: all of them, or none.
#[test]
fn append_takes_several_messages() {
    let table: &[(&str, &str, &[&str])] = &[
        ("a APPEND x {3}\r\nabc {2}\r\nde\r\nb NOOP\r\n", "+ OK\r\n+ OK\r\na OK done\r\nb OK done\r\n", &["abc", "de"]),
        ("a APPEND x {3+}\r\nabc (\\Seen) \" 1-Feb-2024 00:00:00 +0000\" {2+}\r\nde ~{1+}\r\nf\r\n", "a OK done\r\n", &["abc", "de", "f"]),
        // The client thinks better of it.
        ("a APPEND x {3+}\r\nabc {0}\r\nb NOOP\r\n", "a NO cancelled\r\nb OK done\r\n", &[]),
        ("a APPEND x {3+}\r\nabc {0+}\r\n {4+}\r\nefgh\r\nb NOOP\r\n", "a NO cancelled\r\nb OK done\r\n", &[]),
        // What is not another message.
        ("a APPEND x {3+}\r\nabc x {3+}\r\nb X\r\nc NOOP\r\n", "a BAD Literal expected\r\nc OK done\r\n", &[]),
        ("a APPEND x {3+}\r\nabc  {3+}\r\nb X\r\nc NOOP\r\n", "a BAD Literal expected\r\nc OK done\r\n", &[]),
        ("a APPEND x {3+}\r\nabc (\\Frob) {3+}\r\nb X {1+}\r\nx\r\nc NOOP\r\n", "a BAD Unknown system flag\r\nc OK done\r\n", &[]),
        ("a APPEND x {3+}\r\nabc (\\Seen\r\nc NOOP\r\n", "a BAD Nothing expected after the message\r\nc OK done\r\n", &[]),
    ];
    for (wire, expected, stored) in table {
        check(Talk::logged_in, wire.as_bytes(), expected, |talk| {
            assert!(talk.stored.iter().eq(stored.iter().map(|message| message.as_bytes())), "{wire:?}: {:?}", talk.stored);
        });
    }
}

#[test]
fn a_05_a_message_has_no_nul_but_in_a_literal8() {
    let table: &[(&str, &str, &[&str])] = &[
        ("a APPEND x {3}\r\na\0c\r\nb NOOP\r\n", "+ OK\r\na BAD NUL in the message\r\nb OK done\r\n", &[]),
        ("a APPEND x {3+}\r\nab\0 {2+}\r\nde\r\nb NOOP\r\n", "a BAD NUL in the message\r\nb OK done\r\n", &[]),
        ("a APPEND x {1+}\r\na {3+}\r\nab\0\r\nb NOOP\r\n", "a BAD NUL in the message\r\nb OK done\r\n", &[]),
        ("a APPEND x ~{3}\r\na\0c\r\nb NOOP\r\n", "+ OK\r\na OK done\r\nb OK done\r\n", &["a\0c"]),
        ("a SEARCH TEXT ~{3+}\r\na\0c\r\nb NOOP\r\n", "a BAD One space expected\r\nb OK done\r\n", &[]),
    ];
    for (wire, expected, stored) in table {
        check(Talk::logged_in, wire.as_bytes(), expected, |talk| {
            assert!(talk.stored.iter().eq(stored.iter().map(|message| message.as_bytes())), "{wire:?}: {:?}", talk.stored);
        });
    }
}

#[test]
fn a_refused_append_is_not_read_as_commands() {
    let refusing = || Talk { refuse_append: true, ..Talk::logged_in() };
    let table: &[(&str, &str)] = &[
        ("a APPEND INBOX {10}\r\nb NOOP\r\n", "a NO no room\r\nb OK done\r\n"),
        ("a APPEND INBOX {10+}\r\nb DELETE x\r\nc NOOP\r\n", "a NO no room\r\nc OK done\r\n"),
        ("a APPEND INBOX {4+}\r\nabcd {4+}\r\nefgh\r\nc NOOP\r\n", "a NO no room\r\nc OK done\r\n"),
        ("a APPEND INBOX {999999+}\r\nx", "a NO no room\r\n* BYE [TOOBIG] Too much data for a refused command\r\n"),
    ];
    for (wire, expected) in table {
        check(refusing, wire.as_bytes(), expected, |talk| assert!(talk.stored.is_empty()));
    }
}

#[test]
fn what_follows_starttls_in_clear_is_forgotten() {
    check(|| Talk::new(false), b"a STARTTLS\r\n", "a OK done\r\n", |talk| assert!(talk.session.secured));
    let mut talk = Talk::new(false);
    talk.say(b"a STARTTLS\r\nb LOGIN evil x\r\n");
    talk.say(b"c STARTTLS\r\nd NOOP\r\n");
    assert_eq!(talk.said(), "a OK done\r\nc BAD TLS is active already\r\nd OK done\r\n");
    assert_eq!(talk.heard, [CommandBody::StartTls, CommandBody::Noop]);
}

#[test]
fn what_follows_compress_is_not_read_as_it_is() {
    check(Talk::logged_in, b"a COMPRESS DEFLATE\r\n", "a OK done\r\n", |talk| assert!(talk.session.logged_in()));
    let mut talk = Talk::logged_in();
    talk.say(b"a COMPRESS DEFLATE\r\nb NOOP\r\n");
    talk.say(b"c NOOP\r\n");
    assert_eq!(talk.said(), "a OK done\r\nc OK done\r\n");
    assert_eq!(talk.heard, [CommandBody::Compress, CommandBody::Noop]);
}

#[test]
fn both_may_speak_in_idle() {
    let mut talk = Talk::logged_in();
    talk.say(b"a IDLE\r\nDO");
    assert_eq!(talk.session.wants(), Wants::BOTH);
    talk.give(Answer::Part(Response::Exists(4)));
    assert_eq!(talk.session.wants(), Wants::BOTH);
    talk.say(b"NE\r\n");
    assert_eq!(talk.said(), "+ idling\r\n* 4 EXISTS\r\na OK done\r\n");
    assert_eq!(talk.session.wants(), Wants::INPUT);
}

#[test]
fn a_sasl_answer_comes_decoded() {
    let mut talk = Talk::new(true);
    talk.say(b"a AUTHENTICATE plain\r\nAGEAYg==\r\n");
    assert_eq!(talk.lines, [Bytes::from_static(b"\0a\0b")]);
    assert!(talk.session.logged_in());
    let CommandBody::Authenticate(authenticate) = &talk.heard[0] else { panic!() };
    assert_eq!((authenticate.mechanism.as_str(), &authenticate.initial), ("PLAIN", &None));
}

#[test]
fn lines_that_never_end_are_bounded() {
    for (make, size) in [(&(|| Talk::new(false)) as &dyn Fn() -> Talk, 300), (&Talk::logged_in, 50_000)] {
        for cut in [1, 7, 100, size] {
            let mut wire = b"a1 ".to_vec();
            wire.resize(size, b'x');
            wire.extend_from_slice(b"{3+}\r\nb X\r\nc NOOP\r\n");
            let mut talk = make();
            wire.chunks(cut).for_each(|piece| talk.say(piece));
            assert_eq!(talk.said(), "a1 BAD [TOOBIG] Command too long\r\nc OK done\r\n", "{size} octets by {cut}");
        }
        let mut talk = make();
        for _ in 0..16 {
            talk.say(&[b'x'; 65_536]); // a megabyte without an end
        }
        assert_eq!(talk.said(), "* BYE [TOOBIG] Too much data for a refused command\r\n");
        assert!(talk.closed);
    }
}

#[test]
fn with_the_usual_limits() {
    let usual = |mut talk: Talk| {
        talk.session.limits = Limits::default();
        talk
    };
    let megabyte = format!("a1 LOGIN {}\r\nb NOOP\r\n", "x".repeat(1_000_000));
    for talk in [Talk::new(false), Talk::logged_in()] {
        let mut talk = usual(talk);
        megabyte.as_bytes().chunks(16_384).for_each(|piece| talk.say(piece));
        assert_eq!(talk.said(), "a1 BAD [TOOBIG] Command too long\r\nb OK done\r\n");
    }
    // what mbsync sends after a year abroad
    let set: Vec<String> = (1..11_000).map(|number| (number * 2).to_string()).collect();
    let line = format!("a UID FETCH {} (FLAGS)\r\n", set.join(","));
    assert!(line.len() > 60_000);
    let mut talk = usual(Talk::logged_in());
    line.as_bytes().chunks(1000).for_each(|piece| talk.say(piece));
    assert_eq!(talk.said(), "a OK done\r\n");
    let mut talk = usual(Talk::logged_in());
    talk.say(format!("a SEARCH {}\r\nb NOOP\r\n", "(".repeat(60_000)).as_bytes());
    assert_eq!(talk.said(), "a BAD [LIMIT] SEARCH is nested too deep\r\nb OK done\r\n");
    // what LITERAL- allows before login, and what LITERAL+ after it
    for (size, expected) in [(4096, "a OK in\r\nb OK done\r\n"), (4097, "a BAD [TOOBIG] Literal too long\r\nb OK done\r\n")] {
        let mut talk = usual(Talk::new(true));
        talk.say(format!("a LOGIN {{{size}+}}\r\n{} y\r\nb NOOP\r\n", "x".repeat(size)).as_bytes());
        assert_eq!(talk.said(), expected, "{size}");
    }
    for (size, expected) in [(60_000, "a OK done\r\nb OK done\r\n"), (70_000, "a BAD [TOOBIG] Literal too long\r\nb OK done\r\n")] {
        let mut talk = usual(Talk::logged_in());
        talk.say(format!("a SEARCH TEXT {{{size}+}}\r\n{}\r\nb NOOP\r\n", "x".repeat(size)).as_bytes());
        assert_eq!(talk.said(), expected, "{size}");
    }
    let mut talk = usual(Talk::logged_in());
    for _ in 0..19 {
        talk.say(b"a X\0\r\n");
    }
    assert!(!talk.closed);
    talk.say(b"a X\0\r\nb NOOP\r\n");
    assert!(talk.closed && talk.said().ends_with("a BAD Unknown command\r\n* BYE Too many invalid commands\r\n"), "{}", talk.said());
}

#[test]
fn many_literals_are_bounded_together() {
    let mut talk = Talk::logged_in();
    let mut wire = b"a SEARCH".to_vec();
    for _ in 0..100 {
        wire.extend_from_slice(b" TEXT {1+}\r\nx");
    }
    wire.extend_from_slice(b"\r\nb NOOP\r\n");
    talk.say(&wire);
    assert_eq!(talk.said(), "a BAD [LIMIT] Too many literals\r\nb OK done\r\n");
    let mut talk = Talk::logged_in();
    talk.say(format!("a LSUB \"\" {{900}}\r\n{} {{900}}\r\n", "x".repeat(900)).as_bytes());
    assert_eq!(talk.said(), "+ OK\r\na BAD Nothing expected after the arguments\r\n");
}

#[test]
fn c_01_deadlines() {
    let mut talk = Talk::new(false);
    let start = talk.now;
    let limits = limits();
    assert_eq!(talk.session.deadline(), Some(start + limits.login_time));
    talk.now += Duration::from_secs(100);
    talk.say(b"a NOOP\r\n");
    assert_eq!(talk.session.deadline(), Some(start + limits.login_time), "NOOP doesn't hold the door open");
    talk.say(b"a LOGIN u p\r\n");
    assert_eq!(talk.session.deadline(), Some(talk.now + limits.idle_time));
    let login = talk.now;
    talk.now += Duration::from_secs(100);
    talk.say(b"b NO");
    assert_eq!(talk.session.deadline(), Some(login + limits.idle_time), "per command, not per octet");
    talk.say(b"OP\r\n");
    assert_eq!(talk.session.deadline(), Some(talk.now + limits.idle_time));
    talk.now += Duration::from_secs(100);
    talk.say(b"c IDLE\r\n");
    assert_eq!(talk.session.deadline(), Some(talk.now + limits.idling_time));
    talk.say(b"DONE\r\nd APPEND x {4096}\r\n");
    talk.say(&[b'x'; 2048]);
    assert_eq!(talk.session.deadline(), Some(talk.now + limits.idle_time + Duration::from_secs(2)));
}

#[test]
fn the_end() {
    for why in [Ended::Timeout, Ended::Stop, Ended::Peer] {
        let mut talk = Talk::logged_in();
        assert_eq!(talk.session.ended(why, talk.now), Some(Event::Ended(why)));
        if why == Ended::Peer {
            assert_eq!(talk.session.wants(), Wants::NOTHING);
            continue;
        }
        talk.give(Answer::Close(Response::Bye(None, "Autologout".into())));
        assert_eq!(talk.said(), "* BYE Autologout\r\n");
        assert_eq!(talk.session.wants(), Wants::CLOSE);
        assert_eq!(talk.session.ended(why, talk.now), None);
    }
    let mut talk = Talk::logged_in();
    talk.say(b"a IDLE\r\n");
    talk.session.ended(Ended::Stop, talk.now);
    talk.give(Answer::Done(Tagged::ok("done").into()));
    talk.give(Answer::Close(Response::Bye(None, "Stopping".into())));
    assert_eq!(talk.said(), "+ idling\r\na OK done\r\n* BYE Stopping\r\n");
    let mut talk = Talk::logged_in();
    talk.say(b"a APPEND x {3}\r\nab");
    assert_eq!(talk.session.ended(Ended::Stop, talk.now), None, "a message on its way may arrive");
    talk.say(b"c\r\n");
    assert_eq!(talk.stored, [b"abc"]);
    assert_eq!(talk.session.ended(Ended::Stop, talk.now), Some(Event::Ended(Ended::Stop)));
}

/// A session that has FETCH under way.
fn fetching() -> Session {
    let now = Instant::now();
    let mut session = Session::new(limits(), true, now);
    let mut out = BytesMut::new();
    session.answer(Answer::Done(Condition::ok(None, "hi").into()), &mut out, now);
    session.stage = Stage::LoggedIn;
    let heard = session.receive(&mut BytesMut::from(&b"a FETCH 1 BODY[]\r\n"[..]), now);
    assert!(matches!(heard, Some(Event::Command(Command { body: CommandBody::Fetch(_), .. }))));
    session
}

fn whole() -> Label {
    Label::Body { section: Section { part: vec![], text: SectionText::All }, origin: None }
}

#[test]
fn a_body_is_streamed_into_a_fetch_line() {
    let (mut session, now, mut out) = (fetching(), Instant::now(), BytesMut::new());
    let uid = FetchItem::Uid(mail::Uid::new(7).unwrap());
    let answers = [
        Answer::Part(Response::FetchBegin(FetchLine { seq: 1, items: vec![uid] })),
        Answer::Part(Response::FetchLiteral { label: whole(), length: 5 }),
        Answer::Chunk(Bytes::from_static(b"he")),
        Answer::Chunk(Bytes::from_static(b"llo and more than promised")),
        Answer::Part(Response::FetchItems(vec![FetchItem::Size(5)])),
        Answer::Part(Response::FetchEnd),
        Answer::Done(Tagged::ok("done").into()),
    ];
    for answer in answers {
        session.answer(answer, &mut out, now);
    }
    let expected = "* 1 FETCH (UID 7 BODY[] {5}\r\nhello RFC822.SIZE 5)\r\na OK done\r\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn a_broken_promise_ends_the_connection_without_a_word() {
    for last in [Answer::Part(Response::FetchEnd), Answer::Close(Response::Bye(None, "sorry".into()))] {
        let (mut session, now, mut out) = (fetching(), Instant::now(), BytesMut::new());
        session.answer(Answer::Part(Response::FetchBegin(FetchLine { seq: 1, items: vec![] })), &mut out, now);
        session.answer(Answer::Part(Response::FetchLiteral { label: whole(), length: 5 }), &mut out, now);
        session.answer(Answer::Chunk(Bytes::from_static(b"he")), &mut out, now);
        let before = out.len();
        session.answer(last, &mut out, now);
        assert_eq!((out.len(), session.wants()), (before, Wants::CLOSE));
    }
}

/// C-16. In the middle of a literal there is nothing to say that would not be read as the message.
#[test]
fn c_16_the_last_words_of_a_session_that_fell_over() {
    let mut talk = Talk::logged_in();
    let apology = talk.session.apology().unwrap();
    assert!(matches!(&apology, Response::Bye(Some(crate::Code::ServerBug), _)), "{apology:?}");
    let (mut session, now, mut out) = (fetching(), talk.now, BytesMut::new());
    session.answer(Answer::Close(apology.clone()), &mut out, now);
    assert!(out.starts_with(b"* BYE [SERVERBUG] ") && session.wants() == Wants::CLOSE);
    talk.session = fetching();
    talk.session.answer(Answer::Part(Response::FetchBegin(FetchLine { seq: 1, items: vec![] })), &mut out, now);
    talk.session.answer(Answer::Part(Response::FetchLiteral { label: whole(), length: 5 }), &mut out, now);
    let before = out.len();
    talk.session.answer(Answer::Close(apology), &mut out, now);
    assert_eq!((out.len(), talk.session.wants()), (before, Wants::CLOSE));
}

proptest::proptest! {
    /// Whatever comes in whatever pieces: no panic, bounded memory, and every event gets an answer.
    #[test]
    fn noise_does_no_harm(pieces in proptest::collection::vec("[a-c{}0-9+\\r\\n \"\\\\()\\[\\]*%]{0,20}|a (LOGIN|SEARCH|APPEND|FETCH|AUTHENTICATE|IDLE|STARTTLS) |\\{[0-9]{1,3}\\+?\\}\r\n|\r\n|DONE\r\n", 0..40)) {
        for mut talk in [Talk::new(false), Talk::logged_in()] {
            for piece in &pieces {
                talk.say(piece.as_bytes());
            }
            proptest::prop_assert!(talk.closed || talk.session.wants().input);
        }
    }

    #[test]
    fn cuts_change_nothing(wire in "(a (NOOP|X|LOGIN a b|IDLE\r\nDONE|LIST \"\" \\*|APPEND x \\{3\\+?\\}\r\nabc( ~?\\{2\\+?\\}\r\nde)?|SEARCH TEXT \\{2\\+?\\}\r\n..|NOOP \\{4\\+\\}\r\n....)\r\n){1,6}", cuts in proptest::collection::vec(1usize..20, 1..20)) {
        let mut whole = Talk::logged_in();
        whole.say(wire.as_bytes());
        let mut cut = Talk::logged_in();
        let mut rest = wire.as_bytes();
        for size in cuts {
            let (piece, more) = rest.split_at(size.min(rest.len()));
            cut.say(piece);
            rest = more;
        }
        cut.say(rest);
        proptest::prop_assert_eq!(whole.said(), cut.said());
        proptest::prop_assert_eq!(whole.stored, cut.stored);
        proptest::prop_assert_eq!(whole.heard, cut.heard);
    }
}

#[test]
fn e_04_a_command_knows_that_one_by_number_follows() {
    let table: &[(&[u8], &[bool])] = &[
        (b"a NOOP\r\nb FETCH 1 (UID)\r\n", &[true, false]),
        (b"a NOOP\r\nb UID FETCH 1 (UID)\r\nc STORE 1 +FLAGS (\\Seen)\r\n", &[false, true, false]),
        (b"a STATUS {5+}\r\nINBOX (MESSAGES)\r\nb SEARCH ALL\r\n", &[true, false]),
        // Behind these comes what belongs to them.
        (b"a APPEND x {11+}\r\nb FETCH 1 x\r\nc COPY 1 x\r\n", &[false, false]),
        (b"a IDLE\r\nDONE\r\nb FETCH 1 (UID)\r\n", &[false, false]),
    ];
    for (wire, expected) in table {
        let mut talk = Talk::logged_in();
        talk.say(wire);
        assert_eq!(talk.follows, *expected, "{:?}", String::from_utf8_lossy(wire));
    }
}
