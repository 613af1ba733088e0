//! Takes up what is due, gives it its turn, and writes down what became of it.
//!
//! Recipients that are due are *active* from being read until their outcome is committed; at most one runner of a store (the program holds a
//! lock). A crash in between leaves rows that are due still: they are tried again, so what was in flight may arrive twice, and nothing else.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use db::Key;
use mail::{Address, Status};
use mda::Routes;
use mda::status::Verdict;
use net::{Stop, Stopper};
use queue::schedule::after_deferral;
use queue::{BodyError, Cursor, Entry, Kind, Message, Next, Outcome, QueueId, Settle, Settled};
use store::Store;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::bounce;
use crate::delivery::{self, Fate, Relay};
use crate::log::{Line, Times};
use crate::resolve::{NoResolver, Resolver};
use crate::schedule::{Job, Schedule, Suspended};
use crate::settings::Settings;

/// Connections at a time: some 20 KB each, and few enough that the office's line and its descriptors bear them.
pub const SESSIONS: usize = 500;
/// Recipients that are held in memory (`qmgr_message_recipient_limit`).
pub const ACTIVE: usize = 20_000;
/// Of them for one destination: what waits behind these stays in the database, so that others get their turn.
pub const SHARE: usize = 2_000;
/// Recipients read at once.
const PAGE: u32 = 1_000;
/// A row may be committed a little later than it says it is due, behind others that were looked at meanwhile.
const SLACK: i64 = 10_000;
/// The longest sleep, and between two looks at all that is due.
const PAUSE: Duration = Duration::from_secs(60);
/// Looking takes at most one part in so many of the time.
const LOOKING: u32 = 5;
/// How long deliveries that are under way may go on when the program stops: most need a second.
const GRACE: Duration = Duration::from_secs(10);
/// Between two tries to write an outcome down.
const AGAIN: Duration = Duration::from_secs(5);

/// Sends mail to other hosts, and reports what could not be sent.
pub struct Outbound<R> {
    shared: Arc<Shared>,
    routes: R,
    settings: Mutex<(Arc<Settings>, Option<Arc<Resolver>>)>,
    /// Rung when something was queued or settled.
    bell: Arc<Notify>,
    /// The same, for the reports.
    reports: Arc<Notify>,
}

/// What deliveries share with the runner.
pub(crate) struct Shared {
    store: Store,
    schedule: Mutex<Schedule>,
    active: Mutex<HashSet<(QueueId, i64)>>,
    settings: Mutex<Arc<Settings>>,
    /// A delivery ended, or gave something back.
    freed: Notify,
    /// Something was added: connections that wait look.
    added: Notify,
}

impl<R: Routes> Outbound<R> {
    /// Over `store`; hears of new entries from now on.
    pub fn new(store: Store, routes: R, settings: Settings) -> Arc<Outbound<R>> {
        let (bell, reports) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let ringing = (bell.clone(), reports.clone());
        store.db().on_commit(move |changed| {
            if changed.any(|key| matches!(key, Key::Queued(_))) {
                ringing.0.notify_one();
                ringing.1.notify_one();
            }
        });
        let settings = Arc::new(settings);
        let shared = Arc::new(Shared {
            store,
            schedule: Mutex::new(Schedule::new(settings.schedule)),
            active: Mutex::default(),
            settings: Mutex::new(settings.clone()),
            freed: Notify::new(),
            added: Notify::new(),
        });
        Arc::new(Outbound { shared, routes, settings: Mutex::new((settings, None)), bell, reports })
    }

    /// Other settings, for what is taken up from now on; what waits is looked at again.
    pub fn change(&self, settings: Settings) {
        let settings = Arc::new(settings);
        *lock(&self.shared.settings) = settings.clone();
        let mut schedule = lock(&self.shared.schedule);
        schedule.change(settings.schedule);
        let back = schedule.clear();
        drop(schedule);
        self.shared.forget(back.iter().flat_map(|job| job.recipients.iter().map(|entry| (job.message.id, entry.n))));
        *lock(&self.settings) = (settings, None);
        self.bell.notify_one();
    }

