//! What a peer may use up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Limits of one session.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Unread input a dialogue may leave, in octets. 80 KiB: the longest line (IMAP, 64 KiB) and one read of 16 KiB.
    pub input: usize,
    /// Unsent output above which no more answers are taken, in octets. 64 KiB keeps a fast line busy between two polls.
    pub output: usize,
    /// How long a peer may take to take its output, before its rate is judged. 5 minutes (RFC 5321 §4.5.3.2.3 ff.): the
    /// kernel wakes us only when a third of its buffer is free, which over a thin line takes minutes.
    pub write_window: Duration,
    /// Octets a second below which a peer is too slow to write to. 100: a peer that reads less only holds our memory.
    pub write_rate: u32,
    /// How long a TLS handshake may take. 60 s: a few round trips, and slow devices.
    pub handshake: Duration,
    /// How long output waits for more of it while an answer is still being made. 10 ms: one packet instead of many, and
    /// nobody notices.
    pub hold: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            input: 80 << 10,
            output: 64 << 10,
            write_window: Duration::from_secs(300),
            write_rate: 100,
            handshake: Duration::from_secs(60),
            hold: Duration::from_millis(10),
        }
    }
}

/// Counts the sessions of a service; clones count together, so that all listeners of a service can share one.
#[derive(Debug, Clone)]
pub struct Caps(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    total: AtomicUsize,
    per_address: AtomicUsize,
    now: Mutex<(usize, HashMap<IpAddr, usize>)>,
    idle: Notify,
}

impl Caps {
    /// At most `total` sessions, and `per_address` from one address (IPv6: one /64, which is one customer; the loopback
    /// and Unix sockets: no limit of their own, since webmail comes from there for everybody).
    pub fn new(total: usize, per_address: usize) -> Caps {
        Caps(Arc::new(Counts { total: total.into(), per_address: per_address.into(), now: Mutex::default(), idle: Notify::new() }))
    }

    /// Sessions now.
    pub fn sessions(&self) -> usize {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// From now on so many from one address; whoever is in stays.
    pub fn change_per_address(&self, per_address: usize) {
        self.0.per_address.store(per_address, Ordering::Relaxed);
    }

    /// Counts one in, until the seat is dropped.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<Seat, Full> {
        let address = (!address.is_loopback()).then(|| customer(address));
        let mut now = self.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        let (sessions, by_address) = &mut *now;
        let total = self.0.total.load(Ordering::Relaxed);
        if *sessions >= total {
            return Err(Full::House(total));
        }
        if let Some(address) = address {
            let count = by_address.entry(address).or_default();
            let most = self.0.per_address.load(Ordering::Relaxed);
            if *count >= most {
                return Err(Full::Address(most));
            }
            *count += 1;
        }
        *sessions += 1;
        drop(now);
        Ok(Seat { caps: self.clone(), address })
    }

    /// Waits until no session is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.sessions() == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// Why there is no seat; for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("the service has {0} connections, its most")]
    House(usize),
    #[error("this address has {0} connections, its most")]
    Address(usize),
}

/// One session, counted.
#[derive(Debug)]
pub(crate) struct Seat {
    caps: Caps,
    address: Option<IpAddr>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut now = self.caps.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.0 -= 1;
        if let Some(address) = self.address
            && let Some(count) = now.1.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                now.1.remove(&address);
            }
        }
        if now.0 == 0 {
            self.caps.0.idle.notify_waiters();
        }
    }
}

fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_in_and_out() {
        let caps = Caps::new(3, 2);
        let enter = |address: &str| caps.enter(address.parse().unwrap());
        let first = enter("2001:db8::1").unwrap();
        let _second = enter("2001:db8::2").unwrap();
        assert_eq!(enter("2001:db8::3").unwrap_err(), Full::Address(2), "one /64 is one customer");
        let _other = enter("192.0.2.1").unwrap();
        assert_eq!(enter("127.0.0.1").unwrap_err(), Full::House(3));
        drop(first);
        assert_eq!(caps.sessions(), 2);
        let third = enter("2001:db8::3").unwrap();
        caps.change_per_address(1);
        drop(third);
        assert_eq!(enter("2001:db8::3").unwrap_err(), Full::Address(1));
    }
}
