//! Lists of a whole mailbox come from shelves; they must say what FETCH of each message by itself says.


use mail::{Date, MailboxName};
use store::Deposit;

use super::client::Client;
use super::world::{World, on_every_engine, settings};

/// Past the size from which a mailbox has shelves.
const COUNT: usize = 1_100;
/// So few messages that they are read the ordinary way.
const FEW: usize = 50;

fn message(n: usize) -> Vec<u8> {
    let subject = format!("Subject: number {n}\r\nX-Other: {n}\r\n");
    let text = match n % 5 {
        0 => format!("{subject}From: Alice <alice@example.test>\r\nReferences: <a@b>\r\n\t<c@d>\r\n\r\nbody\r\n"),
        1 => format!("{subject}Content-Type: multipart/mixed; boundary=b\r\nCC: bob@example.test\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"),
        2 => format!("{subject}\r\n"),
        3 => format!("no field\r\nmessage-ID: <{n}@x>\r\n{subject}To: \0x\r\n\r\n\0"),
        _ => format!("From: \"q\\\"\" <a@b>\r\n{subject}Date: Tue, 24 Nov 2026 02:01:13 +0100"),
    };
    text.into_bytes()
}

/// One whose envelope is longer than what a shelf takes.
fn long() -> Vec<u8> {
    format!("Subject: {}\r\n\r\nbody\r\n", "long ".repeat(20_000)).into_bytes()
}

async fn fill(world: &World) {
    let mut deposits = Vec::new();
    for n in 0..COUNT {
        if n == 500 {
            world.store.db().commit(std::mem::take(&mut deposits)).await.unwrap();
            world.deliver("INBOX", &long()).await;
            continue;
        }
        let mut draft = world.store.bodies().draft();
        draft.write(&message(n)).await.unwrap();
        let body = draft.sealed().await.unwrap();
        deposits.push(Deposit::new(world.alice, MailboxName::inbox(), body, Date::new(1_795_486_185 + n as i64, 60)));
    }
    world.store.db().commit(deposits).await.unwrap();
}

/// The FETCH lines of an answer, by sequence number.
async fn lines(client: &mut Client, command: &str) -> Vec<(u32, String)> {
    let answer = client.command(command).await;
    assert_eq!(answer.last().map(String::as_str), Some("x OK FETCH completed"), "{command}");
    let number = |line: &String| Some((line.strip_prefix("* ")?.split(' ').next()?.parse().ok()?, line.clone()));
    let mut lines: Vec<(u32, String)> = answer.iter().filter_map(number).collect();
    lines.sort_unstable();
    lines
}

/// The first lines that are not the same, if there are any.
fn first_difference<'l>(one: &'l [(u32, String)], other: &'l [(u32, String)]) -> Option<(Option<&'l (u32, String)>, Option<&'l (u32, String)>)> {
    (0..one.len().max(other.len())).map(|at| (one.get(at), other.get(at))).find(|(one, other)| one != other)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_what_each_message_says() {
    on_every_engine(settings(), |world| async move {
        fill(&world).await;
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        client.command("SELECT INBOX").await; // \\Recent is this session's, and gone for the next
        client.command("SELECT INBOX").await;
        client.command("STORE 7,9 +FLAGS (\\Flagged own)").await;
        for items in [
            "(FLAGS UID)",
            "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
            "(RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From To \"Subject\" Message-Id References)])",
            "(BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (Cc)] BODY.PEEK[HEADER.FIELDS (Date)])",
            // From no shelf: rows and bodies that are read ahead, over many chunks.
            "(UID RFC822.SIZE BODY.PEEK[])",
            "(BODY.PEEK[1])",
        ] {
            let mut each = Vec::new();
            for first in (1..=COUNT).step_by(FEW) {
                each.extend(lines(&mut client, &format!("FETCH {first}:{} {items}", COUNT.min(first + FEW - 1))).await);
            }
            // The first fills the shelves, the second reads them, and so does another process.
            for round in ["first", "second"] {
                let listed = lines(&mut client, &format!("FETCH 1:* {items}")).await;
                assert_eq!(first_difference(&listed, &each), None, "{} {items} {round}", world.engine);
            }
            let other = world.started().await;
            let mut elsewhere = Client::login(other.connect("127.0.0.1:2"), "alice").await;
            elsewhere.command("EXAMINE INBOX").await;
            let listed = lines(&mut elsewhere, &format!("FETCH 1:* {items}")).await;
            assert_eq!(first_difference(&listed, &each), None, "{} {items} elsewhere", world.engine);
        }
        // What is gone is left out of UID FETCH; new messages are there.
        client.command("STORE 3 +FLAGS (\\Deleted)").await;
        client.command("EXPUNGE").await;
        world.deliver("INBOX", &message(2)).await;
        client.command("NOOP").await;
        let after = lines(&mut client, "UID FETCH 1:* (RFC822.SIZE)").await;
        assert_eq!((after.len(), after.last().map(|(number, _)| *number)), (COUNT, Some(COUNT as u32)), "{}", world.engine);
    })
    .await;
}
