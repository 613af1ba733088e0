//! The log does not grow for ever: what is older than [`DAYS`] or more than [`ROWS`] transactions back is forgotten, and
//! `account.floor` says so. Whoever asks for changes from below the floor looks at the whole again.

use std::time::Duration;

use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use tokio::time::Instant;

use crate::{AccountId, Store, now_ms};

/// Days a client may be away and still be told only what changed.
const DAYS: i64 = 30;
/// Transactions of one account that are kept.
const ROWS: i64 = 20_000;
/// Rows of one table removed by one step, so that no commit waits long for it.
const STEP: i64 = 2_000;
/// Accounts looked at in one go.
const ACCOUNTS: i64 = 20;
/// Between the end of one round over all accounts and the next.
const REST: Duration = Duration::from_secs(3600);

/// Where a round over all accounts stands.
#[derive(Default)]
pub(super) struct Round {
    /// The last account that was done.
    after: i64,
    /// Not before.
    rests_until: Option<Instant>,
}

impl Round {
    /// A few accounts more.
    pub(super) async fn go_on(&mut self, store: &Store) {
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        if let Err(error) = self.some(store).await {
            tracing::warn!("pruning the log: {error}; it is tried again");
        }
    }

    async fn some(&mut self, store: &Store) -> Result<(), Error> {
        let sql = "SELECT id FROM account WHERE id > ?1 ORDER BY id LIMIT ?2";
        let rows = store.db().query(sql, &[self.after.into(), ACCOUNTS.into()]).await?;
        for row in &rows {
            store.sweep_snapshots(AccountId::new(row.int(0))).await?;
            account(store, AccountId::new(row.int(0)), Keep { rows: ROWS, since: now_ms() - DAYS * 86_400_000, step: STEP }).await?;
            self.after = row.int(0);
        }
        if (rows.len() as i64) < ACCOUNTS {
            (self.after, self.rests_until) = (0, Some(Instant::now() + REST));
        }
        Ok(())
    }
}

/// What stays in the log of an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    pub(super) rows: i64,
    /// Milliseconds since 1970.
    pub(super) since: i64,
    pub(super) step: i64,
}

/// Prunes one account, step by step.
pub(super) async fn account(store: &Store, account: AccountId, keep: Keep) -> Result<(), Error> {
    let most = "SELECT MIN(at) FROM (SELECT at FROM change WHERE account_id = ?1 ORDER BY seq LIMIT 1) AS o";
    let beyond = "SELECT 1 FROM change WHERE account_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2";
    loop {
        // Most often there is nothing to write, and no commit for it.
        let oldest = store.db().query(most, &[account.into()]).await?.first().and_then(|row| row.opt_int(0));
        let old = oldest.is_some_and(|at| at < keep.since);
        if !old && store.db().query(beyond, &[account.into(), keep.rows.into()]).await?.is_empty() {
            break;
        }
        if store.db().commit(Prune { account, keep }).await? == 0 {
            break;
        }
    }
    let expunged = "SELECT 1 FROM expunged WHERE account_id = ?1 AND at < ?2 LIMIT 1";
    while !store.db().query(expunged, &[account.into(), keep.since.into()]).await?.is_empty() {
        store.db().commit(Forget { account, keep }).await?;
    }
    Ok(())
}

/// Removes the oldest changes of an account that need not stay, at most a step of them; says how many.
struct Prune {
    account: AccountId,
    keep: Keep,
}

impl Step for Prune {
    type Done = usize;
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<usize>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                done.push(step.run_one(tx).await?);
            }
            Ok(done)
        })
    }
}

impl Prune {
    async fn run_one(&self, tx: &mut Tx) -> Result<usize, Error> {
        let Some(upto) = self.upto(tx).await? else { return Ok(0) };
        let account: Value = self.account.into();
        let gone = tx.query("DELETE FROM change WHERE account_id = ?1 AND seq <= ?2 RETURNING seq", &[account.clone(), upto.into()]).await?;
        tx.execute("UPDATE account SET floor = ?2 WHERE id = ?1 AND floor < ?2", &[account, upto.into()]).await?;
        Ok(gone.len())
    }

    /// The last change that may go in this step.
    async fn upto(&self, tx: &mut Tx) -> Result<Option<i64>, Error> {
        let account: Value = self.account.into();
        // Names of files are brought up to date from the log.
        let behind = "SELECT MIN(mirrored) FROM mailbox WHERE account_id = ?1 AND mirrored < seq";
        let needed = tx.query(behind, std::slice::from_ref(&account)).await?.first().and_then(|row| row.opt_int(0)).unwrap_or(i64::MAX);
        let beyond = "SELECT seq FROM change WHERE account_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2";
        let beyond = tx.query(beyond, &[account.clone(), self.keep.rows.into()]).await?.first().map_or(i64::MIN, |row| row.int(0));
        let first = "SELECT seq, at FROM change WHERE account_id = ?1 ORDER BY seq LIMIT ?2";
        let rows = tx.query(first, &[account, self.keep.step.into()]).await?;
        let goes = |row: &&db::Row| row.int(0) <= needed && (row.int(0) <= beyond || row.int(1) < self.keep.since);
        Ok(rows.iter().take_while(goes).last().map(|row| row.int(0)))
    }
}

/// Forgets a step of what was expunged long ago.
struct Forget {
    account: AccountId,
    keep: Keep,
}

impl Step for Forget {
    type Done = ();
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for step in batch {
                let sql = "DELETE FROM expunged WHERE account_id = ?1 AND (mailbox_id, uid) IN \
                           (SELECT mailbox_id, uid FROM expunged WHERE account_id = ?1 AND at < ?2 LIMIT ?3)";
                tx.execute(sql, &[step.account.into(), step.keep.since.into(), step.keep.step.into()]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
