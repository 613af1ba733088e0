//! From an accepted message to the mailboxes, at once and by way of the queue, on every engine.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bodies::{Bodies, MailLocation, Settings};
use mail::mime::Structure;
use mail::{Address, MailboxName, ReversePath, Status, header};
use mda::{Error, Expanded, How, Limits, Message, Plan, Receipt, Recipient, Routes, Runner, Tried, expand};
use queue::{Manage, QueueId, State, Wish};
use route::{Alias, Applied, Class, Next, Route, Steps, Table, follow};
use store::{AccountId, Refused, Store, check, settle};

const NOW: i64 = 1_795_486_185_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A store with `alice@` and `bob@example.test`, and who is who besides.
struct World {
    store: Store,
    alice: AccountId,
    bob: AccountId,
    spool: PathBuf,
    directory: Directory,
    engine: &'static str,
}

/// Where addresses lead, for the runner and the tests; changed while they run.
#[derive(Clone, Default)]
struct Directory(Arc<Mutex<HashMap<String, Next>>>);

impl Directory {
    fn set(&self, address: &str, routed: Next) {
        self.0.lock().unwrap().insert(address.into(), routed);
    }

    fn alias(&self, address: &str, targets: &[&str]) {
        self.set(address, Next::Alias(Alias { targets: targets.iter().map(|target| at(target)).collect(), ..Alias::default() }));
    }
}

impl Steps for Directory {
    async fn step(&self, address: &Address, _applied: Applied) -> Result<Next, db::Error> {
        let (base, detail) = address.split_delimiter("+");
        let found = self.0.lock().unwrap().get(&base.folded().to_string()).cloned();
        Ok(match found {
            Some(Next::Mailbox { account, address, .. }) => Next::Mailbox { account, address, detail },
            Some(other) => other,
            None if address.domain() == "example.test" => Next::Unknown(Table::VirtualMailbox),
            None => Next::Remote { hop: String::new(), class: Class::Rest },
        })
    }
}

impl Routes for Directory {
    async fn route(&self, address: &Address) -> Result<Route, db::Error> {
        follow(self, address, Applied::default(), route::Limits::default()).await
    }

    async fn route_again(&self, address: &Address) -> Result<Route, db::Error> {
        follow(self, address, Applied::ALL, route::Limits::default()).await
    }
}

fn at(address: &str) -> Address {
    Address::parse(address).unwrap()
}

fn inbox() -> MailboxName {
    MailboxName::inbox()
}

impl World {
    async fn message(&self, bytes: &[u8]) -> Message {
        let mut draft = self.store.bodies().draft();
        draft.write(bytes).await.unwrap();
        Message {
            id: QueueId::generate(SystemTime::now()),
            sender: ReversePath::Address(at("carol@example.org")),
            body: draft.sealed().await.unwrap(),
            header: bytes[..header::end_of_header(bytes)].to_vec().into(),
            structure: Some(Arc::new(Structure::of_message(bytes))),
            arrived: NOW,
            flags: 0,
            envid: None,
            account: None,
            origin: None,
        }
    }

    async fn plan(&self, bytes: &[u8], recipients: &[&str], limits: Limits) -> Result<Plan, Error> {
        let mut to = Vec::new();
        for recipient in recipients {
            match expand(&self.directory, &Recipient::new(at(recipient))).await.unwrap() {
                Expanded::Deliveries(deliveries) => to.extend(deliveries),
                other => panic!("{recipient}: {other:?}"),
            }
        }
        Plan::for_message(self.message(bytes).await, to, NOW, limits).await
    }

    async fn send(&self, bytes: &[u8], recipients: &[&str]) -> Receipt {
        self.plan(bytes, recipients, Limits::default()).await.unwrap().commit(self.store.db()).await.unwrap()
    }

