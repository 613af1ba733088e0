//! Several processes of one store (DESIGN §1.4): they meet in the store alone, and whoever sits at one does not notice the others.

use std::time::{Duration, Instant};

use house_tests::imap::Imap;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::smtp::Smtp;
use house_tests::talk::Talk;
use house_tests::until::{SOON, within};
use house_tests::{engine, maildir};

const PASSWORD: &str = "a long password";
const CAROL: &str = "carol@example.test";
const DAVE: &str = "dave@example.test";

/// Which services each of three processes serves.
const SPLITS: [[&str; 3]; 4] = [
    ["smtp,lmtp,queue,upkeep", "imap,imaps", "submission,pop3"],
    ["smtp", "imap", "pop3,queue,upkeep"],
    ["smtp,pop3", "queue,submission", "imap,upkeep"],
    ["smtp,imaps,upkeep", "imap,queue", "pop3,upkeep,queue"],
];
/// Deliveries measured for each.
const ROUNDS: usize = 15;
/// What a person calls at once. On a busy machine not every bell rings within it, but the quickest do.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Half of them ring within this, however busy the machine; without bells half of them would take two seconds and more.
const BUSY: Duration = Duration::from_millis(500);

struct Store {
    configured: Configured,
    _directory: tempfile::TempDir,
}

impl Store {
    /// On SQLite, or on the database that `url` names. A message to two goes through the queue.
    fn new(url: Option<&str>) -> Store {
        let directory = tempfile::tempdir().expect("a directory");
        let more: Vec<&str> = url.iter().flat_map(|url| ["--database-url", *url]).collect();
        let configured = Configured::setup(directory.path(), &more);
        configured.set("plaintext_auth = loopback\ndirect_recipient_limit = 1");
        for service in ["smtp", "submission", "imap", "imaps", "pop3"] {
            configured.set(&format!("{service}_listen = 127.0.0.1:0"));
        }
        for user in [CAROL, DAVE] {
            configured.add_user(user, PASSWORD);
        }
        Store { configured, _directory: directory }
    }

    fn serve(&self, services: &str) -> Server {
        Server::serve(&self.configured, &["--only", services])
    }

    /// How many files carol's Maildir has.
    fn files(&self) -> usize {
        maildir::read(&self.configured.maildir("carol")).map_or(0, |files| files.len())
    }
}

fn at(servers: &[Server], service: &str) -> std::net::SocketAddr {
    servers.iter().find_map(|server| server.at.get(service).copied()).unwrap_or_else(|| panic!("nobody serves {service}"))
}

/// A client that waits for news of carol's INBOX.
fn idle(at: std::net::SocketAddr) -> Talk {
    let mut talk = Talk::open(at);
    assert!(talk.until(format!("a LOGIN {CAROL} \"{PASSWORD}\"\r\n"), "a ").contains("a OK"));
    assert!(talk.until("b SELECT INBOX\r\n", "b ").contains("b OK"));
    assert!(talk.until("c IDLE\r\n", "+ ").ends_with("+ idling\r\n"));
    talk
}

