//! What is kept ready for SEARCH, SORT and THREAD says what the messages say, when it is made, when it is there, and when it grows.

use super::client::Client;
use super::world::{on_every_engine, settings};

/// More than are read as they are: a mailbox worth shelves.
const COUNT: usize = 230;
/// Its text is longer than what is kept.
const LONG: usize = 50;

/// Message `n`, in three charsets and encodings.
fn message(n: usize) -> Vec<u8> {
    let head = format!(
        "Subject: =?utf-8?q?T=C3=B6pic_{}?=\r\nFrom: \"Nr. {n}\" <n{n}@example.test>\r\nMessage-ID: <{n}@x>\r\nReferences: <{}@x>\r\nDate: {} Feb 2024 10:00 +0000\r\n",
        n % 7, n - n % 5, 1 + n % 28
    );
    let parity = if n.is_multiple_of(2) { "even" } else { "odd" };
    let body = match n % 3 {
        0 => format!("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nw=C3=B6rd{n}; {pa}=\r\nrity\r\n", pa = parity),
        1 => format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst {parity}\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\nwörd{n};\r\n--b--\r\n"),
        _ => format!("\r\nWÖRD{n}; {parity}\r\n"),
    };
    let mut message = format!("{head}{body}").into_bytes();
    if n == LONG {
        message.extend(b"filler filler filler filler filler filler\r\n".repeat(60_000));
        message.extend_from_slice(b"the very end\r\n");
    }
    message
}

type Is = fn(usize) -> bool;

const SEARCHES: &[(&str, Is)] = &[
    ("SUBJECT \"t\u{f6}pic 3\"", |n| n % 7 == 3),
    ("NOT SUBJECT \"T\u{d6}PIC 3\"", |n| n % 7 != 3),
    ("FROM \"nr. 1\"", |n| n.to_string().starts_with('1')),
    ("HEADER Message-ID <7@x>", |n| n == 7),
    ("HEADER References <10@x>", |n| n - n % 5 == 10),
    ("HEADER CC \"\"", |_| false),
    ("HEADER From \"\"", |_| true),
    ("SENTON 3-Feb-2024", |n| n % 28 == 2),
    ("BODY \"w\u{f6}rd12;\"", |n| n == 12),
    ("BODY \"W\u{d6}RD1\"", |n| n.to_string().starts_with('1')),
    ("NOT BODY even", |n| n % 2 == 1),
    ("BODY t\u{f6}pic", |_| false),
    ("TEXT \"t\u{f6}pic 4\"", |n| n % 7 == 4),
    ("TEXT \"subject: t\u{f6}pic 4\"", |n| n % 7 == 4),
    ("BODY \"the very end\"", |n| n == LONG),
    ("NOT BODY \"the very end\"", |n| n != LONG),
    ("OR BODY \"w\u{f6}rd5;\" SUBJECT \"t\u{f6}pic 2\"", |n| n == 5 || n % 7 == 2),
    ("BODY odd SUBJECT \"t\u{f6}pic 1\" SENTBEFORE 10-Feb-2024", |n| n % 2 == 1 && n % 7 == 1 && n % 28 < 9),
    ("TEXT \"\"", |_| true),
];

async fn agrees(client: &mut Client, there: &[usize], at: &str) {
    for (keys, is) in SEARCHES {
        let expected: Vec<String> = there.iter().filter(|n| is(**n)).map(|n| (n + 1).to_string()).collect();
        let expected = [&["* SEARCH".to_owned()], expected.as_slice()].concat().join(" ");
        let said = client.command(&format!("UID SEARCH {keys}")).await;
        assert_eq!(said.iter().find(|line| line.starts_with("* SEARCH")), Some(&expected), "{at}: {keys}");
    }
    let mut by_date = there.to_vec();
    by_date.sort_by_key(|n| (std::cmp::Reverse(n % 28), *n));
    let expected: Vec<String> = by_date.iter().map(|n| (n + 1).to_string()).collect();
    assert_eq!(client.command("UID SORT (REVERSE DATE) UTF-8 ALL").await[0], format!("* SORT {}", expected.join(" ")), "{at}");
    let threads = client.command("UID THREAD REFERENCES UTF-8 SUBJECT \"t\u{f6}pic\"").await[0].clone();
    let numbers = threads.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).count();
    assert_eq!(numbers, there.len(), "{at}: {threads}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_says_what_the_messages_say() {
    on_every_engine(settings(), |world| async move {
        let deliver = |range: std::ops::Range<usize>| {
            let world = world.clone();
            async move {
                for n in range {
                    world.deliver("INBOX", &message(n)).await;
                }
            }
        };
        deliver(0..COUNT).await;
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.command("SELECT INBOX").await;
        let mut there: Vec<usize> = (0..COUNT).collect();
        for time in ["made", "kept"] {
            agrees(&mut client, &there, &format!("{} {time}", world.engine)).await;
        }
        deliver(COUNT..COUNT + 3).await;
        client.command("UID STORE 5:9 +FLAGS.SILENT (\\Deleted)").await;
        client.command("EXPUNGE").await;
        there.retain(|n| !(4..9).contains(n));
        there.extend(COUNT..COUNT + 3);
        agrees(&mut client, &there, &format!("{} grown", world.engine)).await;
        // As a process finds it that starts now.
        let started = world.started().await;
        let mut client = Client::login(started.connect("127.0.0.1:1"), "alice").await;
        client.command("SELECT INBOX").await;
        agrees(&mut client, &there, &format!("{} after a start", world.engine)).await;
    })
    .await;
}
