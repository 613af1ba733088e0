use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{MailboxName, SpecialUse};

use crate::refused::blame;
use crate::settle::todo;
use crate::{AccountId, MailboxId, Refused, Store, journal, now_ms};

/// Makes a mailbox and those above it that are not there.
pub(super) struct Create {
    pub(super) account: AccountId,
    pub(super) name: MailboxName,
    pub(super) special: Option<SpecialUse>,
}

impl Store {
    /// Makes the mailbox `name`, and those above it that are not there. Refused when it is there, or another one has its use.
    pub async fn create_mailbox(&self, account: AccountId, name: &MailboxName, special: Option<SpecialUse>) -> Result<MailboxId, Error> {
        let alone = self.one_at_a_time().await?;
        let id = self.db().commit(Create { account, name: name.clone(), special }).await?;
        // A folder of that name may still have to go: it must not take the new one with it.
        if !todo::run_account(self, account, &alone).await {
            return Ok(id);
        }
        // The settler makes the directory too when a message comes; made now, other programs see it at once.
        let home = self.home(account).await?;
        let made = async { self.bodies().folder(&home, &name.maildir_dir())?.ensure().await };
        if let Err(error) = made.await {
            tracing::warn!("mailbox {}: {error}", name.as_str());
        }
        Ok(id)
    }
}

impl Step for Create {
    type Done = MailboxId;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<MailboxId>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for (index, create) in batch.iter().enumerate() {
                match create.run_one(tx).await {
                    Ok(id) => done.push(id),
                    Err(error) => return Err(blame(index, error)),
                }
            }
            Ok(done)
        })
    }
}

impl Create {
    async fn run_one(&self, tx: &mut Tx) -> Result<MailboxId, Error> {
        if !self.name.fits_maildir() {
            return Err(Refused::Cannot("the name is too long for a directory").into());
        }
        if super::by_name(tx, self.account, &self.name).await?.is_some() {
            return Err(Refused::MailboxExists(self.name.clone()).into());
        }
        if let Some(special) = self.special {
            let taken = "SELECT 1 FROM mailbox WHERE account_id = ?1 AND special = ?2 LIMIT 1";
            if !tx.query(taken, &[self.account.into(), special.code().into()]).await?.is_empty() {
                return Err(Refused::SpecialUseTaken(special).into());
            }
        }
        let mut above = Vec::new();
        let mut next = self.name.parent();
        while let Some(name) = next {
            next = name.parent();
            if super::by_name(tx, self.account, &name).await?.is_none() {
                above.push(name);
            }
        }
        super::has_room(tx, self.account, above.len() + 1).await?;
        for name in above.into_iter().rev() {
            insert(tx, self.account, &name, None).await?;
        }
        insert(tx, self.account, &self.name, self.special).await
    }
}

/// One new row. Its UIDVALIDITY is above any the account ever gave.
pub(super) async fn insert(tx: &mut Tx, account: AccountId, name: &MailboxName, special: Option<SpecialUse>) -> Result<MailboxId, Error> {
    let seq = journal::raise_one(tx, account, 1).await?;
    let uidvalidity = next_uidvalidity(tx, account).await?;
    let sql = "INSERT INTO mailbox (account_id, id, name, special, uidvalidity, uidnext, seq, mirrored) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?2, ?2)";
    let special = special.map_or(0, SpecialUse::code);
    let row: [Value; 5] = [account.into(), seq.into(), name.as_str().into(), special.into(), uidvalidity.into()];
    tx.execute(sql, &row).await?;
    Ok(MailboxId::new(seq))
}

/// The time in seconds, or one more than the last: never the same twice, whatever the clock does.
pub(super) async fn next_uidvalidity(tx: &mut Tx, account: AccountId) -> Result<i64, Error> {
    let now = now_ms() / 1000;
    let sql = "UPDATE account SET uidvalidity = CASE WHEN uidvalidity < ?2 THEN ?2 ELSE uidvalidity + 1 END WHERE id = ?1 RETURNING uidvalidity";
    let rows = tx.query(sql, &[account.into(), now.into()]).await?;
    rows.first().map(|row| row.int(0)).ok_or_else(|| Refused::NoSuchAccount(account.to_string()).into())
}

/// What a new account has, each subscribed.
pub(crate) async fn standard(tx: &mut Tx, account: AccountId) -> Result<(), Error> {
    let names = [
        ("INBOX", None),
        ("Drafts", Some(SpecialUse::Drafts)),
        ("Sent", Some(SpecialUse::Sent)),
        ("Junk", Some(SpecialUse::Junk)),
        ("Trash", Some(SpecialUse::Trash)),
        ("Archive", Some(SpecialUse::Archive)),
    ];
    for (name, special) in names {
        let name = MailboxName::new(name).map_err(|error| Error::Broken(error.to_string()))?;
        insert(tx, account, &name, special).await?;
        super::subscribe::insert(tx, account, &name).await?;
    }
    Ok(())
}
