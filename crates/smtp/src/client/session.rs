//! One session with another server, from its greeting to our QUIT.
//!
//! ```text
//!  Part(MAIL) Part(RCPT) Done(DATA)  ──►  three replies, in order     a group; without PIPELINING each is a Done of its own
//!  Chunk … Done(End)                 ──►  one reply                   the message; only after 354
//!  Done(StartTls), 220, Upgrade      ──►  nothing: then EHLO again    what came in clear behind the 220 is thrown away
//!  Close(Quit)                                                        its reply is not waited for (`smtp_skip_quit_response`)
//! ```
//!
//! A group must be small enough that all of its replies fit in the buffers between (RFC 2920 §3.1): while it is written, nothing is read.
//! Whatever a server says unasked ends the session: nothing it says after that can be matched to what was asked.

use super::reply::{LINE, Partial};
use super::{Reply, Request, Unreadable};
use bytes::BytesMut;
use dialogue::{Answer, BareLf, Dialogue, Encoder, Ended, Event, Lines, Wants};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A reply, or why there is none.
pub type Said = Result<Reply, Unreadable>;

/// How long to wait for the reply to each command; Postfix's parameters and defaults, which are those of RFC 5321 §4.5.3.2 or shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the greeting, for EHLO and for each step of AUTH (`smtp_helo_timeout`).
    pub hello: Duration,
    /// `smtp_starttls_timeout`
    pub starttls: Duration,
    /// `smtp_mail_timeout`
    pub mail: Duration,
    /// `smtp_rcpt_timeout`
    pub rcpt: Duration,
    /// `smtp_data_init_timeout`
    pub data: Duration,
    /// `smtp_data_done_timeout`
    pub end: Duration,
    /// `smtp_rset_timeout`
    pub rset: Duration,
    /// `smtp_quit_timeout`
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts {
            hello: seconds(300),
            starttls: seconds(300),
            mail: seconds(300),
            rcpt: seconds(300),
            data: seconds(120),
            end: seconds(600),
            rset: seconds(20),
            quit: seconds(300),
        }
    }
}

/// What a reply is awaited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Greeting,
    Hello,
    StartTls,
    Mail,
    Rcpt,
    Data,
    End,
    Rset,
    Quit,
}

/// Our end of a session. It begins with waiting for the greeting.
#[derive(Debug)]
pub struct Session {
    timeouts: Timeouts,
    lines: Lines,
    partial: Partial,
    /// Commands whose replies are awaited, in order.
    due: VecDeque<Due>,
    phase: Phase,
    /// Since when the first reply of `due` is awaited.
    since: Instant,
}

#[derive(Debug)]
enum Phase {
    /// Commands and replies.
    Talking,
    /// A group of commands is being written.
    Grouping,
    /// 354 came, and the message may go.
    Ready,
    Body(Encoder),
    /// STARTTLS was answered: what comes now is not looked at any more.
    Agreed,
    Upgrading,
    Closed,
    Gone,
}

impl Session {
    /// A session whose peer is to greet.
    pub fn new(timeouts: Timeouts, now: Instant) -> Session {
        Session { timeouts, lines: lines(), partial: Partial::default(), due: VecDeque::from([Due::Greeting]), phase: Phase::Talking, since: now }
    }

    fn send(&mut self, request: &Request, out: &mut BytesMut, now: Instant) {
        let due = match request {
            Request::Ehlo(_) | Request::Helo(_) | Request::Auth { .. } | Request::Respond(_) | Request::GiveUp => Due::Hello,
            Request::StartTls => Due::StartTls,
            Request::Mail(_) => Due::Mail,
            Request::Rcpt(_) => Due::Rcpt,
            Request::Data => Due::Data,
            Request::End => Due::End,
            Request::Rset => Due::Rset,
            Request::Quit => Due::Quit,
        };
        if due == Due::End {
            match std::mem::replace(&mut self.phase, Phase::Talking) {
                Phase::Body(encoder) => encoder.finish(out),
                Phase::Ready => Encoder::strict().finish(out),
                // there is no message to end: nothing is asked, so nothing is to be answered
                other => {
                    self.phase = other;
                    return;
                }
            }
        }
        request.put(out);
        if self.due.is_empty() {
            self.since = now;
        }
        self.due.push_back(due);
    }

