//! A fresh store with one account, for tests of what the outside does not see.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use bodies::{Bodies, MailLocation, Sealed, Settings};
use mail::{Address, Date, MailboxName, Uid};

use crate::{AccountId, Deposit, Deposited, MailboxId, Store, check, settle};

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) alice: AccountId,
    pub(crate) engine: &'static str,
    pub(crate) url: db::Url,
    pub(crate) directory: std::path::PathBuf,
}

pub(crate) const MESSAGE: &[u8] = b"Subject: hi\r\n\r\nbody\r\n";

pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

fn migrations() -> Vec<db::Migration> {
    [db::MIGRATIONS, crate::MIGRATIONS].concat()
}

fn bodies(directory: &std::path::Path) -> Bodies {
    let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", directory.display())).unwrap();
    Bodies::open(Settings { spool: directory.join("spool"), location }).unwrap()
}

/// A world on every engine, in directories of their own below `directory`.
pub(crate) async fn worlds(directory: &std::path::Path) -> Vec<World> {
    let mut worlds = Vec::new();
    for fresh in db::testing::engines(directory, &migrations()).await.unwrap() {
        let store = Store::new(fresh.db, bodies(&fresh.directory));
        store.add_domain("example.test").await.unwrap();
        let alice = store.add_account(&Address::parse("alice@example.test").unwrap(), "{PLAIN}x", None).await.unwrap();
        worlds.push(World { store, alice, engine: fresh.engine, url: fresh.url, directory: fresh.directory });
    }
    worlds
}

/// Runs `test` in a fresh world on every engine; then the settled store must be sound.
pub(crate) async fn on_every_engine<F, T>(test: F)
where
    F: Fn(Arc<World>) -> T,
    T: Future<Output = ()>,
{
    let directory = tempfile::tempdir().unwrap();
    for world in worlds(directory.path()).await {
        let world = Arc::new(world);
        test(world.clone()).await;
        world.is_sound().await;
    }
}

impl World {
    /// The same store, as a process finds it that starts after this one was killed; or as a second process has it.
    pub(crate) async fn second(&self) -> Store {
        let db = db::Db::open(&self.url, &migrations()).await.unwrap();
        Store::new(db, bodies(&self.directory))
    }

    pub(crate) async fn is_sound(&self) {
        settle::settle(&self.store).await.unwrap();
        assert_eq!(check::rows(&self.store).await.unwrap(), [], "{}", self.engine);
        assert_eq!(check::files(&self.store).await.unwrap(), [], "{}", self.engine);
        let left = "SELECT (SELECT COUNT(*) FROM todo) + (SELECT COUNT(*) FROM body) + (SELECT COUNT(*) FROM mailbox WHERE mirrored < seq)";
        let left = self.store.db().query(left, &[]).await.unwrap();
        assert_eq!(left[0].int(0), 0, "{}: something is left to be done", self.engine);
    }

    pub(crate) async fn sealed(&self, message: &[u8]) -> Sealed {
        let mut draft = self.store.bodies().draft();
        draft.write(message).await.unwrap();
        draft.sealed().await.unwrap()
    }

    pub(crate) async fn step(&self, mailbox: &str, message: &[u8]) -> Deposit {
        Deposit::new(self.alice, name(mailbox), self.sealed(message).await, Date::new(1_795_486_185, 60))
    }

    pub(crate) async fn deposit(&self, mailbox: &str, message: &[u8]) -> Deposited {
        let step = self.step(mailbox, message).await;
        step.body().submitted();
        self.store.db().commit(step).await.unwrap()
    }

    pub(crate) async fn mailbox(&self, mailbox: &str) -> MailboxId {
        self.store.mailbox(self.alice, &name(mailbox)).await.unwrap().unwrap().id
    }

    pub(crate) async fn read(&self, mailbox: &str, uid: Uid) -> Vec<u8> {
        let id = self.mailbox(mailbox).await;
        let mut reader = self.store.read(self.alice, id, uid).await.unwrap().unwrap();
        let mut bytes = Vec::new();
        while let Some(chunk) = reader.chunk().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        bytes
    }

    /// Where a mailbox's directory is.
    pub(crate) async fn path(&self, mailbox: &str) -> std::path::PathBuf {
        let home = self.store.home(self.alice).await.unwrap();
        self.store.bodies().folder(&home, &name(mailbox).maildir_dir()).unwrap().display().to_string().into()
    }

    pub(crate) async fn letters(&self, mailbox: &str) -> Vec<String> {
        let home = self.store.home(self.alice).await.unwrap();
        let folder = self.store.bodies().folder(&home, &name(mailbox).maildir_dir()).unwrap();
        folder.scan().await.unwrap().entries.into_iter().map(|entry| entry.letters).collect()
    }

    /// Everything the store's tables hold, but times; ordered, to be compared.
    pub(crate) async fn dump(&self) -> BTreeMap<&'static str, Vec<String>> {
        let tables = [
            ("account", "seq - (SELECT MIN(id) FROM mailbox), used_bytes, used_msgs"),
            ("mailbox", "name, uidnext, recent, seq - (SELECT MIN(id) FROM mailbox), mirrored - (SELECT MIN(id) FROM mailbox), total, unseen, deleted, bytes"),
            ("message", "id - (SELECT MIN(id) FROM mailbox), place, size, internaldate, zone, cache"),
            ("mailbox_message", "mailbox_id - (SELECT MIN(id) FROM mailbox), uid, message_id - (SELECT MIN(id) FROM mailbox), flags, modseq - (SELECT MIN(id) FROM mailbox), file_flags"),
            ("body", "id - (SELECT MIN(id) FROM mailbox), data"),
            ("todo", "id - (SELECT MIN(id) FROM mailbox), op, dir"),
        ];
        let mut dump = BTreeMap::new();
        for (table, columns) in tables {
            let rows = self.store.db().query(&format!("SELECT {columns} FROM {table}"), &[]).await.unwrap();
            let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
            rows.sort();
            dump.insert(table, rows);
        }
        dump
    }
}
