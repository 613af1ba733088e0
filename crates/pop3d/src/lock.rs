//! Who holds which maildrop, within this process (RFC 1939 §4).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use store::AccountId;

/// The maildrops held now.
#[derive(Clone, Default)]
pub(crate) struct Locks(Arc<Mutex<HashSet<AccountId>>>);

/// A maildrop held until this is dropped.
pub(crate) struct Lock {
    locks: Locks,
    account: AccountId,
}

impl Locks {
    /// Takes an account's maildrop; `None` while another session holds it.
    pub(crate) fn take(&self, account: AccountId) -> Option<Lock> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(account).then(|| Lock { locks: self.clone(), account })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.locks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_and_the_next_may_when_it_is_gone() {
        let locks = Locks::default();
        let (alice, bob) = (AccountId::new(1), AccountId::new(2));
        let first = locks.take(alice);
        assert!(first.is_some() && locks.take(bob).is_some());
        assert!(locks.clone().take(alice).is_none());
        drop(first);
        assert!(locks.take(alice).is_some());
    }
}
