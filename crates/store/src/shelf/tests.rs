use super::*;
use crate::Mailbox;
use crate::testing::{MESSAGE, World, name, on_every_engine};
use file::ENTRIES;

const KIND: Kind = Kind { name: "test", version: 1, longest: 1000 };

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn of(number: u32) -> Identity {
    Identity { uid: uid(number), sum: number.into() }
}

fn entries(uids: std::ops::RangeInclusive<u32>) -> Vec<(Identity, Bytes)> {
    uids.map(|number| (of(number), format!("entry {number}").repeat(number as usize % 5).into())).collect()
}

fn owner() -> Owner {
    Owner { version: 1, account: 2, mailbox: 3, uidvalidity: 4 }
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
    first.append(&entries(1..=10)).unwrap();
    first.catch_up();
    let mut second = ShelfFile::open(&path, owner()).unwrap();
    assert_eq!((second.len(), second.newest(2)), (10, vec![of(9), of(10)]));
    // Each sees what the other appends; of two entries for a UID the first counts.
    first.append(&entries(20..=21)).unwrap();
    second.append(&[(of(5), Bytes::from_static(b"another")), (of(15), Bytes::new())]).unwrap();
    let all: Vec<Uid> = (1..=22).map(uid).collect();
    let there: Vec<(Identity, Bytes)> = [entries(1..=10), vec![(of(15), Bytes::new())], entries(20..=21)].concat();
    for file in [&mut first, &mut second] {
        file.catch_up();
        let found: Vec<(Uid, Bytes)> = all.iter().copied().zip(read(file, &all)).filter_map(|(uid, entry)| Some((uid, entry?))).collect();
        assert_eq!(found, there.iter().map(|(of, data)| (of.uid, data.clone())).collect::<Vec<_>>());
        assert_eq!(file.missing(&all), all.iter().copied().filter(|uid| there.iter().all(|(known, _)| known.uid != *uid)).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_cut_changed_or_anothers_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1.test");
    ShelfFile::begin(&path, owner()).unwrap().append(&entries(1..=4)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let (uids, truth): (Vec<Uid>, Vec<Bytes>) = entries(1..=4).into_iter().map(|(of, data)| (of.uid, data)).unzip();
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

#[test]
fn what_is_whole_counts_and_who_appends_mends_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1.test");
    let mut file = ShelfFile::begin(&path, owner()).unwrap();
    file.append(&entries(1..=3)).unwrap();
    let first = std::fs::metadata(&path).unwrap().len();
    file.append(&entries(4..=5)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in first as usize..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let mut file = ShelfFile::open(&path, owner()).unwrap();
        assert_eq!(file.len(), 3, "cut at {cut}");
        file.append(&entries(7..=8)).unwrap();
        let mended = ShelfFile::open(&path, owner()).unwrap();
        assert_eq!((mended.len(), mended.newest(1)), (5, vec![of(8)]), "cut at {cut}");
        assert!(read(&mended, &[uid(2), uid(8)]).iter().all(Option::is_some), "cut at {cut}");
    }
}

async fn fill(world: &World) -> Mailbox {
    let body = world.sealed(MESSAGE).await;
    let step = || crate::Deposit::new(world.alice, name("INBOX"), body.clone(), mail::Date::new(0, 0));
    for _ in 0..3 {
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

/// Entries of messages that are there.
async fn of_messages(world: &World, inbox: &Mailbox, uids: &[Uid]) -> Vec<(Identity, Bytes)> {
    let messages = world.store.messages(world.alice, inbox.id, uids, false).await.unwrap();
    messages.iter().map(|message| (message.identity(), format!("of {}", message.row.uid).into())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelf_outlives_its_process_and_not_its_time_line() {
    on_every_engine(|world| async move {
        let inbox = fill(&world).await;
        let uids: Vec<Uid> = (1..=ENTRIES as u32 + 100).map(uid).collect();
        let entries = of_messages(&world, &inbox, &uids).await;
        let shelf = shelf(&world.store, &world, &inbox).await;
        assert!(shelf.put(entries.clone()).await);
        let truth: Vec<Option<Bytes>> = entries.iter().map(|(_, data)| Some(data.clone())).collect();
        assert_eq!(take(&world.store, &world, &inbox, &uids).await, truth, "{}", world.engine);
        assert_eq!(take(&world.second().await, &world, &inbox, &uids).await, truth, "{}", world.engine);
        let last = uids[uids.len() - 1];
        assert_eq!(shelf.missing(&[uid(1), uid(last.get() + 1)]), [uid(last.get() + 1)]);
        // The last is gone: the one before it tells.
        world.store.expunge(world.alice, inbox.id, vec![last], false).await.unwrap();
        assert_eq!(take(&world.second().await, &world, &inbox, &uids).await, truth, "{}", world.engine);
        // Another past than the one it was written in: the message of that UID is another.
        let mut others = entries.clone();
        others.iter_mut().for_each(|(of, _)| of.sum ^= 1);
        std::fs::remove_file(&shelf.inner.path).unwrap();
        assert!(shelf.put(others).await);
        assert!(take(&world.second().await, &world, &inbox, &uids).await.iter().all(Option::is_none), "{}", world.engine);
        // UIDs that are still to be given.
        std::fs::remove_file(&shelf.inner.path).unwrap();
        assert!(shelf.put([entries, vec![(of(inbox.uidnext as u32), Bytes::new())]].concat()).await);
        assert!(take(&world.second().await, &world, &inbox, &uids).await.iter().all(Option::is_none), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_fill_one_file() {
    on_every_engine(|world| async move {
        let inbox = fill(&world).await;
        let uids: Vec<Uid> = (1..=300).map(uid).collect();
        let entries = of_messages(&world, &inbox, &uids).await;
        let second = world.second().await;
        // Both found none, and each begins: the one that came later is gone on with.
        let (one, two) = (shelf(&world.store, &world, &inbox).await, shelf(&second, &world, &inbox).await);
        assert!(one.put(entries[..100].to_vec()).await && two.put(entries[100..200].to_vec()).await && one.put(entries[200..].to_vec()).await);
        for store in [&world.store, &second, &world.second().await] {
            assert_eq!(take(store, &world, &inbox, &uids).await.iter().filter(|entry| entry.is_some()).count(), 200, "{}", world.engine);
        }
        // One that knows of no file sees it when it asks again.
        std::fs::remove_file(&one.inner.path).unwrap();
        assert!(take(&second, &world, &inbox, &uids).await.iter().all(Option::is_none), "{}", world.engine);
        assert!(one.put(entries.clone()).await);
        assert!(take(&second, &world, &inbox, &uids).await.iter().all(Option::is_some), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_shelf_and_one_of_a_former_form_are_made_again() {
    on_every_engine(|world| async move {
        let inbox = fill(&world).await;
        let uids: Vec<Uid> = (1..=100).map(uid).collect();
        let entries = of_messages(&world, &inbox, &uids).await;
        let path = shelf(&world.store, &world, &inbox).await.inner.path.clone();
        let damages: [fn(&mut Vec<u8>); 3] = [|octets| { let last = octets.len() - 20; octets[last] ^= 1 }, |octets| octets[7] = b'1', Vec::clear];
        for (damage, n) in damages.into_iter().zip(0..) {
            assert!(shelf(&world.store, &world, &inbox).await.put(entries.clone()).await);
            let mut octets = std::fs::read(&path).unwrap();
            damage(&mut octets);
            std::fs::write(&path, octets).unwrap();
            let second = world.second().await;
            assert!(take(&second, &world, &inbox, &uids).await.iter().all(Option::is_none), "{} {n}", world.engine);
            let again = shelf(&second, &world, &inbox).await;
            assert!(again.put(entries.clone()).await);
            assert!(take(&world.second().await, &world, &inbox, &uids).await.iter().all(Option::is_some), "{} {n}", world.engine);
        }
        // Gone while it is open.
        std::fs::remove_file(&path).unwrap();
        let open = shelf(&world.store, &world, &inbox).await;
        open.look_again().await.unwrap();
        assert_eq!(open.missing(&uids), uids, "{}", world.engine);
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
        some[0].1 = vec![b'x'; KIND.longest + 1].into();
        some[1].1 = vec![b'x'; KIND.longest].into();
        shelf.put(some).await;
        assert_eq!(shelf.missing(&[uid(1), uid(2), uid(3)]), [uid(1)], "{}", world.engine);
        world.store.sweep_snapshots(world.alice).await.unwrap();
        assert!(shelf.inner.path.exists(), "{}", world.engine);
        world.store.remove_account(world.alice).await.unwrap();
        assert!(!shelf.inner.path.exists(), "{}", world.engine);
    })
    .await;
}
