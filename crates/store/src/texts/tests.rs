use mail::fold::fold;
use proptest::prelude::*;

use super::*;
use crate::testing::{MESSAGE, World, name, on_every_engine};

fn text(header: &str, body: &str) -> Text {
    Text { header: fold(header).into_bytes(), body: fold(body).into_bytes(), is_whole: true }
}

async fn uids(world: &World) -> Vec<Uid> {
    world.store.open(world.alice, &name("INBOX")).await.unwrap().rows.iter().map(|row| row.uid).collect()
}

/// Adds a text for each message that has none: its number in words.
async fn add(texts: &mut Texts, world: &World) {
    let mailbox = world.mailbox("INBOX").await;
    for uid in uids(world).await {
        if texts.last().is_some_and(|last| last >= uid) {
            continue;
        }
        let row = world.store.messages(world.alice, mailbox, &[uid], false).await.unwrap().remove(0);
        texts.add(&row, text(&format!("Subject: number {uid}"), &format!("Body of {uid}"))).await;
    }
    texts.write().await;
}

async fn found(texts: &Texts, needles: &[&str]) -> Vec<(u32, u32, u32)> {
    let needles: Vec<Vec<u8>> = needles.iter().map(|needle| fold(needle).into_bytes()).collect();
    let found = texts.find(&needles).await.unwrap();
    found.iter().filter(|found| found.header | found.body > 0).map(|found| (found.uid.get(), found.header, found.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_found_again_after_a_start_and_follows_the_mailbox() {
    on_every_engine(|world| async move {
        for _ in 0..3 {
            world.deposit("INBOX", MESSAGE).await;
        }
        let mailbox = world.mailbox("INBOX").await;
        let mut texts = world.store.texts(world.alice, mailbox, &uids(&world).await).await.unwrap();
        assert_eq!(found(&texts, &[""]).await, [], "{}", world.engine);
        add(&mut texts, &world).await;
        assert_eq!(found(&texts, &["NUMBER 2", "body of 3", "of"]).await, [(1, 0, 4), (2, 1, 4), (3, 0, 6)], "{}", world.engine);
        assert_eq!(found(&texts, &["", "2body", "1body", "subject: number 1"]).await, [(1, 9, 1), (2, 1, 1), (3, 1, 1)]);
        drop(texts);
        world.deposit("INBOX", MESSAGE).await;
        world.store.expunge(world.alice, mailbox, vec![Uid::new(3).unwrap()], false).await.unwrap();
        // Two of the four are known after a start, and one is added.
        let second = world.second().await;
        let mut texts = second.texts(world.alice, mailbox, &uids(&world).await).await.unwrap();
        assert_eq!(texts.last(), Uid::new(3));
        add(&mut texts, &world).await;
        assert_eq!(found(&texts, &["body of 4", "body of 1"]).await, [(1, 0, 2), (4, 0, 1)], "{}", world.engine);
        // A message that is too long is said to be.
        world.deposit("INBOX", MESSAGE).await;
        let row = world.store.messages(world.alice, mailbox, &[Uid::new(5).unwrap()], false).await.unwrap().remove(0);
        texts.add(&row, text("", &"x".repeat(WHOLE + 1))).await;
        texts.write().await;
        let last = texts.find(&[b"x".to_vec()]).await.unwrap().pop().unwrap();
        assert_eq!((last.uid.get(), last.is_whole, last.body), (5, false, 1));
        drop(texts);
        let path = world.store.derived("text").join(world.alice.to_string()).join(mailbox.to_string());
        let mut octets = std::fs::read(&path).unwrap();
        octets.truncate(octets.len() - 3);
        std::fs::write(&path, octets).unwrap();
        let torn = world.second().await.texts(world.alice, mailbox, &uids(&world).await).await.unwrap();
        assert_eq!((torn.last(), found(&torn, &["body"]).await.len()), (Uid::new(4), 4), "{}: the last frame is torn", world.engine);
    })
    .await;
}

proptest! {
    #[test]
    fn each_text_that_has_a_string_is_marked(texts in proptest::collection::vec("[ab\0]{0,6}", 0..8), needle in "[ab]{0,3}") {
        let whole: Vec<u8> = texts.iter().flat_map(|text| [text.as_bytes(), &[0]].concat()).collect();
        let mut marked = vec![false; texts.len()];
        hunt(&whole, texts.iter().map(|text| text.len() + 1), &Finder::new(&needle), |index| marked[index] = true);
        let expected: Vec<bool> = texts.iter().map(|text| text.contains(&needle)).collect();
        prop_assert_eq!(marked, expected);
    }

    #[test]
    fn no_garbage_is_a_table_that_does_harm(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(table) = Table::of(&octets) {
            prop_assert_eq!(table.entries().map(|entry| entry.header).sum::<usize>(), table.headers.len());
        }
    }
}
