//! What no client would say, said to one running server: it is refused with the right code, the others go on being served
//! while the bad ones are still connected, nothing is made outside of an account's Maildir, memory stays bounded, and nothing
//! panics.

use std::collections::BTreeMap;
use std::path::PathBuf;

use house_tests::imap::Imap;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::smtp::Smtp;
use house_tests::talk::Talk;

/// What the server may ever have held in memory, debug build or not; it was seen to need 70 MB.
///
/// Any buffer without a bound crosses it: each of [`floods`] sends more than this into one place. A line of SMTP, a body, a
/// line of POP3: 320 MB each. IMAP, which hangs up earlier: 5 × 63 MB = 315 MB of unfinished lines, and 34 × 9 MB = 306 MB
/// of unfinished messages, all at the same time.
const BOUND: u64 = 256 << 20;
const MB: usize = 1_000_000;
const PASSWORD: &str = "a long password";
/// `\0carol@example.test\0a long password` in base64.
const PLAIN: &str = "AGNhcm9sQGV4YW1wbGUudGVzdABhIGxvbmcgcGFzc3dvcmQ=";
/// Where a message comes in.
const SENDING: [&str; 2] = ["smtp", "submission"];
/// Parts, each within the one before.
const NESTED: usize = 40_000;

/// Says something bad; gives the connections that are still open, and stay so while others are served.
type Bad = fn(&House) -> Vec<Talk>;

/// What is said, in this order.
const LIST: [(&str, Bad); 9] = [
    ("lines of a megabyte", lines),
    ("floods", floods),
    ("NULs", nuls),
    ("10,000 recipients", recipients),
    ("addresses that climb", addresses),
    ("literals announced and never sent", announced),
    ("literals of refused commands", refused_literals),
    ("mailbox names that climb", mailbox_names),
    ("40,000 nested parts", nested),
];

#[test]
fn it_is_refused_and_the_others_are_served() {
    let house = House::open();
    for (n, (what, say)) in LIST.into_iter().enumerate() {
        let still_open = say(&house);
        house.serves_others(n);
        drop(still_open);
        house.is_sound(what);
    }
    house.ends_well();
}

/// A server with carol, who sees it all, and dave, who shall not notice.
struct House {
    server: Server,
    configured: Configured,
    directory: tempfile::TempDir,
}

impl House {
    fn open() -> House {
        let directory = tempfile::tempdir().expect("a directory");
        let configured = Configured::setup(directory.path(), &[]);
        for service in ["smtp", "submission", "imap", "pop3"] {
            configured.set(&format!("{service}_listen = 127.0.0.1:0"));
        }
        let log = configured.directory.join("mail.log");
        // Without the second that each answer to a guesser waits.
        configured.set(&format!("plaintext_auth = loopback\nsmtpd_error_sleep_time = 0\nmaillog_file = {}", log.display()));
        configured.add_user("carol@example.test", PASSWORD);
        configured.add_user("dave@example.test", PASSWORD);
        configured.run(&["domain", "add", "many.test"]).ok();
        configured.run(&["alias", "add", "@many.test", "carol@example.test"]).ok();
        let server = Server::serve(&configured, &["--only", "smtp,submission,imap,pop3,queue,upkeep"]);
        House { server, configured, directory }
    }

    fn talk(&self, service: &str) -> Talk {
        Talk::open(self.server.address(service))
    }

    /// A session of SMTP that may send; over submission as carol.
    fn sending(&self, service: &str) -> Talk {
        let mut talk = self.talk(service);
        assert!(talk.ask("EHLO client.example.net\r\n").starts_with("250 "));
        if service == "submission" {
            assert!(talk.ask(format!("AUTH PLAIN {PLAIN}\r\n")).starts_with("235 "));
        }
        talk
    }

    /// The same, where a body for carol is awaited.
    fn at_data(&self, service: &str) -> Talk {
        let mut talk = self.sending(service);
        talk.says(&[("MAIL FROM:<carol@example.test>", "250 2.1.0 "), ("RCPT TO:<carol@example.test>", "250 2.1.5 "), ("DATA", "354 ")]);
        talk
    }

    /// Carol's session of IMAP.
    fn reading(&self) -> Talk {
        let mut talk = self.talk("imap");
        assert!(talk.until(format!("l LOGIN carol@example.test \"{PASSWORD}\"\r\n"), "l ").contains("l OK "));
        talk
    }

    /// Letter `n` comes in for dave, and he reads it.
    fn serves_others(&self, n: usize) {
        let mut smtp = Smtp::connect(self.server.address("smtp")).expect("SMTP");
        smtp.send("x@example.net", &["dave@example.test"], &format!("Subject: letter {n}\r\n\r\nof others\r\n")).expect("250");
        let mut imap = Imap::login(self.server.address("imap"), "dave@example.test", PASSWORD);
        assert!(imap.ask("SELECT INBOX").contains(&format!("* {} EXISTS", n + 1)));
        assert!(imap.ask("FETCH * (BODY[])").contains(&format!("Subject: letter {n}\r\n\r\nof others\r\n")));
    }

