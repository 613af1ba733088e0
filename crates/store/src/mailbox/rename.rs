use db::{BoxFuture, Error, Failed, Locks, Step, Tx};
use mail::MailboxName;

use super::Mailbox;
use super::create::Create;
use crate::refused::blame;
use crate::settle::todo;
use crate::{AccountId, Move, Refused, Store, journal};

impl Store {
    /// Renames a mailbox and those below it; makes those above the new name. Its messages, UIDs and UIDVALIDITY stay.
    /// Refused for a name that is taken, and for a name below itself.
    ///
    /// INBOX itself stays, and so does what is below it: its messages move to a new mailbox (RFC 3501 §6.3.5).
    pub async fn rename_mailbox(&self, account: AccountId, from: &MailboxName, to: &MailboxName) -> Result<(), Error> {
        if from.is_inbox() {
            return self.move_inbox(account, to).await;
        }
        // Bodies that are not files yet would be placed under the old name while it is moved: the lock keeps the settler away.
        let alone = self.one_at_a_time().await?;
        self.db().commit(Rename { account, from: from.clone(), to: to.clone() }).await?;
        todo::run_account(self, account, &alone).await;
        Ok(())
    }

    /// All that INBOX has now, in one transaction with the mailbox that takes it. What comes meanwhile stays in INBOX, whose it is.
    async fn move_inbox(&self, account: AccountId, to: &MailboxName) -> Result<(), Error> {
        let alone = self.one_at_a_time().await?;
        let inbox = self.open(account, &MailboxName::inbox()).await?;
        let uids = inbox.rows.iter().map(|row| row.uid).collect();
        let create = Create { account, name: to.clone(), special: None };
        let r#move = Move::new(self, account, inbox.mailbox.id, uids, to.clone());
        drop(inbox);
        self.db().commit((create, r#move)).await?;
        todo::run_account(self, account, &alone).await;
        Ok(())
    }
}

pub(super) struct Rename {
    pub(super) account: AccountId,
    pub(super) from: MailboxName,
    pub(super) to: MailboxName,
}

impl Step for Rename {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for (index, rename) in batch.iter().enumerate() {
                match rename.run_one(tx).await {
                    Ok(()) => done.push(()),
                    Err(error) => return Err(blame(index, error)),
                }
            }
            Ok(done)
        })
    }
}

impl Rename {
    async fn run_one(&self, tx: &mut Tx) -> Result<(), Error> {
        let mailbox = self.welcome(tx).await?;
        let mut above = Vec::new();
        let mut next = self.to.parent();
        while let Some(name) = next {
            next = name.parent();
            if super::by_name(tx, self.account, &name).await?.is_none() {
                above.push(name);
            }
        }
        super::has_room(tx, self.account, above.len()).await?;
        for name in above.into_iter().rev() {
            super::create::insert(tx, self.account, &name, None).await?;
        }
        let sql = format!("SELECT {} FROM mailbox WHERE account_id = ?1", super::COLUMNS);
        let all: Vec<Mailbox> = tx.query(&sql, &[self.account.into()]).await?.iter().map(super::mailbox).collect::<Result<_, _>>()?;
        self.move_one(tx, &mailbox, self.to.clone()).await?;
        for below in all.iter().filter(|below| below.name.is_under(&self.from)) {
            let to = below.name.renamed(&self.from, &self.to).and_then(Result::ok);
            let to = to.ok_or_else(|| Error::from(Refused::Cannot("a mailbox below it would get a name too long")))?;
            if super::by_name(tx, self.account, &to).await?.is_some() {
                return Err(Refused::MailboxExists(to).into());
            }
            self.move_one(tx, below, to).await?;
        }
        Ok(())
    }

    async fn welcome(&self, tx: &mut Tx) -> Result<Mailbox, Error> {
        if self.to.is_under(&self.from) {
            return Err(Refused::Cannot("a mailbox can't be moved below itself").into());
        }
        if super::by_name(tx, self.account, &self.to).await?.is_some() {
            return Err(Refused::MailboxExists(self.to.clone()).into());
        }
        let mailbox = super::by_name(tx, self.account, &self.from).await?;
        mailbox.ok_or_else(|| Refused::NoSuchMailbox(self.from.as_str().to_owned()).into())
    }

    async fn move_one(&self, tx: &mut Tx, mailbox: &Mailbox, to: MailboxName) -> Result<(), Error> {
        if !to.fits_maildir() {
            return Err(Refused::Cannot("the name is too long for a directory").into());
        }
        let seq = journal::raise_one(tx, self.account, 1).await?;
        let sql = "UPDATE mailbox SET name = ?3 WHERE account_id = ?1 AND id = ?2";
        tx.execute(sql, &[self.account.into(), mailbox.id.into(), to.as_str().into()]).await?;
        let work = (seq, todo::Op::RenameFolder, mailbox.name.maildir_dir(), to.maildir_dir());
        todo::insert(tx, self.account, &[work]).await
    }
}
