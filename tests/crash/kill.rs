//! `kill -9` under load.

use std::time::Duration;

use house_tests::{engine, long};

use crate::eager;
use crate::world::{RECOVERY, World};

const ALL: &str = "smtp,imap,queue,upkeep";

fn rounds() -> usize {
    if long() { 20 } else { 3 }
}

/// How many are acknowledged before the kill in round `n`: early, in the middle, late.
fn enough(n: usize) -> usize {
    [5, 60, 240, 25, 120][n % 5]
}

fn survives(world: &mut World) {
    for n in 0..rounds() {
        let mut server = world.serve(ALL);
        let acknowledged = world.load_until(server.address("smtp"), server.address("imap"), enough(n), || server.kill());
        // And once more, while it recovers.
        world.serve(ALL).kill();
        let server = world.serve(ALL);
        let faults = world.faults(&server, RECOVERY);
        assert_eq!(faults, Vec::<String>::new(), "round {n}, {acknowledged} acknowledged; stderr:\n{}", server.log());
        server.stop();
        assert_eq!(world.check(), Vec::<String>::new(), "round {n}");
    }
}

#[test]
fn killed_on_sqlite_nothing_acknowledged_is_lost_or_doubled() {
    let directory = tempfile::tempdir().expect("a directory");
    survives(&mut World::new(directory.path(), None));
}

#[test]
fn killed_with_a_queue_nothing_is_lost_or_delivered_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    survives(&mut World::queued(directory.path()));
}

#[test]
fn killed_on_postgresql_nothing_acknowledged_is_lost_or_doubled() {
    let Some(url) = engine::postgres("killed_on_postgresql_nothing_acknowledged_is_lost_or_doubled") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    survives(&mut World::new(directory.path(), Some(&url)));
}

#[test]
fn control_250_before_commit_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut world = World::new(directory.path(), None);
    let mut server = world.serve(ALL);
    let through = eager::before(server.address("smtp"));
    world.load_until(through, server.address("imap"), 60, || server.kill());
    let server = world.serve(ALL);
    let faults = world.faults(&server, Duration::ZERO);
    assert!(faults.iter().any(|fault| fault.starts_with("IMAP") && fault.contains("lost")), "250 came before the COMMIT, and nobody noticed: {faults:?}");
}

#[test]
fn control_recovery_skipped_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut world = World::new(directory.path(), None);
    // A kill may by chance come when nothing is left to place.
    for _ in 0..10 {
        let mut server = world.serve(ALL);
        world.load_until(server.address("smtp"), server.address("imap"), 60, || server.kill());
        let server = world.serve("smtp,imap");
        let faults = world.faults(&server, Duration::from_millis(500));
        assert!(!faults.iter().any(|fault| fault.starts_with("IMAP: ")), "{faults:?}");
        if faults.iter().any(|fault| fault.starts_with("Maildir") && fault.contains("lost")) {
            return;
        }
        server.stop();
    }
    panic!("recovery was skipped ten times, and nobody noticed");
}

#[test]
fn control_a_queue_that_nobody_runs_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut world = World::queued(directory.path());
    let mut server = world.serve("smtp,imap,upkeep");
    world.load_until(server.address("smtp"), server.address("imap"), 30, || server.kill());
    let server = world.serve("smtp,imap,upkeep");
    let faults = world.faults(&server, Duration::from_millis(500));
    assert!(faults.iter().any(|fault| fault.starts_with("IMAP") && fault.contains("lost")), "nothing went through the queue: {faults:?}");
}
