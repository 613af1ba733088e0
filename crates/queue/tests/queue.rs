//! The queue's promises on every engine there is.

use std::time::SystemTime;

use bodies::{Bodies, MailLocation, Sealed, Settings};
use db::testing::{Fresh, engines};
use mail::{Address, ReversePath, Status};
use queue::{Backoff, Enqueue, Kind, Manage, Message, Outcome, QueueId, Recipient, Refused, Report, Route, Settle, Wish};

const NOW: i64 = 1_795_486_185_000;

/// A database of each engine, and bodies, in a directory of their own.
struct World {
    _root: tempfile::TempDir,
    bodies: Bodies,
    engines: Vec<Fresh>,
}

async fn world() -> World {
    let root = tempfile::tempdir().expect("a directory");
    let migrations: Vec<db::Migration> = db::MIGRATIONS.iter().chain(queue::MIGRATIONS).copied().collect();
    let engines = engines(root.path(), &migrations).await.expect("databases");
    if engines.len() < 2 {
        eprintln!("skipped: queue on PostgreSQL (POSTHOUSE_TEST_POSTGRES is not set)");
    }
    let location = MailLocation::parse("maildir:/nowhere/%d/%n").expect("a location");
    let bodies = Bodies::open(Settings { spool: root.path().join("spool"), location }).expect("bodies");
    World { _root: root, bodies, engines }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

async fn sealed(bodies: &Bodies, bytes: &[u8]) -> Sealed {
    let mut draft = bodies.draft();
    draft.write(bytes).await.expect("written");
    draft.sealed().await.expect("sealed")
}

/// A message to `locals` local and `remotes` remote recipients, due one second after another.
async fn enqueue(bodies: &Bodies, bytes: &[u8], locals: usize, remotes: usize) -> Enqueue {
    let local = (0..locals).map(|n| (format!("l{n}@example.test"), Route::Local));
    let remote = (0..remotes).map(|n| (format!("r{n}@example.net"), Route::Remote("mx.example.net".into())));
    let recipients = (0..).zip(local.chain(remote)).map(|(n, (to, route))| Recipient::new(address(&to), route, NOW + 1000 * n)).collect();
    let sender = ReversePath::Address(address("alice@example.test"));
    Enqueue::new(QueueId::generate(SystemTime::now()), sender, sealed(bodies, bytes).await, recipients, NOW, &Backoff::default())
}

fn settle(id: QueueId, n: i64, outcome: Outcome) -> Settle {
    Settle { id, n, outcome }
}

fn deferred(due: i64) -> Outcome {
    Outcome::Deferred { status: Status(4, 2, 2), text: "mailbox is full".into(), due }
}

fn failed() -> Outcome {
    Outcome::Failed { status: Status(5, 1, 1), text: "unknown user".into() }
}

/// `n:state@due#attempts status` of each recipient, dues counted from `NOW`.
fn told(message: &Message) -> String {
    let one = |entry: &queue::Entry| {
        let status = entry.status.map(|status| status.to_string()).unwrap_or_default();
        format!("{}:{:?}@{}#{} {status}", entry.n, entry.state, entry.due - NOW, entry.attempts)
    };
    message.recipients.iter().map(one).collect::<Vec<_>>().join("; ")
}

async fn shown(db: &db::Db, id: QueueId) -> String {
    queue::show(db, id).await.expect("shown").map_or("gone".into(), |message| told(&message))
}

async fn bytes(db: &db::Db, bodies: &Bodies, message: &Message) -> Vec<u8> {
    let mut reader = queue::reader(db, bodies, message).await.expect("a reader");
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await.expect("a chunk") {
        all.extend_from_slice(&chunk);
    }
    all
}

#[tokio::test]
async fn what_is_queued_comes_back() {
    let world = world().await;
    for Fresh { db, .. } in &world.engines {
        for body in [b"Subject: x\r\n\r\nsmall\r\n".to_vec(), vec![b'x'; 100_000]] {
            let mut step = enqueue(&world.bodies, &body, 1, 1).await;
            step.envid = Some("env".into());
            step.recipients[1].orcpt = Some("rfc822;R@example.net".into());
            step.recipients[1].original = address("List@example.test");
            step.body.submitted();
            let id = step.id;
            assert_eq!(db.commit(step).await.expect("queued"), id);
            let message = queue::show(db, id).await.expect("shown").expect("there");
            assert_eq!((message.sender.as_str(), message.size, message.created), ("alice@example.test", body.len() as u64, NOW));
            assert_eq!((message.envid.as_deref(), message.account, message.origin.as_deref()), (Some("env"), None, None));
            assert_eq!((message.recipients[1].original.as_str(), message.recipients[1].orcpt.as_deref()), ("List@example.test", Some("rfc822;R@example.net")));
            assert_eq!(message.recipients[1].route, Route::Remote("mx.example.net".into()));
            assert_eq!(told(&message), "0:Pending@0#0 ; 1:Pending@1000#0 ");
            assert_eq!(bytes(db, &world.bodies, &message).await, body);
        }
        assert_eq!(queue::spooled(db).await.expect("read").len(), 1);
        let listed = queue::list(db, None, 1).await.expect("listed");
        let rest = queue::list(db, Some(listed[0].id), 10).await.expect("listed");
        assert_eq!((listed.len(), rest.len(), rest[0].recipients.len()), (1, 1, 2), "page by page");
    }
}

#[tokio::test]
async fn the_due_are_found_in_order_and_by_kind() {
    let world = world().await;
    for Fresh { db, .. } in &world.engines {
        let (first, second) = (enqueue(&world.bodies, b"1", 2, 1).await, enqueue(&world.bodies, b"2", 1, 2).await);
        let (one, two) = (first.id, second.id);
        db.commit(vec![second, first]).await.expect("queued");
        let due = async |kind, at, limit| -> Vec<(QueueId, Vec<i64>)> {
            let due = queue::due(db, kind, NOW + at, limit).await.expect("due");
            due.iter().map(|message| (message.id, message.recipients.iter().map(|entry| entry.n).collect())).collect()
        };
        assert_eq!(due(Kind::Local, -1, 9).await, []);
        assert_eq!(due(Kind::Local, 0, 9).await, [(one, vec![0]), (two, vec![0])]);
        assert_eq!(due(Kind::Local, 9000, 9).await, [(one, vec![0, 1]), (two, vec![0])]);
        assert_eq!(due(Kind::Local, 9000, 1).await, [(one, vec![0])]);
        assert_eq!(due(Kind::Remote, 1000, 9).await, [(two, vec![1])]);
        assert_eq!(queue::next_due(db, Kind::Remote, NOW).await.expect("read"), Some(NOW + 1000));
        assert_eq!(queue::next_due(db, Kind::Local, NOW + 1000).await.expect("read"), None);
    }
}

#[tokio::test]
async fn a_recipient_is_settled_once() {
    let world = world().await;
    for Fresh { db, .. } in &world.engines {
        for body in [vec![b'x'; 10], vec![b'x'; 100_000]] {
            let step = enqueue(&world.bodies, &body, 3, 0).await;
            let (id, name, spooled) = (step.id, step.body.name(), step.body.inline().is_none());
            step.body.submitted();
            db.commit(step).await.expect("queued");
            db.commit(settle(id, 0, deferred(NOW + 5))).await.expect("deferred");
            db.commit(settle(id, 1, failed())).await.expect("failed");
            assert_eq!(shown(db, id).await, "0:Pending@5#1 4.2.2; 1:Failed@1000#1 5.1.1; 2:Pending@2000#0 ");
            let delivered = db.commit(vec![settle(id, 2, Outcome::Delivered), settle(id, 0, Outcome::Delivered)]).await.expect("delivered");
            assert!(delivered.iter().all(|settled| settled.discard.is_none()), "a failed recipient keeps the message");
            for n in 0..4 {
                let error = db.commit(settle(id, n, Outcome::Delivered)).await.expect_err("no longer waiting");
                assert_eq!(queue::refused(&error), Some(Refused::Gone(id)), "{n}");
            }
            db.commit(Manage { id, wish: Wish::Requeue, now: NOW }).await.expect("requeued");
            assert_eq!(shown(db, id).await, "1:Pending@0#0 5.1.1");
            let settled = db.commit(settle(id, 1, Outcome::Delivered)).await.expect("delivered");
            assert_eq!(settled.discard, spooled.then_some(name));
            assert_eq!(shown(db, id).await, "gone");
            assert_eq!(db.query("SELECT id FROM queue_body", &[]).await.expect("read").len(), 0);
            world.bodies.discard(settled.discard.into_iter().collect()).await.expect("discarded");
        }
    }
}

#[tokio::test]
async fn a_sender_is_told_once() {
    let world = world().await;
    for Fresh { db, .. } in &world.engines {
        let step = enqueue(&world.bodies, b"x", 1, 2).await;
        let id = step.id;
        db.commit(step).await.expect("queued");
        let to_report = async |now| queue::to_report(db, now, 9).await.expect("read");
        assert_eq!(to_report(NOW).await, []);
        db.commit(settle(id, 1, failed())).await.expect("failed");
        assert_eq!(to_report(NOW).await, [], "another is about to be tried");
        db.commit(vec![settle(id, 0, deferred(NOW + 60_000)), settle(id, 2, deferred(NOW + 90_000))]).await.expect("deferred");
        assert_eq!(to_report(NOW).await, [id]);
        let warning = Report { id, ended: vec![], warned: true };
        assert!(!db.commit(warning.clone()).await.expect("warned").removed);
        assert_eq!(queue::refused(&db.commit(warning).await.expect_err("warned before")), Some(Refused::Gone(id)));
        let bounce = |n| Report { id, ended: vec![n], warned: false };
        assert_eq!(queue::refused(&db.commit(bounce(0)).await.expect_err("it has not failed")), Some(Refused::Gone(id)));
        assert!(!db.commit(bounce(1)).await.expect("told").removed, "others wait");
        assert_eq!(queue::refused(&db.commit(bounce(1)).await.expect_err("told before")), Some(Refused::Gone(id)));
        db.commit(settle(id, 0, Outcome::Delivered)).await.expect("delivered");
        db.commit(settle(id, 2, failed())).await.expect("failed");
        assert!(db.commit(bounce(2)).await.expect("told").removed);
        assert_eq!(shown(db, id).await, "gone");
    }
}

#[tokio::test]
async fn all_that_is_due_is_read_page_by_page() {
    let world = world().await;
    for Fresh { db, .. } in &world.engines {
        for _ in 0..3 {
            let step = enqueue(&world.bodies, b"x", 1, 3).await;
            db.commit(step).await.expect("queued");
        }
        let (mut cursor, mut seen) = ((0, -1, -1), Vec::new());
        loop {
            let (messages, last) = queue::due_after(db, Kind::Remote, NOW + 2000, cursor, 2).await.expect("read");
            let Some(last) = last else { break };
            cursor = last;
            seen.extend(messages.iter().flat_map(|message| message.recipients.iter().map(|entry| (entry.due, message.id, entry.n))));
        }
        assert_eq!(seen.len(), 6, "of four, one is local and one is not due yet");
        assert!(seen.is_sorted(), "{seen:?}");
    }
}

#[tokio::test]
async fn the_operator_has_his_way() {
    let world = world().await;
    for Fresh { db, .. } in &world.engines {
        let step = enqueue(&world.bodies, b"x", 1, 1).await;
        let id = step.id;
        db.commit(step).await.expect("queued");
        let manage = async |wish| db.commit(Manage { id, wish, now: NOW }).await.map(|managed| managed.recipients);
        assert_eq!(manage(Wish::Hold).await.expect("held"), 2);
        assert_eq!(manage(Wish::Hold).await.expect("held before"), 0);
        assert!(db.commit(settle(id, 0, Outcome::Delivered)).await.is_err(), "held while it was being delivered");
        assert_eq!(queue::due(db, Kind::Local, i64::MAX, 9).await.expect("due").len(), 0);
        assert_eq!(manage(Wish::Release).await.expect("released"), 2);
        db.commit(settle(id, 0, deferred(NOW + 99))).await.expect("deferred");
        assert_eq!(manage(Wish::Flush).await.expect("flushed"), 1);
        assert_eq!(shown(db, id).await, "0:Pending@0#1 4.2.2; 1:Pending@0#0 ");
        assert_eq!(manage(Wish::Delete).await.expect("deleted"), 2);
        let error = manage(Wish::Delete).await.expect_err("deleted before");
        assert_eq!(queue::refused(&error), Some(Refused::NoSuchMessage(id)));
        assert_eq!(db.query("SELECT id FROM queue_body", &[]).await.expect("read").len(), 0);
    }
}

/// `run(batch)` is the same as one step after the other, in order.
#[tokio::test]
async fn settling_together_is_settling_one_by_one() {
    let world = world().await;
    for Fresh { db, engine, .. } in &world.engines {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        let (mut whole, mut refused) = (0, 0);
        for case in 0..60 {
            let (one, all) = (enqueue(&world.bodies, b"x", 3, 0).await, enqueue(&world.bodies, b"x", 3, 0).await);
            let (one, all) = (db.commit(one).await.expect("queued"), db.commit(all).await.expect("queued"));
            let steps: Vec<(i64, Outcome)> = (0..random(5))
                .map(|_| {
                    let n = random(3) as i64;
                    let outcome = match random(4) {
                        0 | 1 => deferred(NOW + random(1000) as i64),
                        2 => Outcome::Delivered,
                        _ => failed(),
                    };
                    (n, outcome)
                })
                .collect();
            let before = shown(db, all).await;
            let together = db.commit(steps.iter().map(|(n, outcome)| settle(all, *n, outcome.clone())).collect::<Vec<_>>()).await;
            let mut singly = Ok(Vec::new());
            for (n, outcome) in &steps {
                match (&mut singly, db.commit(settle(one, *n, outcome.clone())).await) {
                    (Ok(done), Ok(settled)) => done.push(settled),
                    (Ok(_), Err(error)) => singly = Err(error),
                    (Err(_), _) => {}
                }
            }
            match (together, singly) {
                (Ok(together), Ok(singly)) => {
                    whole += 1;
                    assert_eq!(together, singly, "case {case} on {engine}: {steps:?}");
                    assert_eq!(shown(db, all).await, shown(db, one).await, "case {case} on {engine}: {steps:?}");
                }
                (Err(_), Err(_)) => {
                    refused += 1;
                    assert_eq!(shown(db, all).await, before, "case {case} on {engine}: a unit is refused whole");
                }
                (together, singly) => panic!("case {case} on {engine}: {steps:?}: {together:?} but {singly:?}"),
            }
        }
        assert!(whole > 5 && refused > 5, "both happen: {whole} and {refused}");
    }
}
