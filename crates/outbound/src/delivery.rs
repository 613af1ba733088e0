//! One connection's work: from a job to what became of each recipient.
//!
//! Hosts are tried in their order until every recipient is decided. A recipient that one host refuses for now is tried at the next; a refusal for
//! good counts at once. When a connection has nothing left to do it asks for more mail of its destination, and waits a little for some.
//!
//! | what happens                                   | for whom              | then                                               |
//! |------------------------------------------------|-----------------------|----------------------------------------------------|
//! | no connection, greeting or EHLO refused, TLS   | all                   | the next host; after the last: deferred            |
//! | 5yz to MAIL, DATA or the end of the message    | all that were left    | failed                                             |
//! | 4yz to them                                    | all that were left    | the next host; after the last: deferred            |
//! | 5yz, 4yz to RCPT                               | that one              | failed; the next host                              |
//! | 421, or nothing that can be read               | all that are left     | the next host                                      |
//! | the connection is lost behind the message      | all it took           | deferred at once: the message may have been taken  |

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dialogue::{Answer, Ended, Event};
use mail::{Address, Status};
use mda::status::Verdict;
use net::{Call, Conversation, Failure, Gone, Stop, TlsClient};
use queue::message::{FLAG_8BIT, FLAG_RETURN_HEADERS};
use queue::{BodyError, Entry, Message, Notify};
use smtp::client::{Capabilities, MailRequest, RcptRequest, Reply, Request, Return, Session};

use crate::log::Times;
use crate::resolve::{Host, Names, hosts};
use crate::runner::Shared;
use crate::schedule::{Job, Suspended};
use crate::settings::{Settings, TlsLevel};
use crate::hop::Hop;

const NO_ANSWER: Status = Status(4, 4, 1);
const LOST: Status = Status(4, 4, 2);
const NO_TLS: Status = Status(4, 7, 4);
const TLS_FAILED: Status = Status(4, 7, 5);
const NO_LOGIN: Status = Status(4, 7, 0);
const TOO_BIG: Status = Status(5, 3, 4);
const LOOPS: Status = Status(5, 4, 6);
const OURS: Status = Status(4, 3, 0);
/// What cannot be read of a peer.
const GARBLED: Status = Status(4, 5, 0);

/// Before the first reply to a message.
const MAIL: &str = "sending MAIL FROM";

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Taken, with these words.
    Sent(Status, String),
    Unsent(Verdict),
}

/// Who was spoken to last.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    /// For the log: `mx.test[192.0.2.1]:25`, or `none`.
    pub name: String,
    pub conn_use: usize,
    pub times: Times,
}

/// What is left of a job: recipients without a fate, each with the last reason why.
struct Work {
    job: Job,
    /// Why those that are left have no fate yet.
    why: Vec<Option<Verdict>>,
    begun: Instant,
}

impl Work {
    fn new(job: Job) -> Work {
        let why = vec![None; job.recipients.len()];
        Work { job, why, begun: Instant::now() }
    }

    fn is_done(&self) -> bool {
        self.job.recipients.is_empty()
    }

    /// Takes those whose fate is known; the others keep the reason.
    fn decide(&mut self, mut told: impl FnMut(usize, &Entry) -> Told) -> Vec<(Entry, Fate)> {
        let recipients = std::mem::take(&mut self.job.recipients);
        let reasons = std::mem::take(&mut self.why);
        let mut decided = Vec::new();
        for (n, (entry, before)) in recipients.into_iter().zip(reasons).enumerate() {
            match told(n, &entry) {
                Told::Fate(fate) => decided.push((entry, fate)),
                Told::Later(why) => {
                    self.job.recipients.push(entry);
                    self.why.push(Some(why));
                }
                Told::Taken => {
                    self.job.recipients.push(entry);
                    self.why.push(None);
                }
                Told::Nothing => {
                    self.job.recipients.push(entry);
                    self.why.push(before);
                }
            }
        }
        decided
    }

    /// All that are left could not be delivered for this reason, unless another host can.
    fn later(&mut self, why: &Verdict) {
        self.why.iter_mut().for_each(|reason| *reason = Some(why.clone()));
    }

