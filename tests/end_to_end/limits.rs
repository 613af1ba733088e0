//! What runs out, goes away or changes under a running server: descriptors, files, readers' patience, settings.

use std::time::{Duration, Instant};

use house_tests::imap::Imap;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::smtp::Smtp;
use house_tests::talk::Talk;
use house_tests::until::{SOON, within};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

const PASSWORD: &str = "a long password";
const CAROL: &str = "carol@example.test";

fn store() -> (Configured, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    configured.set("plaintext_auth = loopback\nsmtp_listen = 127.0.0.1:0\nimap_listen = 127.0.0.1:0\npop3_listen = 127.0.0.1:0");
    configured.add_user(CAROL, PASSWORD);
    (configured, directory)
}

fn pid(server: &Server) -> Pid {
    Pid::from_raw(i32::try_from(server.id()).expect("a process id")).expect("a process id")
}

/// Ticks of the processor that a process has used.
fn ticks(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("a process");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    fields[11].parse::<u64>().expect("ticks") + fields[12].parse::<u64>().expect("ticks")
}

#[test]
fn without_descriptors_it_says_so_and_serves_who_is_there() {
    let (configured, _directory) = store();
    let server = Server::serve(&configured, &["--only", "smtp,imap,queue,upkeep"]);
    let mut reader = Imap::login(server.address("imap"), CAROL, PASSWORD);
    reader.ask("SELECT INBOX");
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id())).expect("descriptors").count() as u64;
    let few = Some(open + 20);
    prlimit(Some(pid(&server)), Resource::Nofile, Rlimit { current: few, maximum: few }).expect("a limit");
    let crowd: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(server.address("imap")).expect("the kernel's queue")).collect();
    within(SOON, "the log says so", || server.log().contains("LimitNOFILE").then_some(()));
    // It waits instead of turning, and who is there is served.
    let (before, begun) = (ticks(&server), Instant::now());
    within(SOON, "a second", || (begun.elapsed() > Duration::from_secs(1)).then_some(()));
    assert!(ticks(&server) - before < 50, "it turns: {} ticks in a second", ticks(&server) - before);
    reader.ask("NOOP");
    reader.ask("STATUS INBOX (MESSAGES)");
    drop(crowd);
    let mut next = within(SOON, "a free descriptor", || Imap::try_login(server.address("imap"), CAROL, PASSWORD).ok());
    next.ask("NOOP");
    drop((reader, next));
    server.stop();
}

#[test]
fn a_file_that_vanished_is_told_of_and_the_session_goes_on() {
    let (configured, _directory) = store();
    let server = Server::serve(&configured, &["--only", "imap,queue,upkeep"]);
    let mut reader = Imap::login(server.address("imap"), CAROL, PASSWORD);
    for subject in ["gone", "here"] {
        reader.append("INBOX", &format!("Subject: {subject}\r\n\r\nbody\r\n")).expect("APPEND");
    }
    let folder = configured.maildir("carol");
    let files = || -> Vec<_> { ["new", "cur"].iter().flat_map(|sub| std::fs::read_dir(folder.join(sub)).into_iter().flatten()).map(|entry| entry.expect("a file").path()).collect() };
    within(SOON, "both files", || (files().len() == 2).then_some(()));
    let gone = files().into_iter().find(|path| std::fs::read_to_string(path).expect("a file").contains("gone")).expect("it");
    reader.ask("SELECT INBOX");
    std::fs::remove_file(&gone).expect("a file");
    // As long as the database has the body too, the file is not missed.
    let refused = within(SOON, "there is nothing to fetch", || reader.try_ask("FETCH 1 (BODY.PEEK[TEXT])").err()).to_string();
    assert!(refused.contains(" NO "), "{refused}");
    assert!(reader.ask("FETCH 2 (BODY.PEEK[TEXT])").contains("body"));
    reader.ask("NOOP");
    let log = server.log();
    assert!(log.lines().any(|line| line.contains("error: ") && line.contains("message")), "{log}");
    drop(reader);
    server.stop();
}