    fn chunk(&mut self, octets: &[u8], out: &mut BytesMut) {
        if matches!(self.phase, Phase::Ready) {
            self.phase = Phase::Body(Encoder::strict());
        }
        if let Phase::Body(encoder) = &mut self.phase {
            encoder.push(octets, out);
        }
    }

    /// What a reply to `due` leads to.
    fn replied(&mut self, due: Option<Due>, said: Said) -> Said {
        let Some(due) = due else { return said.and(Err(Unreadable::Unasked)) };
        if let Ok(reply) = &said {
            match due {
                Due::Data if reply.code() == 354 => self.phase = Phase::Ready,
                Due::StartTls if reply.code() == 220 => self.phase = Phase::Agreed,
                _ => {}
            }
        }
        said
    }
}

impl Dialogue for Session {
    type Command = Said;
    type Answer = Request;

    fn receive(&mut self, input: &mut BytesMut, now: Instant) -> Option<Event<Said>> {
        loop {
            let line = self.lines.take(input)?;
            if let Some(said) = self.partial.take(line) {
                let due = self.due.pop_front();
                self.since = now;
                return Some(Event::Command(self.replied(due, said)));
            }
        }
    }

    fn ended(&mut self, why: Ended, _: Instant) -> Option<Event<Said>> {
        match (&self.phase, why) {
            (Phase::Closed | Phase::Gone, _) => return None,
            // what was begun is finished, within the grace of the stop
            (_, Ended::Stop) if !self.due.is_empty() => return None,
            _ => self.phase = Phase::Gone,
        }
        Some(Event::Ended(why))
    }

    fn wants(&self) -> Wants {
        match self.phase {
            Phase::Talking if self.due.is_empty() => Wants::BOTH,
            Phase::Talking => Wants::INPUT,
            Phase::Grouping | Phase::Ready | Phase::Body(_) | Phase::Agreed => Wants::ANSWERS,
            Phase::Upgrading => Wants::UPGRADE,
            Phase::Closed => Wants::CLOSE,
            Phase::Gone => Wants::NOTHING,
        }
    }

    fn answer(&mut self, part: Answer<Request>, out: &mut BytesMut, now: Instant) {
        match part {
            Answer::Part(request) => {
                self.send(&request, out, now);
                self.phase = Phase::Grouping;
            }
            Answer::Done(request) | Answer::Go(request) | Answer::Compress(request) => {
                if !matches!(request, Request::End) {
                    self.phase = Phase::Talking;
                }
                self.send(&request, out, now);
            }
            Answer::Chunk(octets) => self.chunk(&octets, out),
            Answer::Upgrade(_) => self.phase = if matches!(self.phase, Phase::Agreed) { Phase::Upgrading } else { Phase::Closed },
            Answer::Close(request) => {
                request.put(out);
                self.phase = Phase::Closed;
            }
        }
    }

    /// RFC 3207 §4.2: all that was said in clear is forgotten; the handler says EHLO again.
    fn upgraded(&mut self, now: Instant) {
        self.lines = lines();
        self.partial = Partial::default();
        self.due.clear();
        self.phase = Phase::Talking;
        self.since = now;
    }

    fn deadline(&self) -> Option<Instant> {
        let timeouts = &self.timeouts;
        let time = match self.due.front()? {
            Due::Greeting | Due::Hello => timeouts.hello,
            Due::StartTls => timeouts.starttls,
            Due::Mail => timeouts.mail,
            Due::Rcpt => timeouts.rcpt,
            Due::Data => timeouts.data,
            Due::End => timeouts.end,
            Due::Rset => timeouts.rset,
            Due::Quit => timeouts.quit,
        };
        self.since.checked_add(time)
    }
}

/// A line feed alone ends a reply's line too: there are such servers, and it cannot part what one line says from another's.
fn lines() -> Lines {
    Lines::new(LINE, BareLf::Ends)
}