    /// The messages of a mailbox, in order.
    async fn read(&self, account: AccountId, mailbox: &str) -> Vec<String> {
        let view = self.store.open(account, &MailboxName::new(mailbox).unwrap()).await.unwrap();
        let mut messages = Vec::new();
        for row in &view.rows {
            let mut reader = self.store.read(account, view.mailbox.id, row.uid).await.unwrap().unwrap();
            let mut bytes = Vec::new();
            while let Some(chunk) = reader.chunk().await.unwrap() {
                bytes.extend_from_slice(&chunk);
            }
            messages.push(String::from_utf8(bytes).unwrap());
        }
        messages
    }

    async fn queued(&self) -> Vec<queue::Message> {
        queue::list(self.store.db(), None, 100).await.unwrap()
    }

    /// Tries every waiting recipient once, at `now`.
    async fn try_all(&self, now: i64) -> Vec<Tried> {
        let runner = Runner::new(self.store.clone(), self.directory.clone(), Limits::default());
        let mut tried = Vec::new();
        for message in self.queued().await {
            for entry in message.recipients.iter().filter(|entry| entry.state == State::Pending && entry.route == queue::Route::Local) {
                tried.push(runner.attempt(&message, entry, now).await);
            }
        }
        tried
    }

    fn spooled(&self) -> usize {
        std::fs::read_dir(&self.spool).unwrap().count()
    }
}

/// `address state status attempts` of each queued recipient.
fn told(messages: &[queue::Message]) -> Vec<String> {
    let one = |entry: &queue::Entry| {
        let status = entry.status.map_or("-".into(), |status| status.to_string());
        format!("{} {:?} {status} {}", entry.address, entry.state, entry.attempts)
    };
    messages.iter().flat_map(|message| &message.recipients).map(one).collect()
}

async fn on_every_engine<F, T>(test: F)
where
    F: Fn(Arc<World>) -> T,
    T: Future<Output = ()>,
{
    let directory = tempfile::tempdir().unwrap();
    let migrations = [db::MIGRATIONS, store::MIGRATIONS, queue::MIGRATIONS].concat();
    let engines = db::testing::engines(directory.path(), &migrations).await.unwrap();
    if engines.len() < 2 {
        eprintln!("skipped: mda on PostgreSQL (POSTHOUSE_TEST_POSTGRES is not set)");
    }
    for fresh in engines {
        let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", fresh.directory.display())).unwrap();
        let spool = fresh.directory.join("spool");
        let bodies = Bodies::open(Settings { spool: spool.clone(), location }).unwrap();
        let store = Store::new(fresh.db.clone(), bodies);
        store.add_domain("example.test").await.unwrap();
        let (mut ids, routes) = (Vec::new(), Directory::default());
        for name in ["alice@example.test", "bob@example.test"] {
            let account = store.add_account(&at(name), "{PLAIN}x", None).await.unwrap();
            routes.set(name, Next::Mailbox { account, address: at(name), detail: None });
            ids.push(account);
        }
        let world = World { store: store.clone(), alice: ids[0], bob: ids[1], spool, directory: routes, engine: fresh.engine };
        test(Arc::new(world)).await;
        settle::settle(&store).await.unwrap();
        assert_eq!(check::rows(&store).await.unwrap(), [], "{}", fresh.engine);
        assert_eq!(check::files(&store).await.unwrap(), [], "{}", fresh.engine);
        fresh.db.close().await;
    }
}

const MAIL: &[u8] = b"Received: by mx\r\nSubject: hi\r\n\r\nbody\r\n";

/// `size` octets of mail.
fn large(size: usize) -> Vec<u8> {
    let mut mail = MAIL.to_vec();
    while mail.len() < size {
        mail.extend_from_slice(b"and a line more of it\r\n");
    }
    mail
}

