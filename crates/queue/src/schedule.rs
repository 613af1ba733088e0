//! When to try again, and when to give up: functions of an entry and `now`, nothing else.
//!
//! As Postfix: the wait is the age of the message, between two bounds, so attempts come at about 0, 5, 10, 20, 40 and
//! 80 minutes and then every 67 until the lifetime ends. Giving up is considered after an attempt only, so a
//! lifetime of 0 means one attempt.

/// `minimal_backoff_time`, `maximal_backoff_time` and the lifetimes, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The least wait between two attempts.
    pub minimal: i64,
    /// The longest wait.
    pub maximal: i64,
    /// How long a message with a sender is tried.
    pub lifetime: i64,
    /// How long a bounce is tried.
    pub bounce_lifetime: i64,
}

impl Default for Backoff {
    /// Postfix's defaults: 300 s, 4000 s, 5 days, 5 days.
    fn default() -> Backoff {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        Backoff { minimal: 300_000, maximal: 4_000_000, lifetime: 5 * DAY, bounce_lifetime: 5 * DAY }
    }
}

impl Backoff {
    /// When a message accepted at `created` that has no sender (`bounce`) or one is given up.
    pub fn expires(&self, created: i64, bounce: bool) -> i64 {
        created.saturating_add(if bounce { self.bounce_lifetime } else { self.lifetime })
    }
}

/// What follows an attempt that failed for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again at this time.
    Retry(i64),
    /// It was tried for long enough.
    GiveUp,
}

/// Decides after an attempt at `now` on a message accepted at `created` that expires at `expires`.
pub fn after_deferral(created: i64, expires: i64, now: i64, backoff: &Backoff) -> Next {
    if now >= expires {
        return Next::GiveUp;
    }
    let age = now.saturating_sub(created); // a clock that went back makes a young message of it: soon again
    let wait = age.min(backoff.maximal).max(backoff.minimal);
    Next::Retry(now.saturating_add(wait))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attempts_come_as_with_postfix() {
        let backoff = Backoff::default();
        let (created, mut now, mut minutes) = (1_000, 1_000, Vec::new());
        let expires = backoff.expires(created, false);
        while let Next::Retry(due) = after_deferral(created, expires, now, &backoff) {
            now = due;
            minutes.push((now - created) / 60_000);
        }
        assert_eq!(minutes[..6], [5, 10, 20, 40, 80, 146]);
        assert!(minutes[6..].windows(2).all(|pair| (66..=67).contains(&(pair[1] - pair[0]))), "{minutes:?}");
        assert!(now >= expires && now - expires <= backoff.maximal, "one attempt after the end of its life, then no more");
    }

    #[test]
    fn a_lifetime_of_nothing_is_one_attempt() {
        let backoff = Backoff { lifetime: 0, ..Backoff::default() };
        assert_eq!(after_deferral(5, backoff.expires(5, false), 5, &backoff), Next::GiveUp);
        assert!(matches!(after_deferral(5, backoff.expires(5, true), 5, &backoff), Next::Retry(_)));
    }

    proptest! {
        #[test]
        fn the_wait_keeps_its_bounds(created in any::<i64>(), now in any::<i64>()) {
            let backoff = Backoff::default();
            if let Next::Retry(due) = after_deferral(created, i64::MAX, now, &backoff) {
                let wait = due.saturating_sub(now);
                prop_assert!(wait <= backoff.maximal);
                prop_assert!(wait >= backoff.minimal || due == i64::MAX);
            }
        }
    }
}
