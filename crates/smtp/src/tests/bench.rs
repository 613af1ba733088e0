//! A session with a handler of few opinions and a loop like `net`'s, in one thread and without time.
//!
//! It refuses senders and recipients whose local part is `refused`, and what begins with `spam`; DATA from `nodata`; the
//! password is `secret`. It panics when the session asks what it must not ask.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crate::{Command, Decided, Reply, Session, Settings};
use bytes::{Bytes, BytesMut};
use dialogue::{Answer, Dialogue, Ended, Event};
use mail::{ForwardPath, Status};
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Message {
    pub from: String,
    pub to: Vec<String>,
    pub body: Vec<u8>,
}

pub struct Bench {
    pub session: Session,
    pub input: BytesMut,
    pub now: Instant,
    pub accepted: Vec<Message>,
    pub closed: bool,
    pub seen: Vec<&'static str>,
    out: BytesMut,
    transaction: Option<Message>,
    /// A body was asked for.
    reading: bool,
    mechanism: String,
    lmtp: bool,
}

pub fn settings() -> Settings {
    let mut settings = Settings::new("mx.test");
    settings.starttls = true;
    settings.mechanisms = vec!["PLAIN".into(), "LOGIN".into()];
    settings.limits.message = Some(1_000);
    settings
}

impl Bench {
    pub fn new(settings: Settings) -> Bench {
        let now = Instant::now();
        let lmtp = settings.language == crate::Language::Lmtp;
        let session = Session::new(Arc::new(settings), false, now);
        let mut bench = Bench {
            session,
            now,
            input: BytesMut::new(),
            accepted: Vec::new(),
            closed: false,
            seen: Vec::new(),
            out: BytesMut::new(),
            transaction: None,
            reading: false,
            mechanism: String::new(),
            lmtp,
        };
        bench.answer(Answer::Done(Reply::greeting("mx.test ESMTP Posthouse")));
        bench
    }

    /// Gives octets to the session and pumps until it waits for more; what was answered.
    pub fn say(&mut self, octets: &[u8]) -> String {
        self.input.extend_from_slice(octets);
        self.pump();
        self.heard()
    }

    pub fn heard(&mut self) -> String {
        String::from_utf8(self.out.split().to_vec()).expect("replies are ASCII")
    }

    fn pump(&mut self) {
        loop {
            let wants = self.session.wants();
            if wants.close {
                self.closed = true;
                return;
            }
            if wants.upgrade {
                self.input.clear();
                self.session.upgraded(self.now);
                continue;
            }
            assert!(wants.input && !wants.answers, "the handler always answers at once: {:?}", self.session);
            match self.session.receive(&mut self.input, self.now) {
                Some(event) => self.handle(event),
                None => return,
            }
        }
    }

    pub fn end(&mut self, why: Ended) -> Option<Event<Command>> {
        self.session.ended(why, self.now)
    }

    pub fn answer(&mut self, answer: Answer<Reply>) {
        assert!(self.session.wants().answers);
        self.session.answer(answer, &mut self.out, self.now);
    }

    fn handle(&mut self, event: Event<Command>) {
        let answer = match event {
            Event::Command(command) => {
                self.seen.push(command.verb());
                self.command(command)
            }
            Event::Body(piece) => {
                assert!(!piece.is_empty() && self.reading);
                self.transaction.as_mut().expect("a body has a transaction").body.extend_from_slice(&piece);
                return;
            }
            Event::BodyEnd => {
                assert!(std::mem::take(&mut self.reading));
                let message = self.transaction.take().expect("a body has a transaction");
                let others = if self.lmtp { message.to.len() - 1 } else { 0 };
                for to in message.to.iter().take(others) {
                    let full = to.starts_with("full@");
                    self.answer(Answer::Part(if full { Reply::fixed(452, Status(4, 2, 2), "full") } else { Reply::OK }));
                }
                let answer = match message.body.starts_with(b"spam") {
                    true => Reply::fixed(550, Status(5, 7, 1), "spam"),
                    false => Reply::fixed(250, Status(2, 0, 0), "Ok: queued as ID"),
                };
                if answer.is_positive() {
                    self.accepted.push(message);
                }
                Answer::Done(answer)
            }
            Event::Line(response) => self.login(Some(response)),
            Event::Ended(_) => panic!("nobody ended it"),
        };
        self.answer(answer);
    }

    fn command(&mut self, command: Command) -> Answer<Reply> {
        const REFUSED: Reply = Reply::fixed(550, Status(5, 7, 1), "refused");
        match command {
            Command::Hello { client, welcome } => {
                assert!(!self.reading);
                self.transaction = None;
                Answer::Done(if client.name == "refused" { REFUSED } else { welcome })
            }
            Command::Mail { mail, .. } => {
                assert!(self.transaction.is_none(), "one transaction at a time");
                let from = mail.from.to_string();
                if from.starts_with("refused@") {
                    return Answer::Done(REFUSED);
                }
                self.transaction = Some(Message { from, to: Vec::new(), body: Vec::new() });
                Answer::Done(Reply::SENDER_OK)
            }
            Command::Rcpt(rcpt) => {
                let to = match rcpt.to {
                    ForwardPath::Postmaster => "postmaster".to_string(),
                    ForwardPath::Address(address) => address.to_string(),
                };
                if to.starts_with("refused@") {
                    return Answer::Done(REFUSED);
                }
                self.transaction.as_mut().expect("no recipient without a sender").to.push(to);
                Answer::Done(Reply::RECIPIENT_OK)
            }
            Command::Data => {
                let transaction = self.transaction.as_mut().expect("no body without a transaction");
                assert!(!transaction.to.is_empty(), "no body without a recipient");
                assert!(transaction.body.is_empty(), "nothing is left of another body");
                if transaction.from.starts_with("nodata@") {
                    return Answer::Done(REFUSED);
                }
                self.reading = true;
                Answer::Go(Reply::GO_AHEAD)
            }
            Command::Reset => {
                self.transaction = None;
                Answer::Done(Reply::OK)
            }
            Command::Quit => Answer::Close(Reply::BYE),
            Command::StartTls => {
                self.transaction = None;
                Answer::Upgrade(Reply::READY_FOR_TLS)
            }
            Command::Auth(auth) => {
                self.mechanism = auth.mechanism;
                self.login(auth.initial)
            }
            Command::Decided(decided) => self.decided(decided),
        }
    }

    fn decided(&mut self, decided: Decided) -> Answer<Reply> {
        if std::mem::take(&mut self.reading) {
            self.transaction = None; // in the place of `BodyEnd`
        }
        decided.answer()
    }

    /// PLAIN and LOGIN as far as a test needs them.
    fn login(&mut self, response: Option<Bytes>) -> Answer<Reply> {
        let Some(response) = response else {
            return Answer::Go(Reply::challenge(if self.mechanism == "LOGIN" { b"Username:" } else { b"" }));
        };
        let Ok(response) = STANDARD.decode(&response) else {
            return Answer::Done(if response == "*" { Reply::AUTH_ABORTED } else { Reply::AUTH_NOT_BASE64 });
        };
        if self.mechanism == "LOGIN" && response == b"user" {
            return Answer::Go(Reply::challenge(b"Password:"));
        }
        match response.ends_with(b"secret") {
            true => Answer::Done(Reply::AUTHENTICATED),
            false => Answer::Done(Reply::fixed(535, Status(5, 7, 8), "Error: authentication failed: no")),
        }
    }
}
