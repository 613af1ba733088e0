//! Messages leave a mailbox.

use std::collections::HashMap;

use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{Flags, ModSeq, Uid};

use crate::change::Log;
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
        let files = self.remove(tx, &rows).await?;
        let work: Vec<_> = files.iter().enumerate().map(|(n, file)| (first + n as i64, todo::Op::RemoveFile, name.maildir_dir(), file.clone())).collect();
        todo::insert(tx, self.account, &work).await?;
        self.account_for(tx, &rows, seq).await?;
        Ok(Expunged { uids: rows.iter().map(|row| row.uid).collect(), modseq: ModSeq::new(seq.unsigned_abs()) })
    }

    /// Deletes the rows and remembers them for undelete; gives the names of their files.
    async fn remove(&self, tx: &mut Tx, rows: &[Row]) -> Result<Vec<String>, Error> {
        let now = now_ms();
        let kept = |row: &Row| -> [Value; 5] {
            [self.account.into(), self.mailbox.into(), row.uid.get().into(), (row.flags.bits() as i64).into(), now.into()]
        };
        let kept: Vec<[Value; 5]> = rows.iter().map(kept).collect();
        tx.execute_rows("INSERT INTO expunged (account_id, mailbox_id, uid, flags, at) VALUES {rows}", &kept).await?;
        let uids: Vec<[Value; 1]> = rows.iter().map(|row| [row.uid.get().into()]).collect();
        let sql = "DELETE FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2 AND uid IN (VALUES {rows}) RETURNING file, file_flags";
        let gone = tx.rows_with(sql, &[self.account.into(), self.mailbox.into()], &uids).await?;
        Ok(gone.iter().map(|row| todo::found_as(row.text(0), &crate::copy::letters(row.int(1)))).collect())
    }

    /// Lowers the counters, forgets messages that lie nowhere any more, writes the log.
    async fn account_for(&self, tx: &mut Tx, rows: &[Row], seq: i64) -> Result<(), Error> {
        let ids: Vec<i64> = rows.iter().map(|row| row.id.get()).collect();
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

/// Sizes of messages, by id.
async fn sizes(tx: &mut Tx, account: AccountId, ids: &[i64]) -> Result<HashMap<i64, i64>, Error> {
    let rows: Vec<[Value; 1]> = ids.iter().map(|&id| [id.into()]).collect();
    let sql = "SELECT id, size FROM message WHERE account_id = ?1 AND id IN (VALUES {rows})";
    let found = tx.rows_with(sql, &[account.into()], &rows).await?;
    Ok(found.iter().map(|row| (row.int(0), row.int(1))).collect())
}

/// Deletes those of these messages that lie in no mailbox any more, with their bodies.
async fn forget(tx: &mut Tx, account: AccountId, ids: &[i64]) -> Result<(), Error> {
    let rows: Vec<[Value; 1]> = ids.iter().map(|&id| [id.into()]).collect();
    for table in ["message", "body"] {
        let sql = format!(
            "DELETE FROM {table} WHERE account_id = ?1 AND id IN (VALUES {{rows}}) AND NOT EXISTS \
             (SELECT 1 FROM mailbox_message m WHERE m.account_id = ?1 AND m.message_id = {table}.id)"
        );
        tx.execute_rows_with(&sql, &[account.into()], &rows).await?;
    }
    Ok(())
}
