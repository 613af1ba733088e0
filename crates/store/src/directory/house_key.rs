use db::{BoxFuture, Error, Failed, Key, Locks, Step, Tx};

use crate::Store;

impl Store {
    /// 32 random bytes, made when they are first asked for; the same for every process of this store from then on.
    pub async fn house_key(&self, name: &'static str) -> Result<[u8; 32], Error> {
        let sql = "SELECT value FROM house_key WHERE name = ?1";
        let broken = || Error::Broken(format!("house_key {name:?} has not 32 bytes"));
        match self.db().query(sql, &[name.into()]).await?.first() {
            Some(row) => row.blob(0).and_then(|bytes| bytes[..].try_into().ok()).ok_or_else(broken),
            None => self.db().commit(Make { name, value: rand::random() }).await?.try_into().map_err(|_| broken()),
        }
    }
}

struct Make {
    name: &'static str,
    value: [u8; 32],
}

impl Step for Make {
    type Done = Vec<u8>;
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Directory);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Vec<u8>>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                // Another process may have been first.
                tx.execute("INSERT INTO house_key (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", &[step.name.into(), step.value.to_vec().into()]).await?;
                let rows = tx.query("SELECT value FROM house_key WHERE name = ?1", &[step.name.into()]).await?;
                done.push(rows.first().and_then(|row| row.blob(0)).map(|bytes| bytes.to_vec()).unwrap_or_default());
            }
            Ok(done)
        })
    }
}
