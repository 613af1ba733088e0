//! What every change of an account's mail does in the same way: raise the counters, write the log.

use std::collections::HashMap;

use db::{Error, Tx, Value};

use crate::change::Log;
use crate::{AccountId, MailboxId, Refused, now_ms};

/// Raises `account.seq` by `by` for each account (named once) and gives its value after. An account that is not there is
/// missing in the answer.
pub(crate) async fn raise(tx: &mut Tx, by: &[(AccountId, i64)]) -> Result<HashMap<AccountId, i64>, Error> {
    let rows: Vec<[Value; 2]> = by.iter().map(|&(account, by)| [account.into(), by.into()]).collect();
    let sql = "WITH v(a, n) AS (VALUES {rows}) UPDATE account SET seq = seq + v.n FROM v WHERE account.id = v.a RETURNING id, seq";
    let raised = tx.rows(sql, &rows).await?;
    Ok(raised.iter().map(|row| (AccountId::new(row.int(0)), row.int(1))).collect())
}

/// [`raise`] for one account.
pub(crate) async fn raise_one(tx: &mut Tx, account: AccountId, by: i64) -> Result<i64, Error> {
    let raised = raise(tx, &[(account, by)]).await?;
    raised.get(&account).copied().ok_or_else(|| Refused::NoSuchAccount(account.to_string()).into())
}

/// Writes the log of one transaction: for each mailbox what happened up to `seq`.
pub(crate) async fn write(tx: &mut Tx, logs: &[(AccountId, MailboxId, i64, Log)]) -> Result<(), Error> {
    let now = now_ms();
    let row = |(account, mailbox, seq, log): &(AccountId, MailboxId, i64, Log)| -> [Value; 5] {
        [(*account).into(), (*seq).into(), (*mailbox).into(), now.into(), log.pack().into()]
    };
    let rows: Vec<[Value; 5]> = logs.iter().map(row).collect();
    tx.execute_rows("INSERT INTO change (account_id, seq, mailbox_id, at, what) VALUES {rows}", &rows).await?;
    Ok(())
}

/// How a mailbox's counters change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: i64,
    pub(crate) unseen: i64,
    pub(crate) deleted: i64,
    pub(crate) bytes: i64,
}

impl Counts {
    /// What `count` messages of `bytes` in all with these flags add.
    pub(crate) fn of(flags: mail::Flags, bytes: i64) -> Counts {
        Counts {
            total: 1,
            unseen: i64::from(!flags.contains(mail::Flags::SEEN)),
            deleted: i64::from(flags.contains(mail::Flags::DELETED)),
            bytes,
        }
    }

    pub(crate) fn add(&mut self, other: Counts) {
        self.total += other.total;
        self.unseen += other.unseen;
        self.deleted += other.deleted;
        self.bytes += other.bytes;
    }

    pub(crate) fn negative(self) -> Counts {
        Counts { total: -self.total, unseen: -self.unseen, deleted: -self.deleted, bytes: -self.bytes }
    }
}

/// Adds to the counters of mailboxes, and sets their `seq`. With `renames`, file names are behind the flags from now on.
pub(crate) async fn count(tx: &mut Tx, changes: &[(AccountId, MailboxId, i64, Counts)], renames: bool) -> Result<(), Error> {
    let row = |&(account, mailbox, seq, counts): &(AccountId, MailboxId, i64, Counts)| -> [Value; 7] {
        [account.into(), mailbox.into(), seq.into(), counts.total.into(), counts.unseen.into(), counts.deleted.into(), counts.bytes.into()]
    };
    let rows: Vec<[Value; 7]> = changes.iter().map(row).collect();
    let mirrored = if renames { "mirrored" } else { "CASE WHEN mirrored = seq THEN v.s ELSE mirrored END" };
    let sql = format!(
        "WITH v(a, m, s, t, u, d, b) AS (VALUES {{rows}}) UPDATE mailbox SET mirrored = {mirrored}, seq = v.s, total = total + v.t, \
         unseen = unseen + v.u, deleted = deleted + v.d, bytes = bytes + v.b FROM v WHERE mailbox.account_id = v.a AND mailbox.id = v.m"
    );
    tx.execute_rows(&sql, &rows).await?;
    Ok(())
}

/// Adds to what an account uses.
pub(crate) async fn charge(tx: &mut Tx, account: AccountId, bytes: i64, messages: i64) -> Result<(), Error> {
    let sql = "UPDATE account SET used_bytes = used_bytes + ?2, used_msgs = used_msgs + ?3 WHERE id = ?1";
    tx.execute(sql, &[account.into(), bytes.into(), messages.into()]).await?;
    Ok(())
}