#[tokio::test]
async fn here_and_elsewhere_is_one_commit() {
    on_every_engine(|world| async move {
        for bytes in [MAIL.to_vec(), large(200_000)] {
            let receipt = world.send(&bytes, &["alice@example.test", "far@example.net", "BOB@example.test"]).await;
            let how: Vec<(String, bool)> = receipt.taken.iter().map(|taken| (taken.to.to_string(), taken.how == How::Queued)).collect();
            assert_eq!(how, [("alice@example.test".into(), false), ("bob@example.test".into(), false), ("far@example.net".into(), true)]);
            let queued = world.queued().await;
            assert_eq!((queued.last().unwrap().id, queued.last().unwrap().recipients.len()), (receipt.id, 1));
            let text = String::from_utf8(bytes.clone()).unwrap();
            let got = world.read(world.bob, "INBOX").await;
            assert_eq!(got.last().unwrap(), &format!("Return-Path: <carol@example.org>\r\nX-Original-To: BOB@example.test\r\nDelivered-To: bob@example.test\r\n{text}"));
            assert_eq!(world.read(world.alice, "INBOX").await.len(), queued.len());

            let view = world.store.open(world.bob, &inbox()).await.unwrap();
            let last = view.rows.last().unwrap().uid;
            let message = world.store.messages(world.bob, view.mailbox.id, &[last], true).await.unwrap().remove(0);
            assert_eq!(*message.structure.unwrap(), Structure::of_message(got.last().unwrap().as_bytes()), "the structure is that of the whole");
            assert_eq!(message.size, got.last().unwrap().len() as u64);
        }
        settle::settle(&world.store).await.unwrap();
        assert_eq!(world.spooled(), 1, "only the queue's copy of the large one is left");
    })
    .await;
}

#[tokio::test]
async fn one_mailbox_gets_it_once() {
    on_every_engine(|world| async move {
        world.directory.alias("info@example.test", &["alice@example.test", "bob@example.test"]);
        world.directory.alias("all@example.test", &["info@example.test", "ALICE@example.test", "far@example.net", "Far@example.net"]);
        let receipt = world.send(MAIL, &["all@example.test", "alice@example.test", "info@example.test"]).await;
        assert_eq!(receipt.taken.len(), 3);
        assert_eq!((world.read(world.alice, "INBOX").await.len(), world.read(world.bob, "INBOX").await.len()), (1, 1));
        assert_eq!(told(&world.queued().await), ["far@example.net Pending - 0"]);
    })
    .await;
}

