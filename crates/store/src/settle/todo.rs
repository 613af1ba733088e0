//! What a commit decided about files, and is done after it: rows of `todo`, in order, each idempotent, removed once durable.

use std::collections::{BTreeSet, HashMap, HashSet};

use bodies::Job;
use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};

use crate::directory::Alone;
use crate::{AccountId, Store, now_ms};

/// A kind of work. The numbers stand in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// `dir`'s file `arg` ([`found_as`]).
    RemoveFile = 1,
    /// `dir`.
    RemoveFolder = 2,
    /// `dir` to `arg`.
    RenameFolder = 3,
    /// The file `dir` (folder/base:2,letters, [`found_as`]) gets the second name `arg` (folder/base:2,letters).
    Link = 4,
}

/// Rows done at a time.
const BATCH: i64 = 1000;
/// Second names made before a copy is answered, at most: what is copied one by one is often read at once.
pub(crate) const LINKED_AT_ONCE: usize = 64;
/// What [`bodies::Folder::stamp`] says of a folder that is not there.
const NOWHERE: &str = "-/-";

/// A file as it is named in a row: the letters say where to look first, and are spared the reading of a whole folder when they are right.
pub(crate) fn found_as(base: &str, letters: &str) -> String {
    format!("{base}:2,{letters}")
}

/// Base and letters of [`found_as`]; rows of older stores have no letters.
fn as_found(name: &str) -> (&str, &str) {
    name.split_once(":2,").unwrap_or((name, ""))
}

pub(crate) async fn insert(tx: &mut Tx, account: AccountId, work: &[(i64, Op, String, String)]) -> Result<(), Error> {
    let now = now_ms();
    let row = |(id, op, dir, arg): &(i64, Op, String, String)| -> [Value; 6] {
        [account.into(), (*id).into(), now.into(), (*op as i64).into(), dir.as_str().into(), arg.as_str().into()]
    };
    let rows: Vec<[Value; 6]> = work.iter().map(row).collect();
    tx.execute_rows::<6>("INSERT INTO todo (account_id, id, due, op, dir, arg) VALUES {rows}", &rows).await?;
    Ok(())
}

/// Makes the second names of files that are due, without waiting for the disk: who was told of a copy can read it.
///
/// Holds no lock, so that a copy never waits for the settler. Therefore it makes no folder, and does nothing that comes after
/// a folder's move or removal that is still to be done: both are the settler's. And a name it made whose message is gone
/// meanwhile it removes again.
pub(crate) async fn link_now(store: &Store, account: AccountId) {
    let made = async {
        let mut after = i64::MIN;
        while let Some(last) = link_some(store, account, after).await? {
            after = last;
        }
        Ok(())
    };
    // It stays in `todo` and is done by the settler.
    if let Err::<(), Error>(error) = made.await {
        tracing::warn!("linking files of account {account}: {error}; it is tried again");
    }
}

/// The second names of one batch, of rows behind `after`; gives the last row's id if there may be more.
async fn link_some(store: &Store, account: AccountId, after: i64) -> Result<Option<i64>, Error> {
    let sql = "SELECT id, op, dir, arg FROM todo WHERE account_id = ?1 AND id > ?3 AND op IN (2, 3, 4) ORDER BY id LIMIT ?2";
    let mut rows = store.db().query(sql, &[account.into(), BATCH.into(), after.into()]).await?;
    let whole = rows.len() as i64 == BATCH;
    let links = rows.iter().take_while(|row| row.int(1) == Op::Link as i64).count();
    let more = whole && links == rows.len();
    rows.truncate(links);
    let mut there: HashMap<String, bool> = HashMap::new();
    let (mut jobs, mut linked) = (Vec::new(), Vec::new());
    for row in &rows {
        let dir = row.text(3).rsplit_once('/').map_or("", |(dir, _)| dir);
        let known = match there.get(dir) {
            Some(known) => *known,
            None => {
                let home = store.home(account).await?;
                let made = store.bodies().folder(&home, dir).map_err(engine)?.stamp().await.map_err(engine)? != NOWHERE;
                there.insert(dir.to_owned(), made);
                made
            }
        };
        if known {
            jobs.extend(job(store, account, row).await?);
            linked.push(row.text(3).to_owned());
        }
    }
    flush(store, &mut jobs).await?;
    unlink_forgotten(store, account, linked).await?;
    Ok(rows.last().filter(|_| more).map(|row| row.int(0)))
}

