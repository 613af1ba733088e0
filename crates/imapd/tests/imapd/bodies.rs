//! Large messages, both ways, and clients that stop in the middle.

use super::client::Client;
use super::world::{World, on_every_engine, settings};

/// Far more than all buffers together.
fn large() -> Vec<u8> {
    let mut message = b"Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsmall\r\n--b\r\nContent-Type: application/x-y\r\n\r\n".to_vec();
    for line in 0..60_000 {
        message.extend_from_slice(format!("{line:060}\r\n").as_bytes());
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}

async fn append(client: &mut Client, message: &[u8]) -> String {
    client.send(format!("x APPEND INBOX {{{}}}\r\n", message.len()).as_bytes()).await;
    assert_eq!(client.response().await.as_deref(), Some("+ OK"));
    client.send(message).await;
    client.send(b"\r\n").await;
    loop {
        let response = client.response().await.expect("an answer");
        if response.starts_with("x ") {
            return response;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_goes_in_and_out_byte_for_byte() {
    on_every_engine(settings(), |world| async move {
        let message = large();
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let appended = append(&mut client, &message).await;
        assert!(appended.starts_with("x OK [APPENDUID "), "{appended}");
        client.command("SELECT INBOX").await;
        let end = message.len();
        for (item, label, octets) in [
            ("BODY.PEEK[]", "BODY[]".to_owned(), &message[..]),
            ("BODY.PEEK[]<100000.50000>", "BODY[]<100000>".into(), &message[100_000..150_000]),
            ("BODY.PEEK[1]", "BODY[1]".into(), b"small"),
            ("BODY.PEEK[2]", "BODY[2]".into(), &message[end - 7 - 60_000 * 62..end - 9]),
            ("RFC822.SIZE", format!("RFC822.SIZE {end}"), b""),
        ] {
            client.send(format!("x FETCH 1 {item}\r\n").as_bytes()).await;
            let answer = client.raw_answer().await;
            let octets = if item == "RFC822.SIZE" { Vec::new() } else { [format!(" {{{}}}\r\n", octets.len()).as_bytes(), octets].concat() };
            let wanted = [label.as_bytes(), &octets, b")\r\n"].concat();
            assert!(memmem(&answer, &wanted), "{} {item}: {} octets came", world.engine, answer.len());
        }
        // Two bodies in one line, streamed one after the other, and something small between.
        client.send(b"x FETCH 1 (BODY.PEEK[2] RFC822.SIZE BODY.PEEK[]<1.40000> BODY.PEEK[1])\r\n").await;
        let answer = client.raw_answer().await;
        let between = format!("\r\n RFC822.SIZE {end} BODY[]<1> {{40000}}\r\n{}", String::from_utf8_lossy(&message[1..40]));
        let last = b" BODY[1] {5}\r\nsmall)\r\nx OK".to_vec();
        assert!(memmem(&answer, between.trim_start_matches("\r\n").as_bytes()) && memmem(&answer, &last), "{}", world.engine);
        // Many pieces of one message are not held together.
        let items: Vec<String> = (0..40).map(|n| format!("BODY.PEEK[]<{n}.30000>")).collect();
        client.send(format!("x FETCH 1 ({})\r\n", items.join(" ")).as_bytes()).await;
        let answer = client.raw_answer().await;
        for n in 0..40 {
            let piece = [format!(" BODY[]<{n}> {{30000}}\r\n").as_bytes(), &message[n..n + 30_000]].concat();
            let piece = if n == 0 { [b"* 1 FETCH (", &piece[1..]].concat() } else { piece };
            assert!(memmem(&answer, &piece), "{}: piece {n} of {} octets", world.engine, answer.len());
        }
    })
    .await;
}

fn memmem(text: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(text, wanted).is_some()
}

async fn messages(world: &World) -> u64 {
    world.store.mailbox(world.alice, &mail::MailboxName::inbox()).await.unwrap().unwrap().total
}

#[tokio::test(flavor = "multi_thread")]
async fn a_01_a_connection_lost_in_the_middle_leaves_no_message() {
    on_every_engine(settings(), |world| async move {
        let message = large();
        for sent in [0, 1, 100_000, message.len()] {
            let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
            client.send(format!("x APPEND INBOX {{{}}}\r\n", message.len()).as_bytes()).await;
            client.response().await;
            client.send(&message[..sent]).await;
            drop(client);
        }
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.command("NOOP").await;
        assert_eq!(messages(&world).await, 0, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_12_a_reader_that_stops_reading_holds_up_nobody() {
    on_every_engine(settings(), |world| async move {
        let message = large();
        let mut slow = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        append(&mut slow, &message).await;
        slow.command("SELECT INBOX").await;
        // Asks for everything, and reads none of it.
        slow.send(b"x FETCH 1 (BODY[] BODY.PEEK[2])\r\n").await;
        let mut other = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        for command in ["SELECT INBOX", "STORE 1 +FLAGS (\\Flagged)", "COPY 1 Trash", "STORE 1 +FLAGS.SILENT (\\Deleted)", "EXPUNGE"] {
            let answer = other.command(command).await;
            assert!(answer.last().is_some_and(|line| line.starts_with("x OK")), "{command}: {answer:?}");
        }
        // What was begun is whole, though the message is gone: its file is open.
        let answer = slow.raw_answer().await;
        assert!(memmem(&answer, &message), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_messages_are_fetched_in_chunks() {
    on_every_engine(settings(), |world| async move {
        let deliveries = (0..1203).map(|n| {
            let world = world.clone();
            tokio::spawn(async move { world.deliver("INBOX", format!("Subject: {n}\r\n\r\n{n}\r\n").as_bytes()).await })
        });
        for delivery in deliveries.collect::<Vec<_>>() {
            delivery.await.unwrap();
        }
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.command("SELECT INBOX").await;
        for items in ["(FLAGS)", "(RFC822.SIZE)", "(ENVELOPE)", "(BODY.PEEK[TEXT])", "(BODY[])", "(FLAGS)"] {
            let answer = client.command(&format!("UID FETCH 1:* {items}")).await;
            assert_eq!(answer.len(), 1204, "{} {items}", world.engine);
            for (n, line) in answer.iter().take(1203).enumerate() {
                let begin = format!("* {} FETCH (UID {} ", n + 1, n + 1);
                assert!(line.starts_with(&begin), "{items}: {line}");
                assert_eq!(line.matches("FLAGS").count(), usize::from(items.contains("FLAGS") || items == "(BODY[])"), "{line}");
            }
        }
        let answer = client.command("SEARCH SEEN BODY 7").await;
        let line = answer.iter().find(|line| line.starts_with("* SEARCH")).unwrap();
        let found = line.split(' ').count() - 2;
        assert_eq!(found, (0..1203).filter(|n: &u32| n.to_string().contains('7')).count());
        let answer = client.command("UID STORE 1:* -FLAGS.SILENT (\\Seen)").await;
        assert_eq!(answer.len(), 1, "{:?}", &answer[..2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_withholds_no_other_message() {
    on_every_engine(settings(), |world| async move {
        for n in 1..=3 {
            world.deliver("INBOX", format!("Subject: {n}\r\n\r\nbody {n}\r\n").as_bytes()).await;
        }
        store::settle::settle(&world.store).await.unwrap();
        let home = world.store.home(world.alice).await.unwrap();
        let folder = world.store.bodies().folder(&home, "").unwrap();
        let directory = std::path::PathBuf::from(folder.display().to_string());
        let file = ["new", "cur"].iter().flat_map(|sub| std::fs::read_dir(directory.join(sub)).unwrap()).map(|entry| entry.unwrap().path());
        let file = file.into_iter().find(|path| path.to_string_lossy().contains("U=2")).expect("the file of UID 2");
        let aside = directory.join("tmp/aside");
        std::fs::rename(&file, &aside).unwrap();
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.command("SELECT INBOX").await;
        let answer = client.command("FETCH 1:3 (UID BODY.PEEK[TEXT])").await;
        assert!(answer[0].contains("body 1") && answer[1].contains("body 3"), "{answer:?}");
        assert!(answer[2].starts_with("x NO [CORRUPTION]"), "{answer:?}");
        assert_eq!(client.command("SEARCH BODY body").await[0], "* SEARCH 1 3");
        std::fs::rename(&aside, &file).unwrap();
        assert_eq!(client.command("SEARCH BODY body").await[0], "* SEARCH 1 2 3");
    })
    .await;
}

/// More than the database has connections.
const SLOW: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_hold_no_connection_to_the_database() {
    on_every_engine(settings(), |world| async move {
        let body = b"x\r\n".repeat(3000);
        for n in 0..60 {
            world.deliver("INBOX", &[format!("Subject: {n}\r\n\r\n").as_bytes(), &body].concat()).await;
        }
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
            client.command("EXAMINE INBOX").await;
            client.send(b"x FETCH 1:* (BODYSTRUCTURE BODY.PEEK[])\r\n").await;
            slow.push(client);
        }
        let mut other = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        for command in ["SELECT INBOX", "STORE 1:* +FLAGS (\\Flagged)", "SEARCH BODY nowhere", "UID FETCH 1:* (ENVELOPE)", "NOOP"] {
            let answer = other.command(command).await;
            assert!(answer.last().is_some_and(|line| line.starts_with("x OK")), "{} {command}: {answer:?}", world.engine);
        }
        for mut client in slow {
            let answer = client.raw_answer().await;
            assert!(answer.len() > 60 * 9000 && answer.ends_with(b"x OK FETCH completed\r\n"), "{}", world.engine);
        }
    })
    .await;
}
