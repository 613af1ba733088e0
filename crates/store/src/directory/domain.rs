use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use db::{BoxFuture, Changed, Error, Failed, Key, Locks, Step, Tx};

use crate::refused::blame;
use crate::{Refused, Store, ids};

/// A hosted domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// In lower case.
    pub name: String,
}

impl Store {
    /// The hosted domains, by name.
    pub async fn domains(&self) -> Result<Vec<Domain>, Error> {
        let rows = self.db().query("SELECT name FROM domain ORDER BY name", &[]).await?;
        Ok(rows.iter().map(|row| Domain { name: row.text(0).to_owned() }).collect())
    }

    /// Whether `name` (in lower case) is hosted. What was added is known at once; what another process removed, within
    /// a second.
    pub async fn is_hosted(&self, name: &str) -> Result<bool, Error> {
        if self.inner.hosted.has(name) {
            return Ok(true);
        }
        let hosted = !self.db().query("SELECT name FROM domain WHERE name = ?1", &[name.into()]).await?.is_empty();
        if hosted {
            self.inner.hosted.remember(name);
        }
        Ok(hosted)
    }

    /// Hosts a domain. Refused when it is hosted.
    pub async fn add_domain(&self, name: &str) -> Result<(), Error> {
        self.db().commit(Change { name: name.to_ascii_lowercase(), on: true }).await
    }

    /// No longer hosts a domain. Refused while it has accounts or aliases.
    pub async fn remove_domain(&self, name: &str) -> Result<(), Error> {
        self.db().commit(Change { name: name.to_ascii_lowercase(), on: false }).await
    }
}

/// Domains that were hosted a moment ago: each recipient asks several times. Only what is hosted is remembered, and a change
/// by this process forgets it all.
#[derive(Default)]
pub(crate) struct Hosted(Mutex<HashMap<String, Instant>>);

/// How long one is remembered: a change by another process is not heard here.
const REMEMBERED: Duration = Duration::from_secs(1);
/// How many: a small office has a few, and the rest is asked for.
const MOST_REMEMBERED: usize = 1000;

impl Hosted {
    /// Hears what a commit changed.
    pub(crate) fn note(&self, changed: Changed<'_>) {
        if changed.any(|key| *key == Key::Directory) {
            self.known().clear();
        }
    }

    fn has(&self, name: &str) -> bool {
        self.known().get(name).is_some_and(|seen| seen.elapsed() < REMEMBERED)
    }

    fn remember(&self, name: &str) {
        let mut known = self.known();
        if known.len() < MOST_REMEMBERED || known.contains_key(name) {
            known.insert(name.to_owned(), Instant::now());
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

struct Change {
    name: String,
    on: bool,
}

impl Step for Change {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for (index, step) in batch.iter().enumerate() {
                let done = if step.on { step.add(tx).await } else { step.remove(tx).await };
                done.map_err(|error| blame(index, error))?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}

impl Change {
    async fn add(&self, tx: &mut Tx) -> Result<(), Error> {
        let sql = "INSERT INTO domain (name, id) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING RETURNING id";
        match tx.query(sql, &[self.name.as_str().into(), ids::fresh().into()]).await?.is_empty() {
            true => Err(Refused::DomainExists(self.name.clone()).into()),
            false => Ok(()),
        }
    }

    async fn remove(&self, tx: &mut Tx) -> Result<(), Error> {
        let accounts = "SELECT 1 FROM account_dir a JOIN domain d ON d.id = a.domain_id WHERE d.name = ?1 LIMIT 1";
        let mut used = !tx.query(accounts, &[self.name.as_str().into()]).await?.is_empty();
        for row in tx.query("SELECT DISTINCT addr FROM address", &[]).await? {
            used |= row.text(0).rsplit_once('@').is_some_and(|(_, domain)| domain == self.name);
        }
        if used {
            return Err(Refused::DomainInUse(self.name.clone()).into());
        }
        match tx.query("DELETE FROM domain WHERE name = ?1 RETURNING id", &[self.name.as_str().into()]).await?.is_empty() {
            true => Err(Refused::NoSuchDomain(self.name.clone()).into()),
            false => Ok(()),
        }
    }
}
