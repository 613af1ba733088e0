//! A fresh store with one account, for tests of what the outside does not see.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use bodies::{Bodies, MailLocation, Sealed, Settings};
use mail::{Address, Date, MailboxName, Uid};
use tokio::sync::Notify;

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
    bodies_at(directory, "%d/%n")
}

fn bodies_at(directory: &std::path::Path, homes: &str) -> Bodies {
    let location = MailLocation::parse(&format!("maildir:{}/mail/{homes}", directory.display())).unwrap();
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

    /// The same store with `mail_location` changed.
    pub(crate) async fn with_homes(&self, homes: &str) -> Store {
        let db = db::Db::open(&self.url, &migrations()).await.unwrap();
        Store::new(db, bodies_at(&self.directory, homes))
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

    /// Puts `count` messages, or some more, into the INBOX.
    pub(crate) async fn fill(&self, count: usize) {
        let body = self.sealed(MESSAGE).await;
        for _ in 0..count.div_ceil(250) {
            let step = || Deposit::new(self.alice, name("INBOX"), body.clone(), Date::new(0, 0));
            self.store.db().commit((0..250).map(|_| step()).collect::<Vec<_>>()).await.unwrap();
        }
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

    /// Another account of the same kind.
    pub(crate) async fn account(&self, quota: Option<u64>) -> AccountId {
        let login = Address::parse(&format!("u{:x}@example.test", rand::random::<u64>())).unwrap();
        self.store.add_account(&login, "{PLAIN}x", quota).await.unwrap()
    }

    pub(crate) async fn seq(&self, account: AccountId) -> i64 {
        self.store.db().query("SELECT seq FROM account WHERE id = ?1", &[account.into()]).await.unwrap()[0].int(0)
    }

    /// Everything the store holds of an account, with numbers counted from `base` and mailboxes by name, to be compared with
    /// that of another; without times and the log, which has a row a transaction.
    pub(crate) async fn dump(&self, account: AccountId, base: i64) -> BTreeMap<&'static str, Vec<String>> {
        let tables = [
            ("account", "SELECT seq - ?2, used_bytes, used_msgs FROM account WHERE id = ?1"),
            ("mailbox", "SELECT name, uidnext, recent, seq - ?2, mirrored - ?2, total, unseen, deleted, bytes FROM mailbox WHERE account_id = ?1 AND seq > ?2"),
            ("message", "SELECT id - ?2, place, size, internaldate, zone, cache FROM message WHERE account_id = ?1"),
            ("body", "SELECT id - ?2, data FROM body WHERE account_id = ?1"),
            ("todo", "SELECT id - ?2, op, dir FROM todo WHERE account_id = ?1"),
            (
                "mailbox_message",
                "SELECT x.name, p.uid, p.message_id - ?2, p.flags, p.modseq - ?2, p.file_flags FROM mailbox_message p \
                 JOIN mailbox x ON x.account_id = p.account_id AND x.id = p.mailbox_id WHERE p.account_id = ?1",
            ),
        ];
        let mut dump = BTreeMap::new();
        for (table, sql) in tables {
            let rows = self.store.db().query(sql, &[account.into(), base.into()]).await.unwrap();
            let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
            rows.sort();
            dump.insert(table, rows);
        }
        dump
    }

    /// Commits `units` as one group, in order.
    pub(crate) async fn as_one_group<U: db::Unit>(&self, account: AccountId, units: Vec<U>) -> Vec<Result<U::Done, db::Error>> {
        let (reached, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let held = tokio::spawn({
            let (db, gate) = (self.store.db().clone(), Gate { account, reached: reached.clone(), open: open.clone() });
            async move { db.commit(gate).await }
        });
        reached.notified().await;
        let waiting = futures_util::future::join_all(units.into_iter().map(|unit| self.store.db().commit(unit)));
        let (results, ()) = futures_util::future::join(waiting, async { open.notify_one() }).await;
        held.await.unwrap().unwrap();
        results
    }
}

/// Holds the writer of an account until it is told to go on: everything committed meanwhile is one group.
struct Gate {
    account: AccountId,
    reached: Arc<Notify>,
    open: Arc<Notify>,
}

impl db::Step for Gate {
    type Done = ();
    fn locks(&self, locks: &mut db::Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], _: &'t mut db::Tx) -> db::BoxFuture<'t, Result<Vec<()>, db::Failed>> {
        Box::pin(async move {
            for gate in batch {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
