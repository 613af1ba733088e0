//! Turns and windows, in simulated time.

use super::*;
use queue::{QueueId, Route, State};

fn message(id: i64) -> Arc<Message> {
    let id = QueueId::from_i64(id).expect("an id");
    Arc::new(Message { id, sender: String::new(), place: None, size: 1, disk_size: 1, created: 0, expires: i64::MAX, flags: 0, envid: None, account: None, origin: None, recipients: Vec::new() })
}

fn job(destination: &str, id: i64, recipients: i64, added: Instant) -> Job {
    let entry = |n| Entry {
        n,
        address: format!("u{n}@{destination}"),
        route: Route::Remote(String::new()),
        original: format!("u{n}@{destination}"),
        orcpt: None,
        notify: queue::Notify::default(),
        state: State::Pending,
        due: 0,
        attempts: 0,
        status: None,
        reply: None,
    };
    Job { destination: destination.into(), message: message(id), recipients: (0..recipients).map(entry).collect(), added }
}

fn why() -> Suspended {
    (Status(4, 4, 1), "Connection refused".into())
}

#[test]
fn a_letter_to_ten_thousand_does_not_hold_up_a_single_one() {
    let now = Instant::now();
    let mut schedule = Schedule::new(Limits { window: 1, initial: 1, ..Limits::default() });
    assert!(schedule.add(job("x.test", 1, 10_000, now), now).is_none());
    let first = schedule.next(now).expect("the first of many");
    assert_eq!((first.message.id.get(), first.recipients.len()), (1, 50));
    assert!(schedule.add(job("x.test", 2, 1, now), now).is_none());
    assert!(schedule.next(now).is_none(), "the window is full");
    schedule.finished("x.test", now);
    let turns: Vec<i64> = (0..2).filter_map(|_| {
        let job = schedule.next(now)?;
        schedule.finished("x.test", now);
        Some(job.message.id.get())
    }).collect();
    assert!(turns.contains(&2), "{turns:?}");
    assert_eq!(schedule.waiting("x.test"), 10_000 - 100);
}

#[test]
fn destinations_take_turns() {
    let now = Instant::now();
    let mut schedule = Schedule::new(Limits::default());
    for id in 0..100 {
        assert!(schedule.add(job("busy.test", id, 1, now), now).is_none());
    }
    assert!(schedule.add(job("quiet.test", 100, 1, now), now).is_none());
    let destinations: Vec<Arc<str>> = (0..3).filter_map(|_| schedule.next(now)).map(|job| job.destination).collect();
    assert!(destinations.iter().any(|destination| &**destination == "quiet.test"), "{destinations:?}");
    let more = std::iter::from_fn(|| schedule.next(now)).count();
    assert_eq!(more + 3, 5 + 1, "five for the one, as many as there are for the other");
}

#[test]
fn a_dead_destination_gives_back_what_waits_and_is_left_alone() {
    let now = Instant::now();
    let mut schedule = Schedule::new(Limits::default());
    for id in 0..10 {
        assert!(schedule.add(job("dead.test", id, 1, now), now).is_none());
    }
    let begun = std::iter::from_fn(|| schedule.next(now)).count();
    assert_eq!(begun, 5);
    let mut back = Vec::new();
    for _ in 0..begun {
        back.extend(schedule.failed("dead.test", why(), now));
        schedule.finished("dead.test", now);
    }
    assert_eq!(back.len(), 5, "what waits is given back once");
    assert!(schedule.next(now).is_none());
    let (refused, reason) = schedule.add(job("dead.test", 11, 1, now), now).expect("it is left alone");
    assert_eq!((refused.message.id.get(), reason), (11, why()));
    let later = now + Duration::from_secs(300);
    assert!(schedule.add(job("dead.test", 12, 1, later), later).is_none(), "after its pause it is tried again");
    assert!(schedule.next(now).is_some());
}

