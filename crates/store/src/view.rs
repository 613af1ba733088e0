//! The messages of a mailbox as a packed value, kept in memory and brought up to date by the log.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use db::{Error, Tx};
use mail::{Flags, MailboxName, ModSeq, Uid};

use crate::change::Log;
use crate::lately::{Lately, Shared};
use crate::snapshot::{self, Snapshot};
use crate::{AccountId, Keywords, Mailbox, MailboxId, MessageId, Refused, Store};

/// What changes about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name in the mailbox.
    pub uid: Uid,
    /// The message.
    pub id: MessageId,
    /// Flags and keywords (the account's [`Keywords`] name the latter).
    pub flags: Flags,
    /// When they last changed.
    pub modseq: ModSeq,
}

/// A mailbox as it was at `modseq`.
#[derive(Clone, Debug)]
pub struct View {
    /// Its counters at the same moment.
    pub mailbox: Mailbox,
    /// The account's `seq` it shows.
    pub modseq: ModSeq,
    /// Its messages by ascending UID.
    pub rows: Vec<Row>,
    /// The account's keywords at that moment.
    pub keywords: Keywords,
    derived: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl View {
    /// What a protocol makes of the rows, made once and shared by all sessions that open this view. It goes with the view.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl Fn(&[Row]) -> T) -> Arc<T> {
        let kept = self.derived.get_or_init(|| Arc::new(make(&self.rows))).clone();
        // Only of a second protocol, which then makes its own.
        kept.downcast().unwrap_or_else(|_| Arc::new(make(&self.rows)))
    }
}

/// What happened to a mailbox between two moments.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The account's `seq` they lead to.
    pub to: ModSeq,
    /// The last of them, as the mailbox's highest MODSEQ; zero if there are none.
    pub highest: ModSeq,
    /// New messages by ascending UID, with their flags at that moment.
    pub added: Vec<Row>,
    /// Messages that were there and whose flags changed, by ascending UID.
    pub flagged: Vec<Row>,
    /// UIDs that are gone, ascending; possibly some that came and went unseen.
    pub vanished: Vec<Uid>,
    /// The account's keywords, in case new ones were named.
    pub keywords: Keywords,
}

/// What a mailbox became.
pub enum Since {
    /// These changes.
    Changes(Changes),
    /// The log does not reach back so far: look at the whole again.
    Forgotten,
    /// The mailbox is gone.
    Gone,
}

/// Views of mailboxes that were opened lately, shared by their sessions.
pub(crate) type Views = Lately<(AccountId, MailboxId), Kept>;

/// A view, and how many of its rows changed since its snapshot was written.
#[derive(Clone)]
pub(crate) struct Kept {
    view: Arc<View>,
    unsaved: usize,
}

impl Shared for Kept {
    /// Messages, over all views: 32 bytes each, and as many of what is derived, so 64 MiB.
    const MOST: usize = 1 << 20;

    fn weight(&self) -> usize {
        self.view.rows.len() + 64
    }

    fn is_held(&self) -> bool {
        Arc::strong_count(&self.view) > 1
    }

    fn replaces(&self, known: &Kept) -> bool {
        known.view.modseq <= self.view.modseq
    }
}

impl Store {
    /// The mailbox `name` of `account` as it is now. Refused when there is none.
    pub async fn open(&self, account: AccountId, name: &MailboxName) -> Result<Arc<View>, Error> {
        if let Some(view) = self.open_known(account, name).await? {
            return Ok(view);
        }
        let mut tx = self.db().read().await?;
        let mailbox = crate::mailbox::by_name(&mut tx, account, name).await?;
        let mailbox = mailbox.ok_or_else(|| Error::from(Refused::NoSuchMailbox(name.as_str().to_owned())))?;
        self.view(tx, account, mailbox).await
    }

    /// The same of a mailbox by its id; None when it is gone.
    pub(crate) async fn open_by_id(&self, account: AccountId, id: MailboxId) -> Result<Option<Arc<View>>, Error> {
        let mut tx = self.db().read().await?;
        match crate::mailbox::by_id(&mut tx, account, id).await? {
            Some(mailbox) => self.view(tx, account, mailbox).await.map(Some),
            None => Ok(None),
        }
    }