    /// Nothing panicked, and memory was bounded until now.
    #[track_caller]
    fn is_sound(&self, after: &str) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).expect("the same process still runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        let peak = peak.expect("a peak of memory") << 10;
        assert!(peak < BOUND, "after {after} the server had held {peak} octets");
        assert!(!self.server.log().contains("panicked"), "after {after}");
    }

    fn ends_well(self) {
        assert!(self.server.log().contains("disconnect from"), "another log than the server's is judged");
        self.server.stop();
        self.configured.run(&["check"]).ok();
    }

    /// What there is down to the accounts' Maildirs.
    fn places(&self) -> Vec<PathBuf> {
        let entries = |below: &str| std::fs::read_dir(self.directory.path().join(below)).expect("a directory");
        let found = ["", "store", "store/mail", "store/mail/example.test"].into_iter().flat_map(entries);
        let mut places: Vec<PathBuf> = found.map(|entry| entry.expect("an entry").path()).collect();
        places.sort();
        places
    }
}

/// Commands, each with how its answer begins.
trait Says {
    fn says<C: AsRef<[u8]>>(&mut self, dialogue: &[(C, &str)]);
}

impl Says for Talk {
    #[track_caller]
    fn says<C: AsRef<[u8]>>(&mut self, dialogue: &[(C, &str)]) {
        for (command, want) in dialogue {
            let command = command.as_ref();
            let answer = self.ask([command, b"\r\n"].concat());
            let shown = String::from_utf8_lossy(&command[..command.len().min(100)]);
            assert!(answer.starts_with(want), "{shown:?}: {answer:?} is not {want:?}");
        }
    }
}

fn lines(house: &House) -> Vec<Talk> {
    let long = "x".repeat(MB);
    let mail = format!("MAIL FROM:<{long}@example.net>");
    let mut open = Vec::new();
    for service in SENDING {
        let mut talk = house.sending(service);
        talk.says(&[(long.as_str(), "500 5.5.2 "), (&mail, "500 5.5.2 "), (&format!("AUTH PLAIN {long}"), "500 5.5.2 "), ("NOOP", "250 2.0.0 ")]);
        // A body may have it.
        house.at_data(service).says(&[(format!("Subject: long\r\n\r\n{long}\r\n."), "250 2.0.0 ")]);
        open.push(talk);
    }
    for mut talk in [house.talk("imap"), house.reading()] {
        talk.says(&[(format!("a {long}"), "a BAD [TOOBIG] "), (format!("b SELECT {long}"), "b BAD [TOOBIG] "), ("c NOOP".into(), "c OK ")]);
        open.push(talk);
    }
    let mut talk = house.talk("pop3");
    talk.says(&[(long.as_str(), "-ERR "), (&format!("USER {long}"), "-ERR "), (&format!("AUTH PLAIN {long}"), "-ERR "), ("USER carol", "+OK ")]);
    open.push(talk);
    open
}

fn floods(house: &House) -> Vec<Talk> {
    let mut open = Vec::new();
    for (mut talk, end, want) in [
        (house.sending("smtp"), "", "500 5.5.2 "),
        (house.at_data("smtp"), "\r\n.", "552 5.3.4 "),
        (house.talk("pop3"), "", "-ERR "),
    ] {
        talk.pour(320 * MB);
        talk.says(&[(end, want)]);
        open.push(talk);
    }
    for n in 0..5 {
        let mut talk = house.reading();
        talk.say(format!("f{n} "));
        talk.pour(63 * MB);
        open.push(talk);
    }
    for _ in 0..34 {
        let mut talk = house.reading();
        talk.says(&[("a APPEND INBOX {10000000}", "+ ")]);
        talk.pour(9 * MB);
        open.push(talk);
    }
    // More than a refused command may bring, and it hangs up.
    for (mut talk, octets) in [(house.talk("imap"), 2 * MB), (house.reading(), 80 * MB)] {
        talk.say("a ");
        talk.pour(octets);
        assert!(talk.until("", "* BYE").contains("* BYE [TOOBIG] "));
        assert_eq!(talk.line(), "");
    }
    open
}

