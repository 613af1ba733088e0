//! Takes up what is due, gives it its turn, and writes down what became of it.
//!
//! Recipients that are due are *active* from being read until their outcome is committed; at most one runner of a store (the program holds a
//! lock). A crash in between leaves rows that are due still: they are tried again, so what was in flight may arrive twice, and nothing else.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use db::{Changed, Key};
use mail::Address;
use mda::Routes;
use net::{Stop, Stopper};
use queue::{Cursor, Entry, Kind, Message, QueueId};
use store::Store;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::resolve::{NoResolver, Resolver};
use crate::schedule::{Job, Schedule, Suspended};
use crate::settings::Settings;
use crate::shared::{Shared, lock, now};
use crate::{bounce, delivery};

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
/// Messages that are late and wait for a look: who is not among them is at its next deferral.
const LATE: usize = 10_000;
/// Looking takes at most one part in so many of the time.
const LOOKING: u32 = 5;

/// Sends mail to other hosts, and reports what could not be sent.
pub struct Outbound<R> {
    shared: Arc<Shared>,
    routes: R,
    settings: Mutex<(Arc<Settings>, Option<Arc<Resolver>>)>,
    /// Rung when something was queued or settled.
    bell: Arc<Notify>,
    /// The same, for the reports.
    reports: Arc<Notify>,
    heard: Arc<Heard>,
}

/// What bells told beside that there is something to do.
#[derive(Default)]
struct Heard {
    /// All that waits is to be tried now.
    flush: AtomicBool,
    /// Messages that changed when they had waited for `delay_warning_time`: they may have been put off once more.
    late: Mutex<BTreeSet<QueueId>>,
}

impl Heard {
    fn hear(&self, changed: &Changed<'_>, settings: &Settings) {
        if changed.any(|key| *key == queue::FLUSH) {
            self.flush.store(true, Ordering::Release);
        }
        let (Some(before), Changed::Keys(keys)) = (settings.bounce.late_before(now()), changed) else { return };
        let id = |key: &Key| if let Key::Queued(id) = key { QueueId::from_i64(*id) } else { None };
        let mut late = lock(&self.late);
        let room = LATE.saturating_sub(late.len());
        late.extend(keys.iter().filter_map(id).filter(|id| id.is_before(before)).take(room));
    }
}

impl<R: Routes> Outbound<R> {
    /// Over `store`; hears of new entries from now on.
    pub fn new(store: Store, routes: R, settings: Settings) -> Arc<Outbound<R>> {
        let (bell, reports) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let heard = Arc::new(Heard::default());
        let settings = Arc::new(settings);
        let shared = Arc::new(Shared {
            store,
            schedule: Mutex::new(Schedule::new(settings.schedule)),
            active: Mutex::default(),
            settings: Mutex::new(settings.clone()),
            freed: Notify::new(),
            added: Notify::new(),
        });
        let ringing = (bell.clone(), reports.clone(), heard.clone(), Arc::downgrade(&shared));
        shared.store.db().on_commit(move |changed| {
            if let Some(shared) = ringing.3.upgrade()
                && changed.any(|key| matches!(key, Key::Queued(_)))
            {
                ringing.2.hear(&changed, &lock(&shared.settings).clone());
                ringing.0.notify_one();
                ringing.1.notify_one();
            }
        });
        Arc::new(Outbound { shared, routes, settings: Mutex::new((settings, None)), bell, reports, heard })
    }

    /// Other settings, for what is taken up from now on; what waits is looked at again.
    pub fn change(&self, settings: Settings) {
        let settings = Arc::new(settings);
        *lock(&self.shared.settings) = settings.clone();
        let mut schedule = lock(&self.shared.schedule);
        schedule.change(settings.schedule);
        let back = schedule.clear();
        drop(schedule);
        self.shared.give_back(back.iter().flat_map(|job| job.recipients.iter().map(|entry| (job.message.id, entry.n))));
        *lock(&self.settings) = (settings, None);
        // Connections that rest were made by the old ones.
        self.shared.added.notify_waiters();
        self.bell.notify_one();
    }

    /// The settings of this moment, and a resolver made by them. Within a runtime.
    fn current(&self) -> Result<(Arc<Settings>, Arc<Resolver>), NoResolver> {
        let mut held = lock(&self.settings);
        let resolver = match &held.1 {
            Some(resolver) => resolver.clone(),
            None => Arc::new(Resolver::new(&held.0.dns())?),
        };
        held.1 = Some(resolver.clone());
        Ok((held.0.clone(), resolver))
    }

    /// Works until `stop` is done; what is under way then may go on for `stop_timeout`.
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
                let rested_one = lock(&self.shared.schedule).next_wake();
                let hungry = look.skipped && lock(&self.shared.active).len() <= look.active / 2;
                tokio::select! {
                    () = &mut stop => break 'work,
                    Some(ended) = deliveries.join_next(), if !deliveries.is_empty() => if let Err(error) = ended {
                        tracing::error!("a delivery ended badly: {error}");
                    },
                    () = self.shared.freed.notified() => {}
                    () = until(rested_one) => {}
                    () = async { tokio::time::sleep_until(rested).await; self.bell.notified().await } => break,
                    () = tokio::time::sleep_until(rested), if hungry => { look.from = 0; break }
                    () = tokio::time::sleep_until(wake) => break,
                }
            }
        }
        ending.request(lock(&self.shared.settings).stop);
        while deliveries.join_next().await.is_some() {}
    }

    /// Begins what has its turn, as far as there is room.
    fn start(&self, deliveries: &mut JoinSet<()>, ending: &Stopper) {
        while deliveries.len() < SESSIONS && !lock(&self.shared.schedule).is_idle(Instant::now()) {
            let (settings, resolver) = match self.current() {
                Ok(current) => current,
                Err(error) => {
                    tracing::error!("{error}");
                    return;
                }
            };
            let Some(job) = lock(&self.shared.schedule).next(Instant::now()) else { return };
            deliveries.spawn(delivery::deliver(self.shared.clone(), resolver, settings, job, ending.stop()));
        }
    }

    /// Reads what is due, from where the last look ended (a little before it), or from the start now and then.
    async fn take_up(&self, look: &mut Look) -> Result<(), db::Error> {
        let now = now();
        if self.heard.flush.swap(false, Ordering::AcqRel) {
            lock(&self.shared.schedule).revive();
        }
        if look.last_whole.is_none_or(|last| last.elapsed() >= PAUSE) {
            look.from = 0;
        }
        if look.from == 0 {
            look.last_whole = Some(Instant::now());
            look.skipped = false;
            lock(&self.shared.schedule).forget(Instant::now());
        }
        let read = self.read_due(look, now).await;
        lock(&self.shared.active).looked();
        read
    }

    /// Page by page, until nothing more is due or no more is held.
    async fn read_due(&self, look: &mut Look, now: i64) -> Result<(), db::Error> {
        let mut cursor: Cursor = (look.from, -1, -1);
        loop {
            {
                let mut active = lock(&self.shared.active);
                look.active = active.len();
                if look.active >= ACTIVE {
                    look.skipped = true;
                    return Ok(());
                }
                active.look();
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
                if !full && lock(&self.shared.active).take_up((message.id, entry.n)) {
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
        loop {
            let settings = lock(&self.shared.settings).clone();
            let late = std::mem::take(&mut *lock(&self.heard.late));
            if let Err(error) = bounce::report(&self.shared.store, &self.routes, &settings, now(), &late).await {
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

/// Until then; for ever, if that is never.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then.into()).await,
        None => std::future::pending().await,
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