#[test]
fn a_reader_that_stops_reading_hurts_nobody() {
    let (configured, directory) = store();
    let server = Server::serve(&configured, &["--only", "smtp,imap,queue,upkeep"]);
    let mut reader = Imap::login(server.address("imap"), CAROL, PASSWORD);
    let line = "The quick brown fox jumps over the lazy dog and goes home by the last train.\r\n";
    let large = format!("Subject: large\r\n\r\n{}", line.repeat((1 << 20) / line.len()));
    for _ in 0..30 {
        reader.append("INBOX", &large).expect("APPEND");
    }
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process");
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()).expect("VmRSS")
    };
    let before = resident();
    // Asks for everything, and reads none of it, while mail arrives and others read.
    let mut stuck: Vec<Talk> = (0..5).map(|_| Talk::open(server.address("imap"))).collect();
    for talk in &mut stuck {
        talk.until(format!("a LOGIN {CAROL} \"{PASSWORD}\"\r\n"), "a ");
        talk.until("b SELECT INBOX\r\n", "b ");
        talk.say("c FETCH 1:* (BODY.PEEK[])\r\n");
    }
    let mut smtp = Smtp::connect(server.address("smtp")).expect("SMTP");
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        smtp.send("x@example.net", &[CAROL], &format!("Subject: meanwhile\r\n\r\n{}", line.repeat(50))).expect("250");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    assert!(times[100] < Duration::from_millis(500), "{:?} in the median", times[100]);
    reader.ask("NOOP");
    let log = std::fs::metadata(directory.path().join("store/posthouse.db-wal")).map_or(0, |log| log.len());
    assert!(log < 100 << 20, "the write-ahead log has {log} octets");
    assert!(resident() < before + (60 << 10), "{before} KiB, then {} KiB", resident());
    drop((stuck, smtp, reader));
    server.stop();
}

#[test]
fn hup_takes_how_mail_is_read() {
    let (configured, _directory) = store();
    let server = Server::serve(&configured, &["--only", "imap,queue,upkeep"]);
    let announced = || Talk::open(server.address("imap")).until("a CAPABILITY\r\n", "a ");
    assert!(announced().contains("AUTH=PLAIN") && !announced().contains("LOGINDISABLED"));
    let mut before = Imap::login(server.address("imap"), CAROL, PASSWORD);
    configured.set("plaintext_auth = no\nmessage_size_limit = 20000\nimaps_listen = 127.0.0.1:1\nscram = on\nscram_plus = yes");
    server.signal(Signal::HUP);
    within(SOON, "nobody logs in in clear any more", || announced().contains("LOGINDISABLED").then_some(()));
    assert!(server.log().contains("next start only: imaps_listen, scram, scram_plus"), "{}", server.log());
    before.ask("NOOP");
    // All or nothing: what is sound in an unsound file is not taken either.
    configured.set("plaintext_auth = loopback\nmessage_size_limit = many");
    server.signal(Signal::HUP);
    within(SOON, "the log says so", || server.log().contains("the old configuration stays").then_some(()));
    assert!(announced().contains("LOGINDISABLED"));
    drop(before);
    server.stop();
}

/// C-14
#[test]
fn c_14_the_log_has_a_line_for_a_login_and_one_with_octets_for_its_end() {
    let (configured, _directory) = store();
    let server = Server::serve(&configured, &["--only", "imap,upkeep"]);
    assert!(Imap::try_login(server.address("imap"), CAROL, "no password of hers").is_err());
    let mut reader = Imap::login(server.address("imap"), CAROL, PASSWORD);
    reader.ask("NOOP");
    reader.ask("LOGOUT");
    let logout = within(SOON, "a logout", || server.log().lines().find(|line| line.contains("Disconnected: ")).map(str::to_owned));
    let log = server.log();
    let logins: Vec<&str> = log.lines().filter(|line| line.contains("imap-login: Login: ")).collect();
    let [login] = logins[..] else { panic!("one login: {log}") };
    let field = |line: &str, name: &str| line.split([' ', ',']).find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
    assert!(login.contains(&format!("user=<{CAROL}>")) && field(login, "rip").as_deref() == Some("127.0.0.1"), "{login}");
    assert!(field(login, "method").as_deref() == Some("PLAIN") && login.contains(", secured, "), "{login}");
    // The session says which one it was.
    let session = field(login, "session").expect("a session");
    assert!(logout.contains(&format!("imap({CAROL})<")) && logout.contains(&format!(">{session}: ")), "{login}\n{logout}");
    let octets = |name: &str| field(&logout, name).and_then(|octets| octets.parse::<usize>().ok()).unwrap_or_else(|| panic!("{name} in {logout}"));
    assert!(octets("in") > "a LOGIN a b\r\nb NOOP\r\nc LOGOUT\r\n".len() && octets("out") > octets("in"), "{logout}");
    assert!(!log.contains(PASSWORD) && !log.contains("no password of hers"), "{log}");
    server.stop();
}
