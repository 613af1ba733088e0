use db::{BoxFuture, Error, Failed, Key, Locks, Step, Tx, Value};
use mail::Address;

use super::credential::{self, Secret};
use super::{Account, State, stored};
use crate::refused::blame;
use crate::{AccountId, Refused, Store, ids, mailbox, now_ms};

pub(super) const COLUMNS: &str = "d.id, d.login, d.state, a.quota_bytes, a.used_bytes, a.used_msgs, a.quota_msgs";
pub(super) const TABLES: &str = "account_dir d JOIN account a ON a.id = d.id";

pub(super) fn account(row: &db::Row) -> Result<Account, Error> {
    let state = match row.int(2) {
        0 => State::Active,
        1 => State::Disabled,
        _ => State::Removed,
    };
    Ok(Account {
        id: AccountId::new(row.int(0)),
        login: stored(row.text(1))?,
        state,
        quota_bytes: row.opt_int(3).map(i64::unsigned_abs),
        used_bytes: row.int(4).unsigned_abs(),
        used_messages: row.int(5).unsigned_abs(),
        quota_messages: row.opt_int(6).map(i64::unsigned_abs),
    })
}

impl Store {
    /// All accounts, by login.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} ORDER BY d.login");
        self.db().query(&sql, &[]).await?.iter().map(account).collect()
    }

    /// The account that was added first and is still there: postmaster, when nobody else was named.
    pub async fn first_account(&self) -> Result<Option<Account>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE d.state < 2 ORDER BY d.created, d.id LIMIT 1");
        self.db().query(&sql, &[]).await?.first().map(account).transpose()
    }

    /// One account.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE d.id = ?1");
        self.db().query(&sql, &[id.into()]).await?.first().map(account).transpose()
    }

    /// The account of a login, in any case of its letters.
    pub async fn account_by_login(&self, login: &Address) -> Result<Option<Account>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE d.login = ?1");
        self.db().query(&sql, &[login.folded().to_string().into()]).await?.first().map(account).transpose()
    }

    /// Makes an account with INBOX, Drafts, Sent, Junk, Trash and Archive, all subscribed. `secret` is what is kept
    /// of its password. Refused when the address is taken or its domain is not hosted.
    pub async fn add_account(&self, login: &Address, secret: impl Into<Secret>, quota_bytes: Option<u64>) -> Result<AccountId, Error> {
        let quota = quota_bytes.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
        if let Some(other) = self.neighbour(login, None).await? {
            tracing::error!("account {login} would share the directory of {other}: mail_location needs %d or %u");
            return Err(Refused::Cannot("another account has the same directory: mail_location needs %d or %u").into());
        }
        let id = self.db().commit(Add { id: ids::fresh(), login: login.folded(), secret: secret.into(), quota }).await?;
        // Other programs (mutt) can open the Maildir before its first message. The account is there whether or not this works.
        for mailbox in self.mailboxes(id).await? {
            let home = self.home(id).await?;
            let made = async { self.bodies().folder(&home, &mailbox.name.maildir_dir())?.ensure().await };
            if let Err(error) = made.await {
                tracing::warn!("account {login}: {error}; its directories are made when mail comes");
                break;
            }
        }
        Ok(id)
    }

    /// Sets or clears the quotas: CRLF octets and messages.
    pub async fn set_quota(&self, id: AccountId, bytes: Option<u64>, messages: Option<u64>) -> Result<(), Error> {
        let stored = |most: Option<u64>| most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
        self.db().commit(Quota { id, bytes: stored(bytes), messages: stored(messages) }).await
    }

    /// Removes an account with all its mail. When it is cut short, calling it again, or the next start, ends it.
    pub async fn remove_account(&self, id: AccountId) -> Result<(), Error> {
        let home = self.home(id).await?;
        self.db().commit(Remove { id, erase: false }).await?;
        let _alone = self.one_at_a_time().await?;
        // Somebody else may have ended it meanwhile, and the address may be an account's again, with this very directory.
        let Some(account) = self.account(id).await?.filter(|account| account.state == State::Removed) else {
            return Err(Refused::NoSuchAccount(id.to_string()).into());
        };
        match self.neighbour(&account.login, Some(id)).await? {
            Some(other) => tracing::error!("{} stays: {other} has it too; mail_location needs %d or %u", home.display()),
            None => self.bodies().remove_home(&home).await.map_err(|error| Error::Engine(error.to_string()))?,
        }
        // Much mail goes in parts, so that others' commits come between.
        for part in PARTS {
            while self.db().commit(Erase { id, part }).await? == ERASED {}
        }
        self.db().commit(Remove { id, erase: true }).await?;
        self.inner.homes.forget(id);
        self.forget_snapshots(id).await;
        Ok(())
    }

    /// Another account than `but` that would live in the directory of `login`: possible only where a home does not follow from
    /// the whole address.
    async fn neighbour(&self, login: &Address, but: Option<AccountId>) -> Result<Option<Address>, Error> {
        let home = |address: &Address| self.bodies().home(address).map_err(|error| Error::Engine(error.to_string()));
        let elsewhere = |domain: &str| Address::parse(&format!("x@{domain}")).map_err(|_| Error::Broken("an address of ours".into()));
        if home(&elsewhere("a.invalid")?)? != home(&elsewhere("b.invalid")?)? {
            return Ok(None);
        }
        let wanted = home(login)?;
        let mut others = self.accounts().await?.into_iter().filter(|other| Some(other.id) != but && other.login != login.folded());
        Ok(others.find(|other| home(&other.login).is_ok_and(|home| home == wanted)).map(|other| other.login))
    }

    /// The first half of a removal, as a crash leaves it.
    #[cfg(test)]
    pub(crate) async fn mark_removed(&self, id: AccountId) -> Result<(), Error> {
        self.db().commit(Remove { id, erase: false }).await
    }

    /// Erases the accounts whose removal was cut short.
    pub(crate) async fn erase_removed(&self) -> Result<(), Error> {
        for row in self.db().query("SELECT id FROM account_dir WHERE state = 2", &[]).await? {
            let id = AccountId::new(row.int(0));
            match self.remove_account(id).await {
                // Somebody else erased it meanwhile.
                Err(error) if matches!(crate::refused(&error), Some(Refused::NoSuchAccount(_))) => {}
                Err(error) => tracing::warn!("erasing the removed account {id}: {error}; it is tried again at the next start"),
                Ok(()) => tracing::info!("account {id}, whose removal had been cut short, is erased"),
            }
        }
        Ok(())
    }
}

