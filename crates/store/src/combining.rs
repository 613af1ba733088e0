//! The promise of `db::Step::run` for each kind that combines: a batch does what its steps do one by one in order.
//!
//! Every case runs on two accounts (or pairs of them) of one store that are alike: one gets the batch, the other the steps one
//! by one; then they must still be alike.

use mail::{Date, Flags, Uid};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::testing::{World, name, worlds};
use crate::{AccountId, Deposit, MessageId, Move, Refused, refused};

/// Cases of each property on each engine. Each makes accounts.
const CASES: u32 = 16;

/// Runs a property on every engine.
fn holds<S: Strategy>(strategy: S, test: impl AsyncFn(&World, S::Value)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let worlds = runtime.block_on(worlds(directory.path()));
    let strategy = strategy.no_shrink();
    for world in &worlds {
        let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
        let ran = runner.run(&strategy, |value| {
            runtime.block_on(test(world, value));
            Ok(())
        });
        if let Err(error) = ran {
            panic!("{}: {error}", world.engine);
        }
        runtime.block_on(world.is_sound());
    }
}

/// A deposit to one of two accounts.
#[derive(Clone, Debug)]
struct Arrival {
    second: bool,
    mailbox: &'static str,
    size: usize,
    flags: u64,
}

fn arrivals(mailboxes: &'static [&'static str]) -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = (any::<bool>(), proptest::sample::select(mailboxes), 0..60usize, 0..32u64);
    let arrival = arrival.prop_map(|(second, mailbox, size, flags)| Arrival { second, mailbox, size, flags });
    proptest::collection::vec(arrival, 1..12)
}

/// The same deposits for one pair of accounts.
fn deposits(arrivals: &[Arrival], to: [AccountId; 2], bodies: &[bodies::Sealed]) -> Vec<Deposit> {
    let one = |(arrival, body): (&Arrival, &bodies::Sealed)| {
        Deposit::new(to[usize::from(arrival.second)], name(arrival.mailbox), body.clone(), Date::new(7, 0)).with_flags(Flags::from_bits(arrival.flags))
    };
    arrivals.iter().zip(bodies).map(one).collect()
}

async fn sealed(world: &World, arrivals: &[Arrival]) -> Vec<bodies::Sealed> {
    let mut bodies = Vec::new();
    for arrival in arrivals {
        bodies.push(world.sealed(&[b"A: b\r\n\r\n".to_vec(), vec![b'x'; arrival.size]].concat()).await);
    }
    bodies
}

#[test]
fn deposits_combine() {
    holds((arrivals(&["INBOX", "Sent", "Nowhere"]), 0..3u8), async |world, (arrivals, limited)| {
        // Either some have no room, or some have no mailbox: with both, one that is refused for its mailbox counts for the
        // quota of the next until that is tried alone, and the order of those who fit may differ.
        let arrivals: Vec<Arrival> = arrivals.into_iter().filter(|arrival| limited == 0 || arrival.mailbox != "Nowhere").collect();
        let quota = (limited > 0).then_some(150);
        let (together, apart) = ([world.account(quota).await, world.account(quota).await], [world.account(quota).await, world.account(quota).await]);
        let mut bases = Vec::new();
        for account in together.into_iter().chain(apart) {
            bases.push(world.seq(account).await);
        }
        let bodies = sealed(world, &arrivals).await;
        let grouped = world.as_one_group(together[0], deposits(&arrivals, together, &bodies)).await;
        for (deposit, grouped) in deposits(&arrivals, apart, &bodies).into_iter().zip(grouped) {
            match (world.store.db().commit(deposit).await, grouped) {
                (Ok(alone), Ok(grouped)) => assert_eq!(alone.uid, grouped.uid),
                (Err(alone), Err(grouped)) => {
                    assert!(matches!(refused(&alone), Some(Refused::OverQuota | Refused::NoSuchMailbox(_))), "{alone}");
                    assert_eq!(refused(&alone), refused(&grouped));
                }
                (alone, grouped) => panic!("alone {alone:?}, grouped {grouped:?}"),
            }
        }
        for n in 0..2 {
            assert_eq!(world.dump(together[n], bases[n]).await, world.dump(apart[n], bases[n + 2]).await);
        }
    });
}

/// Two accounts with the same messages, half of them copied; and the `seq` before them.
async fn twins(world: &World, count: usize) -> [(AccountId, i64); 2] {
    let arrivals: Vec<Arrival> = (0..count).map(|n| Arrival { second: false, mailbox: "INBOX", size: n, flags: 0 }).collect();
    let bodies = sealed(world, &arrivals).await;
    let mut twins = Vec::new();
    for _ in 0..2 {
        let account = world.account(None).await;
        let base = world.seq(account).await;
        for deposit in deposits(&arrivals, [account, account], &bodies) {
            world.store.db().commit(deposit).await.unwrap();
        }
        let inbox = world.store.mailbox(account, &name("INBOX")).await.unwrap().unwrap();
        let half: Vec<Uid> = (1..=count as u32 / 2).filter_map(Uid::new).collect();
        world.store.copy(account, inbox.id, half, &name("Sent")).await.unwrap();
        twins.push((account, base));
    }
    [twins[0], twins[1]]
}

