//! What deliveries share with the runner: the schedule, what is active, and the way an outcome is written down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mail::Status;
use mda::status::Verdict;
use net::Stop;
use queue::schedule::after_deferral;
use queue::{Arrived, BodyError, Entry, Message, Next, Outcome, Settle, Settled};
use store::Store;
use tokio::sync::Notify;

use crate::active::{Active, Recipient};
use crate::log::{Line, Times};
use crate::schedule::{Job, Schedule, Suspended};
use crate::settings::Settings;
use crate::work::{Fate, Relay};

/// Between two tries to write an outcome down.
const AGAIN: Duration = Duration::from_secs(5);

/// What deliveries share with the runner.
pub(crate) struct Shared {
    pub store: Store,
    pub schedule: Mutex<Schedule>,
    pub active: Mutex<Active>,
    pub settings: Mutex<Arc<Settings>>,
    /// A delivery ended, or gave something back.
    pub freed: Notify,
    /// Something was added: connections that wait look.
    pub added: Notify,
}

impl Shared {
    /// Reads the body of a queued message.
    pub async fn body(&self, message: &Message) -> Result<bodies::Reader, BodyError> {
        queue::reader(self.store.db(), self.store.bodies(), message).await
    }

    /// Writes down what became of recipients, and tells the log. Does not give up: what a peer has taken must not be sent to it again.
    pub async fn settle(&self, message: &Message, decided: Vec<(Entry, Fate)>, relay: &Relay) {
        let settings = lock(&self.settings).clone();
        let now = now();
        let (mut steps, mut expired) = (Vec::new(), false);
        for (entry, fate) in &decided {
            let (outcome, status, word, text) = match fate {
                Fate::Sent { status, text, reports } => {
                    let asked = entry.notify.has(queue::Notify::SUCCESS) && !message.sender.is_empty();
                    let outcome = match asked && !reports {
                        true => Outcome::Arrived { how: Arrived::Relayed, status: *status, text: format!("delivery via {}: {text}", relay.name) },
                        false => Outcome::Delivered,
                    };
                    (outcome, *status, "sent", text.clone())
                }
                Fate::Unsent(Verdict::Failed(status, text)) => (Outcome::Failed { status: *status, text: text.clone() }, *status, "bounced", text.clone()),
                Fate::Unsent(Verdict::Deferred(status, text)) => match after_deferral(message.created, message.expires, now, &settings.backoff) {
                    Next::Retry(due) => (Outcome::Deferred { status: *status, text: text.clone(), due }, *status, "deferred", text.clone()),
                    Next::GiveUp => {
                        expired = true;
                        (Outcome::Failed { status: *status, text: text.clone() }, *status, "deferred", text.clone())
                    }
                },
            };
            Line { message, entry, relay: &relay.name, conn_use: relay.conn_use, times: relay.times, status, word, text: &text }.tell();
            steps.push(Settle { id: message.id, n: entry.n, outcome });
        }
        if expired {
            tracing::info!(target: "postfix/qmgr", "{}: from=<{}>, status=expired, returned to sender", message.id, message.sender);
        }
        let settled = self.write(message, steps).await;
        if settled.iter().any(|settled| settled.removed) {
            tracing::info!(target: "postfix/qmgr", "{}: removed", message.id);
        }
        let discard: Vec<bodies::Name> = settled.into_iter().filter_map(|settled| settled.discard).collect();
        if !discard.is_empty()
            && let Err(error) = self.store.bodies().discard(discard).await
        {
            tracing::warn!("{}: {error}; the sweeper will", message.id);
        }
        let mut active = lock(&self.active);
        decided.iter().for_each(|(entry, _)| active.settle((message.id, entry.n)));
    }

    async fn write(&self, message: &Message, steps: Vec<Settle>) -> Vec<Settled> {
        loop {
            match self.store.db().commit(steps.clone()).await {
                Ok(settled) => return settled,
                Err(error) if queue::refused(&error).is_some() => break,
                Err(db::Error::Closed) => return Vec::new(),
                Err(error) => {
                    tracing::error!("{}: cannot write down what became of it: {error}; trying again", message.id);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        // somebody held or deleted one of them meanwhile: the others by themselves
        let mut settled = Vec::new();
        for step in steps {
            match self.store.db().commit(step).await {
                Ok(done) => settled.push(done),
                Err(error) => tracing::info!("{}: {error}", message.id),
            }
        }
        settled
    }

    /// Of jobs that were not begun.
    pub fn give_back(&self, recipients: impl Iterator<Item = Recipient>) {
        let mut active = lock(&self.active);
        recipients.for_each(|recipient| active.give_back(recipient));
    }

    pub async fn suspend(&self, job: Job, (status, text): &Suspended) {
        let verdict = Verdict::Deferred(Status(4, status.1, status.2), format!("delivery temporarily suspended: {text}"));
        let age = Duration::from_millis(now().saturating_sub(job.message.created).unsigned_abs());
        let relay = Relay { name: "none".into(), conn_use: 1, times: Times { before: age, ..Times::default() } };
        let decided = job.recipients.into_iter().map(|entry| (entry, Fate::Unsent(verdict.clone()))).collect();
        self.settle(&job.message, decided, &relay).await;
    }

    pub fn succeeded(&self, destination: &str) {
        lock(&self.schedule).succeeded(destination);
    }

    /// No host of it could be spoken to; what waits there is deferred if that was too often.
    pub async fn failed(&self, destination: &str, why: Suspended) {
        let back = lock(&self.schedule).failed(destination, why.clone(), Instant::now());
        for job in back {
            self.suspend(job, &why).await;
        }
    }

    pub fn finished(&self, destination: &str) {
        lock(&self.schedule).finished(destination, Instant::now());
        self.freed.notify_one();
    }

    /// More mail for a connection that is free and was made by `settings`, if some comes within their limit. None once they have changed:
    /// they may ask for TLS, where this connection has none.
    pub async fn another(&self, destination: &str, settings: &Arc<Settings>, stop: &Stop) -> Option<Job> {
        let until = tokio::time::Instant::now() + settings.idle;
        let holds = || Arc::ptr_eq(&lock(&self.settings), settings);
        let next = || if holds() { lock(&self.schedule).next_for(destination) } else { None };
        if let Some(job) = next() {
            return Some(job);
        }
        lock(&self.schedule).rests(destination, true);
        let job = loop {
            let added = self.added.notified();
            if let Some(job) = next() {
                break Some(job);
            }
            if !holds() {
                break None;
            }
            tokio::select! {
                () = added => {}
                () = tokio::time::sleep_until(until) => break None,
                () = stop.requested() => break None,
            }
        };
        lock(&self.schedule).rests(destination, false);
        job
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
