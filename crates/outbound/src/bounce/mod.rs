//! Reports to senders: what failed for good, what is late, and what arrived if they asked (RFC 3461). Start at [`report`].
//!
//! A report is mail like any other, with the null sender, through the same [`Plan`]: the report and the end of what it tells of are one
//! transaction, so a sender is told once, whatever crashes. It waits until none of the message's recipients is about to be tried.
//!
//! | the message's sender      | of a failure is told                              | of a delay, or success |
//! |---------------------------|---------------------------------------------------|------------|
//! | somebody                  | that sender, unless NOTIFY says no                | that sender: once, after `delay_warning_time`; if NOTIFY says so |
//! | nobody (it was a bounce)  | `2bounce_notice_recipient`, if `notify_classes` has 2bounce; else nobody | nobody |
//! | `double_bounce_sender`    | nobody                                            | nobody     |

mod compose;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use bodies::Sealed;
use bytes::Bytes;
use config::Config;
use mail::{Address, ReversePath, header};
use mda::{Delivery, Destination, Expanded, Plan, Recipient, Routes, expand};
use queue::message::{FLAG_8BIT, FLAG_RETURN_HEADERS, FLAG_WARNED};
use queue::{Entry, Message, Notify, QueueId, Report, State};
use store::Store;

use compose::Notice;

/// Recipients that one report tells of; more are told of in another.
const RECIPIENTS: usize = 1_000;
/// Messages looked at in one round.
const ROUND: u32 = 100;
/// Octets of a header that are returned.
const HEADER: u64 = 100 * 1024;

/// What reports take from main.cf.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `myhostname`
    pub hostname: String,
    /// `myorigin`
    pub origin: String,
    /// `mail_name`
    pub software: String,
    /// Messages up to so many octets are returned whole (`bounce_size_limit`).
    pub whole: u64,
    /// After this a sender is told once that a message is late; zero: never (`delay_warning_time`).
    pub late: Duration,
    /// `maximal_queue_lifetime`
    pub lifetime: Duration,
    /// `double_bounce_sender`: what it sends is answered by nobody.
    pub double_sender: String,
    /// Who is told of bounces that fail (`2bounce_notice_recipient`, if `notify_classes` has `2bounce`).
    pub double_recipient: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hostname: "localhost".into(),
            origin: "localhost".into(),
            software: "Posthouse".into(),
            whole: 50_000,
            late: Duration::ZERO,
            lifetime: Duration::from_secs(5 * 24 * 60 * 60),
            double_sender: "double-bounce".into(),
            double_recipient: None,
        }
    }
}

impl Settings {
    /// What `config` says.
    pub fn of(config: &Config) -> Settings {
        let double = config.list("notify_classes").iter().any(|class| class.eq_ignore_ascii_case("2bounce"));
        Settings {
            hostname: config.hostname().to_owned(),
            origin: config.text("myorigin").to_owned(),
            software: config.text("mail_name").to_owned(),
            whole: config.size("bounce_size_limit"),
            late: config.time("delay_warning_time"),
            lifetime: config.time("maximal_queue_lifetime"),
            double_sender: config.text("double_bounce_sender").to_owned(),
            double_recipient: double.then(|| config.text("2bounce_notice_recipient").to_owned()),
        }
    }

    /// What was accepted at that time or before is late at `now`; `None`: nothing ever is.
    pub(crate) fn late_before(&self, now: i64) -> Option<i64> {
        let wait = i64::try_from(self.late.as_millis()).ok().filter(|wait| *wait > 0)?;
        Some(now.saturating_sub(wait))
    }

    /// An address of ours: as it is, or with `@$myorigin`.
    fn address(&self, text: &str) -> Option<Address> {
        Address::parse(text).ok().or_else(|| Address::new(text, &self.origin).ok())
    }
}

/// Reports all that failed and is to be reported at `now` (milliseconds), and those of `late` that are late. What cannot be reported now is left
/// for the next call; of what is late, for the next deferral.
pub(crate) async fn report<R: Routes>(store: &Store, routes: &R, settings: &crate::Settings, now: i64, late: &BTreeSet<QueueId>) -> Result<(), mda::Error> {
    let bouncer = Bouncer { store, routes, settings, now };
    loop {
        let ids = queue::to_report(store.db(), now, ROUND).await?;
        if bouncer.each(&ids, Kind::Failed).await? + bouncer.each(&ids, Kind::Arrived).await? == 0 {
            break;
        }
    }
    bouncer.each(late, Kind::Late).await?;
    Ok(())
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Failed,
    Late,
    Arrived,
}

