//! Flags of messages.

use std::sync::Arc;

use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{Flags, ModSeq, Uid};

use crate::change::{self, Log};
use crate::journal::{self, Counts};
use crate::{AccountId, MailboxId, Row, Store, View, view};

/// From so many messages on the view is brought up to date first: it tells without the database what they are.
const MANY: usize = 1_000;
/// A range of UIDs is a statement of its own when they hold so many messages each, on the average; else each message is a row of one.
const WORTH_A_STATEMENT: usize = 16;

/// How flags change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are set as well.
    Add(Flags),
    /// These are cleared.
    Remove(Flags),
    /// Exactly these are set.
    Replace(Flags),
}

impl Change {
    /// `flags` after it.
    pub fn apply(self, flags: Flags) -> Flags {
        match self {
            Change::Add(more) => flags | more,
            Change::Remove(less) => flags.without(less),
            Change::Replace(all) => all,
        }
    }

    /// The same for a statement: the bits that stay, and those that are set then.
    fn masks(self) -> (i64, i64) {
        match self {
            Change::Add(more) => (!0, more.bits() as i64),
            Change::Remove(less) => (!(less.bits() as i64), 0),
            Change::Replace(all) => (0, all.bits() as i64),
        }
    }
}

/// Changes the flags of messages of one mailbox, those that are still there.
#[derive(Debug)]
pub struct SetFlags {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub mailbox: MailboxId,
    /// Which, ascending.
    pub uids: Vec<Uid>,
    /// How.
    pub change: Change,
    /// Only those whose MODSEQ is not above this (RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
    /// The mailbox as it was a moment ago: if nothing happened in it since, its rows need not be read.
    seen: Option<Arc<View>>,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// All that were there and not `modified`, as they are now; those that had these flags already keep their MODSEQ.
    pub rows: Vec<Row>,
    /// Those left alone because of `unchanged_since`.
    pub modified: Vec<Uid>,
}

impl Store {
    /// Commits a [`SetFlags`] alone. Where it is found to change nothing of many messages, nothing is committed.
    pub async fn set_flags(&self, account: AccountId, mailbox: MailboxId, uids: Vec<Uid>, change: Change, unchanged_since: Option<ModSeq>) -> Result<Stored, Error> {
        let mut step = SetFlags { account, mailbox, uids, change, unchanged_since, seen: None };
        if step.uids.len() >= MANY {
            step.seen = self.open_by_id(account, mailbox).await?;
            if let Some(view) = &step.seen {
                let outcome = step.outcome(chosen(&view.rows, &step.uids));
                if outcome.changed.is_empty() {
                    return Ok(outcome.stored);
                }
            }
        }
        self.db().commit(step).await
    }
}

impl Step for SetFlags {
    type Done = Stored;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Stored>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for step in batch {
                done.push(step.run_one(tx).await?);
            }
            Ok(done)
        })
    }
}

/// What a change comes to, before it is written.
struct Outcome {
    stored: Stored,
    /// Of `stored.rows`, by index, those that change; and the flags they had.
    changed: Vec<(usize, Flags)>,
}

impl SetFlags {
    /// What it comes to for these rows, ascending.
    fn outcome(&self, rows: impl Iterator<Item = Row>) -> Outcome {
        let (mut stored, mut changed) = (Stored::default(), Vec::new());
        for row in rows {
            if self.unchanged_since.is_some_and(|since| row.modseq > since) {
                stored.modified.push(row.uid);
                continue;
            }
            let flags = self.change.apply(row.flags);
            if flags != row.flags {
                changed.push((stored.rows.len(), row.flags));
            }
            stored.rows.push(Row { flags, ..row });
        }
        Outcome { stored, changed }
    }

    /// The mailbox's rows, all of them, when what was seen is still so.
    async fn still_so(&self, tx: &mut Tx) -> Result<Option<&[Row]>, Error> {
        let Some(view) = &self.seen else { return Ok(None) };
        let sql = "SELECT seq FROM mailbox WHERE account_id = ?1 AND id = ?2";
        let rows = tx.query(sql, &[self.account.into(), self.mailbox.into()]).await?;
        // Whatever changes a row of a mailbox raises its `seq`.
        let same = rows.first().is_some_and(|row| row.int(0).unsigned_abs() == view.mailbox.highest.get());
        Ok(same.then_some(view.rows.as_slice()))
    }

