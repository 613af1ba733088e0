//! A new message in a mailbox: delivery and APPEND.

use std::collections::{BTreeMap, HashMap, HashSet};

use bodies::Sealed;
use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::{Date, Flags, MailboxName, ModSeq, Uid, UidValidity};

use crate::change::Log;
use crate::journal::{self, Counts};
use crate::refused::culprit;
use crate::{AccountId, MailboxId, MessageId, Refused, Row, now_ms};

/// Puts one message into one mailbox. Refused when the mailbox is not there, the account is over quota or the
/// mailbox has used up its UIDs.
#[derive(Debug)]
pub struct Deposit {
    account: AccountId,
    mailbox: MailboxName,
    body: Sealed,
    flags: Flags,
    internaldate: Date,
    structure: Option<bytes::Bytes>,
    /// Milliseconds; part of the file's name, so it must be the same when the step runs again.
    saved: i64,
}

/// Where the message is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposited {
    /// The mailbox it lies in.
    pub mailbox: MailboxId,
    /// That mailbox's UIDVALIDITY.
    pub uidvalidity: UidValidity,
    /// Its UID there.
    pub uid: Uid,
    /// The message.
    pub id: MessageId,
    /// Its MODSEQ.
    pub modseq: ModSeq,
}

impl Deposit {
    /// A message without flags that arrives at `internaldate`.
    pub fn new(account: AccountId, mailbox: MailboxName, body: Sealed, internaldate: Date) -> Deposit {
        Deposit { account, mailbox, body, flags: Flags::EMPTY, internaldate, structure: None, saved: now_ms() }
    }

    /// With these flags; keywords come from [`crate::Store::keyword_flags`].
    #[must_use]
    pub fn with_flags(mut self, flags: Flags) -> Deposit {
        self.flags = flags;
        self
    }

    /// With its structure, scanned while it arrived.
    #[must_use]
    pub fn with_structure(mut self, structure: &mail::mime::Structure) -> Deposit {
        self.structure = Some(structure.to_bytes().into());
        self
    }

    /// The account it goes to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its bytes, to tell them what became of the commit.
    pub fn body(&self) -> &Sealed {
        &self.body
    }

    fn target(&self) -> (AccountId, String) {
        (self.account, self.mailbox.as_str().to_owned())
    }

    fn size(&self) -> i64 {
        i64::try_from(self.body.size).unwrap_or(i64::MAX)
    }
}

impl Step for Deposit {
    type Done = Deposited;
    const COMBINES: bool = true;

    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }

    fn weight(&self) -> usize {
        self.body.inline().map_or(0, |bytes| bytes.len()) + 512
    }

    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Deposited>, Failed>> {
        Box::pin(async move {
            let mut seqs = charge(batch, tx).await?;
            let folders = fill(batch, &seqs, tx).await?;
            let mut next: HashMap<MailboxId, i64> = folders.values().map(|folder| (folder.id, folder.first_uid)).collect();
            let mut done = Vec::with_capacity(batch.len());
            for deposit in batch {
                let (Some(folder), Some(seq)) = (folders.get(&deposit.target()), seqs.get_mut(&deposit.account)) else {
                    return Err(Failed::Batch(Error::Broken("a deposit lost its mailbox".into())));
                };
                let uid = next.entry(folder.id).and_modify(|uid| *uid += 1).or_insert(folder.first_uid);
                let deposited = folder.deposited(*uid - 1, seq.next)?;
                seq.next += 1;
                done.push(deposited);
            }
            write(batch, &done, tx).await?;
            Ok(done)
        })
    }
}

/// What an account's `seq` gives to this batch: the next number.
struct Seq {
    next: i64,
}

/// What an account uses and may use: octets and messages.
struct Room {
    used: (i64, i64),
    most: (Option<i64>, Option<i64>),
}

impl Room {
    /// Takes room for one message, if there is.
    fn take(&mut self, size: i64) -> bool {
        let with = (self.used.0.saturating_add(size), self.used.1 + 1);
        let fits = self.most.0.is_none_or(|most| with.0 <= most) && self.most.1.is_none_or(|most| with.1 <= most);
        if fits {
            self.used = with;
        }
        fits
    }
}