/// Removes second names whose messages are gone: the settler may have been past their removal already when they were made. A name is never
/// given again, so what has no row now will have none.
async fn unlink_forgotten(store: &Store, account: AccountId, linked: Vec<String>) -> Result<(), Error> {
    let names: Vec<(&str, &str, u32)> = linked.iter().filter_map(|to| file_of(to)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let sql = "WITH v(u, f) AS (VALUES {rows}) SELECT p.file FROM v CROSS JOIN mailbox b CROSS JOIN mailbox_message p \
               WHERE b.account_id = ?1 AND p.account_id = b.account_id AND p.mailbox_id = b.id AND p.uid = v.u AND p.file = v.f";
    let rows: Vec<[Value; 2]> = names.iter().map(|&(_, base, uid)| [uid.into(), base.into()]).collect();
    let there = store.db().query_rows(sql, &[account.into()], &rows).await?;
    let there: HashSet<&str> = there.iter().map(|row| row.text(0)).collect();
    let home = store.home(account).await?;
    let mut jobs = Vec::new();
    for (dir, base, _) in names.into_iter().filter(|(_, base, _)| !there.contains(base)) {
        jobs.push(Job::Remove(store.bodies().folder(&home, dir).map_err(engine)?.file(base, "")));
    }
    flush(store, &mut jobs).await
}

/// Folder, base and UID of `folder/base:2,letters`.
fn file_of(path: &str) -> Option<(&str, &str, u32)> {
    let (dir, name) = path.rsplit_once('/')?;
    let base = name.split_once(":2,").map_or(name, |(base, _)| base);
    Some((dir, base, bodies::FileName::parse(base)?.uid))
}

/// The accounts that have something to do, one after the other: the first whose id is above `after`.
pub(crate) async fn next_account(store: &Store, after: i64) -> Result<Option<i64>, Error> {
    let rows = store.db().query("SELECT MIN(account_id) FROM todo WHERE account_id > ?1", &[after.into()]).await?;
    Ok(rows.first().and_then(|row| row.opt_int(0)))
}

/// The accounts whose folders are not yet what their mailboxes' names say: no file may be put anywhere in them.
pub(crate) async fn moving(store: &Store) -> Result<BTreeSet<i64>, Error> {
    let rows = store.db().query("SELECT DISTINCT account_id FROM todo WHERE op IN (2, 3)", &[]).await?;
    Ok(rows.iter().map(|row| row.int(0)).collect())
}

/// Whether something is still to be done that decides what a file of the account is called.
pub(crate) async fn is_unsettled(store: &Store, account: AccountId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM todo WHERE account_id = ?1 AND op IN (2, 3, 4) LIMIT 1";
    Ok(!store.db().query(sql, &[account.into()]).await?.is_empty())
}

/// Does all that is due for one account; true when nothing is left. What fails is logged, stays, and is tried again.
pub(crate) async fn run_account(store: &Store, account: AccountId, _alone: &Alone<'_>) -> bool {
    loop {
        match run_batch(store, account).await {
            Ok(true) => {}
            Ok(false) => return true,
            Err(error) => {
                tracing::warn!("files of account {account}: {error}; it is tried again");
                return false;
            }
        }
    }
}

/// One batch; false when nothing was left.
async fn run_batch(store: &Store, account: AccountId) -> Result<bool, Error> {
    let sql = "SELECT id, op, dir, arg FROM todo WHERE account_id = ?1 ORDER BY id LIMIT ?2";
    let rows = store.db().query(sql, &[account.into(), BATCH.into()]).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let home = store.home(account).await?;
    let mut done = Vec::new();
    let mut jobs = Vec::new();
    for row in &rows {
        let (op, dir, arg) = (row.int(1), row.text(2), row.text(3));
        if op == Op::RemoveFolder as i64 || op == Op::RenameFolder as i64 {
            flush(store, &mut jobs).await?;
            let folder = store.bodies().folder(&home, dir).map_err(engine)?;
            match op == Op::RemoveFolder as i64 {
                true => folder.remove_folder().await.map_err(engine)?,
                false => rename_folder(store, &folder, arg, row.int(0)).await?,
            }
        } else {
            jobs.extend(job(store, account, row).await?);
        }
        done.push(row.int(0));
    }
    flush(store, &mut jobs).await?;
    store.bodies().sync(&[home]).await.map_err(engine)?;
    store.db().commit(Done { account, ids: done }).await?;
    Ok(true)
}

/// A folder that another program made under the new name meanwhile is set aside, under a name that says so.
async fn rename_folder(store: &Store, from: &bodies::Folder, to: &str, id: i64) -> Result<(), Error> {
    use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
    let folder = |dir: &str| store.bodies().folder(from.home(), dir).map_err(engine);
    let target = folder(to)?;
    match from.rename_folder(&target).await {
        Err(bodies::Error::Io { source, .. }) if matches!(source.kind(), DirectoryNotEmpty | AlreadyExists) => {
            let aside = folder(&format!("{to}.found-{id}"))?;
            tracing::warn!("{} was made by another program; it is now {}", target.display(), aside.display());
            target.rename_folder(&aside).await.map_err(engine)?;
            from.rename_folder(&target).await.map_err(engine)
        }
        other => other.map_err(engine),
    }
}

fn engine(error: bodies::Error) -> Error {
    Error::Engine(error.to_string())
}

async fn flush(store: &Store, jobs: &mut Vec<Job>) -> Result<(), Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let results = store.bodies().work(std::mem::take(jobs)).await.map_err(engine)?;
    for result in results {
        match result {
            // A file that others removed needs no second name and no removing.
            Err(error) if !error.is_vanished() => return Err(engine(error)),
            _ => {}
        }
    }
    Ok(())
}