    async fn run_one(&self, tx: &mut Tx) -> Result<Stored, Error> {
        let (Outcome { mut stored, changed }, all) = match self.still_so(tx).await? {
            Some(all) => (self.outcome(chosen(all, &self.uids)), Some(all)),
            None => (self.outcome(rows_of(tx, self.account, self.mailbox, &self.uids).await?.into_iter()), None),
        };
        if changed.is_empty() {
            return Ok(stored);
        }
        let seq = journal::raise_one(tx, self.account, 1).await?;
        let mut counts = Counts::default();
        let mut log = Log::default();
        for (index, before) in changed {
            let row = &mut stored.rows[index];
            row.modseq = ModSeq::new(seq.unsigned_abs());
            counts.add(Counts::of(before, 0).negative());
            counts.add(Counts::of(row.flags, 0));
            log.flagged.push(*row);
        }
        let ranges = match all {
            Some(all) => ranges_among(all, &log.flagged),
            None => change::runs(log.flagged.iter().map(|row| row.uid)).into_iter().map(|(first, count)| (first, first + (count - 1))).collect(),
        };
        match ranges.len() * WORTH_A_STATEMENT <= log.flagged.len() {
            true => self.write_ranges(tx, &ranges, seq).await?,
            false => write(tx, self.account, self.mailbox, &log.flagged).await?,
        }
        journal::count(tx, &[(self.account, self.mailbox, seq, counts)], true).await?;
        journal::write(tx, &[(self.account, self.mailbox, seq, log)]).await?;
        Ok(stored)
    }

    /// Changes all that there are in these ranges.
    async fn write_ranges(&self, tx: &mut Tx, ranges: &[(u32, u32)], seq: i64) -> Result<(), Error> {
        let (keep, set) = self.change.masks();
        let sql = "UPDATE mailbox_message SET flags = (flags & ?3) | ?4, modseq = ?5 \
                   WHERE account_id = ?1 AND mailbox_id = ?2 AND uid BETWEEN ?6 AND ?7";
        for &(first, last) in ranges {
            tx.execute(sql, &[self.account.into(), self.mailbox.into(), keep.into(), set.into(), seq.into(), first.into(), last.into()]).await?;
        }
        Ok(())
    }
}

/// Of the rows of a mailbox those of these UIDs; both ascend.
fn chosen<'r>(all: &'r [Row], uids: &'r [Uid]) -> impl Iterator<Item = Row> + 'r {
    let mut rest = all;
    uids.iter().filter_map(move |uid| {
        let below = rest.iter().take_while(|row| row.uid < *uid).count();
        rest = rest.get(below..).unwrap_or_default();
        rest.first().filter(|row| row.uid == *uid).copied()
    })
}

/// The fewest ranges of UIDs that hold these rows and no other of the mailbox's, which `all` are: where nothing lies between two, they
/// share one. Both ascend.
fn ranges_among(all: &[Row], some: &[Row]) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut wanted = some.iter().map(|row| row.uid).peekable();
    let mut goes_on = false;
    for uid in all.iter().map(|row| row.uid) {
        let is_wanted = wanted.next_if_eq(&uid).is_some();
        match ranges.last_mut() {
            Some(range) if is_wanted && goes_on => range.1 = uid.get(),
            _ if is_wanted => ranges.push((uid.get(), uid.get())),
            _ => {}
        }
        goes_on = is_wanted;
    }
    ranges
}

async fn write(tx: &mut Tx, account: AccountId, mailbox: MailboxId, rows: &[Row]) -> Result<(), Error> {
    let row = |row: &Row| -> [Value; 3] { [row.uid.get().into(), (row.flags.bits() as i64).into(), (row.modseq.get() as i64).into()] };
    let rows: Vec<[Value; 3]> = rows.iter().map(row).collect();
    let sql = "WITH v(u, f, m) AS (VALUES {rows}) UPDATE mailbox_message SET flags = v.f, modseq = v.m FROM v \
               WHERE mailbox_message.account_id = ?1 AND mailbox_message.mailbox_id = ?2 AND mailbox_message.uid = v.u";
    tx.execute_rows_with(sql, &[account.into(), mailbox.into()], &rows).await?;
    Ok(())
}