    fn times(&self, connected: Instant) -> Times {
        let now = Instant::now();
        let created = u64::try_from(self.job.message.created).unwrap_or_default();
        let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_millis(created)).unwrap_or_default();
        Times {
            before: age.saturating_sub(now.saturating_duration_since(self.job.added)),
            queued: self.begun.saturating_duration_since(self.job.added),
            setup: connected.saturating_duration_since(self.begun),
            transfer: now.saturating_duration_since(connected.max(self.begun)),
        }
    }
}

/// What one host says about one recipient.
enum Told {
    Fate(Fate),
    Later(Verdict),
    /// It may get the message; no reason stands against it any more.
    Taken,
    Nothing,
}

/// How a connection ended.
enum End {
    /// It did what it could; what is left of the job is for another host.
    Done,
    /// It could not be spoken to: the reason counts for all that are left, and for the destination.
    Refused(Verdict),
    /// The handshake failed where it need not be: once more, in clear.
    InClear(Verdict),
    /// A connection that was kept open turned out to be gone: once more, over a new one.
    Stale,
}

/// Delivers `first`, then whatever else waits for its destination while the connection is good.
pub(crate) async fn deliver<N: Names>(shared: Arc<Shared>, names: Arc<N>, settings: Arc<Settings>, first: Job, stop: Stop) {
    let destination = first.destination.clone();
    let mut work = Work::new(first);
    let hosts = match hops(&destination) {
        Ok(hops) => hosts(&*names, &hops, &settings).await,
        Err(verdict) => Err(verdict),
    };
    let hosts = match hosts {
        Ok(hosts) => hosts,
        Err(verdict) => {
            let why = verdict.clone();
            let decided = work.decide(|_, _| Told::Fate(Fate::Unsent(why.clone())));
            shared.settle(&work.job.message, decided, &nobody(&work)).await;
            // a name that nobody can look up now is as good as a dead host
            if let Verdict::Deferred(status, text) = verdict {
                shared.failed(&destination, (status, text)).await;
            }
            shared.finished(&destination);
            return;
        }
    };
    let mut reached = false;
    let mut sessions = 0;
    let mut refusal: Option<Suspended> = None;
    for host in &hosts {
        if settings.session_limit > 0 && sessions >= settings.session_limit {
            break;
        }
        let attempt = Attempt { shared: &shared, settings: &settings, host, stop: &stop };
        let end = match attempt.at_host(&mut work, &mut sessions, settings.tls).await {
            End::InClear(why) => {
                tracing::info!(target: "postfix/smtp", "{}: {}; in clear then", work.job.message.id, said(&why));
                attempt.at_host(&mut work, &mut sessions, TlsLevel::None).await
            }
            End::Stale => {
                reached = true;
                attempt.at_host(&mut work, &mut sessions, settings.tls).await
            }
            end => end,
        };
        match end {
            End::Refused(verdict) | End::InClear(verdict) => {
                work.later(&verdict);
                if let Verdict::Deferred(status, text) = verdict {
                    refusal = Some((status, text));
                }
            }
            End::Done | End::Stale => reached = true,
        }
        if work.is_done() {
            break;
        }
    }
    let relay = nobody(&work);
    let reasons = work.why.clone();
    let left = work.decide(|n, _| {
        let why = reasons.get(n).cloned().flatten();
        Told::Fate(Fate::Unsent(why.unwrap_or_else(|| Verdict::Deferred(NO_ANSWER, "no host could be tried".into()))))
    });
    shared.settle(&work.job.message, left, &relay).await;
    match refusal {
        Some(why) if !reached => shared.failed(&destination, why).await,
        _ => shared.succeeded(&destination),
    }
    shared.finished(&destination);
}

