//! Views on disk: a file a mailbox, read in one go when it is opened, and brought up to date by the log. Derived: a file that is
//! missing, torn, stale or of another time line is ignored and written anew.
//!
//! `snapshots/ACCOUNT/MAILBOX` beside the spool, in little-endian numbers: [`MAGIC`]; account, mailbox, UIDVALIDITY, count,
//! MODSEQ and the mark (the account's last change then: seq, mailbox, time); then columns of UIDs (32 bits), ids, flags and MODSEQs
//! (64 bits); at last a checksum of all before it. Not synced: what a power cut leaves of it has no right checksum.
//!
//! The mark tells a database that was restored from a backup, and has since come to the same MODSEQ by other changes.

use std::io::Write;
use std::path::PathBuf;

use db::{Error, Tx};
use mail::{Flags, ModSeq, Uid};

use crate::{AccountId, Mailbox, MessageId, Row, Store};

/// Views of fewer messages are loaded as fast from the database.
pub(crate) const LEAST: usize = 1_000;
/// Octets of one file at most: more than a mailbox of ten million messages has.
const LARGEST: u64 = 300 << 20;

const MAGIC: &[u8; 8] = b"PHview1\n";
/// Where derived files of former versions are: they are removed.
const FORMER: [&str; 2] = ["keys", "text"];
/// Octets before the columns, of a row in all columns, and after them.
const HEAD: usize = 64;
const ROW: usize = 28;
const TAIL: usize = 8;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) account: i64,
    pub(crate) mailbox: i64,
    pub(crate) uidvalidity: u32,
    /// The account's `seq` that the rows show.
    pub(crate) modseq: u64,
    pub(crate) mark: Mark,
    pub(crate) rows: Vec<Row>,
}

/// A change of the account, by which its time line is known; zeros when its log was empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: i64,
    pub(crate) mailbox: i64,
    pub(crate) at: i64,
}

/// Whether a view of so many rows, of which so many changed since its file was written, should be written again.
pub(crate) fn is_due(rows: usize, changed: usize) -> bool {
    rows >= LEAST && changed >= LEAST.max(rows / 8)
}

impl Snapshot {
    fn pack(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + ROW * self.rows.len() + TAIL);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.account.to_le_bytes());
        out.extend_from_slice(&self.mailbox.to_le_bytes());
        out.extend_from_slice(&self.uidvalidity.to_le_bytes());
        out.extend_from_slice(&(self.rows.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.modseq.to_le_bytes());
        for number in [self.mark.seq, self.mark.mailbox, self.mark.at] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        self.rows.iter().for_each(|row| out.extend_from_slice(&row.uid.get().to_le_bytes()));
        self.rows.iter().for_each(|row| out.extend_from_slice(&row.id.get().to_le_bytes()));
        self.rows.iter().for_each(|row| out.extend_from_slice(&row.flags.bits().to_le_bytes()));
        self.rows.iter().for_each(|row| out.extend_from_slice(&row.modseq.get().to_le_bytes()));
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        out
    }

    /// None for anything but what [`Snapshot::pack`] wrote.
    fn unpack(bytes: &[u8]) -> Option<Snapshot> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(TAIL)?)?;
        if checksum(body).to_le_bytes() != *sum {
            return None;
        }
        let (head, columns) = body.split_at_checked(HEAD)?;
        let head = head.strip_prefix(MAGIC)?;
        let number = |at: usize| head.get(at..at + 8).and_then(|octets| octets.try_into().ok()).map(i64::from_le_bytes);
        let short = |at: usize| head.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map(u32::from_le_bytes);
        let count = short(20)? as usize;
        if columns.len() != count.checked_mul(ROW)? {
            return None;
        }
        let (uids, wide) = columns.split_at_checked(count * 4)?;
        let (ids, wide) = wide.split_at_checked(count * 8)?;
        let (flags, modseqs) = wide.split_at_checked(count * 8)?;
        let [ids, flags, modseqs] = [ids, flags, modseqs].map(|column| column.as_chunks::<8>().0.iter().map(|octets| u64::from_le_bytes(*octets)));
        let uids = uids.as_chunks::<4>().0.iter().map(|octets| u32::from_le_bytes(*octets));
        let row = |(((uid, id), flags), modseq): (((u32, u64), u64), u64)| {
            Some(Row { uid: Uid::new(uid)?, id: MessageId::new(id as i64), flags: Flags::from_bits(flags), modseq: ModSeq::new(modseq) })
        };
        let rows: Vec<Row> = uids.zip(ids).zip(flags).zip(modseqs).map(row).collect::<Option<_>>()?;
        if rows.windows(2).any(|pair| pair[0].uid >= pair[1].uid) {
            return None;
        }
        let mark = Mark { seq: number(32)?, mailbox: number(40)?, at: number(48)? };
        Some(Snapshot { account: number(0)?, mailbox: number(8)?, uidvalidity: short(16)?, modseq: number(24)? as u64, mark, rows })
    }
}