#[test]
fn kept_structures_combine() {
    let kept = proptest::collection::vec((0..9i64, proptest::collection::vec(any::<u8>(), 0..5)), 1..14);
    holds(kept, async |world, kept| {
        let [(together, base), (apart, base_apart)] = twins(world, 6).await;
        let step = |account, base, (n, packed): &(i64, Vec<u8>)| crate::message::KeepStructure { account, id: MessageId::new(base + 1 + n), packed: packed.clone().into() };
        world.store.db().commit(kept.iter().map(|kept| step(together, base, kept)).collect::<Vec<_>>()).await.unwrap();
        for kept in &kept {
            world.store.db().commit(step(apart, base_apart, kept)).await.unwrap();
        }
        assert_eq!(world.dump(together, base).await, world.dump(apart, base_apart).await);
    });
}

#[test]
fn settled_bodies_combine() {
    // Steps: for some messages, whether both places, the first or none were filled.
    let steps = proptest::collection::vec(proptest::collection::btree_map(0..8i64, 0..3usize, 0..5), 1..5);
    holds(steps, async |world, steps| {
        let [(together, base), (apart, base_apart)] = twins(world, 6).await;
        let mut batch = Vec::new();
        let mut alone = Vec::new();
        for placed in &steps {
            for (account, base, list) in [(together, base, &mut batch), (apart, base_apart, &mut alone)] {
                list.push(crate::settle::settled(world, account, placed.iter().map(|(n, spots)| (base + 1 + n, *spots))).await);
            }
        }
        let relative = |base: i64, fates: Vec<(i64, String)>| fates.into_iter().map(|(id, fate)| (id - base, fate)).collect::<Vec<_>>();
        let fates = crate::settle::commit_settled(world, vec![batch]).await;
        let mut one_by_one = Vec::new();
        for step in alone {
            one_by_one.extend(crate::settle::commit_settled(world, vec![vec![step]]).await);
        }
        let fates: Vec<_> = fates.into_iter().map(|fates| relative(base, fates)).collect();
        let one_by_one: Vec<_> = one_by_one.into_iter().map(|fates| relative(base_apart, fates)).collect();
        assert_eq!(fates, one_by_one);
        assert_eq!(world.dump(together, base).await, world.dump(apart, base_apart).await);
        // What was told to be settled has no file here: it is taken out of the way of the check.
        for account in [together, apart] {
            world.store.remove_account(account).await.unwrap();
        }
    });
}

#[test]
fn work_that_is_done_combines() {
    let steps = proptest::collection::vec(proptest::collection::vec(0..12i64, 0..6), 1..5);
    holds(steps, async |world, steps| {
        let [(together, base), (apart, base_apart)] = twins(world, 6).await;
        for (account, _) in [(together, base), (apart, base_apart)] {
            let inbox = world.store.mailbox(account, &name("INBOX")).await.unwrap().unwrap();
            world.store.expunge(account, inbox.id, (1..=6).filter_map(Uid::new).collect(), false).await.unwrap();
        }
        let (now, now_apart) = (world.seq(together).await, world.seq(apart).await);
        let step = |account, now: i64, ids: &Vec<i64>| crate::settle::todo::Done { account, ids: ids.iter().map(|n| now - n).collect() };
        world.store.db().commit(steps.iter().map(|ids| step(together, now, ids)).collect::<Vec<_>>()).await.unwrap();
        for ids in &steps {
            world.store.db().commit(step(apart, now_apart, ids)).await.unwrap();
        }
        assert_eq!(world.dump(together, base).await, world.dump(apart, base_apart).await);
    });
}

/// They do not combine, so that each sees what those before it left: of two clients that move one message one does.
#[test]
fn moves_of_one_group_follow_one_another() {
    let uids = proptest::collection::btree_set(1..7u32, 0..5);
    let targets = proptest::sample::select(&["INBOX", "Sent", "Trash", "Nowhere"][..]);
    let moves = proptest::collection::vec((any::<bool>(), uids, targets), 1..7);
    holds(moves, async |world, moves| {
        let [(together, base), (apart, base_apart)] = twins(world, 6).await;
        let mut steps = Vec::new();
        let mut alone = Vec::new();
        for (account, list) in [(together, &mut steps), (apart, &mut alone)] {
            let boxes = [world.store.mailbox(account, &name("INBOX")).await, world.store.mailbox(account, &name("Sent")).await];
            let [inbox, sent] = boxes.map(|found| found.unwrap().unwrap().id);
            for (from_sent, uids, to) in &moves {
                let uids = uids.iter().copied().filter_map(Uid::new).collect();
                list.push(Move::new(&world.store, account, if *from_sent { sent } else { inbox }, uids, name(to)));
            }
        }
        let grouped = world.as_one_group(together, steps).await;
        for (step, grouped) in alone.into_iter().zip(grouped) {
            match (world.store.db().commit(step).await, grouped) {
                (Ok(alone), Ok(grouped)) => assert_eq!(alone.pairs, grouped.pairs),
                (Err(alone), Err(grouped)) => assert_eq!(refused(&alone), refused(&grouped)),
                (alone, grouped) => panic!("alone {alone:?}, grouped {grouped:?}"),
            }
        }
        assert_eq!(world.dump(together, base).await, world.dump(apart, base_apart).await);
        let places = "SELECT COUNT(*), COUNT(DISTINCT message_id) FROM mailbox_message WHERE account_id = ?1";
        let places = world.store.db().query(places, &[together.into()]).await.unwrap();
        assert_eq!((places[0].int(0), places[0].int(1)), (9, 6), "none is doubled, none is lost");
    });
}