#[tokio::test]
async fn a_detail_is_a_mailbox_if_there_is_one() {
    on_every_engine(|world| async move {
        world.send(MAIL, &["alice+Archive@example.test", "alice+Nothing@example.test", "bob+Trash@example.test", "bob+../x@example.test"]).await;
        assert_eq!((world.read(world.alice, "Archive").await.len(), world.read(world.alice, "INBOX").await.len()), (1, 1));
        assert_eq!((world.read(world.bob, "Trash").await.len(), world.read(world.bob, "INBOX").await.len()), (1, 1));
        assert_eq!(world.queued().await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn details_that_lead_nowhere_cost_nobody_the_mail() {
    on_every_engine(|world| async move {
        for (name, targets) in [("a", "alice+1"), ("b", "bob+2"), ("c", "alice+3"), ("d", "bob+4"), ("e", "bob+5")] {
            world.directory.alias(&format!("{name}@example.test"), &[&format!("{targets}@example.test")]);
        }
        let names = ["a", "b", "c", "d", "e"].map(|name| format!("{name}@example.test"));
        world.send(MAIL, &names.each_ref().map(String::as_str)).await;
        assert!(world.try_all(NOW).await.iter().all(|tried| *tried == Tried::Done));
        assert!(!world.read(world.alice, "INBOX").await.is_empty() && !world.read(world.bob, "INBOX").await.is_empty());
        assert_eq!(world.queued().await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn over_quota_waits_in_the_queue_and_is_delivered_once() {
    on_every_engine(|world| async move {
        for bytes in [MAIL.to_vec(), large(100_000)] {
            let before = world.read(world.bob, "INBOX").await.len();
            world.store.set_quota(world.alice, Some(10), None).await.unwrap();
            let receipt = world.send(&bytes, &["alice@example.test"]).await;
            assert_eq!(receipt.taken[0].how, How::Queued);
            assert_eq!(told(&world.queued().await), ["alice@example.test Pending 4.2.2 1"]);
            assert_eq!(world.try_all(NOW + 1).await, [Tried::Deferred(Status(4, 2, 2))]);
            assert_eq!(told(&world.queued().await), ["alice@example.test Pending 4.2.2 2"]);
            assert_eq!(world.queued().await[0].recipients[0].due, NOW + 1 + 300_000);

            world.send(&bytes, &["alice@example.test", "bob@example.test"]).await;
            assert_eq!(world.queued().await.len(), 2, "who is to blame is found out by the queue");
            assert_eq!(world.try_all(NOW + 2).await, [Tried::Deferred(Status(4, 2, 2)), Tried::Deferred(Status(4, 2, 2)), Tried::Done]);
            assert_eq!(world.read(world.bob, "INBOX").await.len(), before + 1);

            world.store.set_quota(world.alice, None, None).await.unwrap();
            assert_eq!(world.try_all(NOW + 3).await, [Tried::Done, Tried::Done]);
            assert_eq!(world.queued().await.len(), 0);
            let text = String::from_utf8(bytes).unwrap();
            let got = world.read(world.alice, "INBOX").await;
            assert!(got.iter().rev().take(2).all(|message| message.ends_with(&text) && message.starts_with("Return-Path: <carol@example.org>\r\nX-Original-To: alice@example.test\r\n")));
        }
        assert_eq!(world.read(world.alice, "INBOX").await.len(), 4);
        settle::settle(&world.store).await.unwrap();
        assert_eq!(world.spooled(), 0, "nothing is left in the spool");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_delivered_fails_in_the_end_and_stays_visible() {
    on_every_engine(|world| async move {
        world.store.set_quota(world.alice, Some(10), None).await.unwrap();
        world.send(MAIL, &["alice@example.test"]).await;
        assert_eq!(world.try_all(NOW + 5 * DAY - 1).await, [Tried::Deferred(Status(4, 2, 2))]);
        assert_eq!(world.try_all(NOW + 5 * DAY).await, [Tried::Failed(Status(5, 2, 2))]);
        assert_eq!(told(&world.queued().await), ["alice@example.test Failed 5.2.2 3"]);
        assert_eq!(world.try_all(NOW + 6 * DAY).await, [], "given up");

        world.directory.alias("list@example.test", &["bob@example.test", "gone@example.test"]);
        world.send(MAIL, &["list@example.test"]).await;
        assert_eq!(world.read(world.bob, "INBOX").await.len(), 1);
        assert_eq!(world.try_all(NOW).await, [Tried::Failed(Status(5, 1, 1))]);
        world.directory.set("root@example.test", Next::Later("no account yet"));
        world.directory.alias("list@example.test", &["root@example.test"]);
        world.send(MAIL, &["list@example.test"]).await;
        assert_eq!(world.try_all(NOW).await, [Tried::Deferred(Status(4, 3, 0))]);
    })
    .await;
}

#[tokio::test]
async fn a_circle_ends() {
    on_every_engine(|world| async move {
        let seen = b"Delivered-To: Alice@Example.Test\r\nSubject: x\r\n\r\nDelivered-To: bob@example.test\r\n";
        assert!(matches!(world.plan(seen, &["alice@example.test"], Limits::default()).await, Err(Error::Loop(_))));
        world.send(seen, &["alice@example.test", "bob@example.test"]).await;
        assert_eq!(world.read(world.bob, "INBOX").await.len(), 1, "what stands in the body does not count");
        assert_eq!(world.try_all(NOW).await, [Tried::Failed(Status(5, 4, 6))]);
        assert_eq!(world.read(world.alice, "INBOX").await.len(), 0);
        assert!(matches!(world.plan(MAIL, &[], Limits::default()).await, Err(Error::NobodyLeft)));
    })
    .await;
}

#[tokio::test]
async fn many_recipients_go_through_the_queue_and_the_runner() {
    on_every_engine(|world| async move {
        let names: Vec<String> = (0..4).map(|n| format!("user{n}@example.test")).collect();
        let mut accounts = Vec::new();
        for name in &names {
            let account = world.store.add_account(&at(name), "{PLAIN}x", None).await.unwrap();
            world.directory.set(name, Next::Mailbox { account, address: at(name), detail: None });
            accounts.push(account);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let few = Limits { direct_recipients: 3, ..Limits::default() };
        for bytes in [MAIL.to_vec(), large(100_000)] {
            let plan = world.plan(&bytes, &names, few).await.unwrap();
            assert_eq!(plan.counts(), (0, 4));
            plan.commit(world.store.db()).await.unwrap();
        }
        let runner = Runner::new(world.store.clone(), world.directory.clone(), few);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(runner.run(async move { drop(stopped.await) }));
        let mut watch = world.store.watch(accounts[0]);
        while !world.queued().await.is_empty() {
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::task::yield_now() => {}
            }
        }
        // the bell wakes it for what comes later
        world.plan(MAIL, &names, few).await.unwrap().commit(world.store.db()).await.unwrap();
        while !world.queued().await.is_empty() {
            tokio::task::yield_now().await;
        }
        drop(stop);
        running.await.unwrap();
        for account in accounts {
            assert_eq!(world.read(account, "INBOX").await.len(), 3, "{}", world.engine);
        }
        settle::settle(&world.store).await.unwrap();
        assert_eq!(world.spooled(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_recipient_held_meanwhile_is_not_delivered() {
    on_every_engine(|world| async move {
        world.store.set_quota(world.alice, Some(10), None).await.unwrap();
        let id = world.send(&large(100_000), &["alice@example.test"]).await.id;
        world.store.set_quota(world.alice, None, None).await.unwrap();
        let message = queue::show(world.store.db(), id).await.unwrap().unwrap();
        world.store.db().commit(Manage { id, wish: Wish::Hold, now: NOW }).await.unwrap();
        let runner = Runner::new(world.store.clone(), world.directory.clone(), Limits::default());
        assert_eq!(runner.attempt(&message, &message.recipients[0], NOW).await, Tried::Gone);
        assert_eq!(world.read(world.alice, "INBOX").await.len(), 0, "the deposit fell with the settlement");
        assert_eq!(world.spooled(), 1, "and its body");
        world.store.db().commit(Manage { id, wish: Wish::Release, now: NOW }).await.unwrap();
        assert_eq!(runner.attempt(&message, &message.recipients[0], NOW).await, Tried::Done);
        assert_eq!(runner.attempt(&message, &message.recipients[0], NOW).await, Tried::Gone, "its row is no longer there");
        assert_eq!(world.read(world.alice, "INBOX").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_alias_in_the_queue_is_split() {
    on_every_engine(|world| async move {
        world.directory.set("team@example.test", Next::Later("not yet"));
        world.directory.alias("list@example.test", &["team@example.test", "bob@example.test"]);
        world.send(MAIL, &["list@example.test"]).await;
        world.store.set_quota(world.alice, Some(10), None).await.unwrap();
        world.directory.alias("team@example.test", &["alice@example.test", "bob+Archive@example.test", "far@example.net"]);
        assert_eq!(world.try_all(NOW + 5).await, [Tried::Done], "one of them is over quota: all become entries of their own");
        let queued = world.queued().await;
        assert_eq!(told(&queued), ["alice@example.test Pending - 0", "bob+Archive@example.test Pending - 0", "far@example.net Pending - 0"]);
        assert_eq!((queued[0].created, queued[0].recipients[0].original.as_str()), (NOW, "list@example.test"), "as old as the message");
        assert_eq!(world.try_all(NOW + 6).await, [Tried::Deferred(Status(4, 2, 2)), Tried::Done]);
        assert_eq!(world.read(world.bob, "Archive").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_wants_to_know_is_told() {
    on_every_engine(|world| async move {
        world.store.set_quota(world.alice, Some(10), None).await.unwrap();
        let plan = world.plan(&large(100_000), &["alice@example.test"], Limits::default()).await.unwrap().or_tell();
        let error = plan.commit(world.store.db()).await.unwrap_err();
        assert_eq!(error.status(), Status(4, 2, 2));
        assert!(matches!(&error, Error::Database(error) if store::refused(error) == Some(&Refused::OverQuota)));
        assert_eq!((world.queued().await.len(), world.spooled()), (0, 0), "nothing is left of it");
    })
    .await;
}

#[tokio::test]
async fn a_commit_outlives_its_caller() {
    on_every_engine(|world| async move {
        let plan = world.plan(&large(100_000), &["alice@example.test"], Limits::default()).await.unwrap();
        let mut commit = Box::pin(plan.commit(world.store.db()));
        let waker = std::task::Waker::noop();
        assert!(commit.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        drop(commit);
        let mut watch = world.store.watch(world.alice);
        while world.store.open(world.alice, &inbox()).await.unwrap().rows.is_empty() {
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::task::yield_now() => {}
            }
        }
        assert!(world.read(world.alice, "INBOX").await[0].ends_with("and a line more of it\r\n"), "the body is still there");
    })
    .await;
}

/// With the directory of the store itself and the real router, from the first step to the runner.
#[tokio::test]
async fn the_directory_of_the_store_leads_the_way() {
    on_every_engine(|world| async move {
        let settings = route::Settings { hostname: "mx.example.test".into(), delimiter: "+".into(), relayhost: "[smart]".into(), ..route::Settings::default() };
        let router = route::Router::new(world.store.clone(), settings);
        world.store.create_mailbox(world.alice, &MailboxName::new("work").unwrap(), None).await.unwrap();
        world.store.set_alias("team@example.test", &[at("alice+work@example.test"), at("bob@example.test"), at("far@example.net")]).await.unwrap();
        let deliveries = async |address: &str| match expand(&router, &Recipient::new(at(address))).await.unwrap() {
            Expanded::Deliveries(deliveries) => deliveries,
            other => panic!("{address}: {other:?}"),
        };
        let to = [deliveries("team@example.test").await, deliveries("postmaster@example.test").await].concat();
        let plan = Plan::for_message(world.message(MAIL).await, to, NOW, Limits::default()).await.unwrap();
        plan.commit(world.store.db()).await.unwrap();
        assert_eq!((world.read(world.alice, "work").await.len(), world.read(world.alice, "INBOX").await.len(), world.read(world.bob, "INBOX").await.len()), (1, 1, 1));
        let queued = world.queued().await;
        assert_eq!(queued[0].recipients[0].route, queue::Route::Remote("[smart]".into()));
        assert_eq!(expand(&router, &Recipient::new(at("nobody@example.test"))).await.unwrap(), Expanded::Unknown(Table::VirtualMailbox));

        world.store.set_quota(world.bob, Some(1), None).await.unwrap();
        let plan = Plan::for_message(world.message(MAIL).await, deliveries("bob@example.test").await, NOW, Limits::default()).await.unwrap();
        let id = plan.commit(world.store.db()).await.unwrap().id;
        world.store.set_quota(world.bob, None, None).await.unwrap();
        let runner = Runner::new(world.store.clone(), router.clone(), Limits::default());
        let message = queue::show(world.store.db(), id).await.unwrap().unwrap();
        assert_eq!(runner.attempt(&message, &message.recipients[0], NOW).await, Tried::Done);
        assert_eq!(world.read(world.bob, "INBOX").await.len(), 2);
    })
    .await;
}