/// Finds torn and damaged files; not made against somebody who forges them, for whom the database lies beside it.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, &byte| mix(sum, byte.into()))
}

impl Store {
    /// Where the derived files of an account are.
    pub(crate) fn snapshots(&self, account: AccountId) -> PathBuf {
        self.derived("snapshots").join(account.to_string())
    }

    /// Beside the spool.
    fn derived(&self, kind: &str) -> PathBuf {
        let spool = self.bodies().directories().1;
        spool.parent().unwrap_or(&spool).join(kind)
    }

    /// The file of a mailbox, when it may be brought up to date for a snapshot of the database at `now`.
    pub(crate) async fn snapshot(&self, tx: &mut Tx, account: AccountId, mailbox: &Mailbox, now: ModSeq) -> Result<Option<Snapshot>, Error> {
        if (mailbox.total as usize) < LEAST {
            return Ok(None);
        }
        let path = self.snapshots(account).join(mailbox.id.to_string());
        let read = move || {
            let length = std::fs::metadata(&path).ok()?.len();
            if length > LARGEST { None } else { Snapshot::unpack(&std::fs::read(&path).ok()?) }
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| Error::Broken(error.to_string()))?;
        let ours = |snapshot: &Snapshot| {
            (snapshot.account, snapshot.mailbox, snapshot.uidvalidity) == (account.get(), mailbox.id.get(), mailbox.uidvalidity.get())
                && snapshot.modseq <= now.get()
        };
        let Some(snapshot) = read.filter(ours) else { return Ok(None) };
        let same = self.stands(tx, account, snapshot.mark).await?;
        Ok(Some(snapshot).filter(|_| same))
    }

    /// Whether a mark is of the account's time line: its change is in the log, as it was.
    pub(crate) async fn stands(&self, tx: &mut Tx, account: AccountId, mark: Mark) -> Result<bool, Error> {
        let sql = "SELECT at FROM change WHERE account_id = ?1 AND seq = ?2 AND mailbox_id = ?3";
        let marked = tx.query(sql, &[account.into(), mark.seq.into(), mark.mailbox.into()]).await?;
        Ok(marked.first().is_some_and(|row| row.int(0) == mark.at))
    }

    /// The mark of the account at this moment.
    pub(crate) async fn mark(&self, tx: &mut Tx, account: AccountId) -> Result<Mark, Error> {
        let sql = "SELECT seq, mailbox_id, at FROM change WHERE account_id = ?1 ORDER BY seq DESC, mailbox_id DESC LIMIT 1";
        let rows = tx.query(sql, &[account.into()]).await?;
        Ok(rows.first().map_or(Mark::default(), |row| Mark { seq: row.int(0), mailbox: row.int(1), at: row.int(2) }))
    }

