//! Who is served next: a function of what waits, of what came before, and of `now`.
//!
//! Mail waits in *destinations* (a next hop, else a domain), each with a window of deliveries at a time as Postfix has it: it begins small, grows
//! with each that goes well, shrinks with each connection that fails, and closes for a while when too many failed one after the other.
//! Destinations take turns, and within one its messages do: neither a dead host nor a letter to ten thousand holds up anybody else's mail.
//! Only those that may begin a delivery stand in the row, so what a turn costs does not grow with what waits.
//!
//! ```text
//!  add ─► waiting ──next──► busy ──finished──►  with a delay: the next not before now + delay
//!           │                │ succeeded: window + g(window)
//!           │                └ failed:    window − f(window); after `cohorts` windows of failures in a row: dead until now + pause
//!           └─ dead: given back, to be deferred; `revive` ends that (postqueue -f)
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mail::Status;
use queue::{Entry, Message};

/// What bounds a destination; Postfix's parameters and defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// `smtp_initial_destination_concurrency`
    pub initial: usize,
    /// Deliveries at a time, 0: no limit (`smtp_destination_concurrency_limit`).
    pub window: usize,
    /// Recipients of one delivery, 0: no limit (`smtp_destination_recipient_limit`).
    pub recipients: usize,
    /// Between two deliveries; if there is one, they go one at a time (`smtp_destination_rate_delay`).
    pub delay: Duration,
    /// Windows of failures in a row until a destination counts as dead, 0: never (`…_failed_cohort_limit`).
    pub cohorts: f64,
    /// `…_positive_feedback`, `…_negative_feedback`
    pub positive: Feedback,
    pub negative: Feedback,
    /// How long a dead destination is left alone (`minimal_backoff_time`).
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let one = Feedback::default();
        Limits { initial: 5, window: 20, recipients: 50, delay: Duration::ZERO, cohorts: 1.0, positive: one, negative: one, pause: Duration::from_secs(300) }
    }
}

/// How much one outcome counts: a number, or one over the window or its root (`1`, `1/concurrency`, `1/sqrt_concurrency`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feedback {
    Constant(f64),
    PerWindow(f64),
    PerRoot(f64),
}

impl Default for Feedback {
    fn default() -> Feedback {
        Feedback::Constant(1.0)
    }
}

impl Feedback {
    /// As main.cf has it.
    pub fn parse(text: &str) -> Option<Feedback> {
        let (number, of) = text.split_once('/').unwrap_or((text, ""));
        let number: f64 = number.trim().parse().ok().filter(|number| (0.0..=1.0).contains(number))?;
        match of.trim() {
            "" if !text.contains('/') => Some(Feedback::Constant(number)),
            "concurrency" => Some(Feedback::PerWindow(number)),
            "sqrt_concurrency" => Some(Feedback::PerRoot(number)),
            _ => None,
        }
    }

    fn of(self, window: usize) -> f64 {
        let window = f64::from(u32::try_from(window).unwrap_or(u32::MAX));
        match self {
            Feedback::Constant(number) => number,
            Feedback::PerWindow(number) => number / window,
            Feedback::PerRoot(number) => number / window.sqrt(),
        }
    }
}

/// One delivery: some recipients of one message at one destination.
#[derive(Clone, Debug)]
pub struct Job {
    pub destination: Arc<str>,
    pub message: Arc<Message>,
    pub recipients: Vec<Entry>,
    /// When it was taken up, for the log.
    pub added: Instant,
}

/// Why a destination is left alone.
pub type Suspended = (Status, String);

/// What waits, and for whom.
#[derive(Debug)]
pub struct Schedule {
    limits: Limits,
    destinations: HashMap<Arc<str>, Destination>,
    /// Destinations that may begin a delivery, in the order of their turns; each once.
    turns: VecDeque<Arc<str>>,
    /// Those between two deliveries, by when the next may begin.
    resting: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
}

#[derive(Debug)]
struct Destination {
    waiting: VecDeque<Waiting>,
    /// Recipients in `waiting`.
    count: usize,
    /// Deliveries, and connections that wait for one.
    busy: usize,
    /// Connections of these that wait.
    idle: usize,
    window: usize,
    success: f64,
    failure: f64,
    failed_cohorts: f64,
    dead: Option<(Instant, Suspended)>,
    /// It is between two deliveries.
    resting: bool,
    /// It stands in the row.
    queued: bool,
}

#[derive(Debug)]
struct Waiting {
    message: Arc<Message>,
    recipients: VecDeque<Entry>,
    added: Instant,
}

