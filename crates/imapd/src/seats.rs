//! How many sessions an account has from one address (C-09): a phone that reconnects for ever must not take every seat.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use store::AccountId;

#[derive(Clone)]
pub(crate) struct Seats {
    most: usize,
    taken: Arc<Mutex<HashMap<(AccountId, IpAddr), usize>>>,
}

/// Counted until it is dropped.
pub(crate) struct Seat {
    seats: Seats,
    key: (AccountId, IpAddr),
}

impl Seats {
    pub(crate) fn new(most: usize) -> Seats {
        Seats { most, taken: Arc::default() }
    }

    /// Another most, counted on.
    pub(crate) fn with(&self, most: usize) -> Seats {
        Seats { most, taken: self.taken.clone() }
    }

    /// `None`: the account has its most from there.
    pub(crate) fn take(&self, account: AccountId, from: IpAddr) -> Option<Seat> {
        let key = (account, from);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&key).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        taken.insert(key, count + 1);
        Some(Seat { seats: self.clone(), key })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_09_a_seat_is_free_again_when_its_session_ends() {
        let seats = Seats::new(2);
        let (account, here) = (AccountId::new(1), IpAddr::from([192, 0, 2, 1]));
        let first = seats.take(account, here);
        let _second = seats.take(account, here);
        assert!(seats.take(account, here).is_none());
        assert!(seats.take(account, IpAddr::from([192, 0, 2, 2])).is_some(), "another address has seats of its own");
        drop(first);
        assert!(seats.take(account, here).is_some());
    }
}