    /// The view of `mailbox`, read in `tx` before.
    async fn view(&self, mut tx: Tx, account: AccountId, mailbox: Mailbox) -> Result<Arc<View>, Error> {
        let now = seq(&mut tx, account).await?;
        let keywords = crate::keyword::load(&mut tx, account).await?;
        // A view that somebody loaded after our snapshot was taken shows more than we may tell of: it is of no use here.
        let known = self.inner.views.get((account, mailbox.id)).filter(|kept| kept.view.modseq <= now);
        if let Some(Kept { view, .. }) = &known
            && (view.modseq, &view.mailbox, &view.keywords) == (now, &mailbox, &keywords)
        {
            return Ok(view.clone());
        }
        let (rows, mut unsaved) = match known {
            Some(kept) => match changes(&mut tx, account, mailbox.id, kept.view.modseq).await? {
                Some((log, _)) => (apply(&kept.view.rows, &log), kept.unsaved.saturating_add(log.len())),
                None => self.load(&mut tx, account, &mailbox, now).await?,
            },
            None => self.load(&mut tx, account, &mailbox, now).await?,
        };
        let due = snapshot::is_due(rows.len(), unsaved);
        let mark = if due { Some(self.mark(&mut tx, account).await?) } else { None };
        drop(tx);
        let view = Arc::new(View { mailbox, modseq: now, rows, keywords, derived: OnceLock::new() });
        if let Some(mark) = mark {
            unsaved = 0;
            let (mailbox, uidvalidity) = (view.mailbox.id.get(), view.mailbox.uidvalidity.get());
            self.keep_snapshot(Snapshot { account: account.get(), mailbox, uidvalidity, modseq: now.get(), mark, rows: view.rows.clone() }).await;
        }
        self.inner.views.keep((account, view.mailbox.id), Kept { view: view.clone(), unsaved });
        self.tend();
        Ok(view)
    }

    /// A view that is kept and shows the mailbox as it is now: for one question, since mailboxes are opened again and again.
    async fn open_known(&self, account: AccountId, name: &MailboxName) -> Result<Option<Arc<View>>, Error> {
        let Some((mailbox, seq, keywords)) = crate::mailbox::at_a_glance(self.db(), account, name).await? else {
            return Err(Refused::NoSuchMailbox(name.as_str().to_owned()).into());
        };
        let known = self.inner.views.get((account, mailbox.id)).map(|kept| kept.view);
        Ok(known.filter(|view| (view.modseq, view.keywords.len(), &view.mailbox) == (seq, keywords, &mailbox)))
    }

    /// Whether nothing happened in the account since its `seq` was `since` and it had these keywords: what is asked after every command,
    /// and mostly so.
    pub async fn is_unchanged(&self, account: AccountId, since: ModSeq, keywords: &Keywords) -> Result<bool, Error> {
        let sql = "SELECT seq, (SELECT COUNT(*) FROM keyword WHERE account_id = ?1) FROM account WHERE id = ?1";
        let rows = self.db().query(sql, &[account.into()]).await?;
        Ok(rows.first().is_some_and(|row| (row.int(0).unsigned_abs(), row.int(1)) == (since.get(), keywords.len() as i64)))
    }

    /// The rows of a mailbox from its snapshot and the log, else from the database; and how many its snapshot has not.
    async fn load(&self, tx: &mut Tx, account: AccountId, mailbox: &Mailbox, now: ModSeq) -> Result<(Vec<Row>, usize), Error> {
        if let Some(snapshot) = self.snapshot(tx, account, mailbox, now).await?
            && let Some((log, _)) = changes(tx, account, mailbox.id, ModSeq::new(snapshot.modseq)).await?
        {
            let rows = apply(&snapshot.rows, &log);
            if agrees(&rows, mailbox) {
                return Ok((rows, log.len()));
            }
            tracing::warn!("the snapshot of mailbox {} of account {account} contradicts its counters; it is written anew", mailbox.id);
        }
        Ok((load(tx, account, mailbox.id).await?, usize::MAX))
    }