/// The file work of a row.
async fn job(store: &Store, account: AccountId, row: &db::Row) -> Result<Option<Job>, Error> {
    let home = store.home(account).await?;
    let folder = |dir: &str| store.bodies().folder(&home, dir).map_err(engine);
    if row.int(1) == Op::RemoveFile as i64 {
        let (base, letters) = as_found(row.text(3));
        return Ok(Some(Job::Remove(folder(row.text(2))?.file(base, letters))));
    }
    let (Some((from, base)), Some((to, name))) = (row.text(2).rsplit_once('/'), row.text(3).rsplit_once('/')) else {
        return Err(Error::Broken(format!("todo {}: {:?} in the database", row.int(0), row.text(2))));
    };
    let (base, found) = as_found(base);
    let (name, letters) = as_found(name);
    let name = bodies::FileName::parse(name).ok_or_else(|| Error::Broken(format!("todo {}: a bad file name", row.int(0))))?;
    Ok(Some(Job::Link { file: folder(from)?.file(base, found), to: folder(to)?, name, letters: letters.to_owned() }))
}

/// These rows are done and durable.
pub(crate) struct Done {
    pub(crate) account: AccountId,
    pub(crate) ids: Vec<i64>,
}

impl Step for Done {
    type Done = ();
    const COMBINES: bool = true;
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for step in batch {
                let rows: Vec<[Value; 1]> = step.ids.iter().map(|&id| [id.into()]).collect();
                tx.execute_rows_with("DELETE FROM todo WHERE account_id = ?1 AND id IN (VALUES {rows})", &[step.account.into()], &rows).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