struct Add {
    id: i64,
    login: Address,
    secret: Secret,
    quota: Option<i64>,
}

impl Step for Add {
    type Done = AccountId;
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
        locks.take(Key::Account(self.id));
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<AccountId>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for (index, step) in batch.iter().enumerate() {
                done.push(step.add(tx).await.map_err(|error| blame(index, error))?);
            }
            Ok(done)
        })
    }
}

impl Add {
    async fn add(&self, tx: &mut Tx) -> Result<AccountId, Error> {
        let login = self.login.to_string();
        let domain = tx.query("SELECT id FROM domain WHERE name = ?1", &[self.login.domain().into()]).await?;
        let domain = domain.first().map(|row| row.int(0)).ok_or_else(|| Error::from(Refused::NoSuchDomain(self.login.domain().to_owned())))?;
        let taken = "SELECT 1 FROM account_dir WHERE login = ?1 UNION ALL SELECT 1 FROM address WHERE addr = ?1";
        if !tx.query(taken, &[login.as_str().into()]).await?.is_empty() {
            return Err(Refused::AddressExists(self.login.clone()).into());
        }
        let now = now_ms();
        let sql = "INSERT INTO account_dir (id, login, domain_id, state, created) VALUES (?1, ?2, ?3, 0, ?4)";
        tx.execute(sql, &[self.id.into(), login.into(), domain.into(), now.into()]).await?;
        // seq starts at the time in milliseconds: above any counter of a server taken over or a database lost.
        let sql = "INSERT INTO account (id, seq, floor, uidvalidity, quota_bytes) VALUES (?1, ?2, ?2, 0, ?3)";
        tx.execute(sql, &[self.id.into(), now.into(), self.quota.into()]).await?;
        credential::first(tx, self.id, &self.secret, now).await?;
        mailbox::standard(tx, AccountId::new(self.id)).await?;
        Ok(AccountId::new(self.id))
    }
}

struct Quota {
    id: AccountId,
    bytes: Option<i64>,
    messages: Option<i64>,
}

impl Step for Quota {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.id.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for step in batch {
                let sql = "UPDATE account SET quota_bytes = ?2, quota_msgs = ?3 WHERE id = ?1";
                tx.execute(sql, &[step.id.into(), step.bytes.into(), step.messages.into()]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}

/// Marks an account as removed, or erases its rows.
struct Remove {
    id: AccountId,
    erase: bool,
}

/// Rows of one table erased by one commit.
const ERASED: usize = 2_000;

/// The tables of which an account may have very many rows, with the rest of their keys.
const PARTS: [(&str, &str); 6] =
    [("mailbox_message", "mailbox_id, uid"), ("body", "id"), ("message", "id"), ("change", "seq, mailbox_id"), ("expunged", "mailbox_id, uid"), ("todo", "id")];

/// Erases some rows of an account that is marked as removed; says how many.
struct Erase {
    id: AccountId,
    part: (&'static str, &'static str),
}

impl Step for Erase {
    type Done = usize;
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.id.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<usize>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                let (table, key) = step.part;
                let sql = format!("DELETE FROM {table} WHERE account_id = ?1 AND ({key}) IN (SELECT {key} FROM {table} WHERE account_id = ?1 LIMIT ?2) RETURNING 1");
                done.push(tx.query(&sql, &[step.id.into(), (ERASED as i64).into()]).await?.len());
            }
            Ok(done)
        })
    }
}

/// Every table whose rows belong to an account.
const OWNED: [&str; 11] =
    ["mailbox", "subscription", "keyword", "message", "mailbox_message", "change", "body", "todo", "expunged", "delivered", "credential"];

impl Step for Remove {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
        locks.take(self.id.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for step in batch {
                let id: [Value; 1] = [step.id.into()];
                tx.execute("UPDATE account_dir SET state = 2 WHERE id = ?1", &id).await?;
                if step.erase {
                    for table in OWNED {
                        tx.execute(&format!("DELETE FROM {table} WHERE account_id = ?1"), &id).await?;
                    }
                    tx.execute("DELETE FROM account WHERE id = ?1", &id).await?;
                    tx.execute("DELETE FROM account_dir WHERE id = ?1", &id).await?;
                }
            }
            Ok(vec![(); batch.len()])
        })
    }
}
