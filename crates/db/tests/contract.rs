//! What every engine promises. Each test runs on all engines there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use db::testing::Fresh;
use db::{BoxFuture, Db, Error, Failed, Key, Locks, Migration, Step, Tx, Value};

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
        fresh.db.on_commit(move |keys| {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Some(Key::Account(id)) = keys.first() {
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