/// Raises each account's `seq` and what it uses; over quota, blames those that no longer fit.
async fn charge(batch: &[&Deposit], tx: &mut Tx) -> Result<HashMap<AccountId, Seq>, Failed> {
    let mut sums: BTreeMap<AccountId, (i64, i64)> = BTreeMap::new();
    for deposit in batch {
        let sum = sums.entry(deposit.account).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(deposit.size()));
    }
    let rows: Vec<[Value; 3]> = sums.iter().map(|(&account, &(count, bytes))| [account.into(), count.into(), bytes.into()]).collect();
    let sql = "WITH v(a, n, b) AS (VALUES {rows}) UPDATE account SET seq = seq + v.n, used_bytes = used_bytes + v.b, used_msgs = used_msgs + v.n \
               FROM v WHERE account.id = v.a RETURNING id, seq, used_bytes, used_msgs, quota_bytes, quota_msgs";
    let raised = tx.rows(sql, &rows).await?;
    let mut seqs = HashMap::new();
    let mut rooms = HashMap::new();
    for row in &raised {
        let account = AccountId::new(row.int(0));
        let &(count, bytes) = sums.get(&account).unwrap_or(&(0, 0));
        seqs.insert(account, Seq { next: row.int(1) - count + 1 });
        rooms.insert(account, Room { used: (row.int(2) - bytes, row.int(3) - count), most: (row.opt_int(4), row.opt_int(5)) });
    }
    let over = batch.iter().enumerate().filter(|(_, deposit)| rooms.get_mut(&deposit.account).is_some_and(|room| !room.take(deposit.size())));
    let mut culprits: Vec<_> = over.map(|(index, _)| culprit(index, Refused::OverQuota)).collect();
    let missing = batch.iter().enumerate().filter(|(_, deposit)| !seqs.contains_key(&deposit.account));
    culprits.extend(missing.map(|(index, deposit)| culprit(index, Refused::NoSuchAccount(deposit.account.to_string()))));
    if culprits.is_empty() { Ok(seqs) } else { Err(Failed::Steps(culprits)) }
}

/// A mailbox that takes messages of this batch.
struct Folder {
    id: MailboxId,
    uidvalidity: UidValidity,
    first_uid: i64,
}

impl Folder {
    fn deposited(&self, uid: i64, seq: i64) -> Result<Deposited, Failed> {
        let uid = u32::try_from(uid).ok().and_then(Uid::new).ok_or_else(|| Failed::Batch(Error::Broken("a UID out of range".into())))?;
        let modseq = ModSeq::new(seq.unsigned_abs());
        Ok(Deposited { mailbox: self.id, uidvalidity: self.uidvalidity, uid, id: MessageId::new(seq), modseq })
    }
}

type Folders = HashMap<(AccountId, String), Folder>;

