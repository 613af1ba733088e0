//! The machine's clock is set: an hour back, ten years on, and back. Waits go by a clock that nobody sets, and what must rise (UIDs,
//! UIDVALIDITY, MODSEQ) does not ask what time it is. (libfaketime stands between the server and the clock.)

use std::path::{Path, PathBuf};

use house_tests::imap::Imap;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::skip;
use house_tests::smtp::Smtp;
use house_tests::talk::Talk;
use house_tests::until::{SOON, within};

const PASSWORD: &str = "a long password";
const CAROL: &str = "carol@example.test";
const DAVE: &str = "dave@example.test";
/// How the clock is set, one after the other, against the true time.
const STEPS: [&str; 4] = ["+0", "-3600", "+315360000", "-3600"];

/// Debian's libfaketime.
fn library() -> Option<PathBuf> {
    let libraries = std::fs::read_dir("/usr/lib").ok()?.flatten();
    libraries.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file())
}

fn serve(configured: &Configured, library: &Path, clock: &Path) -> Server {
    let mut command = configured.command(&["serve", "--only", "smtp,imap,queue,upkeep"]);
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    let mut server = Server::starting(command, &configured.directory);
    server.wait_for("posthouse: ready");
    server
}

/// The number that follows `word`.
#[track_caller]
fn number(answer: &str, word: &str) -> u64 {
    let digits: String = answer.split_once(word).unwrap_or_else(|| panic!("{word}: {answer}")).1.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{word}: {answer}"))
}

#[test]
fn a_clock_that_is_set_confuses_nothing() {
    let Some(library) = library() else {
        return skip("a_clock_that_is_set_confuses_nothing", "libfaketime is not installed");
    };
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    // A message to two goes through the queue.
    configured.set("plaintext_auth = loopback\nsmtp_listen = 127.0.0.1:0\nimap_listen = 127.0.0.1:0\ndirect_recipient_limit = 1");
    configured.add_user(CAROL, PASSWORD);
    configured.add_user(DAVE, PASSWORD);
    let clock = directory.path().join("clock");
    std::fs::write(&clock, STEPS[0]).expect("a file");
    let mut server = serve(&configured, &library, &clock);
    let mut idle = Talk::open(server.address("imap"));
    idle.until(format!("a LOGIN {CAROL} \"{PASSWORD}\"\r\n"), "a ");
    idle.until("b SELECT INBOX\r\n", "b ");
    idle.until("c IDLE\r\n", "+");
    let mut before = Imap::login(server.address("imap"), CAROL, PASSWORD);
    before.ask("ENABLE CONDSTORE");
    let (mut last, mut years) = ([0; 3], Vec::new());
    for (n, step) in (1..).zip(STEPS) {
        std::fs::write(&clock, step).expect("a file");
        let mut smtp = Smtp::connect(server.address("smtp")).expect("SMTP");
        smtp.send("x@example.net", &[CAROL, DAVE], &format!("Subject: {n}\r\n\r\n{n}\r\n")).expect("250");
        let told = idle.until("", "* ");
        assert!(told.contains(&format!("* {n} EXISTS")), "{step}: {told}");
        idle.line(); // RECENT
        // Who was there and who comes: nobody was logged out, no login forgotten, nothing runs backwards.
        before.ask("NOOP");
        let mut next = Imap::login(server.address("imap"), CAROL, PASSWORD);
        let _ = next.try_ask("DELETE again");
        next.ask("CREATE again");
        let seen = [
            number(&next.ask("STATUS again (UIDVALIDITY)"), "UIDVALIDITY "),
            number(&next.ask("STATUS INBOX (HIGHESTMODSEQ)"), "HIGHESTMODSEQ "),
            number(&next.ask("STATUS INBOX (UIDNEXT)"), "UIDNEXT "),
        ];
        assert!(last.iter().zip(seen).all(|(last, seen)| *last < seen), "{step}: {last:?}, then {seen:?}");
        last = seen;
        next.append("Sent", "Subject: now\r\n\r\nx\r\n").expect("APPEND");
        next.ask("SELECT Sent");
        let date = next.ask("FETCH * (INTERNALDATE)");
        years.push(number(date.rsplit_once('-').expect("a date").1.split(' ').next().expect("a year"), ""));
        let mut others = Imap::login(server.address("imap"), DAVE, PASSWORD);
        within(SOON, "the queue brought dave his copy", || others.ask("STATUS INBOX (MESSAGES)").contains(&format!("MESSAGES {n})")).then_some(()));
        if n == STEPS.len() - 1 {
            // A start in ten years, and the clock is mended under it.
            drop((before, smtp, next, others));
            idle.say("DONE\r\n");
            drop(idle);
            server.stop();
            server = serve(&configured, &library, &clock);
            idle = Talk::open(server.address("imap"));
            idle.until(format!("a LOGIN {CAROL} \"{PASSWORD}\"\r\n"), "a ");
            idle.until("b SELECT INBOX\r\n", "b ");
            idle.until("c IDLE\r\n", "+");
            before = Imap::login(server.address("imap"), CAROL, PASSWORD);
        }
    }
    // The control: it did see another time.
    assert!(years[2] >= years[0] + 9 && years[3] <= years[0], "{years:?}");
    drop((idle, before));
    server.stop();
    configured.run(&["check"]).ok();
}