    /// The settings of this moment, and a resolver made by them. Within a runtime.
    fn current(&self) -> Result<(Arc<Settings>, Arc<Resolver>), NoResolver> {
        let mut held = lock(&self.settings);
        let resolver = match &held.1 {
            Some(resolver) => resolver.clone(),
            None => Arc::new(Resolver::new(&held.0)?),
        };
        held.1 = Some(resolver.clone());
        Ok((held.0.clone(), resolver))
    }

    /// Works until `stop` is done; what is under way then may go on for [`GRACE`].
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let ending = Stopper::new();
        let reporting = {
            let (this, stop) = (self.clone(), ending.stop());
            tokio::spawn(async move { this.report(stop).await })
        };
        self.send(stop, &ending).await;
        if let Err(error) = reporting.await {
            tracing::error!("bounces: ended badly: {error}");
        }
    }

    async fn send(&self, stop: impl Future<Output = ()>, ending: &Stopper) {
        let mut stop = std::pin::pin!(stop);
        let mut deliveries = JoinSet::new();
        let mut look = Look::default();
        'work: loop {
            let begun = Instant::now();
            let wake = match self.take_up(&mut look).await {
                Ok(()) => self.until_next().await,
                Err(error) => {
                    tracing::error!("queue: cannot read what is due: {error}; trying again in a minute");
                    PAUSE
                }
            };
            let wake = tokio::time::Instant::now() + wake;
            let rested = tokio::time::Instant::now() + begun.elapsed() * LOOKING;
            loop {
                self.start(&mut deliveries, ending);
                let hungry = look.skipped && lock(&self.shared.active).len() <= look.active / 2;
                tokio::select! {
                    () = &mut stop => break 'work,
                    Some(ended) = deliveries.join_next(), if !deliveries.is_empty() => if let Err(error) = ended {
                        tracing::error!("a delivery ended badly: {error}");
                    },
                    () = self.shared.freed.notified() => {}
                    () = async { tokio::time::sleep_until(rested).await; self.bell.notified().await } => break,
                    () = tokio::time::sleep_until(rested), if hungry => { look.from = 0; break }
                    () = tokio::time::sleep_until(wake) => break,
                }
            }
        }
        ending.request(GRACE);
        while deliveries.join_next().await.is_some() {}
    }

    /// Begins what has its turn, as far as there is room.
    fn start(&self, deliveries: &mut JoinSet<()>, ending: &Stopper) {
        while deliveries.len() < SESSIONS && !lock(&self.shared.schedule).is_idle() {
            let (settings, resolver) = match self.current() {
                Ok(current) => current,
                Err(error) => {
                    tracing::error!("{error}");
                    return;
                }
            };
            let Some(job) = lock(&self.shared.schedule).next() else { return };
            deliveries.spawn(delivery::deliver(self.shared.clone(), resolver, settings, job, ending.stop()));
        }
    }

    /// Reads what is due, from where the last look ended (a little before it), or from the start now and then.
    async fn take_up(&self, look: &mut Look) -> Result<(), db::Error> {
        let now = now();
        if look.last_whole.is_none_or(|last| last.elapsed() >= PAUSE) {
            look.from = 0;
        }
        if look.from == 0 {
            look.last_whole = Some(Instant::now());
            look.skipped = false;
            lock(&self.shared.schedule).forget(Instant::now());
        }
        let mut cursor: Cursor = (look.from, -1, -1);
        loop {
            look.active = lock(&self.shared.active).len();
            if look.active >= ACTIVE {
                look.skipped = true;
                return Ok(());
            }
            let (messages, last) = queue::due_after(self.shared.store.db(), Kind::Remote, now, cursor, PAGE).await?;
            let Some(last) = last else { break };
            cursor = last;
            self.add(messages, look).await;
        }
        look.from = cursor.0.max(look.from).saturating_sub(SLACK).max(0);
        Ok(())
    }

    /// Puts what is not active yet into the schedule; what is for a dead destination is deferred at once.
    async fn add(&self, messages: Vec<Message>, look: &mut Look) {
        let settings = lock(&self.shared.settings).clone();
        let (mut jobs, instant) = (Vec::new(), Instant::now());
        for mut message in messages {
            let recipients = std::mem::take(&mut message.recipients);
            let message = Arc::new(message);
            let mut by_destination: HashMap<String, Vec<Entry>> = HashMap::new();
            for entry in recipients {
                let destination = destination(&settings, &entry);
                let full = lock(&self.shared.schedule).waiting(&destination) + by_destination.get(&destination).map_or(0, Vec::len) >= SHARE;
                look.skipped |= full;
                if !full && lock(&self.shared.active).insert((message.id, entry.n)) {
                    by_destination.entry(destination).or_default().push(entry);
                }
            }
            jobs.extend(by_destination.into_iter().map(|(destination, recipients)| Job { destination: destination.into(), message: message.clone(), recipients, added: instant }));
        }
        let suspended: Vec<(Job, Suspended)> = {
            let mut schedule = lock(&self.shared.schedule);
            jobs.into_iter().filter_map(|job| schedule.add(job, instant)).collect()
        };
        self.shared.added.notify_waiters();
        for (job, why) in suspended {
            self.shared.suspend(job, &why).await;
        }
    }

    async fn until_next(&self) -> Duration {
        let now = now();
        match queue::next_due(self.shared.store.db(), Kind::Remote, now).await {
            Ok(Some(due)) => Duration::from_millis(due.saturating_sub(now).unsigned_abs()).min(PAUSE),
            _ => PAUSE,
        }
    }

    /// Reports what failed or is late, whenever something changed.
    async fn report(&self, stop: Stop) {
        let mut last_whole: Option<Instant> = None;
        loop {
            let settings = lock(&self.shared.settings).clone();
            // every message is looked at for being late, so not at each change
            let whole = last_whole.is_none_or(|last| last.elapsed() >= PAUSE);
            if whole {
                last_whole = Some(Instant::now());
            }
            if let Err(error) = bounce::report(&self.shared.store, &self.routes, &settings, now(), whole).await {
                tracing::error!("bounces: {error}; trying again in a minute");
            }
            tokio::select! {
                () = stop.requested() => return,
                () = self.reports.notified() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// How far the queue was looked at.
#[derive(Default)]
struct Look {
    /// When what is read next is due at the earliest.
    from: i64,
    /// Something that is due was left in the database.
    skipped: bool,
    /// Recipients active when the look ended: once half of them are done with, what was left is looked at again.
    active: usize,
    /// When everything was looked at last.
    last_whole: Option<Instant>,
}

/// The hop that routes name now, else the domain; empty for an address that cannot be read.
fn destination(settings: &Settings, entry: &Entry) -> String {
    let Ok(address) = Address::parse(&entry.address) else { return String::new() };
    let hop = settings.route.hop(&address);
    if hop.is_empty() { address.domain().to_owned() } else { hop }
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
                Fate::Sent(status, text) => (Outcome::Delivered, *status, "sent", text.clone()),
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
        self.forget(decided.iter().map(|(entry, _)| (message.id, entry.n)));
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

    fn forget(&self, keys: impl Iterator<Item = (QueueId, i64)>) {
        let mut active = lock(&self.active);
        for key in keys {
            active.remove(&key);
        }
    }

    async fn suspend(&self, job: Job, (status, text): &Suspended) {
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
        lock(&self.schedule).finished(destination);
        self.freed.notify_one();
    }

    /// More mail for a connection that is free, if some comes within `idle`.
    pub async fn another(&self, destination: &str, idle: Duration, stop: &Stop) -> Option<Job> {
        let until = tokio::time::Instant::now() + idle;
        if let Some(job) = lock(&self.schedule).next_for(destination) {
            return Some(job);
        }
        lock(&self.schedule).rests(destination, true);
        let job = loop {
            let added = self.added.notified();
            if let Some(job) = lock(&self.schedule).next_for(destination) {
                break Some(job);
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
