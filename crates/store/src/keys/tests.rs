use std::sync::Arc;

use mail::sorting::SortKeys;
use mail::{Date, Flags};

use super::*;
use crate::Change;
use crate::shelf::LEAST;
use crate::testing::{World, name, on_every_engine};

fn message(n: usize) -> Vec<u8> {
    format!("Subject: Re: Tópic {}\r\nFrom: N{n} <n{n}@example.test>\r\nMessage-ID: <{n}@x>\r\nReferences: <{}@x>\r\nDate: 1 Feb 2024 10:00 +0100\r\n\r\nbody\r\n", n % 3, n / 2).into_bytes()
}

async fn fill(world: &World, numbers: std::ops::Range<usize>) {
    let mut steps = Vec::new();
    for n in numbers {
        steps.push(crate::Deposit::new(world.alice, name("INBOX"), world.sealed(&message(n)).await, Date::new(n as i64, 60)));
    }
    world.store.db().commit(steps).await.unwrap();
}

async fn uidvalidity(world: &World) -> UidValidity {
    world.store.mailbox(world.alice, &name("INBOX")).await.unwrap().unwrap().uidvalidity
}

async fn uids(world: &World) -> Vec<Uid> {
    world.store.open(world.alice, &name("INBOX")).await.unwrap().rows.iter().map(|row| row.uid).collect()
}

/// As a process finds it that starts now.
async fn keys(world: &World) -> Keys {
    let mailbox = world.mailbox("INBOX").await;
    let keys = world.second().await.keys(world.alice, mailbox, uidvalidity(world).await, &uids(world).await).await.unwrap();
    Arc::unwrap_or_clone(keys)
}

/// Everything but the numbers given to names, and those given to the same names alike.
fn shown(keys: &Keys, uids: &[Uid]) -> Vec<String> {
    let show = |uid: &Uid| {
        let index = keys.index(*uid)?;
        let head = keys.heads()[index];
        let texts = [Sought::Subject, Sought::From, Sought::MessageId].map(|field| String::from_utf8_lossy(keys.sought(index, field)).into_owned());
        let order = [InOrder::Subject, InOrder::From, InOrder::DisplayFrom].map(|key| String::from_utf8_lossy(keys.in_order(index, key)).into_owned());
        let parents: Vec<_> = keys.references(index).iter().map(|id| keys.heads().iter().find(|head| head.id == Some(*id)).map(|head| head.uid)).collect();
        Some(format!("{uid} {:?} {:?} {} {} {texts:?} {order:?} {parents:?}", head.arrived, head.sent, head.size, head.is_reply))
    };
    uids.iter().map(|uid| show(uid).unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_those_of_the_headers_and_follow_the_mailbox() {
    on_every_engine(|world| async move {
        fill(&world, 0..3).await;
        let (mailbox, there) = (world.mailbox("INBOX").await, uids(&world).await);
        let first = world.store.keys(world.alice, mailbox, uidvalidity(&world).await, &there).await.unwrap();
        assert_eq!(first.len(), 3, "{}", world.engine);
        let expected = SortKeys::of_header(&message(2));
        assert_eq!(first.in_order(2, InOrder::DisplayFrom), expected.display_from.as_bytes());
        assert_eq!(first.sought(2, Sought::Subject), "\0re: tópic 2".as_bytes());
        assert_eq!((first.sought(2, Sought::MessageId), first.sought(2, Sought::Bcc)), (&b"\0<2@x>"[..], &b""[..]));
        assert_eq!(first.references(2), &[first.heads()[1].id.unwrap()]);
        assert_eq!(first.heads()[1].arrived, Date::new(1, 60));
        world.store.set_flags(world.alice, mailbox, there.clone(), Change::Add(Flags::DELETED), None).await.unwrap();
        world.store.expunge(world.alice, mailbox, vec![there[1]], true).await.unwrap();
        fill(&world, 3..5).await;
        let now = uids(&world).await;
        let next = world.store.keys(world.alice, mailbox, uidvalidity(&world).await, &now).await.unwrap();
        assert!(now.iter().all(|uid| next.index(*uid).is_some()), "{}", world.engine);
        assert_eq!(shown(&next, &there[..1]), shown(&first, &there[..1]));
        assert_eq!(first.len(), 3, "who has the old ones keeps them");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gives_the_same_keys_and_grows() {
    on_every_engine(|world| async move {
        fill(&world, 0..LEAST).await;
        let mailbox = world.mailbox("INBOX").await;
        let path = world.store.snapshots(world.alice).join(format!("{mailbox}.keys"));
        let made = keys(&world).await;
        let size = std::fs::metadata(&path).unwrap().len();
        let all = uids(&world).await;
        assert_eq!(shown(&keys(&world).await, &all), shown(&made, &all), "{}", world.engine);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size, "nothing was to be added");
        // Some go, some come.
        world.store.expunge(world.alice, mailbox, all[..50].to_vec(), false).await.unwrap();
        fill(&world, LEAST..LEAST + 70).await;
        let now = uids(&world).await;
        let read = keys(&world).await;
        assert!(std::fs::metadata(&path).unwrap().len() > size);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(shown(&read, &now), shown(&keys(&world).await, &now), "{}", world.engine);
        // Most go: the file is written without them.
        let size = std::fs::metadata(&path).unwrap().len();
        world.store.expunge(world.alice, mailbox, all[50..].to_vec(), false).await.unwrap();
        fill(&world, 300..300 + LEAST).await;
        let now = uids(&world).await;
        assert!(keys(&world).await.len() >= now.len() && std::fs::metadata(&path).unwrap().len() < 2 * size, "{}", world.engine);
        assert_eq!(shown(&keys(&world).await, &now).iter().filter(|shown| shown.is_empty()).count(), 0);
    })
    .await;
}
