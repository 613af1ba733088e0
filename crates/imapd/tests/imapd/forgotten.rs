//! A session that slept longer than the store keeps its log: it compares with the whole mailbox, and the client sees no
//! difference.

use db::{BoxFuture, Failed, Key, Locks, Step, Tx};
use store::AccountId;

use super::client::Client;
use super::world::{on_every_engine, settings};

/// The store forgets what happened so far, as its upkeep does after a time.
pub struct Forget(pub AccountId);

impl Step for Forget {
    type Done = ();
    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Account(self.0.get()));
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for forget in batch {
                tx.query("UPDATE account SET floor = seq WHERE id = ?1", &[forget.0.into()]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_forgot_is_found_by_comparing() {
    on_every_engine(settings(), |world| async move {
        for n in 1..=4 {
            world.deliver("INBOX", format!("Subject: {n}\r\n\r\n{n}").as_bytes()).await;
        }
        let mut sleeper = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        sleeper.command("SELECT INBOX").await;
        let mut other = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        for command in ["SELECT INBOX", "STORE 1,4 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "STORE 1 +FLAGS (Fresh)", "COPY 1 INBOX"] {
            other.command(command).await;
        }
        world.store.db().commit(Forget(world.alice)).await.unwrap();
        let told = sleeper.command("NOOP").await;
        let fetched = |line: &String| line.starts_with("* 1 FETCH (FLAGS (Fresh");
        let mut expected = vec!["* 4 EXPUNGE", "* 1 EXPUNGE", "* 3 EXISTS"];
        expected.retain(|line| !told.iter().any(|told| told == line));
        assert!(expected.is_empty() && told.iter().any(fetched), "{}: {told:?}", world.engine);
        assert!(told[0].starts_with("* FLAGS (") && told[0].contains("Fresh"), "{told:?}");
        let answer = sleeper.command("FETCH 1:* (UID)").await;
        assert_eq!(answer[..3], ["* 1 FETCH (UID 2)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)"]);
        // And once more from there, by the log again.
        world.deliver("INBOX", b"\r\nx").await;
        assert!(sleeper.command("NOOP").await.contains(&"* 4 EXISTS".to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_deleted_behind_a_forgotten_log_is_gone() {
    on_every_engine(settings(), |world| async move {
        let mut sleeper = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        sleeper.command("CREATE box").await;
        sleeper.command("SELECT box").await;
        let mut other = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        other.command("DELETE box").await;
        other.command("CREATE box").await;
        world.store.db().commit(Forget(world.alice)).await.unwrap();
        let told = sleeper.command("NOOP").await;
        assert!(told[0].starts_with("* BYE [NONEXISTENT]"), "{}: {told:?}", world.engine);
    })
    .await;
}
