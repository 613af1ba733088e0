//! After the commit: files are made of bodies, file names of flags, and what was decided about files is done.
//!
//! One task of a store (one process holds it). Each is redone from its rows after a crash, so nothing here is answered
//! to anyone: bodies are in `body` or the spool until the files are durable; `todo` rows stay until their work is; a
//! mailbox's `mirrored` rises once the names of its files say what its flags were.

mod mirror;
mod place;
pub(crate) mod todo;

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::time::Duration;

use db::Error;

use crate::{AccountId, Store};

/// How long changes are gathered before they are settled: short for whoever looks into a Maildir, long enough that at a
/// steady rate many messages share one sync and one commit instead of holding up the next delivery each.
const GATHER: Duration = Duration::from_millis(30);

/// Does what is due now and then whatever commits bring, until `stop` is ready; then what is left once more.
pub async fn run(store: Store, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    settle_logged(&store, None).await;
    loop {
        tokio::select! {
            changed = gather(&store) => settle_logged(&store, Some(changed)).await,
            () = &mut stop => break,
        }
    }
    settle_logged(&store, None).await;
}

/// The accounts that changed, once something did and a moment for more has passed.
async fn gather(store: &Store) -> HashSet<i64> {
    store.inner.bells.rung().await;
    tokio::time::sleep(GATHER).await;
    store.inner.bells.changed()
}

/// Everything that is due, now. For tools, tests and benchmarks: afterwards the store is settled.
pub async fn settle(store: &Store) -> Result<(), Error> {
    pass(store, None).await
}

async fn settle_logged(store: &Store, changed: Option<HashSet<i64>>) {
    if let Err(error) = pass(store, changed).await {
        tracing::warn!("settling the store: {error}; nothing is lost, and it is tried again");
    }
}

/// `changed`: the accounts whose file names may be behind; None for all.
async fn pass(store: &Store, changed: Option<HashSet<i64>>) -> Result<(), Error> {
    let mut failing = BTreeSet::new();
    while place::batch(store, &mut failing).await? {}
    for row in store.db().query("SELECT DISTINCT account_id FROM todo", &[]).await? {
        let _one = store.inner.homes.one_at_a_time().await;
        todo::run_account(store, AccountId::new(row.int(0))).await;
    }
    mirror::all(store, changed).await
}