impl Schedule {
    pub fn new(limits: Limits) -> Schedule {
        Schedule { limits, destinations: HashMap::new(), turns: VecDeque::new(), resting: BinaryHeap::new() }
    }

    /// Other limits from now on.
    pub fn change(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Puts recipients of one message behind what waits there already; a dead destination takes none: they come back with the reason.
    pub fn add(&mut self, job: Job, now: Instant) -> Option<(Job, Suspended)> {
        let initial = self.limits.initial;
        let destination = self.destinations.entry(job.destination.clone()).or_insert_with(|| Destination::new(initial));
        if let Some((until, why)) = destination.dead.clone() {
            if now < until {
                return Some((job, why));
            }
            destination.revive(initial);
        }
        destination.count += job.recipients.len();
        destination.waiting.push_back(Waiting { message: job.message, recipients: job.recipients.into(), added: job.added });
        self.queue(&job.destination);
        None
    }

    /// Whether no destination may begin a delivery at `now`.
    pub fn is_idle(&mut self, now: Instant) -> bool {
        self.wake(now);
        self.turns.is_empty()
    }

    /// When one may that must wait only for its delay to end.
    pub fn next_wake(&self) -> Option<Instant> {
        self.resting.peek().map(|Reverse((until, _))| *until)
    }

    /// The next delivery, if any destination has room for one. It is busy until [`Schedule::finished`].
    pub fn next(&mut self, now: Instant) -> Option<Job> {
        self.wake(now);
        let limits = self.limits;
        while let Some(key) = self.turns.pop_front() {
            let Some(destination) = self.destinations.get_mut(&key) else { continue };
            destination.queued = false;
            // it may have changed since it came into the row
            if destination.may_begin(&limits)
                && let Some(job) = destination.take(&key, limits.recipients)
            {
                destination.busy += 1;
                self.queue(&key);
                return Some(job);
            }
        }
        None
    }

    /// What a connection to `key` that is free may carry next.
    pub fn next_for(&mut self, key: &str) -> Option<Job> {
        let limits = self.limits;
        let key = self.destinations.get_key_value(key)?.0.clone();
        let destination = self.destinations.get_mut(&key)?;
        if destination.busy > destination.window || !limits.delay.is_zero() { None } else { destination.take(&key, limits.recipients) }
    }

    /// A connection to `key` waits for something to carry, or no more.
    pub fn rests(&mut self, key: &str, rests: bool) {
        if let Some(destination) = self.destinations.get_mut(key) {
            destination.idle = if rests { destination.idle + 1 } else { destination.idle.saturating_sub(1) };
        }
        self.queue(key);
    }

    /// A delivery reached its destination, whatever became of its recipients.
    pub fn succeeded(&mut self, key: &str) {
        let limits = self.limits;
        let Some(destination) = self.destinations.get_mut(key) else { return };
        destination.failed_cohorts = 0.0;
        destination.dead = None;
        if destination.window == 0 {
            destination.window = destination.busy.max(limits.initial);
        }
        let most = if limits.window == 0 { usize::MAX } else { limits.window };
        if destination.window < most && destination.window < destination.busy.saturating_add(limits.initial) {
            destination.success += limits.positive.of(destination.window);
            while destination.success >= 1.0 && destination.window < most {
                destination.window += 1;
                destination.success -= 1.0;
                destination.failure = 0.0;
            }
        }
        self.queue(key);
    }

    /// No host of the destination could be spoken to. If it counts as dead now, all that waits there is given back.
    pub fn failed(&mut self, key: &str, why: Suspended, now: Instant) -> Vec<Job> {
        let limits = self.limits;
        let Some((key, _)) = self.destinations.get_key_value(key) else { return Vec::new() };
        let key = key.clone();
        let Some(destination) = self.destinations.get_mut(&key) else { return Vec::new() };
        if destination.window > 0 {
            destination.failed_cohorts += 1.0 / f64::from(u32::try_from(destination.window).unwrap_or(u32::MAX));
        }
        // the sum of thirds is a little less than one
        if destination.window == 0 || (limits.cohorts > 0.0 && destination.failed_cohorts + 1e-6 >= limits.cohorts) {
            destination.window = 0;
            destination.dead = Some((now + limits.pause, why));
            return destination.give_back(&key);
        }
        destination.failure -= limits.negative.of(destination.window);
        while destination.failure < 0.0 {
            destination.window = destination.window.saturating_sub(1).max(1);
            destination.failure += 1.0;
            destination.success = 0.0;
        }
        Vec::new()
    }

    /// A delivery is over.
    pub fn finished(&mut self, key: &str, now: Instant) {
        let Some((key, _)) = self.destinations.get_key_value(key) else { return };
        let key = key.clone();
        if let Some(destination) = self.destinations.get_mut(&key) {
            destination.busy = destination.busy.saturating_sub(1);
            if !self.limits.delay.is_zero() && !destination.resting {
                destination.resting = true;
                self.resting.push(Reverse((now + self.limits.delay, key.clone())));
            }
        }
        self.let_go(&key);
        self.queue(&key);
    }

    /// Those whose delay is over may begin again.
    fn wake(&mut self, now: Instant) {
        while let Some(Reverse((until, _))) = self.resting.peek()
            && *until <= now
            && let Some(Reverse((_, key))) = self.resting.pop()
        {
            if let Some(destination) = self.destinations.get_mut(&key) {
                destination.resting = false;
            }
            self.let_go(&key);
            self.queue(&key);
        }
    }

    /// Nothing is kept of a destination that nothing is known of.
    fn let_go(&mut self, key: &str) {
        if self.destinations.get(key).is_some_and(|destination| destination.is_done() && destination.dead.is_none()) {
            self.destinations.remove(key);
        }
    }

    /// Forgets destinations that were dead for long enough.
    pub fn forget(&mut self, now: Instant) {
        self.destinations.retain(|_, destination| !destination.is_done() || destination.dead.as_ref().is_some_and(|(until, _)| now < *until));
    }

    /// No destination is dead any more: somebody asked for all to be tried (`postqueue -f`).
    pub fn revive(&mut self) {
        let initial = self.limits.initial;
        self.destinations.values_mut().filter(|destination| destination.dead.is_some()).for_each(|destination| destination.revive(initial));
    }

    /// Everything goes back to where it came from: other rules hold from now on.
    pub fn clear(&mut self) -> Vec<Job> {
        let mut all = Vec::new();
        for (key, destination) in &mut self.destinations {
            destination.dead = None;
            destination.window = destination.window.max(1);
            destination.resting = false;
            all.extend(destination.give_back(key));
        }
        self.resting.clear();
        all
    }

    /// Recipients that wait for `key`.
    pub fn waiting(&self, key: &str) -> usize {
        self.destinations.get(key).map_or(0, |destination| destination.count)
    }

    /// Puts `key` at the end of the row, if it may begin a delivery.
    fn queue(&mut self, key: &str) {
        let limits = self.limits;
        let Some((key, destination)) = self.destinations.get_key_value(key) else { return };
        if destination.queued || !destination.may_begin(&limits) {
            return;
        }
        let key = key.clone();
        if let Some(destination) = self.destinations.get_mut(&key) {
            destination.queued = true;
        }
        self.turns.push_back(key);
    }
}

impl Destination {
    fn new(initial: usize) -> Destination {
        Destination { waiting: VecDeque::new(), count: 0, busy: 0, idle: 0, window: initial, success: 0.0, failure: 0.0, failed_cohorts: 0.0, dead: None, resting: false, queued: false }
    }

