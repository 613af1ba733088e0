//! Messages leave a mailbox.

use std::collections::HashMap;

use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{Flags, ModSeq, Uid};

use crate::change::{self, Log};
use crate::journal::{self, Counts};
use crate::settle::todo;
use crate::{AccountId, MailboxId, Row, Store, now_ms};

/// Removes messages from one mailbox, those that are still there.
#[derive(Debug)]
pub struct Expunge {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub mailbox: MailboxId,
    /// Which, ascending.
    pub uids: Vec<Uid>,
    /// Only those with \Deleted at that moment.
    pub only_deleted: bool,
}

/// What is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expunged {
    /// Their UIDs, ascending.
    pub uids: Vec<Uid>,
    /// The account's `seq` at which they went.
    pub modseq: ModSeq,
}

impl Store {
    /// Commits an [`Expunge`] alone.
    pub async fn expunge(&self, account: AccountId, mailbox: MailboxId, uids: Vec<Uid>, only_deleted: bool) -> Result<Expunged, Error> {
        self.db().commit(Expunge { account, mailbox, uids, only_deleted }).await
    }
}

impl Step for Expunge {
    type Done = Expunged;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Expunged>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                done.push(step.run_one(tx).await?);
            }
            Ok(done)
        })
    }
}

impl Expunge {
    async fn run_one(&self, tx: &mut Tx) -> Result<Expunged, Error> {
        let mut rows = crate::set_flags::rows_of(tx, self.account, self.mailbox, &self.uids).await?;
        rows.retain(|row| !self.only_deleted || row.flags.contains(Flags::DELETED));
        if rows.is_empty() {
            return Ok(Expunged::default());
        }
        let sql = "SELECT name FROM mailbox WHERE account_id = ?1 AND id = ?2";
        let found = tx.query(sql, &[self.account.into(), self.mailbox.into()]).await?;
        let name = mail::MailboxName::new(found.first().map_or("", |row| row.text(0))).map_err(|error| Error::Broken(error.to_string()))?;
        let first = journal::raise_one(tx, self.account, rows.len() as i64).await? - rows.len() as i64 + 1;
        let seq = first + rows.len() as i64 - 1;
        let uids: Vec<Uid> = rows.iter().map(|row| row.uid).collect();
        let files = self.remove(tx, &uids).await?;
        let work: Vec<_> = files.iter().enumerate().map(|(n, file)| (first + n as i64, todo::Op::RemoveFile, name.maildir_dir(), file.clone())).collect();
        todo::insert(tx, self.account, &work).await?;
        self.account_for(tx, &rows, seq).await?;
        Ok(Expunged { uids, modseq: ModSeq::new(seq.unsigned_abs()) })
    }

    /// Deletes the rows and remembers them for undelete; gives the names of their files.
    async fn remove(&self, tx: &mut Tx, uids: &[Uid]) -> Result<Vec<String>, Error> {
        let ranges = change::ranges(uids);
        let sql = "WITH v(f, l) AS (VALUES {rows}) INSERT INTO expunged (account_id, mailbox_id, uid, flags, at) \
                   SELECT p.account_id, p.mailbox_id, p.uid, p.flags, ?3 FROM v CROSS JOIN mailbox_message p \
                   WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l";
        tx.execute_rows_with(sql, &[self.account.into(), self.mailbox.into(), now_ms().into()], &ranges).await?;
        let sql = "WITH v(f, l) AS (VALUES {rows}) DELETE FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2 AND uid IN \
                   (SELECT p.uid FROM v CROSS JOIN mailbox_message p WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l) \
                   RETURNING file, file_flags";
        let gone = tx.rows_with(sql, &[self.account.into(), self.mailbox.into()], &ranges).await?;
        Ok(gone.iter().map(|row| todo::found_as(row.text(0), &crate::copy::letters(row.int(1)))).collect())
    }

