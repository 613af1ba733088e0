//! File names say what the flags are: `mailbox.mirrored` is the last `seq` for which they do.

use std::collections::{BTreeSet, HashSet};

use bodies::Job;
use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{MailboxName, Uid};

use super::todo;
use crate::change::{Log, ranges};
use crate::{AccountId, MailboxId, Store, copy};

/// Transactions of the log looked at in one go.
const LOGS: i64 = 1000;

/// All mailboxes whose names are behind; those of `changed` accounts only, if given. Accounts that can't be done now are
/// added to `failing`.
pub(super) async fn all(store: &Store, changed: Option<&HashSet<i64>>, failing: &mut BTreeSet<i64>) -> Result<(), Error> {
    let sql = "SELECT account_id, id FROM mailbox WHERE mirrored < seq";
    let behind = match changed {
        None => store.db().query(sql, &[]).await?,
        Some(accounts) => {
            let rows: Vec<[Value; 1]> = accounts.iter().map(|&id| [id.into()]).collect();
            store.db().query_rows(&format!("{sql} AND account_id IN (VALUES {{rows}})"), &[], &rows).await?
        }
    };
    for row in behind {
        if failing.contains(&row.int(0)) {
            continue;
        }
        if let Err(error) = mailbox(store, AccountId::new(row.int(0)), MailboxId::new(row.int(1))).await {
            tracing::warn!("file names of account {}: {error}; it is tried again", row.int(0));
            failing.insert(row.int(0));
        }
    }
    Ok(())
}

/// Brings the names of one mailbox up to date.
async fn mailbox(store: &Store, account: AccountId, id: MailboxId) -> Result<(), Error> {
    loop {
        // Name and place in the log are read under the lock: both may have changed since we looked.
        let _alone = store.one_at_a_time().await?;
        if todo::is_unsettled(store, account).await? {
            return Ok(());
        }
        let sql = "SELECT name, mirrored, seq FROM mailbox WHERE account_id = ?1 AND id = ?2 AND mirrored < seq";
        let rows = store.db().query(sql, &[account.into(), id.into()]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let name = MailboxName::new(row.text(0)).map_err(|error| Error::Broken(error.to_string()))?;
        part(store, account, id, &name, row.int(1), row.int(2)).await?;
    }
}

/// Renames the files of one part of the log, from the change after `from`; `seq` is the mailbox's of a moment ago.
async fn part(store: &Store, account: AccountId, id: MailboxId, name: &MailboxName, from: i64, seq: i64) -> Result<(), Error> {
    let sql = "SELECT seq, what FROM change WHERE account_id = ?1 AND mailbox_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
    let rows = store.db().query(sql, &[account.into(), id.into(), from.into(), LOGS.into()]).await?;
    let last = rows.last().map_or(from, |row| row.int(0));
    // A mailbox's `seq` may be above its last change: at the end of the log its names are up to date for that too.
    let to = if (rows.len() as i64) < LOGS { last.max(seq) } else { last };
    let logs = rows.iter().filter_map(|row| Log::unpack(&row.blob(1).unwrap_or_default()));
    let uids: BTreeSet<Uid> = logs.flat_map(|log| log.flagged.into_iter().map(|row| row.uid)).collect();
    let uids: Vec<Uid> = uids.into_iter().collect();
    let home = store.home(account).await?;
    let folder = store.bodies().folder(&home, &name.maildir_dir()).map_err(|error| Error::Engine(error.to_string()))?;
    let sql = "WITH v(f, l) AS (VALUES {rows}) SELECT p.uid, p.file, p.flags, p.file_flags FROM v CROSS JOIN mailbox_message p \
               WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l";
    let (mut jobs, mut renamed) = (Vec::new(), Vec::new());
    for row in store.db().query_rows(sql, &[account.into(), id.into()], &ranges(&uids)).await? {
        let (new, old) = (copy::letters(row.int(2)), copy::letters(row.int(3)));
        if new != old {
            jobs.push(Job::Letters { file: folder.file(row.text(1), &old), letters: new });
        }
        renamed.push((row.int(0), row.int(2)));
    }
    for result in store.bodies().work(jobs).await.map_err(|error| Error::Engine(error.to_string()))? {
        match result {
            // No file yet (it will be named by its row), removed by others, or by an expunge that is still to be done.
            Err(error) if !error.is_vanished() => return Err(Error::Engine(error.to_string())),
            _ => {}
        }
    }
    store.db().commit(Mirrored { account, mailbox: id, to, renamed }).await
}

/// The names of these files say these flags now.
struct Mirrored {
    account: AccountId,
    mailbox: MailboxId,
    to: i64,
    /// UID and flags.
    renamed: Vec<(i64, i64)>,
}

impl Step for Mirrored {
    type Done = ();
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for step in batch {
                let key = [step.account.into(), step.mailbox.into()];
                let rows: Vec<[Value; 2]> = step.renamed.iter().map(|&(uid, flags)| [uid.into(), flags.into()]).collect();
                let sql = "WITH v(u, f) AS (VALUES {rows}) UPDATE mailbox_message SET file_flags = v.f FROM v \
                           WHERE mailbox_message.account_id = ?1 AND mailbox_message.mailbox_id = ?2 AND mailbox_message.uid = v.u";
                tx.execute_rows_with(sql, &key, &rows).await?;
                let [account, mailbox] = key;
                tx.execute("UPDATE mailbox SET mirrored = ?3 WHERE account_id = ?1 AND id = ?2", &[account, mailbox, step.to.into()]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
