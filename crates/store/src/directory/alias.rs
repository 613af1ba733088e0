use db::{BoxFuture, Error, Failed, Key, Locks, Step, Tx, Value};
use mail::Address;

use super::stored;
use crate::refused::blame;
use crate::{AccountId, Refused, Store};

/// An address that stands for others. `@domain` is the domain's catch-all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// In lower case: `info@example.test` or `@example.test`.
    pub address: String,
    /// In the order they were given; hosted here or not.
    pub targets: Vec<Address>,
}

impl Store {
    /// All aliases, by address.
    pub async fn aliases(&self) -> Result<Vec<Alias>, Error> {
        let rows = self.db().query("SELECT addr, target FROM address ORDER BY addr, n", &[]).await?;
        let mut aliases: Vec<Alias> = Vec::new();
        for row in &rows {
            let target = stored(row.text(1))?;
            match aliases.last_mut() {
                Some(alias) if alias.address == row.text(0) => alias.targets.push(target),
                _ => aliases.push(Alias { address: row.text(0).to_owned(), targets: vec![target] }),
            }
        }
        Ok(aliases)
    }

    /// Makes `address` stand for `targets`, in place of what it stood for. `@domain` is the catch-all. Refused when an
    /// account has the address, or its domain is not hosted.
    pub async fn set_alias(&self, address: &str, targets: &[Address]) -> Result<(), Error> {
        self.db().commit(Set { address: address.to_ascii_lowercase(), targets: targets.to_vec() }).await
    }

    /// Refused when there is none.
    pub async fn remove_alias(&self, address: &str) -> Result<(), Error> {
        self.db().commit(Set { address: address.to_ascii_lowercase(), targets: Vec::new() }).await
    }

    /// The addresses an account may send as: its login, and the aliases that stand for it.
    pub async fn addresses_of(&self, account: AccountId) -> Result<Vec<Address>, Error> {
        let Some(found) = self.account(account).await? else { return Ok(Vec::new()) };
        let sql = "SELECT DISTINCT addr FROM address WHERE target = ?1 ORDER BY addr";
        let rows = self.db().query(sql, &[found.login.to_string().into()]).await?;
        // A catch-all gives nobody the right to send as everyone.
        let aliases = rows.iter().filter(|row| !row.text(0).starts_with('@')).map(|row| stored(row.text(0)));
        std::iter::once(Ok(found.login)).chain(aliases).collect()
    }
}

/// Without targets the alias is removed.
struct Set {
    address: String,
    targets: Vec<Address>,
}

impl Step for Set {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for (index, step) in batch.iter().enumerate() {
                step.set(tx).await.map_err(|error| blame(index, error))?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}

impl Set {
    async fn set(&self, tx: &mut Tx) -> Result<(), Error> {
        let gone = tx.query("DELETE FROM address WHERE addr = ?1 RETURNING n", &[self.address.as_str().into()]).await?;
        if self.targets.is_empty() {
            return if gone.is_empty() { Err(Refused::NoSuchAlias(self.address.clone()).into()) } else { Ok(()) };
        }
        let domain = self.address.rsplit_once('@').map_or("", |(_, domain)| domain);
        if tx.query("SELECT 1 FROM domain WHERE name = ?1", &[domain.into()]).await?.is_empty() {
            return Err(Refused::NoSuchDomain(domain.to_owned()).into());
        }
        let account = tx.query("SELECT login FROM account_dir WHERE login = ?1", &[self.address.as_str().into()]).await?;
        if let Some(row) = account.first() {
            return Err(Refused::AddressExists(stored(row.text(0))?).into());
        }
        let row = |(n, target): (usize, &Address)| -> [Value; 3] {
            [self.address.as_str().into(), (n as i64).into(), target.folded().to_string().into()]
        };
        let rows: Vec<[Value; 3]> = self.targets.iter().enumerate().map(row).collect();
        tx.execute_rows("INSERT INTO address (addr, n, target) VALUES {rows}", &rows).await?;
        Ok(())
    }
}
