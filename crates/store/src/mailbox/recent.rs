use db::{BoxFuture, Error, Failed, Locks, Step, Tx};

use crate::{AccountId, MailboxId, Store};

impl Store {
    /// Claims the \Recent messages of a mailbox for one session: UIDs from the answer on, below the UIDNEXT of this
    /// moment, are \Recent to the caller and to nobody after it (RFC 3501 §2.3.2).
    pub async fn take_recent(&self, account: AccountId, mailbox: MailboxId) -> Result<u64, Error> {
        let sql = "SELECT recent, uidnext FROM mailbox WHERE account_id = ?1 AND id = ?2";
        let rows = self.db().query(sql, &[account.into(), mailbox.into()]).await?;
        match rows.first() {
            // Most often there are none, and nothing to write.
            Some(row) if row.int(0) == row.int(1) => Ok(row.int(0).unsigned_abs()),
            _ => self.db().commit(TakeRecent { account, mailbox }).await,
        }
    }
}

struct TakeRecent {
    account: AccountId,
    mailbox: MailboxId,
}

impl Step for TakeRecent {
    type Done = u64;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<u64>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                let key = [step.account.into(), step.mailbox.into()];
                let rows = tx.query("SELECT recent FROM mailbox WHERE account_id = ?1 AND id = ?2", &key).await?;
                tx.execute("UPDATE mailbox SET recent = uidnext WHERE account_id = ?1 AND id = ?2", &key).await?;
                done.push(rows.first().map_or(0, |row| row.int(0).unsigned_abs()));
            }
            Ok(done)
        })
    }
}
