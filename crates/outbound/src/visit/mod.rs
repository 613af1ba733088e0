//! A connection to one host, spoken over: `greet.rs` is what comes before the first message, `message.rs` what is said for each.
//!
//! When it has nothing left to do it asks for more mail of its destination, and waits a little for some.

mod greet;
mod message;

use std::sync::Arc;
use std::time::Instant;

use dialogue::{Answer, Ended, Event};
use mail::Status;
use mda::status::Verdict;
use net::{Conversation, Gone, Stop};
use smtp::client::{Capabilities, Reply, Request, Session};

use crate::resolve::Host;
use crate::settings::{Settings, TlsLevel};
use crate::shared::Shared;
use crate::work::Work;

const LOST: Status = Status(4, 4, 2);
/// What cannot be read of a peer.
const GARBLED: Status = Status(4, 5, 0);

/// Before the first reply to a message.
const MAIL: &str = "sending MAIL FROM";

/// How a connection ended.
pub(crate) enum End {
    /// It did what it could; what is left of the job is for another host.
    Done,
    /// It could not be spoken to: the reason counts for all that are left, and for the destination.
    Refused(Verdict),
    /// The handshake failed where it need not be: once more, in clear.
    InClear(Verdict),
    /// A connection that was kept open turned out to be gone: once more, over a new one.
    Stale,
}

/// A connection, spoken over.
pub(crate) struct Visit<'a> {
    shared: &'a Arc<Shared>,
    settings: &'a Arc<Settings>,
    host: &'a Host,
    stop: &'a Stop,
    tls: TlsLevel,
    talk: Conversation<Session>,
    /// `mx.test[192.0.2.1]`
    peer: String,
    /// The same with its port.
    relay: String,
    offers: Capabilities,
    /// For the text that tells where the conversation broke.
    doing: &'static str,
    /// Since when it can carry messages.
    connected: Instant,
    /// How many it has carried, that under way included.
    carried: usize,
}

/// The connection cannot be used any more, and why.
struct Over(Verdict);

impl<'a> Visit<'a> {
    /// Over a connection that is there.
    pub fn new(shared: &'a Arc<Shared>, settings: &'a Arc<Settings>, host: &'a Host, stop: &'a Stop, tls: TlsLevel, talk: Conversation<Session>) -> Visit<'a> {
        let Host { name, address, .. } = host;
        let (relay, peer) = (format!("{name}[{}]:{}", address.ip(), address.port()), format!("{name}[{}]", address.ip()));
        Visit { shared, settings, host, stop, tls, talk, peer, relay, offers: Capabilities::default(), doing: "", connected: Instant::now(), carried: 0 }
    }

    pub async fn run(mut self, work: &mut Work) -> End {
        if let Err(end) = self.greet().await {
            return end;
        }
        self.connected = Instant::now();
        loop {
            self.carried += 1;
            let before = work.job.recipients.len();
            if let Err(Over(verdict)) = self.message(work).await {
                if self.carried > 1 && work.job.recipients.len() == before && self.doing == MAIL {
                    return End::Stale;
                }
                work.later(&verdict);
                return End::Done;
            }
            if !work.is_done() || self.stop.is_requested() || self.connected.elapsed() >= self.settings.reuse {
                break;
            }
            let destination = work.job.destination.clone();
            self.shared.succeeded(&destination);
            let Some(job) = self.shared.another(&destination, self.settings, self.stop).await else { break };
            *work = Work::new(job);
        }
        let _ = self.talk.answer(Answer::Close(Request::Quit)).await; // it may be gone already: nothing is left to be said
        End::Done
    }

    async fn ask(&mut self, request: Request) -> Result<Reply, Over> {
        self.say(Answer::Done(request)).await?;
        self.reply().await
    }

    async fn say(&mut self, answer: Answer<Request>) -> Result<(), Over> {
        self.talk.answer(answer).await.map_err(|Gone| Over(self.lost()))
    }

    async fn reply(&mut self) -> Result<Reply, Over> {
        match self.talk.next().await {
            Some(Event::Command(Ok(reply))) => Ok(reply),
            Some(Event::Command(Err(unreadable))) => Err(Over(Verdict::Deferred(GARBLED, format!("host {} gave {unreadable} while {}", self.peer, self.doing)))),
            Some(Event::Ended(Ended::Timeout)) => Err(Over(Verdict::Deferred(LOST, format!("conversation with {} timed out while {}", self.peer, self.doing)))),
            _ => Err(Over(self.lost())),
        }
    }

    fn lost(&self) -> Verdict {
        Verdict::Deferred(LOST, format!("lost connection with {} while {}", self.peer, self.doing))
    }
}

/// In Postfix's words; a bounce takes them apart again.
fn host_said(peer: &str, reply: &Reply, command: &str) -> String {
    format!("host {peer} said: {reply} (in reply to {command})")
}

/// The code of a deferral; a 2yz or 3yz out of place counts as one.
fn softened(Status(_, subject, detail): Status) -> Status {
    Status(4, subject, detail)
}
