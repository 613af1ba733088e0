use super::*;
use crate::Mailbox;
use crate::testing::{MESSAGE, World, name, on_every_engine};
use file::ENTRIES;

const KIND: Kind = Kind { name: "test", version: 1 };

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn entries(uids: std::ops::RangeInclusive<u32>) -> Vec<(Uid, Bytes)> {
    uids.map(|number| (uid(number), format!("entry {number}").repeat(number as usize % 5).into())).collect()
}

fn owner() -> Owner {
    Owner { version: 1, account: 2, mailbox: 3, uidvalidity: 4 }
}

fn mark() -> Mark {
    Mark { seq: 5, mailbox: 3, at: 7 }
}

fn read(file: &ShelfFile, uids: &[Uid]) -> Vec<Option<Bytes>> {
    let mut found = vec![None; uids.len()];
    for block in file.wanted(uids) {
        let Some(data) = block.read() else { continue };
        for (index, entry) in block.entries(&data) {
            found[index] = Some(entry);
        }
    }
    found
}

#[test]
fn what_is_appended_is_read_back_by_whoever_opens_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1.test");
    let mut first = ShelfFile::begin(&path, owner()).unwrap();
    first.append(mark(), &entries(1..=10)).unwrap();
    assert!(first.catch_up());
    let mut second = ShelfFile::open(&path, owner()).unwrap();
    assert_eq!((second.len(), second.mark()), (10, Some(mark())));
    // Each sees what the other appends; of two entries for a UID the first counts.
    first.append(mark(), &entries(20..=21)).unwrap();
    second.append(mark(), &[(uid(5), Bytes::from_static(b"another")), (uid(15), Bytes::new())]).unwrap();
    let all: Vec<Uid> = (1..=22).map(uid).collect();
    let there: Vec<(Uid, Bytes)> = [entries(1..=10), vec![(uid(15), Bytes::new())], entries(20..=21)].concat();
    for file in [&mut first, &mut second] {
        assert!(file.catch_up());
        let found: Vec<(Uid, Bytes)> = all.iter().copied().zip(read(file, &all)).filter_map(|(uid, entry)| Some((uid, entry?))).collect();
        assert_eq!(found, there);
        assert_eq!(file.missing(&all), all.iter().copied().filter(|uid| there.iter().all(|(known, _)| known != uid)).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_cut_changed_or_anothers_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1.test");
    ShelfFile::begin(&path, owner()).unwrap().append(mark(), &entries(1..=4)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let (uids, truth): (Vec<Uid>, Vec<Bytes>) = entries(1..=4).into_iter().unzip();
    let check = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let Some(file) = ShelfFile::open(&path, owner()) else { return false };
        for (entry, truth) in read(&file, &uids).into_iter().zip(&truth) {
            assert!(entry.is_none_or(|entry| entry == truth), "{what}");
        }
        file.len() > 0
    };
    assert!(check(&whole, "whole"));
    for cut in 0..whole.len() {
        assert!(!check(&whole[..cut], "cut"), "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        check(&changed, &format!("changed at {at}"));
    }
    std::fs::write(&path, &whole).unwrap();
    let others = [
        Owner { version: 2, ..owner() },
        Owner { account: 9, ..owner() },
        Owner { mailbox: 9, ..owner() },
        Owner { uidvalidity: 9, ..owner() },
    ];
    for other in others {
        assert!(ShelfFile::open(&path, other).is_none(), "{other:?}");
    }
}

async fn fill(world: &World) -> Mailbox {
    let body = world.sealed(MESSAGE).await;
    let step = || crate::Deposit::new(world.alice, name("INBOX"), body.clone(), mail::Date::new(0, 0));
    for _ in 0..LEAST / 250 {
        world.store.db().commit((0..250).map(|_| step()).collect::<Vec<_>>()).await.unwrap();
    }
    world.store.open(world.alice, &name("INBOX")).await.unwrap().mailbox.clone()
}

async fn shelf(store: &Store, world: &World, inbox: &Mailbox) -> Shelf {
    store.shelf(world.alice, inbox.id, inbox.uidvalidity, inbox.total as usize, KIND).await.unwrap().unwrap()
}

async fn take(store: &Store, world: &World, inbox: &Mailbox, uids: &[Uid]) -> Vec<Option<Bytes>> {
    shelf(store, world, inbox).await.read().await.unwrap().next(uids.to_vec()).await.unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelf_outlives_its_process_and_not_its_time_line() {
    on_every_engine(|world| async move {
        let inbox = fill(&world).await;
        let shelf = shelf(&world.store, &world, &inbox).await;
        let count = ENTRIES as u32 + 100;
        shelf.put(entries(1..=count)).await;
        let uids: Vec<Uid> = (1..=count).map(uid).collect();
        let (_, truth): (Vec<Uid>, Vec<Bytes>) = entries(1..=count).into_iter().unzip();
        let truth: Vec<Option<Bytes>> = truth.into_iter().map(Some).collect();
        assert_eq!(take(&world.store, &world, &inbox, &uids).await, truth, "{}", world.engine);
        assert_eq!(take(&world.second().await, &world, &inbox, &uids).await, truth, "{}", world.engine);
        assert!(shelf.missing(&[uid(1), uid(count + 1)]) == [uid(count + 1)]);
        // Another past than the one it was written in: the change that marks it was another.
        world.store.db().commit(Rewrite(world.alice)).await.unwrap();
        assert!(take(&world.second().await, &world, &inbox, &uids).await.iter().all(Option::is_none), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn few_entries_and_long_ones_are_left_out() {
    on_every_engine(|world| async move {
        let inbox = fill(&world).await;
        let shelf = shelf(&world.store, &world, &inbox).await;
        shelf.put(entries(1..=WORTH as u32 - 1)).await;
        assert_eq!(shelf.missing(&[uid(1)]), [uid(1)], "{}", world.engine);
        let mut some = entries(1..=WORTH as u32);
        some[0].1 = vec![b'x'; LONGEST + 1].into();
        some[1].1 = vec![b'x'; LONGEST].into();
        shelf.put(some).await;
        assert_eq!(shelf.missing(&[uid(1), uid(2), uid(3)]), [uid(1)], "{}", world.engine);
        world.store.sweep_snapshots(world.alice).await.unwrap();
        assert!(shelf.inner.path.exists(), "{}", world.engine);
        world.store.remove_account(world.alice).await.unwrap();
        assert!(!shelf.inner.path.exists(), "{}", world.engine);
    })
    .await;
}

/// The log as a backup would have it: its last change happened at another time.
struct Rewrite(AccountId);

impl db::Step for Rewrite {
    type Done = ();
    fn locks(&self, locks: &mut db::Locks) {
        locks.take(self.0.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut db::Tx) -> db::BoxFuture<'t, Result<Vec<()>, db::Failed>> {
        Box::pin(async move {
            for step in batch {
                tx.execute("UPDATE change SET at = at + 1 WHERE account_id = ?1", &[step.0.into()]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}
