//! File names say what the flags are: `mailbox.mirrored` is the last `seq` for which they do.

use std::collections::{BTreeSet, HashSet};

use bodies::Job;
use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{MailboxName, Uid};

use crate::change::{Log, runs};
use crate::{AccountId, MailboxId, Store, copy};

/// Transactions of the log looked at in one go.
const LOGS: i64 = 1000;

/// All mailboxes whose names are behind; those of `changed` accounts only, if given.
pub(super) async fn all(store: &Store, changed: Option<HashSet<i64>>) -> Result<(), Error> {
    // Flags of a body that is not a file yet are told by its row: such accounts wait for the next pass.
    let sql = "SELECT account_id, id, name, mirrored FROM mailbox WHERE mirrored < seq AND NOT EXISTS \
               (SELECT 1 FROM body b WHERE b.account_id = mailbox.account_id)";
    let behind = match &changed {
        None => store.db().query(sql, &[]).await?,
        Some(accounts) => {
            let rows: Vec<[Value; 1]> = accounts.iter().map(|&id| [id.into()]).collect();
            let mut tx = store.db().read().await?;
            tx.rows(&format!("{sql} AND account_id IN (VALUES {{rows}})"), &rows).await?
        }
    };
    for row in behind {
        let _one = store.inner.homes.one_at_a_time().await;
        let name = MailboxName::new(row.text(2)).map_err(|error| Error::Broken(error.to_string()))?;
        let mut from = row.int(3);
        while let Some(to) = mailbox(store, AccountId::new(row.int(0)), MailboxId::new(row.int(1)), &name, from).await? {
            from = to;
        }
    }
    Ok(())
}

/// Renames the files of one part of the log; gives how far it reached while there may be more.
async fn mailbox(store: &Store, account: AccountId, id: MailboxId, name: &MailboxName, from: i64) -> Result<Option<i64>, Error> {
    let sql = "SELECT seq, what FROM change WHERE account_id = ?1 AND mailbox_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
    let rows = store.db().query(sql, &[account.into(), id.into(), from.into(), LOGS.into()]).await?;
    let Some(to) = rows.last().map(|row| row.int(0)) else { return Ok(None) };
    let logs = rows.iter().filter_map(|row| Log::unpack(&row.blob(1).unwrap_or_default()));
    let uids: BTreeSet<Uid> = logs.flat_map(|log| log.flagged.into_iter().map(|row| row.uid)).collect();
    let uids: Vec<Uid> = uids.into_iter().collect();
    let home = store.home(account).await?;
    let folder = store.bodies().folder(&home, &name.maildir_dir()).map_err(|error| Error::Engine(error.to_string()))?;
    let (mut jobs, mut renamed) = (Vec::new(), Vec::new());
    for (first, count) in runs(&uids) {
        let sql = "SELECT uid, file, flags, file_flags FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2 AND uid BETWEEN ?3 AND ?4";
        let last = i64::from(first) + i64::from(count) - 1;
        for row in store.db().query(sql, &[account.into(), id.into(), first.into(), last.into()]).await? {
            let (new, old) = (copy::letters(row.int(2)), copy::letters(row.int(3)));
            if new != old {
                jobs.push(Job::Letters { file: folder.file(row.text(1), &old), letters: new });
            }
            renamed.push((row.int(0), row.int(2)));
        }
    }
    for result in store.bodies().work(jobs).await.map_err(|error| Error::Engine(error.to_string()))? {
        match result {
            // Removed by others, or by an expunge that is still to be done.
            Err(error) if !error.is_vanished() => return Err(Error::Engine(error.to_string())),
            _ => {}
        }
    }
    store.db().commit(Mirrored { account, mailbox: id, to, renamed }).await?;
    Ok((rows.len() as i64 == LOGS).then_some(to))
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
                tx.rows_with(sql, &key, &rows).await?;
                let [account, mailbox] = key;
                tx.query("UPDATE mailbox SET mirrored = ?3 WHERE account_id = ?1 AND id = ?2", &[account, mailbox, step.to.into()]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
