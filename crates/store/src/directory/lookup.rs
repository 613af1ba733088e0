use db::Error;
use mail::Address;

use super::{Account, account, stored};
use crate::Store;

/// What the directory knows of an address, exactly as it stands: rewriting and delimiters are `route`'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// An account has it.
    Account(Box<Account>),
    /// It stands for others.
    Alias(Vec<Address>),
    /// Nobody has it.
    Nobody,
}

impl Store {
    /// Looks `address` up among accounts and aliases.
    pub async fn lookup(&self, address: &Address) -> Result<Lookup, Error> {
        let text = address.folded().to_string();
        let sql = format!("SELECT {} FROM {} WHERE d.login = ?1 AND d.state < 2", account::COLUMNS, account::TABLES);
        if let Some(row) = self.db().query(&sql, &[text.as_str().into()]).await?.first() {
            return Ok(Lookup::Account(Box::new(account::account(row)?)));
        }
        self.targets(&text).await
    }

    /// What the catch-all of `domain` (in lower case) stands for.
    pub async fn catch_all(&self, domain: &str) -> Result<Lookup, Error> {
        self.targets(&format!("@{domain}")).await
    }

    async fn targets(&self, address: &str) -> Result<Lookup, Error> {
        let rows = self.db().query("SELECT target FROM address WHERE addr = ?1 ORDER BY n", &[address.into()]).await?;
        let targets: Vec<Address> = rows.iter().map(|row| stored(row.text(0))).collect::<Result<_, _>>()?;
        Ok(if targets.is_empty() { Lookup::Nobody } else { Lookup::Alias(targets) })
    }
}
