//! `imap-proto`, an independent reader of what servers say, reads our answers whole.

use imap_proto::{AttributeValue, Response};

use super::client::Client;
use super::world::{on_every_engine, settings};

const MESSAGES: [&str; 5] = [
    "From: =?utf-8?q?J=C3=B6rg?= <j@example.test>\r\nTo: a@example.test, \"B, C\" <b@example.test>\r\nSubject: \"quotes\" and \\slashes\\\r\n\
     Date: Tue, 24 Nov 2026 01:02:03 +0100\r\nMessage-ID: <1@example.test>\r\n\r\nbody\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8; name=\"a \\\"b\\\"\"\r\n\
     Content-Disposition: attachment; filename=x.txt\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
     Subject: inner\r\nFrom: x@example.test\r\n\r\ninner\r\n--b--\r\n",
    "To: group: ;\r\nSubject: \u{fc}\r\n\r\n",
    "",
    "no header\r\nat all",
];

/// Every response of an answer, read one after the other.
fn read(mut octets: &[u8]) -> Vec<Response<'_>> {
    let mut responses = Vec::new();
    while !octets.is_empty() {
        let read = Response::parse(octets);
        let (rest, response) = read.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(octets)));
        responses.push(response);
        octets = rest;
    }
    responses
}

#[tokio::test(flavor = "multi_thread")]
async fn imap_proto_reads_every_answer() {
    on_every_engine(settings(), |world| async move {
        for message in MESSAGES {
            world.deliver("INBOX", message.as_bytes()).await;
        }
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let commands = [
            "CAPABILITY",
            "LIST \"\" *",
            "LSUB \"\" *",
            "STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)",
            "LIST (SUBSCRIBED) \"\" * RETURN (SPECIAL-USE STATUS (MESSAGES))",
            "CREATE Entw&APw-rfe/Sub",
            "LIST \"\" %",
            "SELECT INBOX",
            "FETCH 1:* ALL",
            "FETCH 1:* (UID BODYSTRUCTURE)",
            "FETCH 1:* (BODY.PEEK[] BODY.PEEK[HEADER.FIELDS (Subject From)] BODY.PEEK[1.MIME]<2.5> RFC822.HEADER)",
            "STORE 1:2 +FLAGS (\\Seen $Forwarded Custom)",
            "SEARCH ALL",
            "SEARCH 1 2 SEEN UNSEEN",
            "COPY 1:3 Trash",
            "UID FETCH * (FLAGS)",
            "STORE 2 +FLAGS (\\Deleted)",
            "EXPUNGE",
            "FROB",
            "SELECT missing",
        ];
        for command in commands {
            client.send(format!("x {command}\r\n").as_bytes()).await;
            let answer = client.raw_answer().await;
            let responses = read(&answer);
            assert!(matches!(responses.last(), Some(Response::Done { .. })), "{command}: {responses:?}");
            if command == "FETCH 1:* ALL" {
                let fetched = responses.iter().filter(|response| matches!(response, Response::Fetch(..))).count();
                assert_eq!(fetched, MESSAGES.len());
            }
            if command.starts_with("FETCH 1:* (BODY.PEEK[]") {
                let Response::Fetch(1, items) = &responses[0] else { panic!("{:?}", responses[0]) };
                let whole = items.iter().any(|item| matches!(item, AttributeValue::BodySection { section: None, index: None, data: Some(data) } if data.as_ref() == MESSAGES[0].as_bytes()));
                assert!(whole, "{items:?}");
            }
        }
    })
    .await;
}
