//! Who failed to log in lately, and what that costs. Pure: time is an argument.
//!
//! * Who fails waits for the answer: a second, and twice as long with each further wrong password from that address (IPv6: the
//!   /64) or for that account, up to [`LONGEST`] times that. An account nobody has counts as any other.
//! * The same wrong password again counts once: after one typo a mail program tries PLAIN, LOGIN and the LOGIN command.
//! * Nobody is locked out. Before a password is looked at, who came from where others fail, or asks for an account that is
//!   being guessed at, waits a second at most and in the second queue of the pool; who logged in from there before does not.
//! * What was not touched for [`FORGET`] counts half, and so on. Memory is bounded: the longest untouched go.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// The longest wait for an answer, in delays of the first failure: 8 s. A longer one would only keep connections open, and
/// clients give up after 10 to 30 s.
const LONGEST: u32 = 8;
/// Wrong passwords before a right one waits, too. A person mistypes twice; five programs of an office do it at a time.
const FREE: u32 = 5;
/// After this long a count is halved.
const FORGET: Duration = Duration::from_secs(600);
/// Wrong passwords remembered, to tell whether one came before.
const LATELY: usize = 4;
/// Addresses and accounts remembered that failed, and pairs that did not: some 5 MB at most.
const MOST: usize = 50_000;

pub(crate) struct Failures {
    /// Of the process: what is kept says nothing about names and passwords to who has not got it.
    hasher: RandomState,
    failed: Generations<Who, Entry>,
    welcome: Generations<(IpAddr, u64), ()>,
    delay: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    Login(u64),
}

#[derive(Clone, Copy)]
struct Entry {
    count: u32,
    last: Instant,
    lately: [u64; LATELY],
}

/// How a login is met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reception {
    /// Wait before the password is looked at.
    pub(crate) wait: Duration,
    /// Only after those who are not suspected.
    pub(crate) suspect: bool,
}

/// What a failure costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cost {
    /// How long its sender waits for the answer.
    pub(crate) wait: Duration,
    /// Not a wrong password that came lately.
    pub(crate) counted: bool,
}

impl Failures {
    /// `delay`: what the first failure costs.
    pub(crate) fn new(delay: Duration) -> Failures {
        Failures { hasher: RandomState::new(), failed: Generations::new(MOST), welcome: Generations::new(MOST), delay }
    }

    /// How a login from `from` as `login` is met; `login` in its usual spelling.
    pub(crate) fn reception(&mut self, now: Instant, from: IpAddr, login: &str) -> Reception {
        let (from, login) = (customer(from), self.hasher.hash_one(login));
        let suspect = self.count(now, from, login) >= FREE && self.welcome.get(&(from, login)).is_none();
        Reception { wait: if suspect { self.delay } else { Duration::ZERO }, suspect }
    }

    /// A login failed. `password`: as sent, if it was.
    pub(crate) fn failed(&mut self, now: Instant, from: IpAddr, login: &str, password: Option<&[u8]>) -> Cost {
        let tried = password.map(|password| self.hasher.hash_one((login, password)));
        let (from, login) = (customer(from), self.hasher.hash_one(login));
        let who = [Who::Address(from), Who::Login(login)];
        let again = tried.is_some_and(|tried| who.iter().any(|who| self.failed.get(who).is_some_and(|entry| entry.lately.contains(&tried))));
        if !again {
            for who in who {
                let entry = self.failed.get(&who).copied().unwrap_or(Entry { count: 0, last: now, lately: [0; LATELY] });
                let mut lately = entry.lately;
                if let Some(tried) = tried {
                    lately.rotate_right(1);
                    lately[0] = tried;
                }
                self.failed.put(who, Entry { count: entry.now(now).saturating_add(1), last: now, lately });
            }
        }
        let doublings = self.count(now, from, login).saturating_sub(1).min(LONGEST.ilog2());
        Cost { wait: self.delay * (1 << doublings), counted: !again }
    }

    /// A login went well: from there that account is welcome, whoever else fails.
    pub(crate) fn succeeded(&mut self, from: IpAddr, login: &str) {
        let pair = (customer(from), self.hasher.hash_one(login));
        if self.welcome.get(&pair).is_none() {
            self.welcome.put(pair, ());
        }
    }

    fn count(&mut self, now: Instant, from: IpAddr, login: u64) -> u32 {
        let of = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.now(now));
        of(self.failed.get(&Who::Address(from))).max(of(self.failed.get(&Who::Login(login))))
    }
}

impl Entry {
    fn now(&self, now: Instant) -> u32 {
        let halvings = now.saturating_duration_since(self.last).as_secs() / FORGET.as_secs();
        u32::try_from(halvings).ok().and_then(|halvings| self.count.checked_shr(halvings)).unwrap_or(0)
    }
}

