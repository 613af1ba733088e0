use std::ops::Range;

use db::{BoxFuture, Error, Failed, Locks, Step, Tx};

use crate::{AccountId, MailboxId, Store};

impl Store {
    /// Claims the \Recent messages of a mailbox for one session: the UIDs of the answer are \Recent to the caller and to
    /// nobody else (RFC 3501 §2.3.2). They go up to the UIDNEXT of this moment, so some may be of messages that the caller has
    /// not seen yet.
    pub async fn take_recent(&self, account: AccountId, mailbox: MailboxId) -> Result<Range<u64>, Error> {
        let sql = "SELECT recent, uidnext FROM mailbox WHERE account_id = ?1 AND id = ?2";
        let rows = self.db().query(sql, &[account.into(), mailbox.into()]).await?;
        match rows.first() {
            // Most often there are none, and nothing to write.
            Some(row) if row.int(0) == row.int(1) => Ok(claimed(row)),
            _ => self.db().commit(TakeRecent { account, mailbox }).await,
        }
    }
}

fn claimed(row: &db::Row) -> Range<u64> {
    row.int(0).unsigned_abs()..row.int(1).unsigned_abs()
}

struct TakeRecent {
    account: AccountId,
    mailbox: MailboxId,
}

impl Step for TakeRecent {
    type Done = Range<u64>;
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Range<u64>>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                let key = [step.account.into(), step.mailbox.into()];
                let rows = tx.query("SELECT recent, uidnext FROM mailbox WHERE account_id = ?1 AND id = ?2", &key).await?;
                tx.execute("UPDATE mailbox SET recent = uidnext WHERE account_id = ?1 AND id = ?2", &key).await?;
                done.push(rows.first().map_or(0..0, claimed));
            }
            Ok(done)
        })
    }
}