/// Reads until a line that holds `word`.
#[track_caller]
fn told(talk: &mut Talk, word: &str) {
    loop {
        let line = talk.line();
        assert!(!line.is_empty(), "closed before {word:?}");
        if line.contains(word) {
            return;
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// What one process takes in, a client in IDLE at another is told at once, and a third one's upkeep makes files of.
fn bells(engine: &str, url: Option<&str>) {
    let store = Store::new(url);
    let (mut arrived, mut quickest) = (0, SOON);
    for split in SPLITS {
        let servers = split.map(|services| store.serve(services));
        let mut waiting = idle(at(&servers, "imap"));
        let mut smtp = Smtp::connect(at(&servers, "smtp")).expect("SMTP");
        let (mut heard, mut settled) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            smtp.send("x@example.net", &[CAROL], "Subject: across\r\n\r\n").expect("250");
            let begun = Instant::now();
            arrived += 1;
            told(&mut waiting, &format!("* {arrived} EXISTS"));
            heard.push(begun.elapsed());
            within(SOON, "its file", || (store.files() >= arrived).then_some(()));
            settled.push(begun.elapsed());
        }
        quickest = quickest.min(heard.iter().copied().min().expect("some"));
        let (heard, settled) = (median(heard), median(settled));
        eprintln!("{engine}: {split:?}: EXISTS {heard:?}, its file {settled:?} after 250, in the median");
        assert!(heard < BUSY, "{engine}: {split:?}: {heard:?}");
        assert!(settled < Duration::from_secs(1), "{engine}: {split:?}: {settled:?}");
        // The other way round: what a reader removes.
        let mut pop3 = Talk::open(at(&servers, "pop3"));
        for command in [format!("USER {CAROL}"), format!("PASS {PASSWORD}"), "DELE 1".into(), "QUIT".into()] {
            let answer = pop3.ask(format!("{command}\r\n"));
            assert!(answer.starts_with("+OK"), "{command}: {answer}");
        }
        told(&mut waiting, "* 1 EXPUNGE");
        arrived -= 1;
        within(SOON, "its file goes", || (store.files() == arrived).then_some(()));
        drop((waiting, smtp, pop3));
        servers.into_iter().for_each(Server::stop);
    }
    assert!(quickest < AT_ONCE, "{engine}: {quickest:?}");
    store.configured.run(&["check"]).ok();
}

#[test]
fn idle_is_told_at_once_of_what_another_process_did() {
    bells("sqlite", None);
}

#[test]
fn idle_is_told_at_once_of_what_another_process_did_on_postgresql() {
    if let Some(url) = engine::postgres("idle_is_told_at_once_of_what_another_process_did_on_postgresql") {
        bells("postgres", Some(&url));
    }
}

/// The queue and the upkeep of a process that is killed are another's at once.
fn takeover(engine: &str, url: Option<&str>) {
    let store = Store::new(url);
    let doors = store.serve("smtp,imap");
    let mut doing = store.serve("queue,upkeep");
    let mut times = Vec::new();
    let mut waiting = idle(doors.address("imap"));
    let mut smtp = Smtp::connect(doors.address("smtp")).expect("SMTP");
    for n in 1..=4 {
        let standby = store.serve("queue,upkeep");
        if n % 2 == 0 { doing.stop() } else { doing.kill() }
        let begun = Instant::now();
        smtp.send("x@example.net", &[CAROL, DAVE], "Subject: through the queue\r\n\r\n").expect("250");
        told(&mut waiting, &format!("* {n} EXISTS"));
        within(SOON, "its file", || (store.files() >= n).then_some(()));
        times.push(begun.elapsed());
        doing = standby;
    }
    let log = doors.log();
    assert!(log.contains("standing by") && log.contains("taken over"), "{log}");
    let time = median(times.clone());
    eprintln!("{engine}: from the kill to a message from the queue, and its file: {times:?}");
    assert!(time < Duration::from_secs(1), "{engine}: {times:?}");
    drop((waiting, smtp));
    doing.stop();
    doors.stop();
}

#[test]
fn queue_and_upkeep_are_taken_over() {
    takeover("sqlite", None);
}

#[test]
fn queue_and_upkeep_are_taken_over_on_postgresql() {
    if let Some(url) = engine::postgres("queue_and_upkeep_are_taken_over_on_postgresql") {
        takeover("postgres", Some(&url));
    }
}

/// One that is killed under load, again and again, takes nothing from the others; and comes back.
fn crashes(url: Option<&str>) {
    let store = Store::new(url);
    let (imap, rest) = (store.serve("imap"), store.serve("submission,queue,upkeep"));
    let mut waiting = idle(imap.address("imap"));
    let mut acknowledged = 0;
    for round in 0..3 {
        let mut smtp = store.serve("smtp");
        let at = smtp.address("smtp");
        let load = std::thread::spawn(move || {
            let mut taken = 0;
            while let Ok(mut talk) = Smtp::connect(at) {
                while talk.send("x@example.net", &[CAROL], "Subject: under load\r\n\r\n").is_ok() {
                    taken += 1;
                }
            }
            taken
        });
        let seen = acknowledged + 10;
        told_at_least(&mut waiting, seen);
        smtp.kill();
        acknowledged += load.join().expect("a sender");
        // The last that was told may have lost its acknowledgement with the process.
        assert!(acknowledged + 1 >= seen, "round {round}: {acknowledged} of {seen}");
        // Somebody else writes, at once.
        let mut reader = Imap::login(imap.address("imap"), CAROL, PASSWORD);
        let exists = |status: &str| -> usize { status.split("MESSAGES ").nth(1).and_then(|rest| rest.split(')').next()?.parse().ok()).expect("a count") };
        let now = exists(&reader.ask("STATUS INBOX (MESSAGES)"));
        assert!(now >= acknowledged, "{now} of {acknowledged}");
        acknowledged = now;
        reader.append("INBOX", "Subject: meanwhile\r\n\r\n").expect("APPEND");
        acknowledged += 1;
        told_at_least(&mut waiting, acknowledged);
    }
    within(SOON, "every file", || (store.files() == acknowledged).then_some(()));
    if url.is_none() {
        // The killed ones' sockets are gone: two processes, two sockets.
        let bells = store.configured.directory.with_file_name("store").join("run/bells");
        within(SOON, "dead sockets are swept", || (std::fs::read_dir(&bells).expect("sockets").count() == 2).then_some(()));
    }
    drop(waiting);
    imap.stop();
    rest.stop();
    store.configured.run(&["check"]).ok();
}

/// Reads until the mailbox is told to hold at least so many.
#[track_caller]
fn told_at_least(talk: &mut Talk, messages: usize) {
    loop {
        let line = talk.line();
        assert!(!line.is_empty(), "closed");
        if let Some(count) = line.strip_prefix("* ").and_then(|rest| rest.trim_end().strip_suffix(" EXISTS")?.parse::<usize>().ok())
            && count >= messages
        {
            return;
        }
    }
}

#[test]
fn a_process_that_is_killed_disturbs_no_other() {
    crashes(None);
}

#[test]
fn a_process_that_is_killed_disturbs_no_other_on_postgresql() {
    if let Some(url) = engine::postgres("a_process_that_is_killed_disturbs_no_other_on_postgresql") {
        crashes(Some(&url));
    }
}
