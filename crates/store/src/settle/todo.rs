//! What a commit decided about files, and is done after it: rows of `todo`, in order, each idempotent, removed once durable.

use bodies::Job;
use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};

use crate::{AccountId, Store, now_ms};

/// A kind of work. The numbers stand in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// `dir`'s file `arg`.
    RemoveFile = 1,
    /// `dir`.
    RemoveFolder = 2,
    /// `dir` to `arg`.
    RenameFolder = 3,
    /// The file `dir` (folder/base) gets the second name `arg` (folder/base:2,letters).
    Link = 4,
}

/// Rows done at a time.
const BATCH: i64 = 1000;

pub(crate) async fn insert(tx: &mut Tx, account: AccountId, work: &[(i64, Op, String, String)]) -> Result<(), Error> {
    let now = now_ms();
    let row = |(id, op, dir, arg): &(i64, Op, String, String)| -> [Value; 6] {
        [account.into(), (*id).into(), now.into(), (*op as i64).into(), dir.as_str().into(), arg.as_str().into()]
    };
    let rows: Vec<[Value; 6]> = work.iter().map(row).collect();
    tx.rows::<6>("INSERT INTO todo (account_id, id, due, op, dir, arg) VALUES {rows}", &rows).await?;
    Ok(())
}

/// Makes the second names of files that are due, without waiting for the disk: who was told of a copy can read it.
pub(crate) async fn link_now(store: &Store, account: AccountId) {
    let made = async {
        let sql = "SELECT id, op, dir, arg FROM todo WHERE account_id = ?1 AND op = ?2 ORDER BY id LIMIT ?3";
        let rows = store.db().query(sql, &[account.into(), (Op::Link as i64).into(), BATCH.into()]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut jobs = Vec::new();
        for row in &rows {
            jobs.extend(job(store, account, row).await?);
        }
        for result in store.bodies().work(jobs).await.map_err(|error| Error::Engine(error.to_string()))? {
            result.map_err(|error| Error::Engine(error.to_string()))?;
        }
        Ok(())
    };
    // It stays in `todo` and is done by the settler.
    if let Err::<(), Error>(error) = made.await {
        tracing::warn!("linking files of account {account}: {error}; it is tried again");
    }
}

/// Does all that is due for one account. What fails is logged, stays, and is tried again.
pub(crate) async fn run_account(store: &Store, account: AccountId) {
    loop {
        match run_batch(store, account).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!("files of account {account}: {error}; it is tried again");
                return;
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
    let engine = |error: bodies::Error| Error::Engine(error.to_string());
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
                false => folder.rename_folder(&store.bodies().folder(&home, arg).map_err(engine)?).await.map_err(engine)?,
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

async fn flush(store: &Store, jobs: &mut Vec<Job>) -> Result<(), Error> {
    let results = store.bodies().work(std::mem::take(jobs)).await.map_err(|error| Error::Engine(error.to_string()))?;
    for result in results {
        match result {
            // A file that others removed needs no second name and no removing.
            Err(error) if !error.is_vanished() => return Err(Error::Engine(error.to_string())),
            _ => {}
        }
    }
    Ok(())
}

/// The file work of a row.
async fn job(store: &Store, account: AccountId, row: &db::Row) -> Result<Option<Job>, Error> {
    let engine = |error: bodies::Error| Error::Engine(error.to_string());
    let home = store.home(account).await?;
    let folder = |dir: &str| store.bodies().folder(&home, dir).map_err(engine);
    if row.int(1) == Op::RemoveFile as i64 {
        return Ok(Some(Job::Remove(folder(row.text(2))?.file(row.text(3), ""))));
    }
    let (Some((from, base)), Some((to, name))) = (row.text(2).rsplit_once('/'), row.text(3).rsplit_once('/')) else {
        return Err(Error::Broken(format!("todo {}: {:?} in the database", row.int(0), row.text(2))));
    };
    let (name, letters) = name.split_once(":2,").unwrap_or((name, ""));
    let name = bodies::FileName::parse(name).ok_or_else(|| Error::Broken(format!("todo {}: a bad file name", row.int(0))))?;
    Ok(Some(Job::Link { file: folder(from)?.file(base, ""), to: folder(to)?, name, letters: letters.to_owned() }))
}

/// These rows are done and durable.
struct Done {
    account: AccountId,
    ids: Vec<i64>,
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
                tx.rows_with("DELETE FROM todo WHERE account_id = ?1 AND id IN (VALUES {rows})", &[step.account.into()], &rows).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