/// To whom, and as whom.
struct Envelope {
    from: ReversePath,
    to: Address,
    /// To postmaster, of a bounce that failed.
    double: bool,
}

struct Bouncer<'a, R> {
    store: &'a Store,
    routes: &'a R,
    settings: &'a crate::Settings,
    now: i64,
}

impl<R: Routes> Bouncer<'_, R> {
    /// How many of `ids` were reported. Only the last error is told, and only if nothing could be done.
    async fn each(&self, ids: impl IntoIterator<Item = &QueueId>, kind: Kind) -> Result<usize, mda::Error> {
        let (mut done, mut failed) = (0, None);
        for id in ids {
            match self.one(*id, kind).await {
                Ok(()) => done += 1,
                Err(error) => {
                    tracing::warn!("{id}: its sender cannot be told: {error}; trying again");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if done == 0 => Err(error),
            _ => Ok(done),
        }
    }

    async fn one(&self, id: QueueId, kind: Kind) -> Result<(), mda::Error> {
        let Some(message) = queue::show(self.store.db(), id).await? else { return Ok(()) };
        if kind == Kind::Late && !self.is_late(&message) {
            return Ok(());
        }
        let of_kind = |entry: &&Entry| match kind {
            Kind::Failed => entry.state == State::Failed,
            Kind::Late => entry.state == State::Pending && entry.attempts > 0,
            Kind::Arrived => matches!(entry.state, State::Arrived(_)),
        };
        let all: Vec<&Entry> = message.recipients.iter().filter(of_kind).take(RECIPIENTS).collect();
        let report = match kind {
            Kind::Failed | Kind::Arrived => Report { id, ended: all.iter().map(|entry| entry.n).collect(), warned: false },
            Kind::Late => Report { id, ended: Vec::new(), warned: true },
        };
        if kind != Kind::Late && all.is_empty() {
            return Ok(());
        }
        let envelope = self.envelope(&message, kind);
        // a postmaster is told of everything; others as they asked
        let wish = match kind {
            Kind::Failed => Notify::FAILURE,
            Kind::Late => Notify::DELAY,
            Kind::Arrived => Notify::SUCCESS,
        };
        let asked = |entry: &&Entry| envelope.as_ref().is_some_and(|envelope| envelope.double || entry.notify.has(wish));
        let told: Vec<&Entry> = all.into_iter().filter(asked).collect();
        let settled = match envelope {
            Some(envelope) if !told.is_empty() => self.send(&message, kind, envelope, &told, report).await?,
            _ => match self.store.db().commit(report).await {
                Ok(settled) => settled,
                Err(error) if queue::refused(&error).is_some() => return Ok(()),
                Err(error) => return Err(error.into()),
            },
        };
        if settled.removed {
            tracing::info!(target: "postfix/qmgr", "{id}: removed");
        }
        if let Some(name) = settled.discard
            && let Err(error) = self.store.bodies().discard(vec![name]).await
        {
            tracing::warn!("{id}: {error}; the sweeper will");
        }
        Ok(())
    }

    /// It waits after an attempt, for long enough, and its sender does not know.
    fn is_late(&self, message: &Message) -> bool {
        let waits = message.recipients.iter().any(|entry| entry.state == State::Pending && entry.attempts > 0);
        let old = self.settings.bounce.late_before(self.now).is_some_and(|before| message.created <= before);
        waits && old && !message.sender.is_empty() && message.flags & FLAG_WARNED == 0
    }

    /// Nobody is told of what nobody sent, unless postmaster wants to be.
    fn envelope(&self, message: &Message, kind: Kind) -> Option<Envelope> {
        let settings = &self.settings.bounce;
        let double = settings.address(&settings.double_sender);
        match message.reverse_path() {
            ReversePath::Address(sender) if double.as_ref().is_some_and(|double| sender.is_same(double)) => {
                tracing::warn!(target: "postfix/bounce", "warning: {}: undeliverable postmaster notification discarded", message.id);
                None
            }
            ReversePath::Address(sender) => Some(Envelope { from: ReversePath::Null, to: sender, double: false }),
            ReversePath::Null if kind == Kind::Failed => {
                let to = settings.address(settings.double_recipient.as_deref()?)?;
                Some(Envelope { from: ReversePath::Address(double?), to, double: true })
            }
            ReversePath::Null => None,
        }
    }

    async fn send(&self, message: &Message, kind: Kind, envelope: Envelope, told: &[&Entry], report: Report) -> Result<queue::Settled, mda::Error> {
        let id = QueueId::generate(SystemTime::now());
        let Envelope { from, to, double } = envelope;
        let headers_only = kind != Kind::Failed || message.size > self.settings.bounce.whole || message.flags & FLAG_RETURN_HEADERS != 0;
        let original = self.original(message, headers_only).await?;
        let notice = Notice { settings: &self.settings.bounce, kind, double, id, to: &to, message, recipients: told, original: &original, headers_only, now: self.now };
        let (text, message_id) = notice.compose();
        let flags = if text.is_ascii() { 0 } else { FLAG_8BIT };
        let body = self.seal(&text).await?;
        let what = match (kind, double) {
            (Kind::Failed, false) => "sender non-delivery notification",
            (Kind::Failed, true) => "postmaster non-delivery notification",
            (Kind::Late, _) => "sender delay notification",
            (Kind::Arrived, _) => "sender delivery status notification",
        };
        tracing::info!(target: "postfix/cleanup", "{id}: message-id={message_id}");
        tracing::info!(target: "postfix/bounce", "{}: {what}: {id}", message.id);
        tracing::info!(target: "postfix/qmgr", "{id}: from=<{from}>, size={}, nrcpt=1 (queue active)", body.size);
        let end = header::end_of_header(&text).min(text.len());
        let bounce = mda::Message {
            id,
            sender: from,
            header: Bytes::copy_from_slice(text.get(..end).unwrap_or_default()),
            structure: None,
            body,
            arrived: self.now,
            flags,
            envid: None,
            account: None,
            origin: None,
        };
        let deliveries = self.deliveries(to).await?;
        let plan = Plan::for_message(bounce, deliveries, self.now, self.settings.plan).await?;
        Ok(plan.reporting(report).commit(self.store.db()).await?.settled)
    }

    /// Where the report goes. What is nobody's here is queued all the same: it fails there, and is then a bounce that failed.
    async fn deliveries(&self, to: Address) -> Result<Vec<Delivery>, mda::Error> {
        let recipient = Recipient::new(to.clone());
        Ok(match expand(self.routes, &recipient).await? {
            Expanded::Deliveries(deliveries) => deliveries,
            Expanded::Unknown(_) | Expanded::Refused(..) | Expanded::Endless | Expanded::Later(_) => {
                vec![Delivery { recipient, to: Destination::Later { address: to }, owner: None }]
            }
        })
    }

    async fn original(&self, message: &Message, headers_only: bool) -> Result<Vec<u8>, mda::Error> {
        let mut reader = match queue::reader(self.store.db(), self.store.bodies(), message).await {
            Ok(reader) => reader,
            // a report without the message is better than none
            Err(error) => {
                tracing::error!("{}: {error}; its bounce is sent without it", message.id);
                return Ok(Vec::new());
            }
        };
        if headers_only {
            return Ok(reader.header(HEADER).await?.to_vec());
        }
        let mut whole = Vec::new();
        while let Some(chunk) = reader.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    async fn seal(&self, text: &[u8]) -> Result<Sealed, mda::Error> {
        let mut draft = self.store.bodies().draft();
        draft.write(text).await?;
        Ok(draft.sealed().await?)
    }
}

/// The words of a reply that a reason was made of: who said it, and what.
pub(crate) fn taken_apart(reason: &str) -> Option<(&str, &str)> {
    if let Some(via) = reason.strip_prefix("delivery via ") {
        let (relay, reply) = via.split_once(": ")?;
        return Some((relay.split_once('[')?.0, reply));
    }
    let (host, rest) = reason.strip_prefix("host ")?.split_once("] said: ")?;
    let (name, _) = host.split_once('[')?;
    let (reply, _) = rest.rsplit_once(" (in reply to ")?;
    Some((name, reply))
}