/// The rows of these UIDs (ascending) that are there, ascending. One statement, however scattered they are.
pub(crate) async fn rows_of(tx: &mut Tx, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<Row>, Error> {
    let sql = "WITH v(f, l) AS (VALUES {rows}) SELECT p.uid, p.message_id, p.flags, p.modseq FROM v CROSS JOIN mailbox_message p \
               WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l";
    let found = tx.rows_with(sql, &[account.into(), mailbox.into()], &crate::change::ranges(uids)).await?;
    let mut rows: Vec<Row> = found.iter().map(view::row).collect::<Result<_, _>>()?;
    rows.sort_unstable_by_key(|row| row.uid);
    rows.dedup_by_key(|row| row.uid);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, name, on_every_engine};

    fn uids(numbers: impl IntoIterator<Item = u32>) -> Vec<Uid> {
        numbers.into_iter().filter_map(Uid::new).collect()
    }

    fn row(uid: u32) -> Row {
        Row { uid: Uid::new(uid).unwrap(), id: crate::MessageId::new(uid.into()), flags: Flags::EMPTY, modseq: ModSeq::ZERO }
    }

    /// The rows as the database has them.
    async fn rows(world: &World, mailbox: MailboxId) -> Vec<Row> {
        let sql = "SELECT uid, message_id, flags, modseq FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2 ORDER BY uid";
        let rows = world.store.db().query(sql, &[world.alice.into(), mailbox.into()]).await.unwrap();
        rows.iter().map(|row| view::row(row).unwrap()).collect()
    }

    #[test]
    fn ranges_leap_over_what_is_gone_and_stop_at_what_stays() {
        let all: Vec<Row> = [1, 2, 5, 9, 10, 11].map(row).to_vec();
        for (some, expected) in [
            (&[1, 2, 5, 9, 10, 11][..], &[(1, 11)][..]),
            (&[1, 5, 9], &[(1, 1), (5, 9)]),
            (&[11], &[(11, 11)]),
            (&[], &[]),
        ] {
            let some: Vec<Row> = some.iter().map(|uid| row(*uid)).collect();
            assert_eq!(ranges_among(&all, &some), expected, "{some:?}");
        }
        assert_eq!(chosen(&all, &uids([2, 3, 9, 12])).map(|row| row.uid.get()).collect::<Vec<_>>(), [2, 9]);
    }

    /// What a client does with all of a large mailbox costs no statement a message; and nothing is written when nothing changes.
    #[tokio::test(flavor = "multi_thread")]
    async fn flags_of_a_whole_mailbox_are_a_few_statements_and_none_is_written_twice() {
        on_every_engine(|world| async move {
            world.fill(3 * MANY).await;
            let inbox = world.mailbox("INBOX").await;
            let count = 3 * MANY as u32;
            // A gap, which divides no range.
            world.store.expunge(world.alice, inbox, uids(50..60), false).await.unwrap();
            world.store.open(world.alice, &name("INBOX")).await.unwrap();
            let store = async |change, since| {
                let before = db::statements();
                let stored = world.store.set_flags(world.alice, inbox, uids(1..=count), change, since).await.unwrap();
                (stored, db::statements() - before)
            };
            for change in [Change::Add(Flags::SEEN), Change::Replace(Flags::DELETED), Change::Remove(Flags::DELETED)] {
                let (stored, cost) = store(change, None).await;
                assert_eq!(stored.rows, rows(&world, inbox).await, "{} {change:?}", world.engine);
                assert!(stored.rows.iter().all(|row| row.flags == change.apply(row.flags)), "{}", world.engine);
                assert!(cost < 30, "{}: {cost} statements", world.engine);
                let seq = world.seq(world.alice).await;
                let (again, cost) = store(change, None).await;
                assert_eq!((again.rows, world.seq(world.alice).await), (stored.rows, seq), "{}", world.engine);
                assert!(cost < 12, "{}: {cost} statements", world.engine);
            }
            // Every other one: too many ranges, so rows; and UNCHANGEDSINCE leaves those alone that changed.
            let since = ModSeq::new(world.seq(world.alice).await.unsigned_abs());
            let odd = uids((1..=count).step_by(2));
            let flagged = world.store.set_flags(world.alice, inbox, odd, Change::Add(Flags::FLAGGED), None).await.unwrap();
            let (stored, _) = store(Change::Add(Flags::SEEN), Some(since)).await;
            assert_eq!(stored.modified, flagged.rows.iter().map(|row| row.uid).collect::<Vec<_>>(), "{}", world.engine);
            let all = rows(&world, inbox).await;
            let is = |row: &Row| if row.uid.get() % 2 == 1 { Flags::FLAGGED } else { Flags::SEEN };
            assert!(all.iter().all(|row| row.flags == is(row)), "{}", world.engine);
            assert_eq!(world.store.open(world.alice, &name("INBOX")).await.unwrap().rows, all, "{}", world.engine);
        })
        .await;
    }

    /// The mailbox changes between the look and the commit: what was seen counts no more.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_view_that_is_behind_decides_nothing() {
        on_every_engine(|world| async move {
            world.fill(250).await;
            let (account, mailbox) = (world.alice, world.mailbox("INBOX").await);
            let seen = world.store.open_by_id(account, mailbox).await.unwrap();
            world.store.expunge(account, mailbox, uids([3]), false).await.unwrap();
            world.store.set_flags(account, mailbox, uids([5]), Change::Add(Flags::FLAGGED), None).await.unwrap();
            let step = SetFlags { account, mailbox, uids: uids(1..=250), change: Change::Add(Flags::SEEN), unchanged_since: None, seen };
            let stored = world.store.db().commit(step).await.unwrap();
            assert_eq!(stored.rows, rows(&world, mailbox).await, "{}", world.engine);
            assert_eq!((stored.rows.len(), stored.rows[3].flags), (249, Flags::SEEN | Flags::FLAGGED), "{}", world.engine);
        })
        .await;
    }
}