/// One customer has one IPv4 address, or one IPv6 /64.
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// A map that forgets what was not touched for longest, in two heaps: when the young one is half of what may be kept, it becomes
/// the old one, and what was old and not touched since is gone.
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq + Copy, V> Generations<K, V> {
    fn new(most: usize) -> Generations<K, V> {
        Generations { young: HashMap::new(), old: HashMap::new(), half: (most / 2).max(1) }
    }

    fn get(&mut self, key: &K) -> Option<&V> {
        if let Some(value) = self.old.remove(key) {
            self.put(*key, value);
        }
        self.young.get(key)
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const SECOND: Duration = Duration::from_secs(1);
    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

    fn fresh() -> (Failures, Instant) {
        (Failures::new(SECOND), Instant::now())
    }

    #[test]
    fn one_typo_in_a_mail_program_costs_one_failure() {
        let (mut failures, now) = fresh();
        for attempt in 0..3 {
            let cost = failures.failed(now + SECOND * attempt, HOME, "alice", Some(b"typo"));
            assert_eq!(cost, Cost { wait: SECOND, counted: attempt == 0 }, "attempt {attempt}");
        }
        assert_eq!(failures.failed(now + SECOND * 3, HOME, "alice", Some(b"another typo")).wait, 2 * SECOND);
        let met = failures.reception(now + SECOND * 4, HOME, "alice");
        assert_eq!(met, Reception { wait: Duration::ZERO, suspect: false }, "the right one at last is not delayed");
    }

    #[test]
    fn guessing_gets_slow_and_never_becomes_a_ban() {
        let (mut failures, mut now) = fresh();
        let mut guesses = 0_u32;
        let begun = now;
        while now < begun + Duration::from_secs(3600) {
            now += failures.failed(now, ATTACKER, "alice", Some(&guesses.to_be_bytes())).wait;
            guesses += 1;
        }
        assert!((400..500).contains(&guesses), "one connection guesses {guesses} times in an hour");
        let owner = failures.reception(now, HOME, "alice");
        assert_eq!(owner, Reception { wait: SECOND, suspect: true }, "the owner from a new place waits a second");
        assert_eq!(failures.reception(now, HOME, "bob").wait, Duration::ZERO, "others are not concerned");
        failures.succeeded(HOME, "alice");
        assert_eq!(failures.reception(now, HOME, "alice").wait, Duration::ZERO, "nor is the owner from a place of hers");
        assert!(failures.reception(now, ATTACKER, "alice").suspect, "the attacker gains nothing by that");
        let later = now + FORGET * 10;
        assert_eq!(failures.reception(later, ATTACKER, "alice").wait, Duration::ZERO, "and it is forgotten");
    }

    #[test]
    fn many_users_behind_one_address_do_not_pay_for_each_other() {
        let (mut failures, now) = fresh();
        let cloud = ATTACKER; // new Outlook's connections come from a few addresses for everybody
        failures.succeeded(cloud, "alice");
        for guess in 0..1000_u32 {
            failures.failed(now, cloud, &format!("user{guess}"), Some(b"wrong"));
        }
        assert_eq!(failures.reception(now, cloud, "alice").wait, Duration::ZERO, "who came from there before");
        assert_eq!(failures.reception(now, cloud, "bob").wait, SECOND, "who comes for the first time, once");
    }

    #[test]
    fn an_ipv6_customer_is_a_64_and_a_mapped_address_is_itself() {
        let (mut failures, now) = fresh();
        for n in 0..FREE {
            failures.failed(now, format!("2001:db8::{n}").parse().unwrap(), &format!("user{n}"), None);
        }
        assert!(failures.reception(now, "2001:db8::ffff".parse().unwrap(), "bob").suspect);
        assert!(!failures.reception(now, "2001:db8:0:1::1".parse().unwrap(), "bob").suspect);
        for n in 0..FREE {
            failures.failed(now, HOME, &format!("user{n}"), None);
        }
        assert!(failures.reception(now, "::ffff:192.0.2.1".parse().unwrap(), "bob").suspect);
    }

    #[test]
    fn known_and_unknown_logins_wait_alike() {
        let (mut failures, now) = fresh();
        for guess in 0..6_u32 {
            let known = failures.failed(now, HOME, "alice", Some(&guess.to_be_bytes()));
            let unknown = failures.failed(now, ATTACKER, "nobody", Some(&guess.to_be_bytes()));
            assert_eq!(known, unknown);
        }
    }

    #[test]
    fn memory_is_bounded_and_the_longest_untouched_go_first() {
        let (mut failures, now) = fresh();
        for n in 0..3 * MOST {
            let from = IpAddr::V6(Ipv6Addr::from_bits((n as u128) << 64));
            failures.failed(now, from, "alice", None);
            failures.succeeded(from, "alice");
        }
        let kept = |young: usize, old: usize| young + old;
        assert!(kept(failures.failed.young.len(), failures.failed.old.len()) <= MOST + 1);
        assert!(kept(failures.welcome.young.len(), failures.welcome.old.len()) <= MOST + 1);
        assert!(failures.reception(now, HOME, "alice").suspect, "what is touched again and again stays");
    }
}
