use bytes::Bytes;
use db::{BoxFuture, Error, Failed, Key, Locks, Row, Step, Tx, Value};

use crate::refused::blame;
use crate::{AccountId, Refused, Store, now_ms};

/// The row of an account's password; app passwords come behind it.
const PASSWORD: i64 = 1;
/// App passwords of one account: one for each device and program of a person, and then some. Each costs a wrong password a
/// digest.
pub const MAX_APP_PASSWORDS: usize = 64;

/// What is kept of one password. It knows no password: how it is made is not the store's to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// A password record, `{SCHEME}…`.
    pub record: String,
    /// Keys for SCRAM, as text; `None`: there are none.
    pub scram: Option<String>,
}

impl Secret {
    fn keys(&self) -> Value {
        self.scram.as_ref().map(|keys| Bytes::from(keys.clone().into_bytes())).into()
    }
}

/// A record alone.
impl From<&str> for Secret {
    fn from(record: &str) -> Secret {
        Secret { record: record.to_owned(), scram: None }
    }
}

impl From<&String> for Secret {
    fn from(record: &String) -> Secret {
        record.as_str().into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// What proves that somebody is an account's owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Within the account.
    pub id: i64,
    /// One of a program or a device, beside the password.
    pub is_app: bool,
    /// What its owner calls it.
    pub label: String,
    /// What is kept of it.
    pub secret: Secret,
    /// Services it opens, a bit each; 0 is all.
    pub scopes: i64,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// When it was used last, to the hour.
    pub last_used: Option<i64>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Credential({}, {:?}, …)", self.id, self.label)
    }
}

fn credential(row: &Row) -> Credential {
    let scram = row.blob(4).map(|keys| String::from_utf8_lossy(&keys).into_owned());
    Credential {
        id: row.int(0),
        is_app: row.int(1) != 0,
        label: row.text(2).to_owned(),
        secret: Secret { record: row.text(3).to_owned(), scram },
        scopes: row.int(5),
        created: row.int(6),
        last_used: row.opt_int(7),
    }
}

impl Store {
    /// The credentials of an account; the password first.
    pub async fn credentials(&self, account: AccountId) -> Result<Vec<Credential>, Error> {
        let sql = "SELECT id, kind, label, secret, scram, scopes, created, last_used FROM credential \
                   WHERE account_id = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY id";
        let rows = self.db().query(sql, &[account.into(), now_ms().into()]).await?;
        Ok(rows.iter().map(credential).collect())
    }

    /// Whether every account that can log in has keys for SCRAM beside its password.
    pub async fn all_have_scram(&self) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM account_dir d JOIN credential c ON c.account_id = d.id WHERE d.state = 0 AND c.id = 1 AND c.scram IS NULL LIMIT 1";
        Ok(self.db().query(sql, &[]).await?.is_empty())
    }

    /// The addresses of the accounts that keep [`all_have_scram`](Store::all_have_scram) from being so, in order.
    pub async fn without_scram(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT d.login FROM account_dir d JOIN credential c ON c.account_id = d.id WHERE d.state = 0 AND c.id = 1 AND c.scram IS NULL ORDER BY d.login";
        Ok(self.db().query(sql, &[]).await?.iter().map(|row| row.text(0).to_owned()).collect())
    }

    /// Replaces what is kept of the account's password.
    pub async fn set_password(&self, account: AccountId, secret: impl Into<Secret>) -> Result<(), Error> {
        self.db().commit(SetPassword { account, old: None, secret: secret.into() }).await.map(|_| ())
    }

    /// Replaces `old` by what is kept of the same password in a better way; `false`: it is not `old` any more, and stays.
    pub async fn renew_password(&self, account: AccountId, old: &Secret, secret: Secret) -> Result<bool, Error> {
        self.db().commit(SetPassword { account, old: Some(old.clone()), secret }).await
    }

    /// Adds an app password. Refused when the account has one of that name, or [`MAX_APP_PASSWORDS`].
    pub async fn add_app_password(&self, account: AccountId, label: &str, secret: Secret, scopes: i64) -> Result<(), Error> {
        self.db().commit(AddApp { account, label: label.to_owned(), secret, scopes }).await
    }

    /// Removes an app password; `false`: there is none of that name.
    pub async fn remove_app_password(&self, account: AccountId, label: &str) -> Result<bool, Error> {
        self.db().commit(Touch::Remove { account, label: label.to_owned() }).await
    }

    /// Notes that a credential was used now.
    pub async fn note_use(&self, account: AccountId, credential: i64) -> Result<(), Error> {
        self.db().commit(Touch::Use { account, credential }).await.map(|_| ())
    }
}