/// A destination is one hop or a list of them, as it was routed.
fn hops(destination: &str) -> Result<Vec<Hop>, Verdict> {
    let told = |text: &str, class: u8, usual: Status| {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        match Status::parse(first).filter(|status| status.0 == class) {
            Some(status) => (status, rest.to_owned()),
            None => (usual, text.to_owned()),
        }
    };
    if let Some(text) = destination.strip_prefix("error:") {
        let (status, text) = told(text, 5, Status(5, 0, 0));
        return Err(Verdict::Failed(status, text));
    }
    if let Some(text) = destination.strip_prefix("retry:") {
        let (status, text) = told(text, 4, Status(4, 0, 0));
        return Err(Verdict::Deferred(status, text));
    }
    Hop::list(destination).map_err(|bad| Verdict::Failed(Status(5, 4, 4), bad.to_string()))
}

fn nobody(work: &Work) -> Relay {
    Relay { name: "none".into(), conn_use: 1, times: work.times(Instant::now()) }
}

fn said(verdict: &Verdict) -> &str {
    let (Verdict::Deferred(_, text) | Verdict::Failed(_, text)) = verdict;
    text
}

/// One host.
struct Attempt<'a> {
    shared: &'a Arc<Shared>,
    settings: &'a Arc<Settings>,
    host: &'a Host,
    stop: &'a Stop,
}

impl Attempt<'_> {
    async fn at_host(&self, work: &mut Work, sessions: &mut usize, tls: TlsLevel) -> End {
        let Host { name, address, .. } = self.host;
        let connection = match net::dial(*address, "smtp", self.settings.connect).await {
            Ok(connection) => connection,
            Err(error) => {
                let why = match error.kind() {
                    std::io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
                    std::io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
                    _ => error.to_string(),
                };
                let text = format!("connect to {name}[{}]:{}: {why}", address.ip(), address.port());
                tracing::info!(target: "postfix/smtp", "{text}");
                return End::Refused(Verdict::Deferred(NO_ANSWER, text));
            }
        };
        *sessions += 1;
        let client = match tls {
            TlsLevel::None => None,
            TlsLevel::May | TlsLevel::Encrypt => TlsClient::opportunistic(name).or_else(|_| TlsClient::opportunistic(&address.ip().to_string())).ok(),
        };
        let limits = net::Limits { write_window: self.settings.transfer, handshake: self.settings.timeouts.starttls, ..net::Limits::default() };
        let call = Call { tls: client, implicit: false, limits, stop: self.stop.clone() };
        let dialogue = Session::new(self.settings.timeouts, Instant::now());
        let relay = format!("{name}[{}]:{}", address.ip(), address.port());
        let peer = format!("{name}[{}]", address.ip());
        let ended = net::call(connection, dialogue, call, async |talk| {
            Visit { shared: self.shared, settings: self.settings, host: self.host, stop: self.stop, tls, talk, peer, relay, offers: Capabilities::default(), doing: "" }.run(work).await
        });
        match ended.await {
            Ok(end) => end,
            Err(broken) => {
                tracing::error!("{}: {broken}", self.host.name);
                End::Refused(Verdict::Deferred(OURS, "mail system unavailable".into()))
            }
        }
    }
}

/// A connection, spoken over.
struct Visit<'a> {
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
}

/// The connection cannot be used any more, and why.
struct Over(Verdict);

impl From<Gone> for Over {
    fn from(_: Gone) -> Over {
        // whoever gets this asks `lost` for the words
        Over(Verdict::Deferred(LOST, String::new()))
    }
}