    /// Lowers the counters, forgets messages that lie nowhere any more, writes the log.
    async fn account_for(&self, tx: &mut Tx, rows: &[Row], seq: i64) -> Result<(), Error> {
        let mut ids: Vec<i64> = rows.iter().map(|row| row.id.get()).collect();
        ids.sort_unstable();
        let sizes = sizes(tx, self.account, &ids).await?;
        let mut counts = Counts::default();
        for row in rows {
            let size = sizes.get(&row.id.get()).copied().unwrap_or(0);
            counts.add(Counts::of(row.flags, size).negative());
        }
        journal::charge(tx, self.account, counts.bytes, counts.total).await?;
        journal::count(tx, &[(self.account, self.mailbox, seq, counts)], false).await?;
        forget(tx, self.account, &ids).await?;
        let log = Log { vanished: rows.iter().map(|row| row.uid).collect(), ..Log::default() };
        journal::write(tx, &[(self.account, self.mailbox, seq, log)]).await
    }
}

/// Ascending ids as rows of a statement: first and last of each run.
fn id_ranges(ids: &[i64]) -> Vec<[Value; 2]> {
    let run = |run: &[i64]| Some([(*run.first()?).into(), (*run.last()?).into()]);
    ids.chunk_by(|a, b| b - a <= 1).filter_map(run).collect()
}

/// Sizes of messages, by id.
async fn sizes(tx: &mut Tx, account: AccountId, ids: &[i64]) -> Result<HashMap<i64, i64>, Error> {
    let sql = "WITH v(f, l) AS (VALUES {rows}) SELECT m.id, m.size FROM v CROSS JOIN message m WHERE m.account_id = ?1 AND m.id BETWEEN v.f AND v.l";
    let found = tx.rows_with(sql, &[account.into()], &id_ranges(ids)).await?;
    Ok(found.iter().map(|row| (row.int(0), row.int(1))).collect())
}

/// Deletes those of these messages that lie in no mailbox any more, with their bodies.
async fn forget(tx: &mut Tx, account: AccountId, ids: &[i64]) -> Result<(), Error> {
    let ranges = id_ranges(ids);
    for table in ["message", "body"] {
        let sql = format!(
            "WITH v(f, l) AS (VALUES {{rows}}) DELETE FROM {table} WHERE account_id = ?1 AND id IN \
             (SELECT t.id FROM v CROSS JOIN {table} t WHERE t.account_id = ?1 AND t.id BETWEEN v.f AND v.l) AND NOT EXISTS \
             (SELECT 1 FROM mailbox_message m WHERE m.account_id = ?1 AND m.message_id = {table}.id)"
        );
        tx.execute_rows_with(&sql, &[account.into()], &ranges).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::on_every_engine;

    /// Runs of UIDs and ids are what a statement names, not each of them; and only what was chosen goes.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_expunge_of_many_costs_few_statements() {
        on_every_engine(|world| async move {
            world.fill(1_500).await;
            let (account, inbox) = (world.alice, world.mailbox("INBOX").await);
            let uids: Vec<Uid> = (1..=1_400).filter(|uid| *uid != 700).filter_map(Uid::new).collect();
            let before = db::statements();
            let expunged = world.store.expunge(account, inbox, uids.clone(), false).await.unwrap();
            let cost = db::statements() - before;
            assert_eq!(expunged.uids, uids, "{}", world.engine);
            assert!(cost < 25, "{}: {cost} statements", world.engine);
            let tables = [("mailbox_message", 101), ("message", 101), ("expunged", 1_399)];
            for (table, count) in tables {
                let rows = world.store.db().query(&format!("SELECT COUNT(*) FROM {table} WHERE account_id = ?1"), &[account.into()]).await.unwrap();
                assert_eq!(rows[0].int(0), count, "{}: {table}", world.engine);
            }
            let view = world.store.open_by_id(account, inbox).await.unwrap().unwrap();
            assert_eq!((view.mailbox.total, view.rows[0].uid.get(), view.rows[1].uid.get()), (101, 700, 1_401), "{}", world.engine);
        })
        .await;
    }
}
