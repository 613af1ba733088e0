use db::{BoxFuture, Error, Failed, Locks, Step, Tx};
use mail::MailboxName;

use crate::{AccountId, Store};

impl Store {
    /// What the account is subscribed to, by name; possibly mailboxes that are no more.
    pub async fn subscriptions(&self, account: AccountId) -> Result<Vec<MailboxName>, Error> {
        let rows = self.db().query("SELECT name FROM subscription WHERE account_id = ?1 ORDER BY name", &[account.into()]).await?;
        rows.iter().map(|row| MailboxName::new(row.text(0)).map_err(|error| Error::Broken(error.to_string()))).collect()
    }

    /// Subscribes to a name; fine if it is already.
    pub async fn subscribe(&self, account: AccountId, name: &MailboxName) -> Result<(), Error> {
        self.db().commit(Subscribe { account, name: name.clone(), on: true }).await
    }

    /// Unsubscribes; fine if it is not subscribed.
    pub async fn unsubscribe(&self, account: AccountId, name: &MailboxName) -> Result<(), Error> {
        self.db().commit(Subscribe { account, name: name.clone(), on: false }).await
    }
}

struct Subscribe {
    account: AccountId,
    name: MailboxName,
    on: bool,
}

impl Step for Subscribe {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for step in batch {
                if step.on {
                    insert(tx, step.account, &step.name).await?;
                } else {
                    let sql = "DELETE FROM subscription WHERE account_id = ?1 AND name = ?2";
                    tx.execute(sql, &[step.account.into(), step.name.as_str().into()]).await?;
                }
            }
            Ok(vec![(); batch.len()])
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, account: AccountId, name: &MailboxName) -> Result<(), Error> {
    let sql = "INSERT INTO subscription (account_id, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tx.execute(sql, &[account.into(), name.as_str().into()]).await?;
    Ok(())
}