impl Visit<'_> {
    async fn run(mut self, work: &mut Work) -> End {
        match self.greet().await {
            Ok(()) => {}
            Err(end) => return end,
        }
        let connected = Instant::now();
        let mut conn_use = 1;
        loop {
            let before = work.job.recipients.len();
            if let Err(Over(verdict)) = self.message(work, connected, conn_use).await {
                if conn_use > 1 && work.job.recipients.len() == before && self.doing == MAIL {
                    return End::Stale;
                }
                work.later(&verdict);
                return End::Done;
            }
            if !work.is_done() || self.stop.is_requested() || connected.elapsed() >= self.settings.reuse {
                break;
            }
            let destination = work.job.destination.clone();
            self.shared.succeeded(&destination);
            let Some(job) = self.shared.another(&destination, self.settings.idle, self.stop).await else { break };
            *work = Work::new(job);
            conn_use += 1;
        }
        let _ = self.talk.answer(Answer::Close(Request::Quit)).await; // it may be gone already: nothing is left to be said
        End::Done
    }

    // ── before the first message ─────────────────────────────────────────────────────────────────

    async fn greet(&mut self) -> Result<(), End> {
        self.doing = "receiving the initial server greeting";
        let greeting = self.reply().await.map_err(|over| End::Refused(over.0))?;
        if greeting.code() != 220 {
            return Err(End::Refused(self.refused_to_talk(&greeting)));
        }
        self.hello().await?;
        match self.tls {
            TlsLevel::None => {}
            TlsLevel::May if !self.offers.starttls => {}
            TlsLevel::Encrypt if !self.offers.starttls => {
                return Err(End::Refused(Verdict::Deferred(NO_TLS, format!("TLS is required, but was not offered by host {}", self.peer))));
            }
            TlsLevel::May | TlsLevel::Encrypt => self.starttls().await?,
        }
        self.login().await
    }

    /// Where there is a login for this host. A server that offers none gets the mail all the same.
    async fn login(&mut self) -> Result<(), End> {
        let settings = self.settings.clone();
        let Some((name, password)) = settings.logins.at(self.host).filter(|_| !self.offers.mechanisms.is_empty()) else { return Ok(()) };
        let failed = |peer: &str, why: &dyn std::fmt::Display| End::Refused(Verdict::Deferred(NO_LOGIN, format!("SASL authentication failed; {peer}{why}")));
        let Some(mechanism) = settings.logins.mechanism(&self.offers.mechanisms, self.talk.secured()) else {
            return Err(failed(&format!("cannot authenticate to server {}", self.peer), &": no mechanism available"));
        };
        self.doing = "performing the SASL handshake";
        let lost = |over: Over| End::Refused(over.0);
        let (mut client, initial) = sasl::Client::start(mechanism, name, password.as_bytes(), &sasl::scram::nonce());
        let mut reply = self.ask(Request::Auth { mechanism: mechanism.name(), initial }).await.map_err(lost)?;
        while reply.code() == 334 {
            let challenge = sasl::base64::decode(reply.lines().next().unwrap_or_default().as_bytes());
            let response = challenge.ok_or(sasl::BadServer::Challenge).and_then(|challenge| client.respond(&challenge));
            reply = match response {
                Ok(response) => self.ask(Request::Respond(response)).await.map_err(lost)?,
                Err(bad) => {
                    let _ = self.ask(Request::GiveUp).await.map_err(lost)?;
                    return Err(failed(&format!("server {}: ", self.peer), &bad));
                }
            };
        }
        match reply.code() {
            235 if client.is_satisfied() => Ok(()),
            235 => Err(failed(&format!("server {}: ", self.peer), &sasl::BadServer::Impostor)),
            _ => Err(failed(&format!("server {} said: ", self.peer), &reply)),
        }
    }

    async fn hello(&mut self) -> Result<(), End> {
        self.doing = "performing the EHLO handshake";
        let refused = |over: Over| End::Refused(over.0);
        let name = self.settings.helo.clone();
        let mut reply = self.ask(Request::Ehlo(name.clone())).await.map_err(refused)?;
        if reply.is_positive() {
            self.offers = Capabilities::of_ehlo(&reply);
        } else {
            if reply.code() == 421 {
                return Err(End::Refused(self.refused_to_talk(&reply)));
            }
            self.doing = "performing the HELO handshake";
            reply = self.ask(Request::Helo(name)).await.map_err(refused)?;
            if !reply.is_positive() {
                return Err(End::Refused(self.refused_to_talk(&reply)));
            }
            self.offers = Capabilities::of_helo(&reply);
        }
        if self.offers.host == self.settings.hostname {
            tracing::warn!(target: "postfix/smtp", "warning: host {} replied to HELO/EHLO with my own hostname {}", self.peer, self.settings.hostname);
            return Err(End::Refused(Verdict::Failed(LOOPS, format!("host {} is myself: mail loops back", self.peer))));
        }
        Ok(())
    }

    async fn starttls(&mut self) -> Result<(), End> {
        self.doing = "performing the TLS handshake";
        let reply = self.ask(Request::StartTls).await.map_err(|over| End::Refused(over.0))?;
        if reply.code() != 220 {
            return match self.tls {
                TlsLevel::Encrypt => Err(End::Refused(Verdict::Deferred(NO_TLS, format!("TLS is required, but host {} refused to start TLS: {reply}", self.peer)))),
                _ => Ok(()),
            };
        }
        let upgraded = self.talk.answer(Answer::Upgrade(Request::StartTls)).await;
        let hello = match upgraded {
            Ok(()) => self.hello().await,
            Err(Gone) => Err(End::Refused(self.lost())),
        };
        match (hello, self.talk.failure()) {
            (Err(_), Some(Failure::Handshake(why))) => {
                let verdict = Verdict::Deferred(TLS_FAILED, format!("Cannot start TLS with {}: {why}", self.peer));
                Err(if self.tls == TlsLevel::May { End::InClear(verdict) } else { End::Refused(verdict) })
            }
            (other, _) => {
                if other.is_ok()
                    && let Some(tls) = self.talk.tls()
                {
                    let (protocol, cipher, bits) = (&tls.protocol, &tls.cipher, tls.bits);
                    tracing::info!(target: "postfix/smtp", "Untrusted TLS connection established to {}: {protocol} with cipher {cipher} ({bits}/{bits} bits)", self.relay);
                }
                other
            }
        }
    }

    /// A 5yz greeting is about us or about now, hardly about the recipients: they wait, unless `smtp_skip_5xx_greeting = no`.
    fn refused_to_talk(&self, reply: &Reply) -> Verdict {
        let text = format!("host {} refused to talk to me: {reply}", self.peer);
        let status = reply.status_or_class();
        match reply.is_permanent() && !self.settings.skip_refusing {
            true => Verdict::Failed(status, text),
            false => Verdict::Deferred(softened(status), text),
        }
    }

    // ── one message ──────────────────────────────────────────────────────────────────────────────

    /// What is left of `work` is carried; what becomes of it is settled. An error: the connection is of no use any more.
    async fn message(&mut self, work: &mut Work, connected: Instant, conn_use: usize) -> Result<(), Over> {
        let message = work.job.message.clone();
        if let Some(limit) = self.offers.size_limit.filter(|limit| message.size > *limit) {
            let text = format!("message size {} exceeds size limit {limit} of server {}", message.size, self.peer);
            let decided = work.decide(|_, _| Told::Fate(Fate::Unsent(Verdict::Failed(TOO_BIG, text.clone()))));
            self.settle(work, decided, connected, conn_use).await;
            return Ok(());
        }
        let addresses: Vec<Option<Address>> = work.job.recipients.iter().map(|entry| Address::parse(&entry.address).ok()).collect();
        let bad = work.decide(|n, _| match addresses.get(n) {
            Some(Some(_)) => Told::Nothing,
            _ => Told::Fate(Fate::Unsent(Verdict::Failed(Status(5, 1, 3), "the address cannot be read".into()))),
        });
        if !bad.is_empty() {
            self.settle(work, bad, connected, conn_use).await;
        }
        let addresses: Vec<Address> = addresses.into_iter().flatten().collect();
        if addresses.is_empty() {
            return Ok(());
        }
        let envelope = self.envelope(&message, &work.job.recipients, &addresses);
        let replies = self.offer(envelope).await?;
        let accepted = self.judge(work, &replies, connected, conn_use).await;
        match replies.data {
            Some(reply) if reply.code() == 354 && accepted.is_empty() => {
                // RFC 2920 §3.1: it waits for a message to nobody
                self.doing = "sending end of data";
                let _ = self.ask(Request::End).await?;
                Ok(())
            }
            Some(reply) if reply.code() == 354 => {
                let reply = self.body(&message, work).await?;
                self.verdict(work, &reply, "end of DATA command", connected, conn_use).await;
                over_if_421(&reply, self)
            }
            Some(reply) if !accepted.is_empty() => {
                self.verdict(work, &reply, "DATA command", connected, conn_use).await;
                over_if_421(&reply, self)?;
                self.reset().await
            }
            _ => {
                replies.hung_up(self)?;
                self.reset().await
            }
        }
    }

    /// MAIL and RCPTs, in the order in which they are said.
    fn envelope(&self, message: &Message, entries: &[Entry], addresses: &[Address]) -> Vec<Request> {
        let mut mail = MailRequest::new(message.reverse_path());
        mail.size = self.offers.size.then_some(message.size);
        mail.eight_bit = self.offers.eight_bit && message.flags & FLAG_8BIT != 0;
        if self.offers.dsn {
            mail.envid = message.envid.clone();
            let asked = message.flags & FLAG_RETURN_HEADERS != 0;
            mail.ret = asked.then_some(Return::Headers);
        }
        let rcpt = |(entry, to): (&Entry, &Address)| {
            let mut rcpt = RcptRequest::new(to.clone());
            if self.offers.dsn {
                rcpt.notify = (entry.notify != Notify::default()).then(|| notify(entry.notify));
                rcpt.orcpt = entry.orcpt.clone();
            }
            Request::Rcpt(rcpt)
        };
        std::iter::once(Request::Mail(mail)).chain(entries.iter().zip(addresses).map(rcpt)).collect()
    }

    /// Says the envelope and DATA, in one group where the server allows it, and gathers the replies.
    async fn offer(&mut self, envelope: Vec<Request>) -> Result<Replies, Over> {
        let mut replies = Replies::default();
        if self.offers.pipelining {
            self.doing = MAIL;
            let count = envelope.len() - 1;
            for request in envelope {
                self.say(Answer::Part(request)).await?;
            }
            self.say(Answer::Done(Request::Data)).await?;
            replies.mail = Some(self.reply().await?);
            self.doing = "sending RCPT TO";
            for _ in 0..count {
                replies.rcpt.push(self.reply().await?);
            }
            self.doing = "sending DATA command";
            replies.data = Some(self.reply().await?);
            return Ok(replies);
        }
        for request in envelope {
            let is_mail = matches!(request, Request::Mail(_));
            self.doing = if is_mail { MAIL } else { "sending RCPT TO" };
            let reply = self.ask(request).await?;
            let ends = reply.code() == 421 || (is_mail && !reply.is_positive());
            if is_mail { replies.mail = Some(reply) } else { replies.rcpt.push(reply) }
            if ends {
                return Ok(replies);
            }
        }
        if replies.rcpt.iter().any(Reply::is_positive) {
            self.doing = "sending DATA command";
            replies.data = Some(self.ask(Request::Data).await?);
        }
        Ok(replies)
    }

    /// Settles those who were refused; gives those who may get the message.
    async fn judge(&mut self, work: &mut Work, replies: &Replies, connected: Instant, conn_use: usize) -> Vec<i64> {
        let mut accepted = Vec::new();
        let mail = replies.mail.as_ref().filter(|reply| !reply.is_positive());
        let (peer, begun) = (self.peer.clone(), replies.mail.is_some());
        let decided = work.decide(|n, entry| match (mail, replies.rcpt.get(n)) {
            (Some(reply), _) => by(reply, &peer, "MAIL FROM command"),
            // RFC 5321 §4.5.3.1.10: a server may say 552 for "too many recipients"
            (None, Some(reply)) if reply.code() == 552 => Told::Later(Verdict::Deferred(softened(reply.status_or_class()), host_said(&peer, reply, "RCPT TO command"))),
            (None, Some(reply)) if reply.is_positive() => {
                accepted.push(entry.n);
                Told::Taken
            }
            (None, Some(reply)) => by(reply, &peer, "RCPT TO command"),
            (None, None) if begun => Told::Later(Verdict::Deferred(LOST, format!("host {peer} ended the conversation"))),
            (None, None) => Told::Nothing,
        });
        self.settle(work, decided, connected, conn_use).await;
        accepted
    }

    /// A reply that counts for all who are left and were accepted: those with a reason of their own keep it.
    async fn verdict(&mut self, work: &mut Work, reply: &Reply, command: &str, connected: Instant, conn_use: usize) {
        let peer = self.peer.clone();
        let own: Vec<bool> = work.why.iter().map(Option::is_some).collect();
        let decided = work.decide(|n, _| match own.get(n) {
            Some(true) => Told::Nothing,
            _ if reply.is_positive() => Told::Fate(Fate::Sent(reply.status_or_class(), reply.to_string())),
            _ => by(reply, &peer, command),
        });
        self.settle(work, decided, connected, conn_use).await;
    }

    /// The message itself. What is lost behind its end may have arrived.
    async fn body(&mut self, message: &Message, work: &mut Work) -> Result<Reply, Over> {
        self.doing = "sending message body";
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::error!("{}: {error}", message.id);
            Over(Verdict::Deferred(OURS, "mail system unavailable".into()))
        };
        let mut reader = self.shared.body(message).await.map_err(|error: BodyError| unreadable(&error))?;
        while let Some(chunk) = reader.chunk().await.map_err(|error| unreadable(&error))? {
            self.say(Answer::Chunk(chunk)).await?;
        }
        self.doing = "sending end of data -- message may be sent more than once";
        match self.ask(Request::End).await {
            Ok(reply) => Ok(reply),
            Err(Over(verdict)) => {
                let own: Vec<bool> = work.why.iter().map(Option::is_some).collect();
                let decided = work.decide(|n, _| if own.get(n) == Some(&true) { Told::Nothing } else { Told::Fate(Fate::Unsent(verdict.clone())) });
                let relay = Relay { name: self.relay.clone(), conn_use: 1, times: work.times(Instant::now()) };
                self.shared.settle(message, decided, &relay).await;
                Err(Over(verdict))
            }
        }
    }

    /// Ready for another message.
    async fn reset(&mut self) -> Result<(), Over> {
        self.doing = "sending RSET";
        let reply = self.ask(Request::Rset).await?;
        if reply.is_positive() { Ok(()) } else { Err(Over(Verdict::Deferred(LOST, host_said(&self.peer, &reply, "RSET command")))) }
    }

    async fn settle(&self, work: &Work, decided: Vec<(Entry, Fate)>, connected: Instant, conn_use: usize) {
        if !decided.is_empty() {
            let relay = Relay { name: self.relay.clone(), conn_use, times: work.times(connected) };
            self.shared.settle(&work.job.message, decided, &relay).await;
        }
    }

    // ── words ────────────────────────────────────────────────────────────────────────────────────

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

