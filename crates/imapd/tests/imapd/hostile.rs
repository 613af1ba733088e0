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
