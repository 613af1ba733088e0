use db::{BoxFuture, Error, Failed, Locks, Step, Tx};
use mail::MailboxName;

use crate::refused::blame;
use crate::settle::todo;
use crate::{AccountId, Refused, Store, journal};

impl Store {
    /// Deletes the mailbox and the messages in it; mailboxes below it stay. Refused for INBOX and when there is none.
    pub async fn delete_mailbox(&self, account: AccountId, name: &MailboxName) -> Result<(), Error> {
        let alone = self.one_at_a_time().await?;
        self.db().commit(Delete { account, name: name.clone() }).await?;
        todo::run_account(self, account, &alone).await;
        Ok(())
    }
}

pub(super) struct Delete {
    pub(super) account: AccountId,
    pub(super) name: MailboxName,
}

impl Step for Delete {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for (index, delete) in batch.iter().enumerate() {
                match delete.run_one(tx).await {
                    Ok(()) => done.push(()),
                    Err(error) => return Err(blame(index, error)),
                }
            }
            Ok(done)
        })
    }
}

impl Delete {
    async fn run_one(&self, tx: &mut Tx) -> Result<(), Error> {
        if self.name.is_inbox() {
            return Err(Refused::Cannot("INBOX can't be deleted").into());
        }
        let mailbox = super::by_name(tx, self.account, &self.name).await?;
        let mailbox = mailbox.ok_or_else(|| Error::from(Refused::NoSuchMailbox(self.name.as_str().to_owned())))?;
        let seq = journal::raise_one(tx, self.account, 1).await?;
        let (account, id) = (self.account, mailbox.id);
        let here = [account.into(), id.into()];
        // Messages that lie nowhere else, with their bodies, before what says where they lie. However many: no id leaves the database.
        for table in ["message", "body"] {
            let sql = format!(
                "DELETE FROM {table} WHERE account_id = ?1 AND id IN (SELECT message_id FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2) \
                 AND NOT EXISTS (SELECT 1 FROM mailbox_message m WHERE m.account_id = ?1 AND m.message_id = {table}.id AND m.mailbox_id <> ?2)"
            );
            tx.execute(&sql, &here).await?;
        }
        for sql in [
            "DELETE FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2",
            "DELETE FROM change WHERE account_id = ?1 AND mailbox_id = ?2",
            "DELETE FROM expunged WHERE account_id = ?1 AND mailbox_id = ?2",
            "DELETE FROM mailbox WHERE account_id = ?1 AND id = ?2",
        ] {
            tx.execute(sql, &here).await?;
        }
        let (bytes, total) = (mailbox.bytes as i64, mailbox.total as i64);
        journal::charge(tx, account, -bytes, -total).await?;
        todo::insert(tx, account, &[(seq, todo::Op::RemoveFolder, self.name.maildir_dir(), String::new())]).await
    }
}
