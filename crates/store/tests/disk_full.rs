//! A disk that is full at any write: nothing acknowledged is lost or doubled, errors say what to do, and once there is room
//! everything goes on. Needs root, for a file system of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use bodies::{Bodies, MailLocation, Settings};
use db::{Db, Error, Url};
use mail::{Address, Date, MailboxName};
use store::{AccountId, Change, Deposit, Deposited, Store, check, settle};

/// Room of the file system: some hundreds of small messages, twice, with a write-ahead log that begins anew only now and then.
const SIZE: &str = "size=16m";

/// A file system in memory, unmounted at the end.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(test: &str) -> Option<Disk> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "none"]).arg(directory.path()).output();
        if mounted.as_ref().is_ok_and(|out| out.status.success()) {
            return Some(Disk(directory));
        }
        let why = mounted.map_or_else(|error| error.to_string(), |out| String::from_utf8_lossy(&out.stderr).trim().to_owned());
        let line = format!("house-tests: {test}\tneeds root that may mount a file system: {why}\n");
        eprint!("skipped: {line}");
        if let Ok(list) = std::env::var("POSTHOUSE_TEST_SKIPS") {
            use std::io::Write;
            let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
            file.and_then(|mut file| file.write_all(line.as_bytes())).unwrap();
        }
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Leaves so many octets free, to the page.
    fn leave(&self, free: u64) {
        let _ = std::fs::remove_file(self.ballast());
        let mut held = Vec::new();
        let page = vec![b'x'; 4096];
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        while std::io::Write::write_all(&mut file, &page).is_ok() {
            held.push(());
        }
        file.set_len(((held.len() as u64) * 4096).saturating_sub(free)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn bodies(directory: &Path) -> Bodies {
    let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", directory.display())).unwrap();
    Bodies::open(Settings { spool: directory.join("spool"), location }).unwrap()
}

fn migrations() -> Vec<db::Migration> {
    [db::MIGRATIONS, store::MIGRATIONS].concat()
}

async fn deposit(store: &Store, alice: AccountId, text: &str) -> Result<Deposited, Error> {
    let mut draft = store.bodies().draft();
    draft.write(text.as_bytes()).await.map_err(|error| Error::Engine(error.to_string()))?;
    let body = draft.sealed().await.map_err(|error| Error::Engine(error.to_string()))?;
    body.submitted();
    store.db().commit(Deposit::new(alice, MailboxName::inbox(), body, Date::new(0, 0))).await
}

async fn read(store: &Store, alice: AccountId, at: Deposited) -> String {
    let mut reader = store.read(alice, at.mailbox, at.uid).await.unwrap().unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_full_at_any_write_loses_and_doubles_nothing() {
    let Some(disk) = Disk::mount("a_disk_full_at_any_write_loses_and_doubles_nothing") else { return };
    let url = Url::Sqlite(disk.path().join("posthouse.db"));
    let store = Store::new(Db::open(&url, &migrations()).await.unwrap(), bodies(disk.path()));
    store.add_domain("example.test").await.unwrap();
    let alice = store.add_account(&Address::parse("alice@example.test").unwrap(), "{PLAIN}x", None).await.unwrap();
    let (mut kept, mut failed) = (Vec::new(), 0);
    for round in 0..120u64 {
        // From none to as much as a few commits need, a page at a time.
        disk.leave((round % 40) * 4096);
        let texts: Vec<String> = (0..4).map(|n| format!("Subject: {round}.{n}\r\n\r\n{}\r\n", "x".repeat(3000))).collect();
        let results = futures_util::future::join_all(texts.iter().map(|text| deposit(&store, alice, text))).await;
        for (text, result) in texts.into_iter().zip(results) {
            match result {
                Ok(at) => kept.push((at, text)),
                // Full where a page is written; an error of the disk where the log's index can't grow.
                Err(Error::Full(said) | Error::Engine(said)) => {
                    assert!(said.contains("posthouse.db") && said.contains("space"), "{said}");
                    failed += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        if round % 7 == 3 {
            // What can't be settled now is settled later.
            let _ = settle::settle(&store).await;
        }
        if let Some((at, _)) = kept.last() {
            let _ = store.set_flags(alice, at.mailbox, vec![at.uid], Change::Add(mail::Flags::SEEN), None).await;
        }
        if round % 40 == 39 {
            std::fs::remove_file(disk.ballast()).unwrap();
            settle::settle(&store).await.unwrap();
            let gone = std::mem::take(&mut kept);
            for (at, text) in &gone {
                assert_eq!(&read(&store, alice, *at).await, text);
            }
            let view = store.open(alice, &MailboxName::inbox()).await.unwrap();
            assert_eq!(view.rows.len(), gone.len(), "each acknowledged message once, and no other");
            assert_eq!(check::rows(&store).await.unwrap(), []);
            assert_eq!(check::files(&store).await.unwrap(), []);
            // Room for the next.
            store.expunge(alice, view.mailbox.id, view.rows.iter().map(|row| row.uid).collect(), false).await.unwrap();
            settle::settle(&store).await.unwrap();
        }
    }
    assert!(failed > 20, "only {failed} met a full disk");
    store.db().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_full_at_the_start_is_told_with_what_to_do() {
    let Some(disk) = Disk::mount("a_disk_full_at_the_start_is_told_with_what_to_do") else { return };
    let url = Url::Sqlite(disk.path().join("posthouse.db"));
    std::fs::create_dir(disk.path().join("run")).unwrap();
    let mut told = 0;
    for pages in 0..60 {
        disk.leave(pages * 4096);
        match Db::open(&url, &migrations()).await {
            Ok(db) => db.close().await,
            Err(error) => {
                told += 1;
                let said = error.to_string();
                assert!(said.contains(&disk.path().display().to_string()), "{pages} pages: {said}");
                assert!(said.contains("space") || said.contains("full"), "{pages} pages: {said}");
            }
        }
    }
    assert!(told > 3, "only {told} met a full disk");
    std::fs::remove_file(disk.ballast()).unwrap();
    Db::open(&url, &migrations()).await.unwrap().close().await;
}
