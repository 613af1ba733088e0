//! Messages get a second place.

use std::sync::Arc;

use bodies::{FileName, Name};
use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{Flags, MailboxName, ModSeq, Uid, UidValidity};

use crate::refused::blame;
use crate::change::Log;
use crate::journal::{self, Counts};
use crate::mailbox::{self, Mailbox};
use crate::settle::todo;
use crate::{AccountId, MailboxId, MessageId, Refused, Row, Store, now_ms};

/// Copies messages from one mailbox of an account to another (or the same): all of those that are still there, or none.
#[derive(Debug)]
pub struct Copy {
    pub(crate) account: AccountId,
    pub(crate) from: MailboxId,
    uids: Vec<Uid>,
    pub(crate) to: MailboxName,
    /// For the names of the new files.
    host: Arc<str>,
}

/// Where copied or moved messages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uidvalidity: UidValidity,
    /// Source and target UID of each, ascending in both.
    pub pairs: Vec<(Uid, Uid)>,
}

impl Copy {
    /// Copies `uids` (ascending). Whoever commits it together with other steps leaves its files to the settler.
    pub fn new(store: &Store, account: AccountId, from: MailboxId, uids: Vec<Uid>, to: MailboxName) -> Copy {
        Copy { account, from, uids, to, host: store.bodies().host() }
    }
}

impl Store {
    /// Commits a [`Copy`] alone. Makes the new files at once if they are few; those of many are the settler's, and whoever reads one
    /// before makes it then.
    pub async fn copy(&self, account: AccountId, from: MailboxId, uids: Vec<Uid>, to: &MailboxName) -> Result<Copied, Error> {
        let copied = self.db().commit(Copy::new(self, account, from, uids, to.clone())).await?;
        if copied.pairs.len() <= todo::LINKED_AT_ONCE {
            todo::link_now(self, account).await;
        }
        Ok(copied)
    }
}

impl Step for Copy {
    type Done = Copied;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Copied>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for (index, step) in batch.iter().enumerate() {
                match step.run_one(tx).await {
                    Ok(copied) => done.push(copied),
                    Err(error) => return Err(blame(index, error)),
                }
            }
            Ok(done)
        })
    }
}

/// A message as its source has it.
pub(crate) struct Source {
    pub(crate) row: Row,
    pub(crate) size: i64,
    placed: bool,
    file: String,
    letters: String,
}

impl Source {
    /// Its file, and under which flags to look for it first.
    pub(crate) fn found_as(&self) -> String {
        todo::found_as(&self.file, &self.letters)
    }
}

impl Copy {
    async fn run_one(&self, tx: &mut Tx) -> Result<Copied, Error> {
        let to = mailbox::by_name(tx, self.account, &self.to).await?;
        let to = to.ok_or_else(|| Error::from(Refused::NoSuchMailbox(self.to.as_str().to_owned())))?;
        let sources = self.sources(tx).await?;
        if sources.is_empty() {
            return Ok(Copied { uidvalidity: to.uidvalidity, pairs: Vec::new() });
        }
        let count = sources.len() as i64;
        let first = journal::raise_one(tx, self.account, count).await? - count + 1;
        let mut counts = Counts::default();
        sources.iter().for_each(|source| counts.add(Counts::of(source.row.flags, source.size)));
        self.fits(tx, counts).await?;
        let copies = self.insert(tx, &to, &sources, first).await?;
        let seq = first + count - 1;
        journal::count(tx, &[(self.account, to.id, seq, counts)], false).await?;
        let pairs = sources.iter().zip(&copies).map(|(source, copy)| (source.row.uid, copy.uid)).collect();
        journal::write(tx, &[(self.account, to.id, seq, Log { added: copies, ..Log::default() })]).await?;
        Ok(Copied { uidvalidity: to.uidvalidity, pairs })
    }

    /// Those of the messages that are there, ascending.
    pub(crate) async fn sources(&self, tx: &mut Tx) -> Result<Vec<Source>, Error> {
        let sql = "WITH v(f, l) AS (VALUES {rows}) SELECT p.uid, p.message_id, p.flags, p.modseq, m.size, m.place, p.file, p.file_flags \
                   FROM v CROSS JOIN mailbox_message p JOIN message m ON m.account_id = p.account_id AND m.id = p.message_id \
                   WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l";
        let found = tx.rows_with(sql, &[self.account.into(), self.from.into()], &crate::change::ranges(&self.uids)).await?;
        let source = |found: &db::Row| -> Result<Source, Error> {
            let placed = found.opt_text(5).is_none();
            Ok(Source { row: crate::view::row(found)?, size: found.int(4), placed, file: found.text(6).to_owned(), letters: letters(found.int(7)) })
        };
        let mut sources: Vec<Source> = found.iter().map(source).collect::<Result<_, _>>()?;
        sources.sort_unstable_by_key(|source| source.row.uid);
        sources.dedup_by_key(|source| source.row.uid);
        Ok(sources)
    }