    /// Writes the file of a mailbox. Without it everything works, slower.
    pub(crate) async fn keep_snapshot(&self, snapshot: Snapshot) {
        let directory = self.snapshots(AccountId::new(snapshot.account));
        let target = directory.join(snapshot.mailbox.to_string());
        let shown = target.display().to_string();
        let written = tokio::task::spawn_blocking(move || {
            use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
            let temporary = directory.join(format!("{}.{:016x}.tmp", snapshot.mailbox, rand::random::<u64>()));
            let write = || {
                let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
                file.write_all(&snapshot.pack())?;
                std::fs::rename(&temporary, &target)
            };
            write().inspect_err(|_| drop(std::fs::remove_file(&temporary)))
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("{shown}: {error}; the mailbox opens more slowly until it can be written"),
            Err(error) => tracing::warn!("{shown}: {error}"),
        }
    }

    /// Removes the files of mailboxes that are no more, and what a crash left half-written.
    pub(crate) async fn sweep_snapshots(&self, account: AccountId) -> Result<(), Error> {
        for kind in FORMER {
            remove(self.derived(kind).join(account.to_string())).await;
        }
        let directory = self.snapshots(account);
        if !directory.exists() {
            return Ok(());
        }
        let mailboxes = self.mailboxes(account).await?;
        let kept: std::collections::HashSet<String> = mailboxes.iter().map(|mailbox| mailbox.id.to_string()).collect();
        let swept = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                // One that is just being written is missed by its writer, which only costs its file.
                if !entry.file_name().to_str().is_some_and(|name| is_of(name, &kept)) {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        });
        swept.await.map_err(|error| Error::Broken(error.to_string()))?.map_err(|error| Error::Engine(format!("snapshots: {error}")))
    }

    /// Removes all files of an account.
    pub(crate) async fn forget_snapshots(&self, account: AccountId) {
        for kind in FORMER {
            remove(self.derived(kind).join(account.to_string())).await;
        }
        remove(self.snapshots(account)).await;
    }
}

/// Removes a directory of derived files, if it is there.
async fn remove(directory: PathBuf) {
    let shown = directory.display().to_string();
    let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(&directory)).await;
    if let Ok(Err(error)) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!("{shown}: {error}");
    }
}

