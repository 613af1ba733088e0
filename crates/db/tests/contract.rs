//! What every engine promises. Each test runs on all engines there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use db::testing::Fresh;
use db::{BoxFuture, Changed, Db, Error, Failed, Key, Locks, Migration, Step, Tx, Value};

const TABLES: &[Migration] = &[
    db::MIGRATIONS[0],
    Migration { version: 2, name: "counter", text: "-- owner: test\nCREATE TABLE counter (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, note TEXT, data {blob});\n" },
];

/// Adds to a counter; a negative sum is refused.
struct Add {
    id: i64,
    by: i64,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("counter {0} would be negative")]
struct Negative(i64);

impl Step for Add {
    type Done = i64;
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Account(self.id));
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<i64>, Failed>> {
        Box::pin(async move {
            let rows: Vec<[Value; 2]> = batch.iter().map(|add| [add.id.into(), add.by.into()]).collect();
            let upsert = "INSERT INTO counter (id, n) VALUES {rows} ON CONFLICT (id) DO UPDATE SET n = counter.n + excluded.n RETURNING id, n";
            let sums = tx.rows(upsert, &rows).await?;
            let sum_of = |id| sums.iter().find(|row| row.int(0) == id).map_or(0, |row| row.int(1));
            let negative = |(index, add): (usize, &&Self)| (sum_of(add.id) < 0).then(|| (index, Error::refused(Negative(add.id))));
            let culprits: Vec<_> = batch.iter().enumerate().filter_map(negative).collect();
            if !culprits.is_empty() {
                return Err(Failed::Steps(culprits));
            }
            Ok(batch.iter().map(|add| sum_of(add.id)).collect())
        })
    }
}

struct Panics;
impl Step for Panics {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Account(99));
    }
    fn run<'t>(_: &'t [&'t Self], _: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async { panic!("a step that panics on purpose") })
    }
}

async fn engines() -> (tempfile::TempDir, Vec<Fresh>) {
    let directory = tempfile::tempdir().unwrap();
    let engines = db::testing::engines(directory.path(), TABLES).await.unwrap();
    (directory, engines)
}