/// What was answered to an envelope; those behind an end are missing.
#[derive(Default)]
struct Replies {
    mail: Option<Reply>,
    rcpt: Vec<Reply>,
    data: Option<Reply>,
}

impl Replies {
    /// 421: the server closes, whatever it was asked.
    fn hung_up(&self, visit: &Visit<'_>) -> Result<(), Over> {
        self.mail.iter().chain(&self.rcpt).chain(&self.data).try_for_each(|reply| over_if_421(reply, visit))
    }
}

fn over_if_421(reply: &Reply, visit: &Visit<'_>) -> Result<(), Over> {
    match reply.code() {
        421 => Err(Over(Verdict::Deferred(softened(reply.status_or_class()), format!("host {} said: {reply}", visit.peer)))),
        _ => Ok(()),
    }
}

/// What a refusal means for one recipient.
fn by(reply: &Reply, peer: &str, command: &str) -> Told {
    let text = host_said(peer, reply, command);
    let status = reply.status_or_class();
    match reply.is_permanent() {
        true => Told::Fate(Fate::Unsent(Verdict::Failed(status, text))),
        false => Told::Later(Verdict::Deferred(softened(status), text)),
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

fn notify(notify: Notify) -> String {
    let words = [(Notify::SUCCESS, "SUCCESS"), (Notify::FAILURE, "FAILURE"), (Notify::DELAY, "DELAY")];
    let asked: Vec<&str> = words.iter().filter(|(bit, _)| notify.0 & bit.0 != 0).map(|(_, word)| *word).collect();
    if asked.is_empty() { "NEVER".into() } else { asked.join(",") }
}
