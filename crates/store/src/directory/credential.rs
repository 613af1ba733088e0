use db::{BoxFuture, Error, Failed, Key, Locks, Step, Tx};

use crate::{AccountId, Store, now_ms};

/// What proves that somebody is an account's owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Within the account.
    pub id: i64,
    /// What its owner calls it.
    pub label: String,
    /// A password record, `{SCHEME}…`.
    pub secret: String,
    /// Services it opens; 0 is all.
    pub scopes: i64,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Credential({}, {:?}, …)", self.id, self.label)
    }
}

impl Store {
    /// The credentials of an account; the password first.
    pub async fn credentials(&self, account: AccountId) -> Result<Vec<Credential>, Error> {
        let sql = "SELECT id, label, secret, scopes FROM credential WHERE account_id = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY id";
        let rows = self.db().query(sql, &[account.into(), now_ms().into()]).await?;
        let credential = |row: &db::Row| Credential { id: row.int(0), label: row.text(1).to_owned(), secret: row.text(2).to_owned(), scopes: row.int(3) };
        Ok(rows.iter().map(credential).collect())
    }

    /// Replaces the account's password record.
    pub async fn set_password(&self, account: AccountId, secret: &str) -> Result<(), Error> {
        self.db().commit(SetPassword { account, secret: secret.to_owned() }).await
    }
}

struct SetPassword {
    account: AccountId,
    secret: String,
}

impl Step for SetPassword {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for step in batch {
                let sql = "INSERT INTO credential (account_id, id, kind, label, secret, created) VALUES (?1, 1, 0, 'password', ?2, ?3) \
                           ON CONFLICT (account_id, id) DO UPDATE SET secret = excluded.secret, scram = NULL, created = excluded.created";
                tx.execute(sql, &[step.account.into(), step.secret.as_str().into(), now_ms().into()]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
