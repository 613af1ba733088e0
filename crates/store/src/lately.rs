//! What is in memory only so that it need not be read again: how much of it stays, and for how long.
//!
//! Three kinds of it: views, shelves and keys. Whoever keeps something sees to it that one task
//! looks after them all ([`Store::tend`]); it ends when nothing is left.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::{Inner, Store};

/// What nobody used for so long is given back. A client that works at all asks more often, and the next one waits for one reading of a file.
const UNUSED: Duration = Duration::from_secs(5 * 60);

/// How often is looked for it.
const LOOK: Duration = Duration::from_secs(60);

/// A handle on something that sessions share.
pub(crate) trait Shared: Clone {
    /// How much stays in all; beyond it goes what was not used for longest and nobody holds.
    const MOST: usize;

    /// What it counts of [`Shared::MOST`].
    fn weight(&self) -> usize;

    /// Whether a session holds it too: forgetting it would give nothing back, and the next would read it a second time.
    fn is_held(&self) -> bool;

    /// Whether it takes the place of what is known.
    fn replaces(&self, _known: &Self) -> bool {
        true
    }
}

/// Things by their keys, each with the time it was last used.
pub(crate) struct Lately<K, V>(Mutex<HashMap<K, Used<V>>>);

struct Used<V> {
    value: V,
    at: Instant,
}

impl<K, V> Default for Lately<K, V> {
    fn default() -> Lately<K, V> {
        Lately(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash, V: Shared> Lately<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Used<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: K) -> Option<V> {
        let mut known = self.lock();
        let used = known.get_mut(&key)?;
        used.at = Instant::now();
        Some(used.value.clone())
    }

    /// What is known by this key from now on: this, or what it doesn't replace.
    pub(crate) fn keep(&self, key: K, value: V) -> V {
        let mut all = self.lock();
        if let Some(known) = all.get(&key).filter(|known| !value.replaces(&known.value)) {
            return known.value.clone();
        }
        all.insert(key, Used { value: value.clone(), at: Instant::now() });
        shrink(&mut all);
        value
    }

    /// What is known by this key, else something new.
    pub(crate) fn get_or_default(&self, key: K) -> V
    where
        V: Default,
    {
        let mut known = self.lock();
        let used = known.entry(key).or_insert_with(|| Used { value: V::default(), at: Instant::now() });
        used.at = Instant::now();
        // Held from here on, so that it stays.
        let value = used.value.clone();
        shrink(&mut known);
        value
    }

    /// For what grows after it is kept.
    pub(crate) fn shrink(&self) {
        shrink(&mut self.lock());
    }

    /// Forgets what nobody holds and nobody used for [`UNUSED`]; what is held is in use. How many are left.
    fn forget_unused(&self, now: Instant) -> usize {
        let mut known = self.lock();
        known.retain(|_, used| {
            if used.value.is_held() {
                used.at = now;
            }
            now.duration_since(used.at) < UNUSED
        });
        known.shrink_to_fit();
        known.len()
    }
}

fn shrink<K: Copy + Eq + Hash, V: Shared>(known: &mut HashMap<K, Used<V>>) {
    let mut weight: usize = known.values().map(|used| used.value.weight()).sum();
    while weight > V::MOST {
        let idle = known.iter().filter(|(_, used)| !used.value.is_held());
        let Some((&oldest, used)) = idle.min_by_key(|(_, used)| used.at) else { return };
        weight = weight.saturating_sub(used.value.weight());
        known.remove(&oldest);
    }
}

/// Whether a task looks after what is in memory.
#[derive(Default)]
pub(crate) struct Tended(AtomicBool);

impl Store {
    /// What was just kept will be given back.
    pub(crate) fn tend(&self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.inner.tended.0.swap(true, Ordering::AcqRel)
        {
            runtime.spawn(tend(Arc::downgrade(&self.inner)));
        }
    }
}

async fn tend(store: Weak<Inner>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(store) = store.upgrade() else { return };
        // Before looking: whoever keeps something from here on may begin another task.
        store.tended.0.store(false, Ordering::Release);
        let left: usize = store.forget_unused().iter().sum();
        if left == 0 || store.tended.0.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

impl Inner {
    /// How many are left of each kind.
    fn forget_unused(&self) -> [usize; 3] {
        let now = Instant::now();
        [self.views.forget_unused(now), self.shelves.forget_unused(now), self.keys.forget_unused(now)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, name, on_every_engine};

    fn known(world: &World) -> [usize; 3] {
        let inner = &world.store.inner;
        [inner.views.lock().len(), inner.shelves.lock().len(), inner.keys.lock().len()]
    }

    async fn pass(time: Duration) {
        for _ in 0..time.as_secs() {
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_no_session_uses_is_given_back() {
        on_every_engine(|world| async move {
            world.fill(500).await;
            let (store, alice) = (&world.store, world.alice);
            let view = store.open(alice, &name("INBOX")).await.unwrap();
            let (mailbox, uids): (_, Vec<_>) = (view.mailbox.id, view.rows.iter().map(|row| row.uid).collect());
            // They stand on a shelf.
            let keys = store.keys(alice, mailbox, view.mailbox.uidvalidity, &uids).await.unwrap();
            assert_eq!(known(&world), [1; 3], "{}", world.engine);

            tokio::time::pause();
            pass(UNUSED - 2 * LOOK).await;
            assert_eq!(known(&world), [1; 3], "{}: too early", world.engine);
            pass(4 * LOOK).await;
            assert_eq!(known(&world), [1, 0, 0], "{}: what is held stays", world.engine);
            assert_eq!(Arc::strong_count(&keys), 1, "{}", world.engine);
            let rows = view.rows.clone();
            drop(view);
            pass(UNUSED + 2 * LOOK).await;
            assert_eq!(known(&world), [0; 3], "{}", world.engine);
            assert!(!store.inner.tended.0.load(Ordering::Acquire), "{}: nothing is left to look after", world.engine);

            tokio::time::resume();
            assert_eq!(store.open(alice, &name("INBOX")).await.unwrap().rows, rows, "{}", world.engine);
            assert!(store.inner.tended.0.load(Ordering::Acquire), "{}", world.engine);
        })
        .await;
    }

    #[derive(Clone)]
    struct Thing(Arc<usize>);

    impl Shared for Thing {
        const MOST: usize = 10;
        fn weight(&self) -> usize {
            *self.0
        }
        fn is_held(&self) -> bool {
            Arc::strong_count(&self.0) > 1
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_much_goes_what_was_not_used_for_longest() {
        let things = Lately::default();
        let held = Thing(Arc::new(4));
        things.keep(0, held.clone());
        for key in 1..=3 {
            tokio::time::advance(Duration::from_secs(1)).await;
            things.keep(key, Thing(Arc::new(2)));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(things.get(1).is_some());
        things.keep(4, Thing(Arc::new(2)));
        let left: Vec<bool> = (0..=4).map(|key| things.lock().contains_key(&key)).collect();
        assert_eq!(left, [true, true, false, true, true]);
    }
}