async fn count(db: &Db, id: i64) -> i64 {
    db.query("SELECT n FROM counter WHERE id = ?1", &[id.into()]).await.unwrap().first().map_or(0, |row| row.int(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commit_at_once_and_none_is_lost() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        let tasks: Vec<_> = (0..400i64)
            .map(|n| {
                let db = fresh.db.clone();
                tokio::spawn(async move { db.commit(Add { id: n % 7, by: 1 }).await.unwrap() })
            })
            .collect();
        let mut sums: Vec<i64> = Vec::new();
        for task in tasks {
            sums.push(task.await.unwrap());
        }
        // Each counter was told every sum from 1 to its last exactly once: no two changes ran as one.
        for id in 0..7 {
            let last = count(&fresh.db, id).await;
            assert_eq!(last, (0..400).filter(|n| n % 7 == id).count() as i64, "{}", fresh.engine);
        }
        assert_eq!(sums.iter().sum::<i64>(), (0..7).map(|id| (1..=(0..400).filter(|n| n % 7 == id).count() as i64).sum::<i64>()).sum::<i64>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_harms_nobody_else() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        let commits = (0..60i64).map(|id| {
            let db = fresh.db.clone();
            tokio::spawn(async move { (id, db.commit(Add { id, by: if id % 3 == 0 { -1 } else { 1 } }).await) })
        });
        for task in commits.collect::<Vec<_>>() {
            let (id, result) = task.await.unwrap();
            match result {
                Ok(sum) => assert!(id % 3 != 0 && sum == 1, "{} {id}", fresh.engine),
                Err(error) => assert_eq!(error.refusal(), Some(&Negative(id)), "{} {error}", fresh.engine),
            }
        }
        assert_eq!(count(&fresh.db, 3).await, 0);
        assert_eq!(count(&fresh.db, 4).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_stands_or_falls_whole() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        let unit = (Add { id: 1, by: 5 }, vec![Add { id: 2, by: 5 }, Add { id: 3, by: -5 }]);
        assert!(fresh.db.commit(unit).await.is_err(), "{}", fresh.engine);
        assert_eq!((count(&fresh.db, 1).await, count(&fresh.db, 2).await), (0, 0), "{}", fresh.engine);
        let unit = (Add { id: 1, by: 5 }, vec![Add { id: 1, by: 6 }, Add { id: 3, by: 1 }], None::<Add>);
        assert_eq!(fresh.db.commit(unit).await.unwrap(), (5, vec![11, 1], None), "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_contained() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        let (fine, broken) = tokio::join!(fresh.db.commit(Add { id: 1, by: 1 }), fresh.db.commit(Panics));
        assert_eq!(fine.unwrap(), 1, "{}", fresh.engine);
        assert!(matches!(broken, Err(Error::Broken(_))), "{}", fresh.engine);
        assert_eq!(fresh.db.commit(Add { id: 1, by: 1 }).await.unwrap(), 2, "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_read_back() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        struct Write;
        impl Step for Write {
            type Done = usize;
            fn locks(&self, locks: &mut Locks) {
                locks.take(Key::Directory);
            }
            fn run<'t>(_: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<usize>, Failed>> {
                Box::pin(async move {
                    let rows: Vec<[Value; 4]> = (0..13)
                        .map(|n| [Value::Int(n), Value::Int(n), if n == 0 { Value::NullText } else { "§".into() }, if n == 0 { Value::NullBlob } else { vec![0, 255].into() }])
                        .collect();
                    Ok(vec![tx.rows("INSERT INTO counter (id, n, note, data) VALUES {rows} RETURNING id", &rows).await?.len()])
                })
            }
        }
        assert_eq!(fresh.db.commit(Write).await.unwrap(), 13, "{}", fresh.engine);
        let rows = fresh.db.query("SELECT note, data, CAST(SUM(n) OVER () AS BIGINT) FROM counter ORDER BY id", &[]).await.unwrap();
        assert_eq!((rows[0].opt_text(0), rows[0].blob(1), rows[0].int(2)), (None, None, 78), "{}", fresh.engine);
        assert_eq!((rows[12].text(0), rows[12].blob(1).as_deref()), ("§", Some(&[0u8, 255][..])), "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bells_ring_after_the_commit_and_reopening_finds_it() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        let (rung, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicI64::new(0)));
        let (counted, seen) = (rung.clone(), last.clone());
        fresh.db.on_commit(move |changed| {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Changed::Keys([Key::Account(id)]) = changed {
                seen.store(*id, Ordering::SeqCst);
            }
        });
        fresh.db.commit(Add { id: 8, by: 2 }).await.unwrap();
        assert_eq!((rung.load(Ordering::SeqCst), last.load(Ordering::SeqCst)), (1, 8), "{}", fresh.engine);
        fresh.db.close().await;
        assert!(matches!(fresh.db.commit(Add { id: 8, by: 2 }).await, Err(Error::Closed)));
        let again = Db::open(&fresh.url, TABLES).await.unwrap();
        assert_eq!(count(&again, 8).await, 2, "{}", fresh.engine);
        let older = Db::open(&fresh.url, &TABLES[..1]).await;
        assert!(matches!(older, Err(Error::TooNew { found: 2, known: 1 })), "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_does_not_move() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        fresh.db.commit(Add { id: 1, by: 1 }).await.unwrap();
        let mut snapshot = fresh.db.read().await.unwrap();
        let select = "SELECT n FROM counter WHERE id = 1";
        assert_eq!(snapshot.query(select, &[]).await.unwrap()[0].int(0), 1);
        fresh.db.commit(Add { id: 1, by: 1 }).await.unwrap();
        assert_eq!(snapshot.query(select, &[]).await.unwrap()[0].int(0), 1, "{}", fresh.engine);
        drop(snapshot);
        assert_eq!(count(&fresh.db, 1).await, 2, "{}", fresh.engine);
    }
}

/// Holds the writer until it is told to go on, so that everything committed meanwhile is one group.
struct Gate {
    reached: Arc<tokio::sync::Notify>,
    open: Arc<tokio::sync::Notify>,
}

impl Step for Gate {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        // Takes no key that others take; on PostgreSQL the writers of the others are held by their own.
        locks.take(Key::Account(1));
    }
    fn run<'t>(batch: &'t [&'t Self], _: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for gate in batch {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            Ok(vec![(); batch.len()])
        })
    }
}

/// Runs `units` as one group, in order.
async fn as_one_group<U: db::Unit>(db: &Db, units: Vec<U>) -> Vec<Result<U::Done, Error>> {
    let (reached, open) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let held = tokio::spawn({
        let (db, gate) = (db.clone(), Gate { reached: reached.clone(), open: open.clone() });
        async move { db.commit(gate).await }
    });
    reached.notified().await;
    // Each future is polled once in order, and so queued in order, before the gate opens.
    let waiting = futures_util::future::join_all(units.into_iter().map(|unit| db.commit(unit)));
    let (results, ()) = futures_util::future::join(waiting, async { open.notify_one() }).await;
    held.await.unwrap().unwrap();
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_for_what_another_would_have_done() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        fresh.db.commit(Add { id: 1, by: 3 }).await.unwrap();
        // The first is refused for counter 2; so the second, for which 3 - 2 is enough, must not be.
        let units = vec![vec![Add { id: 1, by: -3 }, Add { id: 2, by: -1 }], vec![Add { id: 1, by: -2 }], vec![Add { id: 1, by: -2 }]];
        let results = as_one_group(&fresh.db, units).await;
        assert_eq!(results[0].as_ref().unwrap_err().refusal(), Some(&Negative(2)), "{}", fresh.engine);
        assert_eq!(results[1].as_ref().unwrap(), &[1], "{}", fresh.engine);
        assert_eq!(results[2].as_ref().unwrap_err().refusal(), Some(&Negative(1)), "{}", fresh.engine);
        assert_eq!(count(&fresh.db, 1).await, 1);
    }
}

/// Goes on after a statement failed, as no step may.
struct Careless;
impl Step for Careless {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Account(1));
    }
    fn run<'t>(_: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            tx.query("INSERT INTO counter (id, n) VALUES (1, 7)", &[]).await?;
            let _ = tx.query("INSERT INTO nowhere (id) VALUES (1)", &[]).await;
            Ok(vec![()])
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_goes_on_after_an_error_is_not_told_that_it_is_done() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        let results = futures_util::future::join(fresh.db.commit(Careless), fresh.db.commit(Add { id: 2, by: 1 })).await;
        assert!(matches!(results.0, Err(Error::Broken(_))), "{}: {:?}", fresh.engine, results.0);
        assert_eq!((results.1.unwrap(), count(&fresh.db, 1).await), (1, 0), "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bell_that_panics_takes_nothing_with_it() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        fresh.db.on_commit(|_| panic!("a bell that panics on purpose"));
        assert_eq!(fresh.db.commit(Add { id: 1, by: 1 }).await.unwrap(), 1, "{}", fresh.engine);
        assert_eq!(fresh.db.commit(Add { id: 1, by: 1 }).await.unwrap(), 2, "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_database_take_turns() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        // A second `Db` has a lock file, connections and a writer of its own, as a second process has.
        let second = Db::open(&fresh.url, TABLES).await.unwrap();
        let commits = (0..200i64).map(|n| {
            let db = if n % 2 == 0 { fresh.db.clone() } else { second.clone() };
            tokio::spawn(async move { db.commit(Add { id: n % 3, by: 1 }).await.unwrap() })
        });
        for commit in commits.collect::<Vec<_>>() {
            commit.await.unwrap();
        }
        assert_eq!(count(&fresh.db, 0).await + count(&second, 1).await + count(&fresh.db, 2).await, 200, "{}", fresh.engine);
    }
}

/// PostgreSQL only: kills every writer's connection again and again while `Add`s are committed. Whether a COMMIT that was
/// cut landed is settled by its mark: each is counted once.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_killed_at_any_moment_neither_loses_nor_doubles() {
    let directory = tempfile::tempdir().unwrap();
    let Some(fresh) = db::testing::postgres(directory.path(), TABLES).await.unwrap() else { return };
    let killer = Db::open(&fresh.url, TABLES).await.unwrap();
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    // Sessions that hold an uncommitted or just committed mark of this schema: found by the lock on its table.
    let kill = "SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM (SELECT DISTINCT l.pid FROM pg_locks l \
                WHERE l.relation = 'landed'::regclass AND l.pid <> pg_backend_pid()) AS p) AS k";
    let killing = tokio::spawn({
        let over = over.clone();
        async move {
            let mut killed = 0;
            while !over.load(Ordering::SeqCst) {
                killed += killer.query(kill, &[]).await.unwrap()[0].int(0);
                tokio::task::yield_now().await;
            }
            killed
        }
    });
    let mut done = 0;
    for round in 0..12i64 {
        let commits = futures_util::future::join_all((0..8).map(|n| fresh.db.commit(Add { id: 100 + n, by: 1 }))).await;
        for (n, result) in (0..).zip(commits) {
            // Killed ten times in a row it may be given up, but only when it certainly did not happen.
            match result {
                Ok(sum) => {
                    done += 1;
                    assert!(sum <= round + 1, "counter {n}: {sum} after {round} rounds");
                }
                Err(error) => assert!(!matches!(error, Error::Closed), "{error}"),
            }
        }
    }
    over.store(true, Ordering::SeqCst);
    let killed = killing.await.unwrap();
    let sum = fresh.db.query("SELECT CAST(SUM(n) AS BIGINT) FROM counter", &[]).await.unwrap()[0].int(0);
    assert_eq!(sum, done, "{killed} killed");
    assert!(killed > 5, "only {killed} killed");
    assert!(done > 0);
    let marks = fresh.db.query("SELECT COUNT(*) FROM landed", &[]).await.unwrap()[0].int(0);
    assert!(marks < 100, "{marks} marks stay");
}

