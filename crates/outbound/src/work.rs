//! What is left of a job: recipients without a fate, each with the last reason why.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mail::Status;
use mda::status::Verdict;
use queue::Entry;

use crate::log::Times;
use crate::schedule::Job;

/// Of a job; its recipients are those that are left.
pub(crate) struct Work {
    pub job: Job,
    /// Why those that are left have no fate yet.
    pub why: Vec<Option<Verdict>>,
    begun: Instant,
}

impl Work {
    pub fn new(job: Job) -> Work {
        let why = vec![None; job.recipients.len()];
        Work { job, why, begun: Instant::now() }
    }

    pub fn is_done(&self) -> bool {
        self.job.recipients.is_empty()
    }

    /// Takes those whose fate is known; the others keep the reason.
    pub fn decide(&mut self, mut told: impl FnMut(usize, &Entry) -> Told) -> Vec<(Entry, Fate)> {
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
    pub fn later(&mut self, why: &Verdict) {
        self.why.iter_mut().for_each(|reason| *reason = Some(why.clone()));
    }

    pub fn times(&self, connected: Instant) -> Times {
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

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Taken, with these words. `reports`: whoever took it tells the sender of what becomes of it (RFC 3461 §5.2.1).
    Sent { status: Status, text: String, reports: bool },
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

/// What one host says about one recipient.
pub(crate) enum Told {
    Fate(Fate),
    Later(Verdict),
    /// It may get the message; no reason stands against it any more.
    Taken,
    Nothing,
}
