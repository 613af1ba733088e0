//! Many folders.

use std::time::Instant;

use mail::MailboxName;

use super::client::Client;
use super::world::{on_every_engine, settings};

/// Folders of somebody who files everything.
const FOLDERS: usize = 1000;

/// Not a promise: prints what it costs to count a thousand folders, in one LIST and one by one.
/// `cargo nextest run -p imapd --run-ignored all many_folders --no-capture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_many_folders() {
    on_every_engine(settings(), |world| async move {
        for n in 0..FOLDERS {
            let name = MailboxName::new(&format!("Archive/{}/{n}", n % 10)).unwrap();
            world.store.create_mailbox(world.alice, &name, None).await.unwrap();
        }
        let mut client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        for _ in 0..3 {
            let started = Instant::now();
            let answer = client.command("LIST \"\" * RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY SIZE))").await;
            let counted = answer.iter().filter(|line| line.starts_with("* STATUS")).count();
            assert!(counted > FOLDERS, "{}: {counted}", world.engine);
            println!("{}: {counted} in one LIST: {:?}", world.engine, started.elapsed());
        }
        let started = Instant::now();
        let most: String = (1..FOLDERS).map(|n| format!("y STATUS Archive/{}/{n} (MESSAGES UNSEEN)\r\n", n % 10)).collect();
        client.send(most.as_bytes()).await;
        client.command("STATUS INBOX (MESSAGES)").await;
        println!("{}: {FOLDERS} one by one, in one packet: {:?}", world.engine, started.elapsed());
    })
    .await;
}
