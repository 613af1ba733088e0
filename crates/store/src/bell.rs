//! Bells: a change says only that an account changed; the listener asks [`crate::Store::changes`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::AccountId;

/// The accounts somebody listens to.
#[derive(Clone, Default)]
pub(crate) struct Bells(Arc<Inner>);

#[derive(Default)]
struct Inner {
    listened: Mutex<HashMap<i64, Weak<watch::Sender<u64>>>>,
    /// What changed since the settler last looked.
    changed: Mutex<Accounts>,
    settler: Notify,
    /// Whether somebody looks for what other processes changed.
    polled: Mutex<bool>,
}

/// Accounts that changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Accounts {
    These(HashSet<i64>),
    /// It is not known which.
    Any,
}

impl Default for Accounts {
    fn default() -> Accounts {
        Accounts::These(HashSet::new())
    }
}

/// How often it is looked whether another process changed an account that somebody listens to, in case its bell was lost. One
/// question for all of them.
const POLL: Duration = Duration::from_secs(5);

/// Rings when its account has changed. May ring once for many changes, and sometimes for nothing.
pub struct Watch {
    /// Kept alive by its listeners alone.
    _sender: Arc<watch::Sender<u64>>,
    receiver: watch::Receiver<u64>,
}

/// The bells of accounts nobody listens to any more are thrown away when so many are kept.
const SWEEP_AT: usize = 1024;

impl Bells {
    pub(crate) fn ring(&self, changed: db::Changed<'_>) {
        let db::Changed::Keys(keys) = changed else { return self.ring_all() };
        let accounts = || keys.iter().filter_map(|key| if let db::Key::Account(id) = key { Some(*id) } else { None });
        if let Accounts::These(changed) = &mut *self.changed_now() {
            changed.extend(accounts());
        }
        self.ring_listeners(accounts());
        self.0.settler.notify_one();
    }

    fn ring_all(&self) {
        *self.changed_now() = Accounts::Any;
        for sender in self.listened().values().filter_map(Weak::upgrade) {
            sender.send_modify(|rings| *rings += 1);
        }
        self.0.settler.notify_one();
    }

    fn listened(&self) -> MutexGuard<'_, HashMap<i64, Weak<watch::Sender<u64>>>> {
        self.0.listened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed_now(&self) -> MutexGuard<'_, Accounts> {
        self.0.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for the first who asks while nobody polls: it must.
    pub(crate) fn must_poll(&self) -> bool {
        !std::mem::replace(&mut *self.0.polled.lock().unwrap_or_else(PoisonError::into_inner), true)
    }

    /// The accounts somebody listens to; None when there are none, and polling ends.
    fn listened_or_done(&self) -> Option<Vec<i64>> {
        let mut polled = self.0.polled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bells = self.listened();
        bells.retain(|_, sender| sender.strong_count() > 0);
        *polled = !bells.is_empty();
        (!bells.is_empty()).then(|| bells.keys().copied().collect())
    }

    fn ring_listeners(&self, accounts: impl Iterator<Item = i64>) {
        let bells = self.listened();
        for sender in accounts.filter_map(|id| bells.get(&id).and_then(Weak::upgrade)) {
            sender.send_modify(|rings| *rings += 1);
        }
    }

    /// For the one settler: waits until an account changed since it last asked which. May be dropped without losing a ring.
    pub(crate) async fn rung(&self) {
        while *self.changed_now() == Accounts::default() {
            self.0.settler.notified().await;
        }
    }

    /// For the one settler: the accounts that changed since it last asked.
    pub(crate) fn changed(&self) -> Accounts {
        std::mem::take(&mut *self.changed_now())
    }

    pub(crate) fn watch(&self, account: AccountId) -> Watch {
        let mut bells = self.listened();
        if bells.len() >= SWEEP_AT {
            bells.retain(|_, sender| sender.strong_count() > 0);
        }
        let sender = bells.get(&account.get()).and_then(Weak::upgrade).unwrap_or_else(|| Arc::new(watch::Sender::new(0)));
        bells.insert(account.get(), Arc::downgrade(&sender));
        Watch { receiver: sender.subscribe(), _sender: sender }
    }
}

/// Rings for what other processes commit, while there are listeners and a store.
pub(crate) async fn poll(store: Weak<crate::Inner>) {
    let mut known: HashMap<i64, i64> = HashMap::new();
    loop {
        tokio::time::sleep(POLL).await;
        let Some(store) = store.upgrade() else { return };
        let Some(listened) = store.bells.listened_or_done() else { return };
        let rows: Vec<[db::Value; 1]> = listened.iter().map(|&id| [id.into()]).collect();
        let now = match store.db.query_rows("SELECT id, seq FROM account WHERE id IN (VALUES {rows})", &[], &rows).await {
            Ok(rows) => rows,
            Err(db::Error::Closed) => return,
            Err(error) => {
                tracing::debug!("looking for what other processes changed: {error}");
                continue;
            }
        };
        let now: HashMap<i64, i64> = now.iter().map(|row| (row.int(0), row.int(1))).collect();
        // One that was not known may have changed before we looked first.
        store.bells.ring_listeners(now.iter().filter(|(id, seq)| known.get(id) != Some(seq)).map(|(id, _)| *id));
        known = now;
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