/// Raises each mailbox's UIDNEXT and counters; blames those whose mailbox is not there.
async fn fill(batch: &[&Deposit], seqs: &HashMap<AccountId, Seq>, tx: &mut Tx) -> Result<Folders, Failed> {
    let mut sums: BTreeMap<(AccountId, &str), Counts> = BTreeMap::new();
    for deposit in batch {
        sums.entry((deposit.account, deposit.mailbox.as_str())).or_default().add(Counts::of(deposit.flags, deposit.size()));
    }
    // Each mailbox gets the number of its own last message, as if they had come one by one.
    let mut next: HashMap<AccountId, i64> = seqs.iter().map(|(&account, seq)| (account, seq.next)).collect();
    let mut last: HashMap<(AccountId, &str), i64> = HashMap::new();
    for deposit in batch {
        let seq = next.entry(deposit.account).or_default();
        last.insert((deposit.account, deposit.mailbox.as_str()), *seq);
        *seq += 1;
    }
    let row = |(&(account, name), counts): (&(AccountId, &str), &Counts)| -> [Value; 7] {
        let seq = last.get(&(account, name)).copied().unwrap_or_default();
        [account.into(), name.into(), seq.into(), counts.total.into(), counts.unseen.into(), counts.deleted.into(), counts.bytes.into()]
    };
    let rows: Vec<[Value; 7]> = sums.iter().map(row).collect();
    let sql = "WITH v(a, m, s, t, u, d, b) AS (VALUES {rows}) UPDATE mailbox SET uidnext = uidnext + v.t, \
               mirrored = CASE WHEN mirrored = seq THEN v.s ELSE mirrored END, seq = v.s, total = total + v.t, \
               unseen = unseen + v.u, deleted = deleted + v.d, bytes = bytes + v.b FROM v \
               WHERE mailbox.account_id = v.a AND mailbox.name = v.m RETURNING account_id, name, id, uidnext, uidvalidity";
    let found = tx.rows(sql, &rows).await?;
    let mut folders = Folders::new();
    let mut full = HashSet::new();
    for row in &found {
        let key = (AccountId::new(row.int(0)), row.text(1).to_owned());
        let Some(counts) = sums.get(&(key.0, row.text(1))) else { continue };
        let uidvalidity = u32::try_from(row.int(4)).ok().and_then(UidValidity::new);
        let uidvalidity = uidvalidity.ok_or_else(|| Failed::Batch(Error::Broken("a UIDVALIDITY out of range".into())))?;
        if row.int(3) > i64::from(u32::MAX) {
            full.insert(key);
        } else {
            folders.insert(key, Folder { id: MailboxId::new(row.int(2)), uidvalidity, first_uid: row.int(3) - counts.total });
        }
    }
    let mut culprits = Vec::new();
    for (index, deposit) in batch.iter().enumerate() {
        let target = deposit.target();
        if full.contains(&target) {
            culprits.push(culprit(index, Refused::Limit("UIDs of the mailbox")));
        } else if !folders.contains_key(&target) {
            culprits.push(culprit(index, Refused::NoSuchMailbox(target.1)));
        }
    }
    if culprits.is_empty() { Ok(folders) } else { Err(Failed::Steps(culprits)) }
}

/// The rows of the messages, their bodies and the log.
async fn write(batch: &[&Deposit], done: &[Deposited], tx: &mut Tx) -> Result<(), Failed> {
    let (mut messages, mut placed, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    let mut logs: BTreeMap<(AccountId, MailboxId), Log> = BTreeMap::new();
    for (deposit, told) in batch.iter().zip(done) {
        messages.push(message_row(deposit, told));
        placed.push(placed_row(deposit, told));
        let data = deposit.body.inline().cloned();
        bodies.push([deposit.account.into(), told.id.into(), Value::from(data)]);
        let row = Row { uid: told.uid, id: told.id, flags: deposit.flags, modseq: told.modseq };
        logs.entry((deposit.account, told.mailbox)).or_default().added.push(row);
    }
    tx.execute_rows::<8>("INSERT INTO message (account_id, id, place, size, internaldate, zone, thread_id, cache) VALUES {rows}", &messages).await?;
    let sql = "INSERT INTO mailbox_message (account_id, mailbox_id, uid, message_id, flags, modseq, savedate, file, file_flags) VALUES {rows}";
    tx.execute_rows::<9>(sql, &placed).await?;
    tx.execute_rows::<3>("INSERT INTO body (account_id, id, data) VALUES {rows}", &bodies).await?;
    let last = |log: &Log| log.added.iter().map(|row| row.modseq.get() as i64).max().unwrap_or(0);
    let logs: Vec<_> = logs.into_iter().map(|((account, mailbox), log)| (account, mailbox, last(&log), log)).collect();
    journal::write(tx, &logs).await?;
    Ok(())
}

fn message_row(deposit: &Deposit, told: &Deposited) -> [Value; 8] {
    [
        deposit.account.into(),
        told.id.into(),
        deposit.body.place().to_string().into(),
        deposit.size().into(),
        deposit.internaldate.unix.saturating_mul(1000).into(),
        i64::from(deposit.internaldate.offset_minutes).into(),
        told.id.into(),
        deposit.structure.clone().into(),
    ]
}

fn placed_row(deposit: &Deposit, told: &Deposited) -> [Value; 9] {
    let seconds = deposit.saved.unsigned_abs() / 1000;
    [
        deposit.account.into(),
        told.mailbox.into(),
        told.uid.get().into(),
        told.id.into(),
        (deposit.flags.bits() as i64).into(),
        (told.modseq.get() as i64).into(),
        deposit.saved.into(),
        deposit.body.file_name(seconds, told.uid.get()).to_string().into(),
        (deposit.flags.bits() as i64).into(),
    ]
}
