//! One job: its hops and their hosts in order, until what became of each recipient is known.
//!
//! A recipient that one host refuses for now is tried at the next; a refusal for good counts at once. After the hosts of its destination come
//! those of `smtp_fallback_relay`.
//!
//! | what happens                                   | for whom              | then                                               |
//! |------------------------------------------------|-----------------------|----------------------------------------------------|
//! | no host is found                               | all                   | the next hop; after the last: failed or deferred   |
//! | mail would come back to us                     | all                   | failed: another hop would make it worse            |
//! | no connection, greeting or EHLO refused, TLS   | all                   | the next host; after the last: deferred            |
//! | 5yz to MAIL, DATA or the end of the message    | all that were left    | failed                                             |
//! | 4yz to them                                    | all that were left    | the next host; after the last: deferred            |
//! | 5yz, 4yz to RCPT                               | that one              | failed; the next host                              |
//! | 421, or nothing that can be read               | all that are left     | the next host                                      |
//! | the connection is lost behind the message      | all it took           | deferred at once: the message may have been taken  |

use std::sync::Arc;
use std::time::Instant;

use mail::Status;
use mda::status::Verdict;
use net::{Call, Stop, TlsClient};
use smtp::client::Session;

use crate::hop::Hop;
use crate::resolve::{Host, LOOPS, Names, hosts};
use crate::schedule::{Job, Suspended};
use crate::settings::{Settings, TlsLevel};
use crate::shared::Shared;
use crate::visit::{End, Visit};
use crate::work::{Fate, Relay, Told, Work};

const NO_ANSWER: Status = Status(4, 4, 1);
const NO_HOP: Status = Status(5, 4, 4);
const OURS: Status = Status(4, 3, 0);

/// Delivers `first`, then whatever else waits for its destination while the connection is good.
pub(crate) async fn deliver<N: Names>(shared: Arc<Shared>, names: Arc<N>, settings: Arc<Settings>, first: Job, stop: Stop) {
    let destination = first.destination.clone();
    let mut delivery = Delivery { shared: &shared, settings: &settings, stop: &stop, work: Work::new(first), reached: false, refusal: None };
    match hops(&destination) {
        Ok(hops) => delivery.by_hops(&*names, hops).await,
        Err(verdict) => delivery.work.later(&verdict),
    }
    let refusal = delivery.end().await;
    match refusal {
        Some(why) => shared.failed(&destination, why).await,
        None => shared.succeeded(&destination),
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
    match Hop::list(destination) {
        Ok(hops) if hops.is_empty() => Err(Verdict::Failed(NO_HOP, "no next hop".into())),
        Ok(hops) => Ok(hops),
        Err(bad) => Err(Verdict::Failed(NO_HOP, bad.to_string())),
    }
}

struct Delivery<'a> {
    shared: &'a Arc<Shared>,
    settings: &'a Arc<Settings>,
    stop: &'a Stop,
    work: Work,
    /// Some host could be spoken to.
    reached: bool,
    /// Why the last that could not be spoken to could not.
    refusal: Option<Suspended>,
}

impl Delivery<'_> {
    async fn by_hops(&mut self, names: &impl Names, hops: Vec<Hop>) {
        for hop in hops.iter().chain(&self.settings.fallback) {
            match hosts(names, hop, self.settings).await {
                Ok(hosts) => self.by_hosts(&hosts).await,
                Err(verdict) => {
                    let loops = matches!(verdict, Verdict::Failed(LOOPS, _));
                    // a name that nobody can look up now is as good as a dead host
                    self.refused(verdict);
                    if loops {
                        return;
                    }
                }
            }
            if self.work.is_done() {
                return;
            }
        }
    }

    async fn by_hosts(&mut self, hosts: &[Host]) {
        let mut sessions = 0;
        for host in hosts {
            if self.settings.session_limit > 0 && sessions >= self.settings.session_limit {
                return;
            }
            let end = match self.at_host(host, &mut sessions, self.settings.tls).await {
                End::InClear(why) => {
                    tracing::info!(target: "postfix/smtp", "{}: {}; in clear then", self.work.job.message.id, why.text());
                    self.at_host(host, &mut sessions, TlsLevel::None).await
                }
                End::Stale => {
                    self.reached = true;
                    self.at_host(host, &mut sessions, self.settings.tls).await
                }
                end => end,
            };
            match end {
                End::Refused(verdict) | End::InClear(verdict) => self.refused(verdict),
                End::Done | End::Stale => self.reached = true,
            }
            if self.work.is_done() {
                return;
            }
        }
    }

    fn refused(&mut self, verdict: Verdict) {
        self.work.later(&verdict);
        if let Verdict::Deferred(status, text) = verdict {
            self.refusal = Some((status, text));
        }
    }

    async fn at_host(&mut self, host: &Host, sessions: &mut usize, tls: TlsLevel) -> End {
        let Host { name, address, .. } = host;
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
        let ended = net::call(connection, dialogue, call, async |talk| {
            Visit::new(self.shared, self.settings, host, self.stop, tls, talk).run(&mut self.work).await
        });
        match ended.await {
            Ok(end) => end,
            Err(broken) => {
                tracing::error!("{name}: {broken}");
                End::Refused(Verdict::Deferred(OURS, "mail system unavailable".into()))
            }
        }
    }

    /// Those that are left are settled by their last reason. Gives why the destination counts as one that failed, if it does.
    async fn end(mut self) -> Option<Suspended> {
        let relay = Relay { name: "none".into(), conn_use: 1, times: self.work.times(Instant::now()) };
        let reasons = self.work.why.clone();
        let left = self.work.decide(|n, _| {
            let why = reasons.get(n).cloned().flatten();
            Told::Fate(Fate::Unsent(why.unwrap_or_else(|| Verdict::Deferred(NO_ANSWER, "no host could be tried".into()))))
        });
        self.shared.settle(&self.work.job.message, left, &relay).await;
        self.refusal.filter(|_| !self.reached)
    }
}
