//! Tries queued local recipients when they are due.
//!
//! Each attempt is one transaction: the deposit and the end of the queue's row stand or fall together, so a mailbox gets
//! a message from the queue once, whatever crashes. At most one runner of a store (the program holds a lock).

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use db::Key;
use mail::{Address, Status, header};
use queue::schedule::after_deferral;
use queue::{Entry, Kind, Next, Outcome, QueueId, Settle};
use store::Store;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::plan::{Limits, Message, Plan};
use crate::status::{LOOP, NO_SUCH_USER, NOT_YET, Verdict, of_error};
use crate::{Error, Expanded, Recipient, Routes, expand_again, log};

/// Recipients tried at once: enough to fill a group commit, few enough that their bodies fit in memory.
pub const CONCURRENCY: usize = 32;

/// Octets of a header looked at for loops.
const HEADER_LIMIT: u64 = 128 * 1024;

/// How long a recipient is left alone when even its deferral could not be committed, and the longest sleep.
const PAUSE: Duration = Duration::from_secs(60);

/// Tries local recipients.
pub struct Runner<R> {
    store: Store,
    routes: R,
    limits: Mutex<Limits>,
    /// Recipients that are being tried.
    running: Mutex<HashSet<(QueueId, i64)>>,
    /// Rung when something was queued.
    bell: Arc<Notify>,
}

/// How a recipient fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Done with: delivered, or split into new entries.
    Done,
    /// To be tried again.
    Deferred(Status),
    /// Given up.
    Failed(Status),
    /// Somebody else was faster: delivered, held or deleted.
    Gone,
    /// Not even the outcome could be written.
    Unsettled,
}

impl<R: Routes> Runner<R> {
    /// A runner over `store`; hears of new entries from now on.
    pub fn new(store: Store, routes: R, limits: Limits) -> Arc<Runner<R>> {
        let bell = Arc::new(Notify::new());
        let ringing = bell.clone();
        store.db().on_commit(move |changed| {
            if changed.any(|key| matches!(key, Key::Queued(_))) {
                ringing.notify_one();
            }
        });
        Arc::new(Runner { store, routes, limits: Mutex::new(limits), running: Mutex::default(), bell })
    }