#[test]
fn whoever_asks_for_all_to_be_tried_wakes_the_dead() {
    let now = Instant::now();
    let mut schedule = Schedule::new(Limits { initial: 1, ..Limits::default() });
    assert!(schedule.add(job("dead.test", 1, 1, now), now).is_none());
    assert!(schedule.next(now).is_some());
    assert!(schedule.failed("dead.test", why(), now).is_empty());
    schedule.finished("dead.test", now);
    assert!(schedule.add(job("dead.test", 2, 1, now), now).is_some());
    schedule.revive();
    assert!(schedule.add(job("dead.test", 2, 1, now), now).is_none());
    assert_eq!(schedule.next(now).map(|job| job.message.id.get()), Some(2));
}

#[test]
fn with_a_delay_deliveries_go_one_at_a_time_and_apart() {
    let delay = Duration::from_secs(10);
    let now = Instant::now();
    let mut schedule = Schedule::new(Limits { delay, ..Limits::default() });
    for id in 0..3 {
        assert!(schedule.add(job("slow.test", id, 1, now), now).is_none());
    }
    assert!(schedule.add(job("other.test", 3, 1, now), now).is_none());
    assert_eq!((0..3).filter_map(|_| schedule.next(now)).map(|job| job.destination.to_string()).collect::<Vec<_>>(), ["slow.test", "other.test"]);
    schedule.succeeded("slow.test");
    assert!(schedule.next_for("slow.test").is_none(), "nor over the same connection");
    schedule.finished("slow.test", now);
    assert!(schedule.next(now).is_none() && schedule.is_idle(now));
    assert_eq!(schedule.next_wake(), Some(now + delay));
    assert_eq!(schedule.next(now + delay).map(|job| job.message.id.get()), Some(1));
}

#[test]
fn windows_grow_and_shrink() {
    let now = Instant::now();
    let mut schedule = Schedule::new(Limits { cohorts: 0.0, ..Limits::default() });
    for id in 0..1_000 {
        assert!(schedule.add(job("x.test", id, 1, now), now).is_none());
    }
    let mut busy = std::iter::from_fn(|| schedule.next(now)).count();
    for _ in 0..100 {
        schedule.succeeded("x.test");
        schedule.finished("x.test", now);
        busy = busy - 1 + std::iter::from_fn(|| schedule.next(now)).count();
    }
    assert_eq!(busy, 20, "default_destination_concurrency_limit");
    for _ in 0..50 {
        assert!(schedule.failed("x.test", why(), now).is_empty());
        schedule.finished("x.test", now);
        busy -= 1;
        let more = std::iter::from_fn(|| schedule.next(now)).count();
        busy += more;
        if busy == 1 {
            break;
        }
    }
    assert_eq!(busy, 1, "never less than one");
}

#[test]
fn a_connection_that_waits_gets_what_comes() {
    let now = Instant::now();
    let mut schedule = Schedule::new(Limits::default());
    assert!(schedule.add(job("x.test", 1, 1, now), now).is_none());
    assert!(schedule.next(now).is_some());
    assert!(schedule.next_for("x.test").is_none());
    schedule.rests("x.test", true);
    assert!(schedule.add(job("x.test", 2, 1, now), now).is_none());
    assert!(schedule.next(now).is_none(), "no other connection is made for it");
    assert_eq!(schedule.next_for("x.test").map(|job| job.message.id.get()), Some(2));
    schedule.rests("x.test", false);
}

#[test]
fn feedback_is_read() {
    for (text, feedback) in [
        ("1", Some(Feedback::Constant(1.0))),
        ("0.5", Some(Feedback::Constant(0.5))),
        ("1/concurrency", Some(Feedback::PerWindow(1.0))),
        ("1 / sqrt_concurrency", Some(Feedback::PerRoot(1.0))),
        ("2", None),
        ("-1", None),
        ("1/x", None),
        ("1/", None),
        ("", None),
    ] {
        assert_eq!(Feedback::parse(text), feedback, "{text}");
    }
}
