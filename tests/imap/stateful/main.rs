//! The stateful tester against Debian's Dovecot, against ours on both engines, and against ours with falsified answers.
//!
//! `POSTHOUSE_TEST_SEED` says which seed comes first; each failure says which it was.

use std::time::{Duration, Instant};

use house_tests::{client, long, skip};
use imap_tests::model::action::Step;
use imap_tests::model::lie::{LIES, Liar, Lie};
use imap_tests::model::shrink::shrink;
use imap_tests::model::{DOVECOT, Quirk, crowd, turns};
use imap_tests::ours::Ours;
use imap_tests::server::{Dovecot, Server};

/// How many clients there are.
const CLIENTS: usize = 4;
/// What they do in all, before it begins anew with the next seed.
const STEPS: usize = 400;

/// Which seed comes first.
fn seed() -> u64 {
    match std::env::var("POSTHOUSE_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap_or_else(|error| panic!("POSTHOUSE_TEST_SEED: {seed}: {error}")),
        Err(_) => 0,
    }
}

/// Half of the time in turns, half all at once.
#[track_caller]
fn play(server: &dyn Server, quirks: &[Quirk], seconds: u64) {
    let half = Duration::from_secs(seconds) / 2;
    let begun = Instant::now();
    for seed in seed().. {
        take_turns(server, quirks, seed);
        if begun.elapsed() > half {
            break;
        }
    }
    let begun = Instant::now();
    for seed in seed().. {
        if let Err(failure) = crowd::play(server, CLIENTS, seed, STEPS / 2, quirks)
            && !(quirks.contains(&Quirk::ClosesConnections) && failure.why.contains("the server closed the connection"))
        {
            panic!("all at once, POSTHOUSE_TEST_SEED={seed} (it may need several tries):\n{failure}");
        }
        if begun.elapsed() > half {
            break;
        }
    }
}

/// A failure is shown with the least script that shows it.
#[track_caller]
fn take_turns(server: &dyn Server, quirks: &[Quirk], seed: u64) {
    let script = Step::script(seed, CLIENTS, STEPS);
    let play = |script: &[Step]| turns::play(server, CLIENTS, script, quirks);
    if let Err(failure) = play(&script) {
        let first = failure.why.clone();
        let (least, failure) = shrink(&script, failure, play);
        panic!("in turns, POSTHOUSE_TEST_SEED={seed}: {first}\nThe least script of it:\n{least:#?}\n{failure}");
    }
}

#[test]
fn dovecot_is_found_clean() {
    if !Dovecot::installed() {
        return skip("dovecot_is_found_clean", "Dovecot is not installed; apt-get install dovecot-imapd");
    }
    play(&Dovecot::new().expect("a Dovecot"), DOVECOT, if long() { 120 } else { 15 });
}

#[test]
fn ours_is_found_clean_on_sqlite() {
    let ours = Ours::start(None);
    play(&ours.listening(), &[], if long() { 20 * 60 } else { 60 });
    ours.stop();
}

#[test]
fn ours_is_found_clean_on_postgresql() {
    let name = "ours_is_found_clean_on_postgresql";
    let Ok(server) = std::env::var("POSTHOUSE_TEST_POSTGRES") else {
        return skip(name, "POSTHOUSE_TEST_POSTGRES names no server");
    };
    if !client::installed(name, &["psql"]) {
        return;
    }
    let database = format!("model_{}", std::process::id());
    client::run("psql", &["-q", &server, "-c", &format!("CREATE DATABASE {database}")]).ok();
    let (head, _) = server.rsplit_once('/').expect("postgres://HOST/DATABASE");
    let ours = Ours::start(Some(&format!("{head}/{database}")));
    play(&ours.listening(), &[], if long() { 5 * 60 } else { 15 });
    ours.stop();
}

/// The control: a tester that finds nothing wrong must find these.
#[test]
fn each_lie_is_found() {
    let ours = Ours::start(None);
    let server = ours.listening();
    for lie in LIES {
        let found = (0..20).find_map(|seed| turns::play(&Liar { server: &server, lie }, CLIENTS, &Step::script(seed, CLIENTS, STEPS), &[]).err());
        assert!(found.is_some(), "{lie:?} was not found");
        // All at once a MODSEQ of before may be the truth of a moment ago.
        if lie != Lie::OldModSeq {
            let found = (0..20).find_map(|seed| crowd::play(&Liar { server: &server, lie }, CLIENTS, seed, STEPS / 4, &[]).err());
            assert!(found.is_some(), "{lie:?} was not found all at once");
        }
    }
    ours.stop();
}
