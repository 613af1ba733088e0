//! Flags of messages.

use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{Flags, ModSeq, Uid};

use crate::change::Log;
use crate::journal::{self, Counts};
use crate::{AccountId, MailboxId, Row, Store, view};

/// How flags change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are set as well.
    Add(Flags),
    /// These are cleared.
    Remove(Flags),
    /// Exactly these are set.
    Replace(Flags),
}

impl Change {
    /// `flags` after it.
    pub fn apply(self, flags: Flags) -> Flags {
        match self {
            Change::Add(more) => flags | more,
            Change::Remove(less) => flags.without(less),
            Change::Replace(all) => all,
        }
    }
}

/// Changes the flags of messages of one mailbox, those that are still there.
#[derive(Debug)]
pub struct SetFlags {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub mailbox: MailboxId,
    /// Which, ascending.
    pub uids: Vec<Uid>,
    /// How.
    pub change: Change,
    /// Only those whose MODSEQ is not above this (RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// All that were there and not `modified`, as they are now; those that had these flags already keep their MODSEQ.
    pub rows: Vec<Row>,
    /// Those left alone because of `unchanged_since`.
    pub modified: Vec<Uid>,
}

impl Store {
    /// Commits a [`SetFlags`] alone.
    pub async fn set_flags(&self, account: AccountId, mailbox: MailboxId, uids: Vec<Uid>, change: Change, unchanged_since: Option<ModSeq>) -> Result<Stored, Error> {
        self.db().commit(SetFlags { account, mailbox, uids, change, unchanged_since }).await
    }
}

impl Step for SetFlags {
    type Done = Stored;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Stored>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                done.push(step.run_one(tx).await?);
            }
            Ok(done)
        })
    }
}

impl SetFlags {
    async fn run_one(&self, tx: &mut Tx) -> Result<Stored, Error> {
        let mut stored = Stored::default();
        let mut changed = Vec::new();
        for row in rows_of(tx, self.account, self.mailbox, &self.uids).await? {
            if self.unchanged_since.is_some_and(|since| row.modseq > since) {
                stored.modified.push(row.uid);
                continue;
            }
            let flags = self.change.apply(row.flags);
            if flags != row.flags {
                changed.push((stored.rows.len(), row.flags));
            }
            stored.rows.push(Row { flags, ..row });
        }
        if changed.is_empty() {
            return Ok(stored);
        }
        let seq = journal::raise_one(tx, self.account, 1).await?;
        let mut counts = Counts::default();
        let mut log = Log::default();
        for (index, before) in changed {
            let row = &mut stored.rows[index];
            row.modseq = ModSeq::new(seq.unsigned_abs());
            counts.add(Counts::of(before, 0).negative());
            counts.add(Counts::of(row.flags, 0));
            log.flagged.push(*row);
        }
        write(tx, self.account, self.mailbox, &log.flagged).await?;
        journal::count(tx, &[(self.account, self.mailbox, seq, counts)], true).await?;
        journal::write(tx, &[(self.account, self.mailbox, seq, log)]).await?;
        Ok(stored)
    }
}

async fn write(tx: &mut Tx, account: AccountId, mailbox: MailboxId, rows: &[Row]) -> Result<(), Error> {
    let row = |row: &Row| -> [Value; 3] { [row.uid.get().into(), (row.flags.bits() as i64).into(), (row.modseq.get() as i64).into()] };
    let rows: Vec<[Value; 3]> = rows.iter().map(row).collect();
    let sql = "WITH v(u, f, m) AS (VALUES {rows}) UPDATE mailbox_message SET flags = v.f, modseq = v.m FROM v \
               WHERE mailbox_message.account_id = ?1 AND mailbox_message.mailbox_id = ?2 AND mailbox_message.uid = v.u";
    tx.execute_rows_with(sql, &[account.into(), mailbox.into()], &rows).await?;
    Ok(())
}

/// The rows of these UIDs (ascending) that are there, ascending. One statement, however scattered they are.
pub(crate) async fn rows_of(tx: &mut Tx, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<Row>, Error> {
    let sql = "WITH v(f, l) AS (VALUES {rows}) SELECT p.uid, p.message_id, p.flags, p.modseq FROM v CROSS JOIN mailbox_message p \
               WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l";
    let found = tx.rows_with(sql, &[account.into(), mailbox.into()], &crate::change::ranges(uids)).await?;
    let mut rows: Vec<Row> = found.iter().map(view::row).collect::<Result<_, _>>()?;
    rows.sort_unstable_by_key(|row| row.uid);
    rows.dedup_by_key(|row| row.uid);
    Ok(rows)
}
