//! \Recent is the least of it: where it can't be claimed, mail is shown all the same.

use db::{BoxFuture, Failed, Locks, Step, Tx};

use super::client::Client;
use super::world::{on_every_engine, settings};

/// The database takes no claim of what is \Recent, as on a full disk.
struct Refuse(&'static str);

impl Step for Refuse {
    type Done = ();
    fn locks(&self, _: &mut Locks) {}
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            for refuse in batch {
                tx.execute(refuse.0, &[]).await?;
            }
            Ok(vec![(); batch.len()])
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_opens_and_tells_of_new_mail_though_nothing_can_be_claimed() {
    on_every_engine(settings(), |world| async move {
        let (refuse, allow) = match world.engine {
            "sqlite" => ("CREATE TRIGGER no_claims BEFORE UPDATE OF recent ON mailbox BEGIN SELECT RAISE(ABORT, 'full'); END", "DROP TRIGGER no_claims"),
            _ => ("ALTER TABLE mailbox ADD CONSTRAINT no_claims CHECK (recent < uidnext) NOT VALID", "ALTER TABLE mailbox DROP CONSTRAINT no_claims"),
        };
        world.deliver("INBOX", b"\r\n1").await;
        world.store.db().commit(Refuse(refuse)).await.unwrap();
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let opened = client.command("SELECT INBOX").await;
        let has = |lines: &[String], line: &str| lines.iter().any(|said| said.starts_with(line));
        assert!(has(&opened, "* 1 EXISTS") && has(&opened, "* 0 RECENT") && has(&opened, "x OK [READ-WRITE]"), "{}: {opened:?}", world.engine);
        world.deliver("INBOX", b"\r\n2").await;
        let told = client.command("NOOP").await;
        assert!(has(&told, "* 2 EXISTS"), "{}: {told:?}", world.engine);
        // Once there is room it is \Recent to whoever comes next.
        world.store.db().commit(Refuse(allow)).await.unwrap();
        let mut next = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let opened = next.command("SELECT INBOX").await;
        assert!(has(&opened, "* 2 RECENT"), "{}: {opened:?}", world.engine);
    })
    .await;
}