    /// Other limits, for attempts to come.
    pub fn change(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until `stop` is done; attempts that have begun are finished.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let (ending, _) = watch::channel(false);
        let mut attempts = JoinSet::new();
        'work: loop {
            let full = match self.start_due(&mut attempts, &ending).await {
                Ok(full) => full,
                Err(error) => {
                    tracing::error!("queue: cannot read what is due: {error}; trying again in a minute");
                    false
                }
            };
            let wake = tokio::time::Instant::now() + if full { PAUSE } else { self.until_next().await };
            loop {
                tokio::select! {
                    () = &mut stop => break 'work,
                    () = self.bell.notified(), if !full => break,
                    // when full, look for more only once half of the room is free: a look costs a query
                    Some(_) = attempts.join_next(), if !attempts.is_empty() => if full && attempts.len() <= CONCURRENCY / 2 { break },
                    () = tokio::time::sleep_until(wake) => break,
                }
            }
        }
        ending.send_replace(true);
        while attempts.join_next().await.is_some() {}
    }

    /// Starts attempts on what is due, up to [`CONCURRENCY`]; tells whether there is no room for more.
    async fn start_due(self: &Arc<Self>, attempts: &mut JoinSet<()>, ending: &watch::Sender<bool>) -> Result<bool, db::Error> {
        let running = self.running().len();
        let limit = u32::try_from(CONCURRENCY + running).unwrap_or(u32::MAX);
        for message in queue::due(self.store.db(), Kind::Local, now(), limit).await? {
            let message = Arc::new(message);
            for entry in message.recipients.clone() {
                if attempts.len() >= CONCURRENCY {
                    return Ok(true);
                }
                if !self.running().insert((message.id, entry.n)) {
                    continue;
                }
                let (runner, message, mut ending) = (self.clone(), message.clone(), ending.subscribe());
                attempts.spawn(async move {
                    let _running = Running { runner: &runner, key: (message.id, entry.n) };
                    if runner.attempt(&message, &entry, now()).await == Tried::Unsettled {
                        // stays among the running, so that it is not tried again at once
                        let _ = tokio::time::timeout(PAUSE, ending.wait_for(|ending| *ending)).await;
                    }
                });
            }
        }
        Ok(attempts.len() >= CONCURRENCY)
    }

    async fn until_next(&self) -> Duration {
        let now = now();
        match queue::next_due(self.store.db(), Kind::Local, now).await {
            Ok(Some(due)) => Duration::from_millis(due.saturating_sub(now).unsigned_abs()).min(PAUSE),
            _ => PAUSE,
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashSet<(QueueId, i64)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One attempt on one recipient at `now` (milliseconds).
    pub async fn attempt(&self, message: &queue::Message, entry: &Entry, now: i64) -> Tried {
        let verdict = match self.deliver(message, entry, now).await {
            Ok(Ok(())) => return Tried::Done,
            Ok(Err(verdict)) => verdict,
            Err(Error::Database(error)) if queue::refused(&error).is_some() => return Tried::Gone,
            Err(error) => {
                tracing::warn!("{}: to=<{}>: {error}", message.id, entry.address);
                of_error(&error)
            }
        };
        let (outcome, tried, word) = self.outcome(message, verdict, now);
        match self.store.db().commit(Settle { id: message.id, n: entry.n, outcome: outcome.clone() }).await {
            Ok(_) => {
                if let Outcome::Deferred { status, text, .. } | Outcome::Failed { status, text } = &outcome {
                    log::unsent(message.id, &entry.address, &entry.original, now.saturating_sub(message.created), *status, word, text);
                }
                tried
            }
            Err(error) if queue::refused(&error).is_some() => Tried::Gone,
            Err(error) => {
                tracing::error!("{}: to=<{}>: cannot write the outcome of an attempt: {error}; trying again in a minute", message.id, entry.address);
                Tried::Unsettled
            }
        }
    }

    /// What is written for a verdict: a deferral becomes a failure once the message was tried for long enough.
    fn outcome(&self, message: &queue::Message, verdict: Verdict, now: i64) -> (Outcome, Tried, &'static str) {
        match verdict {
            Verdict::Failed(status, text) => (Outcome::Failed { status, text }, Tried::Failed(status), "bounced"),
            Verdict::Deferred(status, text) => match after_deferral(message.created, message.expires, now, &self.limits().backoff) {
                Next::Retry(due) => (Outcome::Deferred { status, text, due }, Tried::Deferred(status), "deferred"),
                Next::GiveUp => {
                    let status = Status(5, status.1, status.2);
                    (Outcome::Failed { status, text }, Tried::Failed(status), "expired")
                }
            },
        }
    }

    /// Delivers, or says why not. An error is something of ours, or a refusal of the commit.
    async fn deliver(&self, message: &queue::Message, entry: &Entry, now: i64) -> Result<Result<(), Verdict>, Error> {
        let unknown = |text: &str| Ok(Err(Verdict::Failed(NO_SUCH_USER, text.into())));
        let Ok(address) = Address::parse(&entry.address) else { return unknown("address cannot be read") };
        let recipient = Recipient { address, orcpt: entry.orcpt.clone(), notify: entry.notify, mailbox: None };
        let mut deliveries = match expand_again(&self.routes, &recipient).await? {
            Expanded::Deliveries(deliveries) => deliveries,
            Expanded::Unknown(_) => return unknown("user unknown"),
            Expanded::Refused(status, text) if status.is_permanent() => return Ok(Err(Verdict::Failed(status, text))),
            Expanded::Refused(status, text) => return Ok(Err(Verdict::Deferred(status, text))),
            Expanded::Endless => return Ok(Err(Verdict::Failed(LOOP, "alias loop, or too many addresses".into()))),
            Expanded::Later(why) => return Ok(Err(Verdict::Deferred(NOT_YET, why.into()))),
        };
        if let Ok(original) = Address::parse(&entry.original) {
            deliveries.iter_mut().for_each(|delivery| delivery.recipient.address = original.clone());
        }
        let body = queue::sealed(self.store.db(), self.store.bodies(), message).await?;
        let again = Message {
            id: QueueId::generate(SystemTime::now()),
            sender: message.reverse_path(),
            header: header_of(&body).await?,
            structure: None,
            body,
            arrived: message.created,
            flags: message.flags,
            envid: message.envid.clone(),
            account: message.account.map(store::AccountId::new),
            origin: message.origin.clone(),
        };
        let plan = Plan::for_message(again, deliveries, now, self.limits()).await?;
        let settle = Settle { id: message.id, n: entry.n, outcome: Outcome::Delivered };
        let receipt = plan.settling(settle).commit(self.store.db()).await?;
        if receipt.settled.removed {
            log::removed(message.id);
        }
        if let Some(name) = receipt.settled.discard
            && let Err(error) = self.store.bodies().discard(vec![name]).await
        {
            tracing::warn!("{}: {error}; the sweeper will", message.id);
        }
        Ok(Ok(()))
    }
}

/// Takes a recipient off the running ones when its attempt ends, even by a panic.
struct Running<'r, R> {
    runner: &'r Runner<R>,
    key: (QueueId, i64),
}

impl<R> Drop for Running<'_, R> {
    fn drop(&mut self) {
        self.runner.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// The header of a body, or its beginning.
async fn header_of(body: &bodies::Sealed) -> Result<Bytes, Error> {
    let beginning = body.reader().await?.read(0..HEADER_LIMIT).await?;
    let end = header::end_of_header(&beginning).min(beginning.len());
    Ok(beginning.slice(..end))
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