    /// Charges the account; refused when that is over its quota.
    async fn fits(&self, tx: &mut Tx, counts: Counts) -> Result<(), Error> {
        journal::charge(tx, self.account, counts.bytes, counts.total).await?;
        let sql = "SELECT used_bytes, used_msgs, quota_bytes, quota_msgs FROM account WHERE id = ?1";
        let rows = tx.query(sql, &[self.account.into()]).await?;
        let over = |row: &db::Row| row.opt_int(2).is_some_and(|most| row.int(0) > most) || row.opt_int(3).is_some_and(|most| row.int(1) > most);
        if rows.iter().any(over) { Err(Refused::OverQuota.into()) } else { Ok(()) }
    }

    /// Gives the messages their new places, with UIDs of the target and the MODSEQs from `first` on; its counters are the caller's.
    pub(crate) async fn insert(&self, tx: &mut Tx, to: &Mailbox, sources: &[Source], first: i64) -> Result<Vec<Row>, Error> {
        if to.uidnext + sources.len() as u64 > u64::from(u32::MAX) {
            return Err(Refused::Limit("UIDs of the mailbox").into());
        }
        let now = now_ms();
        let from_dir = self.source_dir(tx).await?;
        let (mut rows, mut copies, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for (n, source) in sources.iter().enumerate() {
            let seq = first + n as i64;
            let uid = u32::try_from(to.uidnext + n as u64).ok().and_then(Uid::new);
            let uid = uid.ok_or_else(|| Error::Broken("a UID out of range".into()))?;
            let file = self.file_name(source, uid, now)?;
            // A body that is not a file yet is placed wherever its message lies; a file gets a second name.
            if source.placed {
                links.push((seq, todo::Op::Link, format!("{from_dir}/{}", source.found_as()), format!("{}/{file}:2,{}", to.name.maildir_dir(), source.row.flags.maildir_letters())));
            }
            rows.push(self.row(to, source, uid, seq, now, file));
            copies.push(Row { uid, modseq: ModSeq::new(seq.unsigned_abs()), ..source.row });
        }
        let sql = "INSERT INTO mailbox_message (account_id, mailbox_id, uid, message_id, flags, modseq, savedate, file, file_flags) VALUES {rows}";
        tx.execute_rows::<9>(sql, &rows).await?;
        todo::insert(tx, self.account, &links).await?;
        let sql = "UPDATE mailbox SET uidnext = uidnext + ?3 WHERE account_id = ?1 AND id = ?2";
        tx.execute(sql, &[self.account.into(), to.id.into(), (sources.len() as i64).into()]).await?;
        Ok(copies)
    }

    fn row(&self, to: &Mailbox, source: &Source, uid: Uid, seq: i64, now: i64, file: String) -> [Value; 9] {
        let flags = source.row.flags.bits() as i64;
        let id: MessageId = source.row.id;
        [self.account.into(), to.id.into(), uid.get().into(), id.into(), flags.into(), seq.into(), now.into(), file.into(), flags.into()]
    }

    pub(crate) async fn source_dir(&self, tx: &mut Tx) -> Result<String, Error> {
        let sql = "SELECT name FROM mailbox WHERE account_id = ?1 AND id = ?2";
        let rows = tx.query(sql, &[self.account.into(), self.from.into()]).await?;
        let name = rows.first().and_then(|row| MailboxName::new(row.text(0)).ok());
        name.map(|name| name.maildir_dir()).ok_or_else(|| Refused::NoSuchMailbox(self.from.to_string()).into())
    }

    /// A name of its own, with the sizes of the source's.
    fn file_name(&self, source: &Source, uid: Uid, now: i64) -> Result<String, Error> {
        let hints = bodies::Hints::of(&source.file);
        let size = hints.size.ok_or_else(|| Error::Broken(format!("{}: a file name without S=", source.file)))?;
        let sec = now.unsigned_abs() / 1000;
        let name = FileName { sec, random: Name::random(), host: self.host.clone(), size, wire: source.size.unsigned_abs(), uid: uid.get() };
        Ok(name.to_string())
    }
}

/// The flags a file's name can say.
pub(crate) fn letters(flags: i64) -> String {
    Flags::from_bits(flags.unsigned_abs()).maildir_letters()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MESSAGE, name, on_every_engine};

    /// Second names of many are made after the answer; whoever reads before is not told that there is nothing, not even of the last.
    #[tokio::test(flavor = "multi_thread")]
    async fn many_copies_cost_few_statements_and_can_be_read_before_they_are_files() {
        on_every_engine(|world| async move {
            let many = 1_250;
            world.fill(many).await;
            crate::settle::settle(&world.store).await.unwrap();
            let inbox = world.mailbox("INBOX").await;
            let uids: Vec<Uid> = (1..=many as u32).filter_map(Uid::new).collect();
            let before = db::statements();
            let copied = world.store.copy(world.alice, inbox, uids.clone(), &name("Archive")).await.unwrap();
            let cost = db::statements() - before;
            assert!(cost < 40, "{}: {cost} statements", world.engine);
            // The sources go before the copies are files.
            world.store.expunge(world.alice, inbox, uids, false).await.unwrap();
            let (_, last) = copied.pairs[many - 1];
            assert_eq!(world.read("Archive", last).await, MESSAGE, "{}", world.engine);
            crate::settle::settle(&world.store).await.unwrap();
            assert_eq!(world.read("Archive", copied.pairs[0].1).await, MESSAGE, "{}", world.engine);
        })
        .await;
    }
}
