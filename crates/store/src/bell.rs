//! Bells: a change says only that an account changed; the listener asks [`crate::Store::changes`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{Notify, watch};

use crate::AccountId;

/// The accounts somebody listens to.
#[derive(Clone, Default)]
pub(crate) struct Bells(Arc<Inner>);

#[derive(Default)]
struct Inner {
    listened: Mutex<HashMap<i64, Weak<watch::Sender<u64>>>>,
    /// Accounts that changed since the settler last looked.
    changed: Mutex<HashSet<i64>>,
    settler: Notify,
}

/// Rings when its account has changed. May ring once for many changes, and sometimes for nothing.
pub struct Watch {
    /// Kept alive by its listeners alone.
    _sender: Arc<watch::Sender<u64>>,
    receiver: watch::Receiver<u64>,
}

/// The bells of accounts nobody listens to any more are thrown away when so many are kept.
const SWEEP_AT: usize = 1024;

impl Bells {
    pub(crate) fn ring(&self, keys: &[db::Key]) {
        let bells = self.0.listened.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut changed = self.0.changed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for key in keys {
            if let db::Key::Account(id) = key {
                changed.insert(*id);
            }
            if let db::Key::Account(id) = key
                && let Some(sender) = bells.get(id).and_then(Weak::upgrade)
            {
                sender.send_modify(|rings| *rings += 1);
            }
        }
        drop((bells, changed));
        self.0.settler.notify_one();
    }

    /// For the one settler: waits until an account changed since it last asked which. May be dropped without losing a ring.
    pub(crate) async fn rung(&self) {
        while self.0.changed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).is_empty() {
            self.0.settler.notified().await;
        }
    }

    /// For the one settler: the accounts that changed since it last asked.
    pub(crate) fn changed(&self) -> HashSet<i64> {
        std::mem::take(&mut *self.0.changed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    pub(crate) fn watch(&self, account: AccountId) -> Watch {
        let mut bells = self.0.listened.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if bells.len() >= SWEEP_AT {
            bells.retain(|_, sender| sender.strong_count() > 0);
        }
        let sender = bells.get(&account.get()).and_then(Weak::upgrade).unwrap_or_else(|| Arc::new(watch::Sender::new(0)));
        bells.insert(account.get(), Arc::downgrade(&sender));
        Watch { receiver: sender.subscribe(), _sender: sender }
    }
}

impl Watch {
    /// Waits until the account changed since this was last called. May be dropped at any point without losing a ring.
    pub async fn changed(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The sender lives as long as this value.
            std::future::pending::<()>().await;
        }
    }
}