/// Lets connections through to `server` on the port of `listener`, until it is aborted: then all of them are cut.
fn proxy(listener: tokio::net::TcpListener, server: String) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((mut from, _)) = listener.accept().await {
            let server = server.clone();
            open.spawn(async move {
                if let Ok(mut to) = tokio::net::TcpStream::connect(server).await {
                    let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    })
}

/// PostgreSQL only: the server goes away. Everyone who waits is told at once, not one after the other; then it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_told_to_all_at_once_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let Some(fresh) = db::testing::postgres(directory.path(), TABLES).await.unwrap() else { return };
    let db::Url::Postgres(options) = &fresh.url else { panic!("not PostgreSQL") };
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let through = proxy(listener, server.clone());
    let url = db::Url::Postgres(Box::new((**options).clone().host("127.0.0.1").port(address.port())));
    let db = Db::open(&url, TABLES).await.unwrap();
    assert_eq!(db.commit(Add { id: 1, by: 1 }).await.unwrap(), 1);
    through.abort();
    let _ = through.await;
    let started = std::time::Instant::now();
    let results = futures_util::future::join_all((0..40).map(|_| db.commit(Add { id: 1, by: 1 }))).await;
    for result in results {
        assert!(matches!(&result, Err(Error::Engine(said)) if said.contains("is the server up")), "{result:?}");
    }
    // A second group may have come up while the first was trying.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    let through = proxy(tokio::net::TcpListener::bind(address).await.unwrap(), server);
    assert_eq!(db.commit(Add { id: 1, by: 1 }).await.unwrap(), 2);
    through.abort();
}

