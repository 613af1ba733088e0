use proptest::prelude::*;

use super::*;
use crate::shelf::LEAST;
use crate::testing::{World, name, on_every_engine};

const COUNT: u32 = LEAST as u32 + 10;

async fn deliver(world: &World, count: u32) {
    for n in 1..=count {
        let message = format!("Subject: N\u{fc}mber {n};\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; \
            filename=\"m\u{f6}we{n};\"\r\n\r\nB\u{f6}dy of {n};\r\n--b--\r\n");
        world.deposit("INBOX", message.as_bytes()).await;
    }
}

async fn find(store: &Store, world: &World, needle: &str, with_headers: bool, completes: bool) -> Vec<u32> {
    let view = store.open(world.alice, &name("INBOX")).await.unwrap();
    let uids: Vec<Uid> = view.rows.iter().map(|row| row.uid).collect();
    let query = TextQuery { needles: vec![fold::fold(needle).into_bytes()], with_headers, completes };
    let mailbox = &view.mailbox;
    let found = store.find_text(world.alice, mailbox.id, mailbox.uidvalidity, &uids, &query).await.unwrap();
    assert!(!completes || uids.iter().all(|uid| found.iter().any(|found| found.uid == *uid && found.is_whole)), "{needle}");
    found.iter().filter(|found| found.header | found.body > 0).map(|found| found.uid.get()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_found_again_after_a_start_and_made_again_when_it_is_damaged() {
    on_every_engine(|world| async move {
        deliver(&world, COUNT).await;
        let table: &[(&str, bool, &[u32])] =
            &[("b\u{f6}dy of 7;", false, &[7]), ("n\u{fc}mber 7;", false, &[]), ("N\u{dc}MBER 7;", true, &[7]), ("m\u{d6}we9;", false, &[]), ("m\u{f6}we9;", true, &[9])];
        assert_eq!(find(&world.store, &world, "", false, false).await, [], "{}: nothing is kept", world.engine);
        for (needle, with_headers, expected) in table {
            assert_eq!(find(&world.store, &world, needle, *with_headers, true).await, *expected, "{}: {needle}", world.engine);
            assert_eq!(find(&world.second().await, &world, needle, *with_headers, false).await, *expected, "{}: {needle}", world.engine);
        }
        let path = world.store.snapshots(world.alice).join(format!("{}.body", world.mailbox("INBOX").await));
        let octets = std::fs::read(&path).unwrap();
        for at in [3, 50, octets.len() - 30] {
            let mut damaged = octets.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            let second = world.second().await;
            let _ = find(&second, &world, "b\u{f6}dy of 7;", false, false).await; // finds it damaged, at the latest
            assert_eq!(find(&second, &world, "b\u{f6}dy of 7;", false, true).await, [7], "{}: damaged at {at}", world.engine);
        }
    })
    .await;
}

#[test]
fn a_long_text_is_cut_and_said_to_be() {
    let mut kept = Kept::default();
    assert!(kept.push(&"X".repeat(WHOLE)));
    assert!(!kept.push("y") && !kept.push("z"));
    let text = kept.end();
    assert_eq!((text.len(), text[0], text[WHOLE]), (WHOLE + 1, b'x', CUT));
    let range = 0..text.len();
    assert!(!look(&[(Uid::FIRST, range)], &text, &[])[0].is_whole);
}

proptest! {
    #[test]
    fn each_text_that_has_a_string_is_marked(texts in proptest::collection::vec("[ab\0]{0,6}", 0..8), needle in "[ab]{0,3}") {
        let whole: Vec<u8> = texts.iter().flat_map(|text| [text.as_bytes(), &[0]].concat()).collect();
        let mut marked = vec![false; texts.len()];
        hunt(&whole, texts.iter().scan(0, |end, text| { *end += text.len() + 1; Some(*end) }), &Finder::new(&needle), |index| marked[index] = true);
        let expected: Vec<bool> = texts.iter().map(|text| text.contains(&needle)).collect();
        prop_assert_eq!(marked, expected);
    }
}
