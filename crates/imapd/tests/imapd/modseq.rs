//! MODSEQs where it needs more than a transcript: a log that has forgotten, and clients at the same time.

use super::client::Client;
use super::forgotten::Forget;
use super::world::{World, on_every_engine, settings};

async fn connect(world: &World) -> Client {
    let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
    client.command("ENABLE QRESYNC").await;
    client
}

/// The number behind a word in an answer.
fn number(lines: &[String], word: &str) -> u64 {
    let found = lines.iter().find_map(|line| line.split_once(&format!("[{word} "))).unwrap_or_else(|| panic!("no {word} in {lines:?}"));
    found.1.split(']').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn m_11_behind_a_forgotten_log_all_that_is_missing_has_vanished() {
    on_every_engine(settings(), |world| async move {
        for n in 1..=9 {
            world.deliver("INBOX", format!("\r\n{n}").as_bytes()).await;
        }
        let mut other = connect(&world).await;
        // Expunged before the client's time, and after it.
        for command in ["SELECT INBOX", "STORE 2 +FLAGS.SILENT (\\Deleted)", "EXPUNGE"] {
            other.command(command).await;
        }
        let mut client = connect(&world).await;
        let known = client.command("SELECT INBOX").await;
        let (validity, modseq) = (number(&known, "UIDVALIDITY"), number(&known, "HIGHESTMODSEQ"));
        client.command("UNSELECT").await;
        for command in ["UID STORE 4:5,9 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "UID STORE 6 +FLAGS.SILENT (\\Seen)"] {
            other.command(command).await;
        }
        world.store.db().commit(Forget(world.alice)).await.unwrap();
        let vanished = |lines: &[String]| lines.iter().filter(|line| line.starts_with("* VANISHED")).cloned().collect::<Vec<_>>();
        let fetched = |lines: &[String]| lines.iter().filter(|line| line.contains(" FETCH (")).map(|line| line.split(" FLAGS").next().unwrap().to_owned()).collect::<Vec<_>>();
        // 2 vanished before it was here: told once more, which does no harm. 9 was the last that ever was.
        let answer = client.command(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))")).await;
        assert_eq!(vanished(&answer), ["* VANISHED (EARLIER) 2,4:5,9"], "{}", world.engine);
        assert_eq!(fetched(&answer), ["* 3 FETCH (UID 6"], "{}", world.engine);
        let answer = client.command(&format!("SELECT INBOX (QRESYNC ({validity} {modseq} 3:6,8:20))")).await;
        assert_eq!(vanished(&answer), ["* VANISHED (EARLIER) 4:5,9"], "{}", world.engine);
        // Its second message is still UID 3, so all it knows up to there is right.
        let answer = client.command(&format!("SELECT INBOX (QRESYNC ({validity} {modseq} 1:9 (1:3,7 1,3:4,8)))")).await;
        assert_eq!(vanished(&answer), ["* VANISHED (EARLIER) 4:5,9"], "{}", world.engine);
        let answer = client.command(&format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")).await;
        assert_eq!(vanished(&answer), ["* VANISHED (EARLIER) 2,4:5,9"], "{}", world.engine);
        assert_eq!(fetched(&answer), ["* 3 FETCH (UID 6"], "{}", world.engine);
        // From here on the log is there again.
        let now = number(&client.command("SELECT INBOX").await, "HIGHESTMODSEQ");
        for command in ["UID STORE 1 +FLAGS.SILENT (\\Deleted)", "EXPUNGE"] {
            other.command(command).await;
        }
        let answer = client.command(&format!("SELECT INBOX (QRESYNC ({validity} {now}))")).await;
        assert_eq!(vanished(&answer), ["* VANISHED (EARLIER) 1"], "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m_05_of_conditional_stores_at_once_one_finds_the_message_unchanged() {
    on_every_engine(settings(), |world| async move {
        world.deliver("INBOX", b"\r\n1").await;
        let mut clients = Vec::new();
        for _ in 0..8 {
            let mut client = connect(&world).await;
            let modseq = number(&client.command("SELECT INBOX").await, "HIGHESTMODSEQ");
            clients.push((client, modseq));
        }
        let stores = clients.into_iter().enumerate().map(|(n, (mut client, modseq))| {
            tokio::spawn(async move { client.command(&format!("STORE 1 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (mark{n})")).await.pop().unwrap() })
        });
        let stores: Vec<_> = stores.collect();
        let mut done = 0;
        for store in stores {
            let tagged = store.await.unwrap();
            assert!(tagged.starts_with("x OK"), "{tagged}");
            done += usize::from(!tagged.contains("[MODIFIED 1]"));
        }
        assert_eq!(done, 1, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_and_an_expunge_are_seen_by_who_comes_back() {
    on_every_engine(settings(), |world| async move {
        for n in 1..=600 {
            world.deliver("INBOX", format!("\r\n{n}").as_bytes()).await;
        }
        let mut client = connect(&world).await;
        let known = client.command("SELECT INBOX").await;
        let (validity, modseq) = (number(&known, "UIDVALIDITY"), number(&known, "HIGHESTMODSEQ"));
        client.command("UNSELECT").await;
        let mut other = connect(&world).await;
        for command in ["SELECT INBOX", "UID MOVE 10:12,500 Trash", "UID STORE 20 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "UID MOVE 600 INBOX", "UID STORE 1:550 +FLAGS.SILENT (\\Seen)"] {
            let answer = other.command(command).await;
            assert!(answer.last().unwrap().starts_with("x OK"), "{answer:?}");
        }
        let answer = client.command(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))")).await;
        let at = answer.iter().position(|line| line == "* VANISHED (EARLIER) 10:12,20,500,600").unwrap_or_else(|| panic!("{}: {answer:?}", world.engine));
        let fetched = answer[at + 1..].iter().filter(|line| line.contains(" FETCH (UID ")).count();
        assert_eq!(fetched, 545 + 1, "{}: the changed, and the one that came", world.engine);
    })
    .await;
}