/// What a `Db` hears of others, as it comes.
fn heard(db: &Db) -> tokio::sync::mpsc::UnboundedReceiver<Option<Vec<Key>>> {
    let (sender, heard) = tokio::sync::mpsc::unbounded_channel();
    db.on_commit(move |changed| {
        let keys = match changed {
            Changed::Keys(keys) => Some(keys.to_vec()),
            Changed::Anything => None,
        };
        let _ = sender.send(keys);
    });
    db.listen();
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_commits_the_others_hear_of_and_itself_once() {
    let (_directory, engines) = engines().await;
    for fresh in engines {
        let second = Db::open(&fresh.url, TABLES).await.unwrap();
        let third = Db::open(&fresh.url, TABLES).await.unwrap();
        let mut here = heard(&fresh.db);
        let mut there = [heard(&second), heard(&third)];
        if fresh.engine == "postgres" {
            // They are listening once they say that something may have been lost.
            for heard in [&mut here].into_iter().chain(&mut there) {
                assert_eq!(heard.recv().await.unwrap(), None);
            }
        }
        let mut took = Vec::new();
        for n in 0..20 {
            fresh.db.commit(Add { id: n, by: 1 }).await.unwrap();
            let begun = std::time::Instant::now();
            for heard in &mut there {
                // Other tests' stores may be in the same database, and on the same channel.
                while !heard.recv().await.unwrap().is_some_and(|keys| keys.contains(&Key::Account(n))) {}
            }
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        assert!(took[took.len() / 2] < std::time::Duration::from_millis(50), "{}: {took:?}", fresh.engine);
        if fresh.engine == "sqlite" {
            let own = std::iter::from_fn(|| here.try_recv().ok()).filter(|keys| keys.as_ref().is_some_and(|keys| keys.contains(&Key::Account(7)))).count();
            assert_eq!(own, 1, "its own letter came back to it");
        }
        second.close().await;
        third.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_gone_leaves_no_socket() {
    let directory = tempfile::tempdir().unwrap();
    let fresh = db::testing::sqlite(directory.path(), TABLES).await.unwrap();
    let bells = directory.path().join("run/bells");
    let sockets = || std::fs::read_dir(&bells).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    fresh.db.listen();
    assert_eq!(sockets().len(), 1);
    // As kill -9 leaves it: bound, and nobody there.
    drop(std::os::unix::net::UnixDatagram::bind(bells.join("1.dead")).unwrap());
    let second = Db::open(&fresh.url, TABLES).await.unwrap();
    second.listen();
    assert_eq!(sockets().len(), 3);
    second.commit(Add { id: 1, by: 1 }).await.unwrap();
    second.close().await;
    assert_eq!(sockets().len(), 1, "{:?}", sockets());
    drop(fresh.db);
    // The task that held it ends soon after.
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while !sockets().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hears_nothing_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let fresh = db::testing::sqlite(directory.path(), TABLES).await.unwrap();
    let bells = directory.path().join("run/bells");
    std::fs::create_dir_all(&bells).unwrap();
    // Stopped: its socket takes what it has room for, and nobody reads.
    let _deaf = std::os::unix::net::UnixDatagram::bind(bells.join("1.deaf")).unwrap();
    let second = Db::open(&fresh.url, TABLES).await.unwrap();
    let mut hears = heard(&second);
    for n in 0..300 {
        fresh.db.commit(Add { id: n, by: 1 }).await.unwrap();
        if n % 10 == 0 {
            while !hears.recv().await.unwrap().is_some_and(|keys| keys.contains(&Key::Account(n))) {}
        }
    }
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_holds_another_waits_for() {
    let (_directory, engines) = engines().await;
    for fresh in engines.into_iter().filter(|fresh| fresh.engine == "postgres") {
        let second = Db::open(&fresh.url, TABLES).await.unwrap();
        let held = fresh.db.hold("queue").await.unwrap();
        second.hold("upkeep").await.unwrap();
        let waiting = tokio::spawn(async move { second.hold("queue").await.map(drop) });
        tokio::time::timeout(std::time::Duration::from_millis(200), async {
            while !waiting.is_finished() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap_err();
        drop(held);
        waiting.await.unwrap().unwrap();
    }
}