fn nuls(house: &House) -> Vec<Talk> {
    let mut open = Vec::new();
    for service in SENDING {
        let mut talk = house.sending(service);
        let carol = ("MAIL FROM:<carol@example.test>", "250 2.1.0 ");
        talk.says(&[("NO\0OP", "500 5.5.2 "), ("MAIL FROM:<a\0@example.net>", "500 5.5.2 "), carol, ("RCPT TO:<dave\0@example.test>", "500 5.5.2 ")]);
        house.at_data(service).says(&[("Subject: a\0b\r\n\r\n\0\r\n.", "554 5.6.0 "), ("NOOP", "250 2.0.0 ")]);
        open.push(talk);
    }
    for mut talk in [house.talk("imap"), house.reading()] {
        talk.says(&[("a NO\0OP", "a BAD "), ("a SELECT \"IN\0BOX\"", "a BAD "), ("a SELECT {5+}\r\nIN\0BX", "a BAD ")]);
        open.push(talk);
    }
    house.reading().says(&[("\0 NOOP", "* BAD "), ("b NOOP", "b OK "), ("c APPEND INBOX {3+}\r\na\0b", "c BAD "), ("d NOOP", "d OK ")]);
    let mut talk = house.talk("pop3");
    talk.says(&[("NO\0OP", "-ERR "), ("USER a\0b", "-ERR "), ("USER carol", "+OK ")]);
    open.push(talk);
    open
}

/// A thousand are taken, a thousand more are asked to come again, and twenty after those end the session.
fn recipients(house: &House) -> Vec<Talk> {
    let all: String = (0..10_000).map(|n| format!("RCPT TO:<u{n}@many.test>\r\n")).collect();
    for service in SENDING {
        let mut talk = house.sending(service);
        talk.says(&[("MAIL FROM:<carol@example.test>", "250 2.1.0 ")]);
        let answers = talk.until(&all, "421");
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for line in answers.lines() {
            *codes.entry(&line[..9]).or_default() += 1;
        }
        let refused = codes.get("452 4.5.3").copied().unwrap_or_default();
        assert!((1_000..=1_020).contains(&refused), "{service}: {codes:?}");
        assert_eq!((codes.get("250 2.1.5"), codes.get("421 4.7.0"), codes.len()), (Some(&1_000), Some(&1), 3), "{service}: {codes:?}");
        assert_eq!(talk.line(), "", "it hangs up");
    }
    Vec::new()
}

fn addresses(house: &House) -> Vec<Talk> {
    let endless = format!("dave@{}.test", "x".repeat(300));
    let mut open = Vec::new();
    let places = house.places();
    for service in SENDING {
        let mut talk = house.sending(service);
        talk.says(&[("MAIL FROM:<carol@example.test>", "250 2.1.0 ")]);
        for unknown in ["../dave@example.test", "\"../dave\"@example.test", "/etc/passwd@example.test", "dave/../carol@example.test"] {
            talk.says(&[(format!("RCPT TO:<{unknown}>"), "550 5.1.1 ")]);
        }
        for bad in ["a\u{1}b@example.test", "\"a\u{1}b\"@example.test", "dave@example.test/..", "dave@../example.test", &endless] {
            talk.says(&[(format!("RCPT TO:<{bad}>"), "501 5.1.3 ")]);
        }
        talk.says(&[("DATA", "554 5.5.1 ")]);
        open.push(talk);
    }
    assert_eq!(house.places(), places);
    open
}

fn announced(house: &House) -> Vec<Talk> {
    let mut open = Vec::new();
    for _ in 0..20 {
        let (mut before, mut after) = (house.talk("imap"), house.reading());
        before.says(&[("a LOGIN {18}", "+ ")]);
        after.says(&[("a APPEND INBOX {10000000}", "+ ")]);
        open.extend([before, after]);
    }
    for mut talk in [house.talk("imap"), house.reading()] {
        talk.says(&[("a LOGIN {4294967295}", "a BAD "), ("b LOGIN {99999999999999999999}", "b BAD "), ("c NOOP", "c OK ")]);
        open.push(talk);
    }
    house.reading().says(&[("a APPEND INBOX {99999999999}", "a NO [TOOBIG] "), ("b APPEND nowhere {5}", "b NO [TRYCREATE] "), ("c NOOP", "c OK ")]);
    // What the others announce, and never send.
    let mut login = house.talk("submission");
    login.says(&[("EHLO client.example.net", "250 "), ("AUTH PLAIN", "334 ")]);
    let mut pop3 = house.talk("pop3");
    pop3.says(&[("AUTH PLAIN", "+ ")]);
    open.extend([house.at_data("smtp"), login, pop3]);
    open
}