    /// What happened to `mailbox` since the account's `seq` was `since`.
    pub async fn changes(&self, account: AccountId, mailbox: MailboxId, since: ModSeq) -> Result<Since, Error> {
        let mut tx = self.db().read().await?;
        let to = seq(&mut tx, account).await?;
        if to == since {
            let keywords = crate::keyword::load(&mut tx, account).await?;
            return Ok(Since::Changes(Changes { to, keywords, ..Changes::default() }));
        }
        let there = "SELECT id FROM mailbox WHERE account_id = ?1 AND id = ?2";
        if tx.query(there, &[account.into(), mailbox.into()]).await?.is_empty() {
            return Ok(Since::Gone);
        }
        let keywords = crate::keyword::load(&mut tx, account).await?;
        let Some((log, highest)) = changes(&mut tx, account, mailbox, since).await? else { return Ok(Since::Forgotten) };
        Ok(Since::Changes(Changes { to, highest, added: log.added, flagged: log.flagged, vanished: log.vanished, keywords }))
    }
}

async fn seq(tx: &mut Tx, account: AccountId) -> Result<ModSeq, Error> {
    let rows = tx.query("SELECT seq FROM account WHERE id = ?1", &[account.into()]).await?;
    let row = rows.first().ok_or_else(|| Error::from(Refused::NoSuchAccount(account.to_string())))?;
    Ok(ModSeq::new(row.int(0).unsigned_abs()))
}

/// Whether rows are as many, unseen and deleted as the counters say.
fn agrees(rows: &[Row], mailbox: &Mailbox) -> bool {
    let count = |is: fn(Flags) -> bool| rows.iter().filter(|row| is(row.flags)).count() as u64;
    rows.len() as u64 == mailbox.total
        && count(|flags| !flags.contains(Flags::SEEN)) == mailbox.unseen
        && count(|flags| flags.contains(Flags::DELETED)) == mailbox.deleted
        && rows.last().is_none_or(|row| u64::from(row.uid.get()) < mailbox.uidnext)
}

async fn load(tx: &mut Tx, account: AccountId, mailbox: MailboxId) -> Result<Vec<Row>, Error> {
    let sql = "SELECT uid, message_id, flags, modseq FROM mailbox_message WHERE account_id = ?1 AND mailbox_id = ?2 ORDER BY uid";
    let rows = tx.query(sql, &[account.into(), mailbox.into()]).await?;
    rows.iter().map(row).collect()
}

/// A row of `uid, message_id, flags, modseq`.
pub(crate) fn row(row: &db::Row) -> Result<Row, Error> {
    let flags = Flags::from_bits(row.int(2).unsigned_abs());
    Ok(Row { uid: uid(row.int(0))?, id: MessageId::new(row.int(1)), flags, modseq: ModSeq::new(row.int(3).unsigned_abs()) })
}

/// A UID as it stands in the database.
pub(crate) fn uid(number: i64) -> Result<Uid, Error> {
    u32::try_from(number).ok().and_then(Uid::new).ok_or_else(|| Error::Broken(format!("UID {number} in the database")))
}

/// The log since `since` as one, and its last number; None when it does not reach back so far.
async fn changes(tx: &mut Tx, account: AccountId, mailbox: MailboxId, since: ModSeq) -> Result<Option<(Log, ModSeq)>, Error> {
    let floor = tx.query("SELECT floor FROM account WHERE id = ?1", &[account.into()]).await?;
    if floor.first().is_none_or(|row| row.int(0).unsigned_abs() > since.get()) {
        return Ok(None);
    }
    let sql = "SELECT what, seq FROM change WHERE account_id = ?1 AND seq > ?2 AND mailbox_id = ?3 ORDER BY seq";
    let since = i64::try_from(since.get()).unwrap_or(i64::MAX);
    let rows = tx.query(sql, &[account.into(), since.into(), mailbox.into()]).await?;
    let logs: Option<Vec<Log>> = rows.iter().map(|row| Log::unpack(&row.blob(0).unwrap_or_default())).collect();
    let highest = rows.last().map_or(ModSeq::ZERO, |row| ModSeq::new(row.int(1).unsigned_abs()));
    Ok(logs.map(|logs| (merge(logs), highest)))
}

