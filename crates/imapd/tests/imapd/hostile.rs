//! Clients that make no sense: every session answers or ends, and none falls over.

use super::client::Client;
use super::model::Dice;
use super::world::{on_every_engine, settings};

/// Pieces of commands, whole and broken.
const WORDS: &[&str] = &[
    "FETCH", "UID", "STORE", "SEARCH", "COPY", "EXPUNGE", "SELECT", "EXAMINE", "APPEND", "STATUS", "LIST", "LSUB", "CREATE", "DELETE",
    "RENAME", "SUBSCRIBE", "CLOSE", "NOOP", "IDLE", "DONE", "CHECK", "ID", "NAMESPACE", "INBOX", "box", "box/below", "\"\"", "*", "%",
    "1", "1:*", "*:1", "4294967295", "0", "2,4:7,*", "99999999999999", "(FLAGS)", "(\\Seen \\Deleted)", "+FLAGS", "-FLAGS.SILENT", "FLAGS",
    "(UID BODY[])", "BODY.PEEK[1.2.3.MIME]", "BODY[HEADER.FIELDS (a b)]<4294967295.4294967295>", "BODYSTRUCTURE", "ENVELOPE", "RFC822.TEXT",
    "BODY[1]<0.1>", "FULL", "(MESSAGES UNSEEN RECENT)", "NOT", "OR", "(", ")", "ALL", "TEXT", "BODY", "x", "HEADER", "Subject", "\"\"", "SENTON",
    "1-Jan-2024", "LARGER", "18446744073709551615", "KEYWORD", "{3+}\r\nabc", "{0+}\r\n", "{3}\r\n", "{99999999999+}\r\n", "\"un\\\"closed", "NIL",
    "~{1}", "\\Recent", "(custom)", "\" 1-Feb-2024 00:00:00 +0000\"", "\u{fc}", "CHARSET", "utf-7", "MOVE", "ENABLE", "QRESYNC", "IMAP4rev2", "(CONDSTORE)", "(QRESYNC (1 1))", "(QRESYNC (1 0 1:9,4 (1:3 2:9)))", "(CHANGEDSINCE 0)",
    "(CHANGEDSINCE 1 VANISHED)", "(UNCHANGEDSINCE 1)", "MODSEQ", "(MODSEQ)", "UNDELETED", "NEW",
];

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_or_ends_the_session() {
    on_every_engine(settings(), |world| async move {
        for n in 0..5 {
            world.deliver("INBOX", format!("Subject: {n}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{n}\r\n--b--\r\n").as_bytes()).await;
        }
        for seed in 0..60 {
            let mut dice = Dice(seed);
            let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
            client.command("SELECT INBOX").await;
            let mut said = Vec::new();
            for number in 0..40 {
                said.extend_from_slice(format!("t{number}").as_bytes());
                for _ in 0..dice.roll(7) {
                    said.push(b' ');
                    said.extend_from_slice(WORDS[dice.roll(WORDS.len())].as_bytes());
                }
                said.extend_from_slice(b"\r\n");
            }
            said.extend_from_slice(b"DONE\r\nx LOGOUT\r\n");
            client.send_if_open(&said).await;
            client.read_to_end().await;
        }
        let mut sane = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        assert!(sane.command("NOOP").await[0].starts_with("x OK"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_too_much_is_refused_and_sets_of_everything_are_small() {
    on_every_engine(settings(), |world| async move {
        for n in 0..3 {
            world.deliver("INBOX", format!("Subject: {n}\r\n\r\n{n}\r\n").as_bytes()).await;
        }
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.command("SELECT INBOX").await;
        let all = "* SEARCH 1 2 3";
        let widest = vec!["1:4294967295"; 4_000].join(",");
        let table: Vec<(String, Result<&str, &str>)> = vec![
            (vec!["ALL"; 500].join(" "), Ok(all)),
            (vec!["ALL"; 1_000].join(" "), Err("x BAD [LIMIT]")),
            (vec!["ALL"; 100_000].join(" "), Err("x BAD [TOOBIG]")),
            (format!("{}ALL{}", "(".repeat(30), ")".repeat(30)), Ok(all)),
            (format!("{}ALL{}", "(".repeat(10_000), ")".repeat(10_000)), Err("x BAD [LIMIT]")),
            (format!("{}ALL", "NOT ".repeat(30)), Ok(all)),
            (format!("{}ALL", "NOT ".repeat(10_000)), Err("x BAD [LIMIT]")),
            (format!("{}ALL", "OR ALL ".repeat(30)), Ok(all)),
            (format!("{}ALL", "OR NOT ALL ".repeat(5_000)), Err("x BAD [LIMIT]")),
            (format!("{}ALL", "OR (NOT ALL ".repeat(5_000)), Err("x BAD [LIMIT]")),
            (format!("UID {widest}"), Ok(all)),
            (format!("UID {}", vec!["4294967295:*,*:1"; 3_000].join(",")), Ok(all)),
            ("1:4294967295".into(), Err("x BAD")),
            ("UID 4294967296".into(), Err("x BAD")),
            (format!("UID {}", "9".repeat(60_000)), Err("x BAD")),
            (format!("OR SUBJECT {} ALL", "x".repeat(60_000)), Ok(all)),
        ];
        for (keys, expected) in table {
            for (command, line) in [("SEARCH ", "* SEARCH 1 2 3"), ("SORT (SIZE) UTF-8 ", "* SORT 1 2 3"), ("THREAD REFERENCES UTF-8 ", "* THREAD (1)(2)(3)")] {
                let said = client.command(&format!("{command}{keys}")).await;
                match expected {
                    Ok(_) => assert_eq!(said[0], line, "{} {command}{keys:.40}", world.engine),
                    Err(refusal) => assert!(said[0].starts_with(refusal), "{} {command}{keys:.40}: {said:.100?}", world.engine),
                }
            }
            assert!(client.command("NOOP").await[0].starts_with("x OK"), "{keys:.40}");
        }
    })
    .await;
}

/// whoever goes takes his search with him, and his other sessions are served while it lasts.
#[tokio::test(flavor = "multi_thread")]
async fn q_09_a_long_search_ends_when_its_client_goes() {
    let mut settings = settings();
    (settings.still_searching, settings.sessions_per_user) = (std::time::Duration::ZERO, 2);
    on_every_engine(settings, |world| async move {
        let body = "abcdefghijklmnop qrstuvwxyz\r\n".repeat(20_000);
        for _ in 0..20 {
            world.deliver("INBOX", format!("Subject: long\r\n\r\n{body}").as_bytes()).await;
        }
        let mut other = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        other.command("SELECT INBOX").await;
        let mut searching = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        searching.command("SELECT INBOX").await;
        // Keys without end: it is at this for minutes.
        let keys: String = (0..160).map(|n| format!(" OR BODY pqrs{n} BODY wxyzab{n}")).collect();
        searching.send(format!("s SEARCH{keys}\r\n").as_bytes()).await;
        assert_eq!(searching.response().await.unwrap(), "* OK Still searching");
        let said = other.command("SEARCH SUBJECT long SMALLER 9").await;
        assert!(said.iter().any(|line| line == "* SEARCH"), "{} {said:?}", world.engine);
        drop(searching);
        // Its seat is free again.
        let freed = async {
            loop {
                let mut third = Client::new(world.connect("127.0.0.1:1"));
                third.response().await;
                if third.command("LOGIN alice@example.test secret").await[0].starts_with("x OK") {
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), freed).await.expect("the search goes on without its client");
    })
    .await;
}