    /// Something waits that no waiting connection will carry, and there is room for one more delivery.
    fn may_begin(&self, limits: &Limits) -> bool {
        let window = if limits.delay.is_zero() { self.window } else { self.window.min(1) };
        !self.resting && self.busy < window && self.waiting.len() > self.idle
    }

    fn is_done(&self) -> bool {
        self.busy == 0 && self.waiting.is_empty() && !self.resting
    }

    fn revive(&mut self, initial: usize) {
        self.dead = None;
        self.window = initial;
        self.failed_cohorts = 0.0;
    }

    fn give_back(&mut self, key: &Arc<str>) -> Vec<Job> {
        self.count = 0;
        std::mem::take(&mut self.waiting).into_iter().map(|waiting| waiting.into_job(key)).collect()
    }

    /// Some recipients of the message whose turn it is; if it has more, it goes to the end.
    fn take(&mut self, key: &Arc<str>, most: usize) -> Option<Job> {
        let mut first = self.waiting.pop_front()?;
        let count = if most == 0 { first.recipients.len() } else { most.min(first.recipients.len()) };
        let recipients = first.recipients.drain(..count).collect();
        self.count -= count;
        let job = Job { destination: key.clone(), message: first.message.clone(), recipients, added: first.added };
        if !first.recipients.is_empty() {
            self.waiting.push_back(first);
        }
        Some(job)
    }
}

impl Waiting {
    fn into_job(self, key: &Arc<str>) -> Job {
        Job { destination: key.clone(), message: self.message, recipients: self.recipients.into(), added: self.added }
    }
}

#[cfg(test)]
mod tests;