struct SetPassword {
    account: AccountId,
    /// Only in place of this.
    old: Option<Secret>,
    secret: Secret,
}

impl Step for SetPassword {
    type Done = bool;
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<bool>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                done.push(step.set(tx).await?);
            }
            Ok(done)
        })
    }
}

impl SetPassword {
    async fn set(&self, tx: &mut Tx) -> Result<bool, Error> {
        if let Some(old) = &self.old {
            let rows = tx.query("SELECT secret, scram FROM credential WHERE account_id = ?1 AND id = ?2", &[self.account.into(), PASSWORD.into()]).await?;
            let same = |row: &Row| row.text(0) == old.record && row.blob(1).as_deref() == old.scram.as_ref().map(String::as_bytes);
            if !rows.first().is_some_and(same) {
                return Ok(false);
            }
        }
        let sql = "INSERT INTO credential (account_id, id, kind, label, secret, scram, created) VALUES (?1, ?2, 0, 'password', ?3, ?4, ?5) \
                   ON CONFLICT (account_id, id) DO UPDATE SET secret = excluded.secret, scram = excluded.scram, created = excluded.created";
        let values = [self.account.into(), PASSWORD.into(), self.secret.record.as_str().into(), self.secret.keys(), now_ms().into()];
        tx.execute(sql, &values).await?;
        Ok(true)
    }
}

/// The row of a new account's password.
pub(super) async fn first(tx: &mut Tx, account: i64, secret: &Secret, now: i64) -> Result<(), Error> {
    let sql = "INSERT INTO credential (account_id, id, kind, label, secret, scram, created) VALUES (?1, ?2, 0, 'password', ?3, ?4, ?5)";
    tx.execute(sql, &[account.into(), PASSWORD.into(), secret.record.as_str().into(), secret.keys(), now.into()]).await.map(|_| ())
}

struct AddApp {
    account: AccountId,
    label: String,
    secret: Secret,
    scopes: i64,
}

impl Step for AddApp {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for (index, step) in batch.iter().enumerate() {
                step.add(tx).await.map_err(|error| blame(index, error))?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}

impl AddApp {
    async fn add(&self, tx: &mut Tx) -> Result<(), Error> {
        let rows = tx.query("SELECT id, kind, label FROM credential WHERE account_id = ?1 ORDER BY id", &[self.account.into()]).await?;
        let mut apps = rows.iter().filter(|row| row.int(1) != 0);
        if apps.clone().count() >= MAX_APP_PASSWORDS {
            return Err(Refused::Limit("64 app passwords; remove one that is not used").into());
        }
        if apps.any(|row| row.text(2) == self.label) {
            return Err(Refused::Cannot("there is an app password of that name; remove it first, or give another name").into());
        }
        let id = rows.last().map_or(PASSWORD, |row| row.int(0)) + 1;
        let sql = "INSERT INTO credential (account_id, id, kind, label, secret, scram, scopes, created) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7)";
        let (label, record) = (self.label.as_str().into(), self.secret.record.as_str().into());
        tx.execute(sql, &[self.account.into(), id.into(), label, record, self.secret.keys(), self.scopes.into(), now_ms().into()]).await?;
        Ok(())
    }
}

/// A change of one row.
enum Touch {
    Use { account: AccountId, credential: i64 },
    Remove { account: AccountId, label: String },
}

impl Step for Touch {
    type Done = bool;
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<bool>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                let rows = match step {
                    Touch::Use { account, credential } => {
                        let sql = "UPDATE credential SET last_used = ?3 WHERE account_id = ?1 AND id = ?2 RETURNING id";
                        tx.query(sql, &[(*account).into(), (*credential).into(), now_ms().into()]).await?
                    }
                    Touch::Remove { account, label } => {
                        let sql = "DELETE FROM credential WHERE account_id = ?1 AND kind = 1 AND label = ?2 RETURNING id";
                        tx.query(sql, &[(*account).into(), label.as_str().into()]).await?
                    }
                };
                done.push(!rows.is_empty());
            }
            Ok(done)
        })
    }
}