/// Several transactions as one: the last flags of each message; what came and went is only gone.
fn merge(mut logs: Vec<Log>) -> Log {
    // Most often there is one, which names each message once.
    if logs.len() == 1
        && let Some(only) = logs.pop_if(|only| only.vanished.is_empty() || (only.added.is_empty() && only.flagged.is_empty()))
    {
        return only;
    }
    let mut added: HashMap<Uid, Row> = HashMap::new();
    let mut flagged: HashMap<Uid, Row> = HashMap::new();
    let mut vanished = Vec::new();
    for log in logs {
        added.extend(log.added.into_iter().map(|row| (row.uid, row)));
        for row in log.flagged {
            match added.get_mut(&row.uid) {
                Some(new) => *new = row,
                None => {
                    flagged.insert(row.uid, row);
                }
            }
        }
        for uid in log.vanished {
            added.remove(&uid);
            flagged.remove(&uid);
            vanished.push(uid);
        }
    }
    vanished.sort_unstable();
    Log { added: ascending(added), flagged: ascending(flagged), vanished }
}

fn ascending(rows: HashMap<Uid, Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_unstable_by_key(|row| row.uid);
    rows
}

/// `rows` after `log`.
fn apply(rows: &[Row], log: &Log) -> Vec<Row> {
    let mut after = Vec::with_capacity(rows.len() + log.added.len());
    // All three ascend.
    let (mut flagged, mut vanished) = (log.flagged.as_slice(), log.vanished.as_slice());
    for row in rows {
        vanished = from(vanished, row.uid, |uid| *uid);
        flagged = from(flagged, row.uid, |row| row.uid);
        if vanished.first() != Some(&row.uid) {
            after.push(flagged.first().filter(|now| now.uid == row.uid).copied().unwrap_or(*row));
        }
    }
    // New messages have higher UIDs than all before them, but not than a message that the view already had.
    let last = after.last().map(|row| row.uid);
    after.extend(log.added.iter().filter(|row| last.is_none_or(|last| row.uid > last)));
    after
}

/// What of an ascending list is not below `uid`.
fn from<T>(list: &[T], uid: Uid, of: impl Fn(&T) -> Uid) -> &[T] {
    let below = list.iter().take_while(|item| of(item) < uid).count();
    list.get(below..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(uid: u32, flags: Flags) -> Row {
        Row { uid: Uid::new(uid).unwrap(), id: MessageId::new(uid.into()), flags, modseq: ModSeq::new(uid.into()) }
    }
    fn uids(rows: &[Row]) -> Vec<u32> {
        rows.iter().map(|row| row.uid.get()).collect()
    }

    #[test]
    fn what_came_and_went_is_only_gone() {
        let came = Log { added: vec![row(5, Flags::EMPTY), row(6, Flags::EMPTY)], ..Log::default() };
        let went = Log { vanished: vec![Uid::new(5).unwrap()], flagged: vec![row(6, Flags::SEEN), row(1, Flags::SEEN)], ..Log::default() };
        let merged = merge(vec![came, went]);
        assert_eq!((uids(&merged.added), uids(&merged.flagged)), (vec![6], vec![1]));
        assert_eq!(merged.added[0].flags, Flags::SEEN);
        assert_eq!(merged.vanished, [Uid::new(5).unwrap()]);
    }

    #[test]
    fn a_view_follows_the_log() {
        let before = [row(1, Flags::EMPTY), row(2, Flags::EMPTY), row(3, Flags::EMPTY)];
        let log = Log { added: vec![row(4, Flags::EMPTY)], flagged: vec![row(3, Flags::SEEN)], vanished: vec![Uid::new(2).unwrap()] };
        let after = apply(&before, &log);
        assert_eq!(uids(&after), [1, 3, 4]);
        assert_eq!(after[1].flags, Flags::SEEN);
    }
}
