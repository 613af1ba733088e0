//! After the commit: files are made of bodies, file names of flags, and what was decided about files is done.
//!
//! One task of a store (one process holds it). Each is redone from its rows after a crash, so nothing here is answered
//! to anyone: bodies are in `body` or the spool until the files are durable; `todo` rows stay until their work is; a
//! mailbox's `mirrored` rises once the names of its files say what its flags were.

mod mirror;
mod place;
mod prune;
#[cfg(test)]
mod tests;
pub(crate) mod todo;

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use db::Error;

use crate::bell::Accounts;
use crate::{AccountId, Store};

/// How long changes are gathered before they are settled: short for whoever looks into a Maildir, long enough that at a
/// steady rate many messages share one sync and one commit instead of holding up the next delivery each.
const GATHER: Duration = Duration::from_millis(100);

/// How often everything is looked at, whether or not a bell rang: what failed is tried again, and what another process of the store
/// committed is found though its bell was lost.
const AGAIN: Duration = Duration::from_secs(5);

/// Does what is due now and then whatever commits bring, until `stop` is ready; then what is left once more. Erases accounts
/// whose removal was cut short, and prunes the logs.
pub async fn run(store: Store, stop: impl Future<Output = ()>) {
    run_every(store, stop, AGAIN).await;
}

async fn run_every(store: Store, stop: impl Future<Output = ()>, again: Duration) {
    let mut stop = std::pin::pin!(stop);
    let mut pruning = prune::Round::default();
    // Another process may have done this before, or since we did it last.
    store.inner.unplaced.store(false, Ordering::Relaxed);
    if let Err(error) = store.erase_removed().await {
        tracing::warn!("erasing removed accounts: {error}; it is tried again at the next start");
    }
    loop {
        settle_logged(&store, None).await;
        pruning.go_on(&store).await;
        let all = tokio::time::sleep(again);
        let mut all = std::pin::pin!(all);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return settle_logged(&store, None).await,
                () = &mut all => break,
                changed = gather(&store) => settle_logged(&store, changed).await,
            }
        }
    }
}

/// The accounts that changed (None: it may be any), once something did and a moment for more has passed.
async fn gather(store: &Store) -> Option<HashSet<i64>> {
    store.inner.bells.rung().await;
    tokio::time::sleep(GATHER).await;
    match store.inner.bells.changed() {
        Accounts::These(accounts) => Some(accounts),
        Accounts::Any => None,
    }
}

/// Everything that is due, now. For tools, tests and benchmarks: afterwards the store is settled.
pub async fn settle(store: &Store) -> Result<(), Error> {
    pass(store, None).await
}

/// The spool files that messages of the store name: a sweeper ([`Bodies::sweep`](bodies::Bodies::sweep)) must leave them.
pub async fn spooled(store: &Store) -> Result<HashSet<bodies::Name>, Error> {
    let sql = "SELECT m.place FROM body b JOIN message m ON m.account_id = b.account_id AND m.id = b.id WHERE b.data IS NULL";
    let rows = store.db().query(sql, &[]).await?;
    let name = |row: &db::Row| match bodies::Place::parse(row.text(0)) {
        Some(bodies::Place::Spooled { name, .. }) => Ok(Some(name)),
        Some(bodies::Place::Inline) => Ok(None),
        // A place we can't read may name any file: then none is swept.
        None => Err(Error::Broken(format!("place {:?} in the database", row.text(0)))),
    };
    rows.iter().filter_map(|row| name(row).transpose()).collect()
}

async fn settle_logged(store: &Store, changed: Option<HashSet<i64>>) {
    if let Err(error) = pass(store, changed).await {
        tracing::warn!("settling the store: {error}; nothing is lost, and it is tried again");
    }
}

/// `changed`: the accounts whose file names may be behind; None for all.
///
/// What was decided about folders comes first: a file placed under a name that a folder is still to be moved to would
/// stand in its way, and one placed where a folder is still to be removed would go with it. Names follow after each batch of
/// bodies, so that mail that never stops does not hold them up.
///
/// At the start, and after anything failed, a body that is due may stand in its folder already, and is looked for there.
/// Once everything was settled what comes was placed by nobody, and no folder is listed for it.
async fn pass(store: &Store, changed: Option<HashSet<i64>>) -> Result<(), Error> {
    let mut failing = BTreeSet::new();
    let ended = pass_through(store, changed, &mut failing).await;
    store.inner.unplaced.store(ended.is_ok() && failing.is_empty(), Ordering::Relaxed);
    ended
}

async fn pass_through(store: &Store, changed: Option<HashSet<i64>>, failing: &mut BTreeSet<i64>) -> Result<(), Error> {
    loop {
        let mut after = i64::MIN;
        while let Some(id) = todo::next_account(store, after).await? {
            after = id;
            if failing.contains(&id) {
                continue;
            }
            let alone = store.one_at_a_time().await?;
            if !todo::run_account(store, AccountId::new(id), &alone).await {
                failing.insert(id);
            }
        }
        let batch = place::batch(store, failing).await?;
        mirror::all(store, changed.as_ref(), failing).await?;
        match batch {
            place::Batch::Nothing => return Ok(()),
            place::Batch::Placed => {}
            place::Batch::Stayed => store.inner.unplaced.store(false, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
pub(crate) use place::{commit_settled, settled};
