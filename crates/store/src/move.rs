//! Messages change their mailbox.

use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{MailboxName, Uid};

use crate::change::Log;
use crate::copy::Source;
use crate::journal::{self, Counts};
use crate::mailbox::{self, Mailbox};
use crate::refused::blame;
use crate::settle::todo;
use crate::{AccountId, Copied, Copy, MailboxId, Refused, Row, Store};

/// Moves messages from one mailbox of an account to another (or the same, where they get new UIDs): all of those that are
/// still there, or none. The account holds as much afterwards as before, so no quota is asked.
#[derive(Debug)]
pub struct Move(Copy);

impl Move {
    /// Moves `uids` (ascending). Whoever commits it together with other steps leaves its files to the settler.
    pub fn new(store: &Store, account: AccountId, from: MailboxId, uids: Vec<Uid>, to: MailboxName) -> Move {
        Move(Copy::new(store, account, from, uids, to))
    }
}

impl Store {
    /// Commits a [`Move`] alone; the new files are made as those of [`Store::copy`].
    pub async fn r#move(&self, account: AccountId, from: MailboxId, uids: Vec<Uid>, to: &MailboxName) -> Result<Copied, Error> {
        let moved = self.db().commit(Move::new(self, account, from, uids, to.clone())).await?;
        if moved.pairs.len() <= todo::LINKED_AT_ONCE {
            todo::link_now(self, account).await;
        }
        Ok(moved)
    }
}

impl Step for Move {
    type Done = Copied;
    fn locks(&self, locks: &mut Locks) {
        self.0.locks(locks);
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Copied>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for (index, step) in batch.iter().enumerate() {
                match step.run_one(tx).await {
                    Ok(moved) => done.push(moved),
                    Err(error) => return Err(blame(index, error)),
                }
            }
            Ok(done)
        })
    }
}

impl Move {
    async fn run_one(&self, tx: &mut Tx) -> Result<Copied, Error> {
        let Move(copy) = self;
        let to = mailbox::by_name(tx, copy.account, &copy.to).await?;
        let to = to.ok_or_else(|| Error::from(Refused::NoSuchMailbox(copy.to.as_str().to_owned())))?;
        let sources = copy.sources(tx).await?;
        if sources.is_empty() {
            return Ok(Copied { uidvalidity: to.uidvalidity, pairs: Vec::new() });
        }
        // A number for each new place, and one for the work on each old file, which comes after that on the new.
        let count = sources.len() as i64;
        let seq = journal::raise_one(tx, copy.account, 2 * count).await?;
        let moved = copy.insert(tx, &to, &sources, seq - 2 * count + 1).await?;
        self.remove(tx, &sources, seq - count + 1).await?;
        self.account_for(tx, &to, &sources, moved.clone(), seq).await?;
        let pairs = sources.iter().zip(&moved).map(|(source, moved)| (source.row.uid, moved.uid)).collect();
        Ok(Copied { uidvalidity: to.uidvalidity, pairs })
    }

    /// Deletes the old places. Their files are removed even where there is none yet: one may be written at this moment.
    async fn remove(&self, tx: &mut Tx, sources: &[Source], first: i64) -> Result<(), Error> {
        let Move(copy) = self;
        let from = copy.source_dir(tx).await?;
        let uids: Vec<[Value; 1]> = sources.iter().map(|source| [source.row.uid.get().into()]).collect();
        let sql = "DELETE FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2 AND uid IN (VALUES {rows})";
        tx.execute_rows_with(sql, &[copy.account.into(), copy.from.into()], &uids).await?;
        let remove = |(n, source): (usize, &Source)| (first + n as i64, todo::Op::RemoveFile, from.clone(), source.found_as());
        todo::insert(tx, copy.account, &sources.iter().enumerate().map(remove).collect::<Vec<_>>()).await
    }

    /// The counters and the logs of both mailboxes, or of the one.
    async fn account_for(&self, tx: &mut Tx, to: &Mailbox, sources: &[Source], added: Vec<Row>, seq: i64) -> Result<(), Error> {
        let Move(copy) = self;
        let (account, from) = (copy.account, copy.from);
        let mut counts = Counts::default();
        sources.iter().for_each(|source| counts.add(Counts::of(source.row.flags, source.size)));
        let vanished = sources.iter().map(|source| source.row.uid).collect();
        let (changes, logs) = match from == to.id {
            true => (vec![(account, from, seq, Counts::default())], vec![(account, from, seq, Log { added, vanished, ..Log::default() })]),
            false => {
                let gone = Log { vanished, ..Log::default() };
                let come = Log { added, ..Log::default() };
                (vec![(account, from, seq, counts.negative()), (account, to.id, seq, counts)], vec![(account, from, seq, gone), (account, to.id, seq, come)])
            }
        };
        journal::count(tx, &changes, false).await?;
        journal::write(tx, &logs).await
    }
}