/// Whether a file is the view (`MAILBOX`) or a shelf (`MAILBOX.KIND`) of one of these mailboxes; others are what a crash left.
fn is_of(file: &str, mailboxes: &std::collections::HashSet<String>) -> bool {
    let (mailbox, kind) = file.split_once('.').unwrap_or((file, ""));
    mailboxes.contains(mailbox) && kind.bytes().all(|byte| byte.is_ascii_lowercase()) && kind != "tmp"
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{MESSAGE, World, name, on_every_engine};
    use crate::{Change, View};

    fn snapshot(count: u32) -> Snapshot {
        let row = |n: u32| Row { uid: Uid::new(n * 3).unwrap(), id: MessageId::new(n.into()), flags: Flags::from_bits(u64::from(n) % 7), modseq: ModSeq::new(n.into()) };
        Snapshot { account: 7, mailbox: 8, uidvalidity: 9, modseq: 10, mark: Mark { seq: 1, mailbox: 2, at: 3 }, rows: (1..=count).map(row).collect() }
    }

    #[test]
    fn a_snapshot_reads_back_and_no_cut_or_changed_octet_does() {
        let whole = snapshot(5);
        let packed = whole.pack();
        assert_eq!(Snapshot::unpack(&packed), Some(whole));
        for cut in 0..packed.len() {
            assert_eq!(Snapshot::unpack(&packed[..cut]), None, "cut at {cut}");
        }
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 0x10;
            assert_eq!(Snapshot::unpack(&changed), None, "changed at {at}");
        }
        assert_eq!(Snapshot::unpack(&snapshot(0).pack()).map(|snapshot| snapshot.rows.len()), Some(0));
    }

    proptest! {
        /// With the right checksum over anything: no panic, and no rows out of order.
        #[test]
        fn garbage_is_no_snapshot(body in proptest::collection::vec(any::<u8>(), 0..200), count in 0..6u32) {
            let mut bytes = snapshot(count).pack();
            bytes.truncate(bytes.len() - TAIL);
            let start = bytes.len().saturating_sub(body.len());
            for (at, byte) in body.into_iter().enumerate() {
                match bytes.get_mut(start + at) {
                    Some(old) => *old = byte,
                    None => bytes.push(byte),
                }
            }
            bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
            if let Some(snapshot) = Snapshot::unpack(&bytes) {
                prop_assert!(snapshot.rows.windows(2).all(|pair| pair[0].uid < pair[1].uid));
            }
        }
    }

    async fn open(store: &Store, world: &World) -> Arc<View> {
        store.open(world.alice, &name("INBOX")).await.unwrap()
    }

    async fn file(world: &World) -> PathBuf {
        world.store.snapshots(world.alice).join(world.mailbox("INBOX").await.to_string())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_large_mailbox_is_opened_from_its_file_and_the_log() {
        on_every_engine(|world| async move {
            world.fill(LEAST).await;
            let view = open(&world.store, &world).await;
            let path = file(&world).await;
            let first = Snapshot::unpack(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(first.rows, view.rows, "{}", world.engine);
            // After it: one comes, one changes, one goes.
            let inbox = view.mailbox.id;
            let uid = |n| Uid::new(n).unwrap();
            world.deposit("INBOX", MESSAGE).await;
            world.store.set_flags(world.alice, inbox, vec![uid(5)], Change::Add(Flags::SEEN), None).await.unwrap();
            world.store.expunge(world.alice, inbox, vec![uid(6)], false).await.unwrap();
            let now = open(&world.store, &world).await;
            let again = world.second().await;
            assert_eq!(open(&again, &world).await.rows, now.rows, "{}", world.engine);
            // That it came from the file is seen by what only the file says.
            let mut odd = first.clone();
            odd.rows[0].modseq = ModSeq::new(1);
            world.store.keep_snapshot(odd).await;
            assert_eq!(open(&world.second().await, &world).await.rows[0].modseq, ModSeq::new(1), "{}", world.engine);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_is_not_of_this_mailbox_and_time_is_ignored_and_replaced() {
        on_every_engine(|world| async move {
            world.fill(LEAST).await;
            let truth = open(&world.store, &world).await;
            let path = file(&world).await;
            let good = Snapshot::unpack(&std::fs::read(&path).unwrap()).unwrap();
            let mut wrong: Vec<(&str, Snapshot)> = Vec::new();
            for what in ["account", "mailbox", "uidvalidity", "modseq", "mark", "unseen", "below the floor"] {
                let mut snapshot = good.clone();
                // Each shows an odd MODSEQ, should it be believed.
                snapshot.rows[0].modseq = ModSeq::new(1);
                match what {
                    "account" => snapshot.account += 1,
                    "mailbox" => snapshot.mailbox += 1,
                    "uidvalidity" => snapshot.uidvalidity += 1,
                    "modseq" => snapshot.modseq += 1,
                    "mark" => snapshot.mark.at += 1,
                    "unseen" => snapshot.rows[0].flags = Flags::SEEN,
                    _ => snapshot.modseq = 1,
                }
                wrong.push((what, snapshot));
            }
            for (what, snapshot) in wrong {
                std::fs::write(&path, snapshot.pack()).unwrap();
                assert_eq!(open(&world.second().await, &world).await.rows, truth.rows, "{} {what}", world.engine);
                assert_eq!(Snapshot::unpack(&std::fs::read(&path).unwrap()).as_ref(), Some(&good), "{} {what}: written anew", world.engine);
            }
            std::fs::write(&path, b"PHview1\n").unwrap();
            assert_eq!(open(&world.second().await, &world).await.rows, truth.rows, "{}", world.engine);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_go_with_their_mailboxes_and_accounts() {
        on_every_engine(|world| async move {
            world.fill(LEAST).await;
            open(&world.store, &world).await;
            let path = file(&world).await;
            let (stale, torn) = (path.with_file_name("12345"), path.with_file_name("1.tmp"));
            std::fs::write(&stale, "x").unwrap();
            std::fs::write(&torn, "x").unwrap();
            world.store.sweep_snapshots(world.alice).await.unwrap();
            assert!(path.exists() && !stale.exists() && !torn.exists(), "{}", world.engine);
            world.store.remove_account(world.alice).await.unwrap();
            assert!(!path.exists() && !path.parent().unwrap().exists(), "{}", world.engine);
        })
        .await;
    }

    /// Not a promise: prints what opening 100,000 messages costs. `cargo nextest run -p store --run-ignored all measure --no-capture`
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "measures"]
    async fn measure_opening_a_hundred_thousand_messages() {
        let directory = tempfile::tempdir().unwrap();
        for world in crate::testing::worlds(directory.path()).await {
            world.fill(100_000).await;
            let mut times = Vec::new();
            for _ in 0..4 {
                let store = world.second().await;
                let started = std::time::Instant::now();
                let rows = open(&store, &world).await.rows.len();
                times.push((rows, started.elapsed()));
            }
            println!("{}: the first from the database and written, the others from the file: {times:?}", world.engine);
        }
    }
}
