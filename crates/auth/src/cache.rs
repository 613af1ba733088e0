//! Which logins were verified lately. Holds no password and nothing a password could be guessed from without this
//! process's key: an entry is an HMAC-SHA256 over account, record and password. A changed record makes another
//! HMAC, so what was verified against the old one is simply never found again.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A login as the cache knows it.
pub(crate) type Proof = [u8; 32];

/// Proofs in the order they were verified, which is also the order they grow too old in.
pub(crate) struct Cache {
    key: Proof,
    known: HashSet<Proof>,
    order: VecDeque<(Instant, Proof)>,
    most: usize,
    age: Duration,
}

impl Cache {
    pub(crate) fn new(most: usize, age: Duration) -> Cache {
        Cache { key: rand::random(), known: HashSet::new(), order: VecDeque::new(), most, age }
    }

    /// What stands for this login; each part is told from the next by its length. The password may have any.
    pub(crate) fn proof(&self, account: i64, record: &str, password: &[u8]) -> Option<Proof> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?; // HMAC takes keys of any length
        mac.update(&account.to_be_bytes());
        mac.update(&(record.len() as u64).to_be_bytes());
        mac.update(record.as_bytes());
        mac.update(password);
        Some(mac.finalize().into_bytes().into())
    }

    /// Whether this login was verified within the age. (Compared in no constant time: a guess would have to be made
    /// under a key nobody has.)
    pub(crate) fn knows(&mut self, proof: &Proof, now: Instant) -> bool {
        self.forget_old(now);
        self.known.contains(proof)
    }

    /// Remembers a login just verified; the oldest makes room. Not renewed by use: every login is verified anew once
    /// in a while.
    pub(crate) fn remember(&mut self, proof: Proof, now: Instant) {
        self.forget_old(now);
        if self.most == 0 || !self.known.insert(proof) {
            return;
        }
        self.order.push_back((now, proof));
        while self.order.len() > self.most {
            self.forget_first();
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(then, _)| now.saturating_duration_since(*then) >= self.age) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, proof)) = self.order.pop_front() {
            self.known.remove(&proof);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(600);

    fn proof(cache: &Cache, account: i64, record: &str, password: &[u8]) -> Proof {
        cache.proof(account, record, password).expect("a proof")
    }

    #[test]
    fn another_password_record_account_or_process_is_another_login() {
        let cache = Cache::new(8, AGE);
        let here = proof(&cache, 1, "record", b"secret");
        assert_eq!(here, proof(&cache, 1, "record", b"secret"));
        for other in [
            proof(&cache, 1, "record", b"Secret"),
            proof(&cache, 1, "another", b"secret"),
            proof(&cache, 2, "record", b"secret"),
            proof(&cache, 1, "recor", b"dsecret"),
            proof(&Cache::new(8, AGE), 1, "record", b"secret"),
        ] {
            assert_ne!(here, other);
        }
    }

    #[test]
    fn a_login_is_known_for_its_age_and_no_longer_however_often_it_is_used() {
        let mut cache = Cache::new(8, AGE);
        let start = Instant::now();
        let login = proof(&cache, 1, "record", b"secret");
        assert!(!cache.knows(&login, start));
        cache.remember(login, start);
        for seconds in [0, 300, 599] {
            let now = start + Duration::from_secs(seconds);
            assert!(cache.knows(&login, now), "{seconds}");
            cache.remember(login, now);
        }
        assert!(!cache.knows(&login, start + AGE));
        assert_eq!((cache.known.len(), cache.order.len()), (0, 0));
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut cache = Cache::new(2, AGE);
        let start = Instant::now();
        let logins: Vec<Proof> = (0..3).map(|account| proof(&cache, account, "record", b"secret")).collect();
        for (seconds, login) in (0..).zip(&logins) {
            cache.remember(*login, start + Duration::from_secs(seconds));
        }
        let known: Vec<bool> = logins.iter().map(|login| cache.knows(login, start)).collect();
        assert_eq!((known, cache.known.len()), (vec![false, true, true], 2));
        let mut none = Cache::new(0, AGE);
        none.remember(logins[0], start);
        assert!(!none.knows(&logins[0], start), "a cache of nothing remembers nothing");
    }
}