/// What a refused command brings along is thrown away, and is no command. (Octets by the ten, as long as the command hidden there.)
fn refused_literals(house: &House) -> Vec<Talk> {
    let brought = |talk: &mut Talk, command: &str, octets: usize, want: &str| {
        let hidden = "c LOGOUT\r\n".repeat(octets / 10);
        let answers = talk.until(format!("b {command} {{{octets}+}}\r\n{hidden}\r\nd NOOP\r\n"), "d ");
        let lines: Vec<&str> = answers.lines().collect();
        let [refusal, done] = lines[..] else { panic!("{command}: {answers:?}") };
        assert!(refusal.starts_with(want) && done.starts_with("d OK "), "{command}: {answers:?}");
    };
    let mut before = house.talk("imap");
    for (command, octets, want) in [("APPEND INBOX", 100, "b BAD "), ("NOSUCH", 4_090, "b BAD "), ("LOGIN", 5_000, "b BAD [TOOBIG] ")] {
        brought(&mut before, command, octets, want);
    }
    let mut after = house.reading();
    for (command, octets, want) in [
        ("NOSUCH", 100, "b BAD "),
        ("CREATE", 5_000, "b NO [CANNOT] "),
        ("CREATE", 80_000, "b BAD [TOOBIG] "),
        ("APPEND nowhere", 100, "b NO [TRYCREATE] "),
        ("APPEND \"../x\"", 4_090, "b NO [CANNOT] "),
        ("APPEND INBOX", 20 * MB, "b NO [TOOBIG] "),
    ] {
        brought(&mut after, command, octets, want);
    }
    vec![before, after]
}

fn mailbox_names(house: &House) -> Vec<Talk> {
    let mut talk = house.reading();
    let list = |talk: &mut Talk| talk.until("l LIST \"\" *\r\n", "l ");
    let before = (house.places(), list(&mut talk));
    let long = format!("\"{}\"", "x".repeat(2_000));
    let deep = format!("\"{}\"", ["x"; 300].join("/"));
    let impossible = ["\"..\"", "\".\"", "\"../x\"", "\"a/../../b\"", "\"/etc\"", "\"a//b\"", "\"~root\"", "\"\"", "\"a\u{1}b\"", "\"a\u{7f}b\"", "{3+}\r\na\r\n", "\"&bad\"", &long, &deep];
    for (names, want) in [(&impossible[..], "m NO [CANNOT] "), (&["\"a\0b\"", "{3+}\r\na\0b", "\"a\\b\""], "m BAD ")] {
        for name in names {
            for command in ["CREATE", "SELECT", "EXAMINE", "DELETE", "SUBSCRIBE", "RENAME INBOX", "RENAME Drafts"] {
                talk.says(&[(format!("m {command} {name}"), want)]);
            }
            talk.says(&[(format!("m RENAME {name} y"), want), (format!("m STATUS {name} (MESSAGES)"), want)]);
            // Only so many errors in a row are borne.
            talk.says(&[("n NOOP", "n OK ")]);
        }
    }
    assert_eq!((house.places(), list(&mut talk)), before, "something was made");
    vec![talk]
}

fn nested(house: &House) -> Vec<Talk> {
    let message = "Content-Type: message/rfc822\r\n\r\n".repeat(NESTED) + "Subject: deep\r\n\r\nat last\r\n.";
    let mut reading = house.reading();
    for service in SENDING {
        house.at_data(service).says(&[(&message, "250 2.0.0 ")]);
        assert!(reading.until("s SELECT INBOX\r\n", "s ").contains("s OK "));
        let structure = reading.until("f FETCH * (BODY BODYSTRUCTURE ENVELOPE)\r\n", "f ");
        assert!(structure.contains("f OK ") && structure.matches("\"message\" \"rfc822\"").count() > 64, "{structure}");
        assert!(reading.until("q SEARCH HEADER Content-Type message/rfc822\r\n", "q ").starts_with("* SEARCH "));
        for key in ["TEXT needle", "BODY needle", "NOT BODY needle", "SUBJECT needle"] {
            assert!(reading.until(format!("q SEARCH {key}\r\n"), "q ").contains("q OK "), "{key}");
        }
        let part = |depth: usize| format!("p FETCH * (BODY.PEEK[{}]<0.4>)", vec!["1"; depth].join("."));
        assert!(reading.until(part(64) + "\r\n", "p ").contains("p OK "));
        reading.says(&[(part(65), "p BAD [LIMIT] ")]);
    }
    let parentheses = format!("q SEARCH {}ALL{}", "(".repeat(5_000), ")".repeat(5_000));
    reading.says(&[(parentheses, "q BAD [LIMIT] ")]);
    let mut pop3 = house.talk("pop3");
    pop3.says(&[("USER carol@example.test", "+OK "), (&format!("PASS {PASSWORD}"), "+OK ")]);
    let last = pop3.ask("STAT\r\n").split(' ').nth(1).expect("a count").to_owned();
    assert!(pop3.until(format!("RETR {last}\r\n"), ".\r\n").ends_with("Subject: deep\r\n\r\nat last\r\n.\r\n"));
    assert!(pop3.until(format!("TOP {last} 0\r\n"), ".\r\n").starts_with("+OK "));
    vec![reading, pop3]
}
