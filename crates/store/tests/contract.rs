//! What the store promises, on every engine. After each test the store checks itself: counters, UIDs, files.

use std::future::Future;

use bodies::{Bodies, MailLocation, Settings};
use mail::{Address, Date, Flags, Keyword, MailboxName, ModSeq, Uid};
use store::{AccountId, Change, Changes, Deposit, Deposited, Refused, Store, check, refused, settle, view::Since};

/// A fresh store with the account `alice@example.test`.
struct World {
    store: Store,
    alice: AccountId,
    engine: &'static str,
}

impl World {
    fn inbox(&self) -> MailboxName {
        MailboxName::inbox()
    }

    async fn deposit(&self, mailbox: &str, message: &[u8]) -> Result<Deposited, db::Error> {
        let step = self.step(mailbox, message).await;
        let body = step.body().clone();
        let done = self.store.db().commit(step).await;
        if done.is_ok() {
            body.committed();
        }
        done
    }

    async fn step(&self, mailbox: &str, message: &[u8]) -> Deposit {
        let mut draft = self.store.bodies().draft();
        draft.write(message).await.unwrap();
        let body = draft.sealed().await.unwrap();
        Deposit::new(self.alice, MailboxName::new(mailbox).unwrap(), body, Date::new(1_795_486_185, 60))
    }

    async fn read(&self, mailbox: &str, uid: Uid) -> Option<Vec<u8>> {
        let view = self.store.open(self.alice, &MailboxName::new(mailbox).unwrap()).await.unwrap();
        let mut reader = self.store.read(self.alice, view.mailbox.id, uid).await.unwrap()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = reader.chunk().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        Some(bytes)
    }

    async fn uids(&self, mailbox: &str) -> Vec<u32> {
        let view = self.store.open(self.alice, &MailboxName::new(mailbox).unwrap()).await.unwrap();
        view.rows.iter().map(|row| row.uid.get()).collect()
    }

    async fn changes(&self, mailbox: &str, since: ModSeq) -> Changes {
        let view = self.store.open(self.alice, &MailboxName::new(mailbox).unwrap()).await.unwrap();
        match self.store.changes(self.alice, view.mailbox.id, since).await.unwrap() {
            Since::Changes(changes) => changes,
            _ => panic!("{}: the log is there", self.engine),
        }
    }

    async fn settle(&self) {
        settle::settle(&self.store).await.unwrap();
    }

    /// The files of a mailbox, as their letters.
    async fn letters(&self, mailbox: &str) -> Vec<String> {
        let home = self.store.home(self.alice).await.unwrap();
        let folder = self.store.bodies().folder(&home, &MailboxName::new(mailbox).unwrap().maildir_dir()).unwrap();
        folder.scan().await.unwrap().entries.into_iter().map(|entry| entry.letters).collect()
    }
}

/// Runs `test` in a fresh world on every engine, and lets the store check itself: as it is, and settled.
async fn on_every_engine<F, T>(test: F)
where
    F: Fn(std::sync::Arc<World>) -> T,
    T: Future<Output = ()>,
{
    let directory = tempfile::tempdir().unwrap();
    let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
    for fresh in db::testing::engines(directory.path(), &migrations).await.unwrap() {
        let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", fresh.directory.display())).unwrap();
        let bodies = Bodies::open(Settings { spool: fresh.directory.join("spool"), location }).unwrap();
        let store = Store::new(fresh.db.clone(), bodies);
        store.add_domain("example.test").await.unwrap();
        let alice = store.add_account(&Address::parse("alice@example.test").unwrap(), "{PLAIN}x", None).await.unwrap();
        test(std::sync::Arc::new(World { store: store.clone(), alice, engine: fresh.engine })).await;
        assert_eq!(check::rows(&store).await.unwrap(), [], "{} before settling", fresh.engine);
        settle::settle(&store).await.unwrap();
        assert_eq!(check::rows(&store).await.unwrap(), [], "{} settled", fresh.engine);
        assert_eq!(check::files(&store).await.unwrap(), [], "{} files", fresh.engine);
    }
}

const MESSAGE: &[u8] = b"Subject: hi\r\n\r\nFrom the start\r\n>From quoted\r\n.\r\n";

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reads_back_byte_for_byte_before_and_after_it_is_a_file() {
    on_every_engine(|world| async move {
        let odd = b"Subject: odd\r\n\r\nstray \r\r\n and\r alone\r\n".to_vec();
        let large = [b"Subject: large\r\n\r\n".to_vec(), b"0123456789abcdef\r\n".repeat(20_000)].concat();
        for message in [MESSAGE.to_vec(), odd, large, Vec::new(), b"no newline at the end".to_vec()] {
            let at = world.deposit("INBOX", &message).await.unwrap();
            assert!(world.read("INBOX", at.uid).await.unwrap() == message, "{} before settling", world.engine);
            world.settle().await;
            assert!(world.read("INBOX", at.uid).await.unwrap() == message, "{} settled", world.engine);
        }
        let view = world.store.open(world.alice, &world.inbox()).await.unwrap();
        let first = &world.store.messages(world.alice, view.mailbox.id, &[uid(1)], true).await.unwrap()[0];
        assert_eq!((first.size, first.internaldate), (MESSAGE.len() as u64, Date::new(1_795_486_185, 60)));
        let structure = world.store.structure(world.alice, view.mailbox.id, first).await.unwrap().unwrap();
        assert_eq!(structure.size, MESSAGE.len() as u64);
        let again = &world.store.messages(world.alice, view.mailbox.id, &[uid(1)], true).await.unwrap()[0];
        assert_eq!(again.structure.as_deref(), Some(&*structure), "{}: the structure is kept", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deliver_at_once_and_each_has_its_own_uid() {
    on_every_engine(|world| async move {
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let world = world.clone();
                tokio::spawn(async move { world.deposit("INBOX", format!("Subject: {n}\r\n\r\n{n}\r\n").as_bytes()).await.unwrap() })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(task.await.unwrap());
        }
        seen.sort_by_key(|done| done.uid);
        let uids: Vec<u32> = seen.iter().map(|done| done.uid.get()).collect();
        assert_eq!(uids, (1..=200).collect::<Vec<u32>>(), "{}", world.engine);
        assert!(seen.windows(2).all(|pair| pair[0].modseq < pair[1].modseq), "{}: order of UIDs is order of MODSEQ", world.engine);
        assert_eq!(world.uids("INBOX").await, uids);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_is_never_used_twice() {
    on_every_engine(|world| async move {
        world.deposit("INBOX", MESSAGE).await.unwrap();
        let last = world.deposit("INBOX", MESSAGE).await.unwrap();
        let gone = world.store.expunge(world.alice, last.mailbox, vec![last.uid], false).await.unwrap();
        assert_eq!(gone.uids, [last.uid]);
        assert_eq!(world.deposit("INBOX", MESSAGE).await.unwrap().uid, uid(3), "{}", world.engine);
        assert_eq!(world.uids("INBOX").await, [1, 3]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_merge_and_names_follow_them() {
    on_every_engine(|world| async move {
        let at = world.deposit("INBOX", MESSAGE).await.unwrap();
        world.settle().await;
        assert_eq!(world.letters("INBOX").await, [""]);
        let set = |change| world.store.set_flags(world.alice, at.mailbox, vec![at.uid, uid(9)], change, None);
        let (one, two) = tokio::join!(set(Change::Add(Flags::SEEN)), set(Change::Add(Flags::FLAGGED)));
        assert_eq!((one.unwrap().rows.len(), two.unwrap().rows.len()), (1, 1));
        let view = world.store.open(world.alice, &world.inbox()).await.unwrap();
        assert_eq!(view.rows[0].flags, Flags::SEEN | Flags::FLAGGED, "{}", world.engine);
        assert_eq!((view.mailbox.unseen, view.mailbox.total), (0, 1));
        world.settle().await;
        assert_eq!(world.letters("INBOX").await, ["FS"], "{}", world.engine);
        let same = set(Change::Add(Flags::SEEN)).await.unwrap();
        assert_eq!(same.rows[0].modseq, view.rows[0].modseq, "{}: no change, no new MODSEQ", world.engine);
        set(Change::Replace(Flags::DELETED)).await.unwrap();
        world.settle().await;
        assert_eq!(world.letters("INBOX").await, ["T"], "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_set_before_the_body_is_a_file_are_in_its_name() {
    on_every_engine(|world| async move {
        let at = world.deposit("INBOX", MESSAGE).await.unwrap();
        world.store.set_flags(world.alice, at.mailbox, vec![at.uid], Change::Add(Flags::SEEN), None).await.unwrap();
        world.settle().await;
        world.settle().await;
        assert_eq!(world.letters("INBOX").await, ["S"], "{}", world.engine);
        world.store.set_flags(world.alice, at.mailbox, vec![at.uid], Change::Remove(Flags::SEEN), None).await.unwrap();
        world.settle().await;
        assert_eq!(world.letters("INBOX").await, [""], "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_since_leaves_alone_what_has_changed() {
    on_every_engine(|world| async move {
        let one = world.deposit("INBOX", MESSAGE).await.unwrap();
        let two = world.deposit("INBOX", MESSAGE).await.unwrap();
        let set = world.store.set_flags(world.alice, one.mailbox, vec![one.uid, two.uid], Change::Add(Flags::SEEN), Some(one.modseq)).await.unwrap();
        assert_eq!((set.rows.len(), set.modified), (1, vec![two.uid]), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keywords_are_named_once_in_any_case() {
    on_every_engine(|world| async move {
        let words: Vec<Keyword> = ["$Label1", "$Forwarded", "Work"].into_iter().map(|word| Keyword::new(word).unwrap()).collect();
        let flags = world.store.keyword_flags(world.alice, &words).await.unwrap();
        let again = world.store.keyword_flags(world.alice, &[Keyword::new("WORK").unwrap()]).await.unwrap();
        assert!(flags.contains(again) && flags.contains(Flags::FORWARDED), "{}", world.engine);
        let known = world.store.keywords(world.alice).await.unwrap();
        let names: Vec<&str> = known.names(flags).map(Keyword::as_str).collect();
        assert_eq!(names, ["$Label1", "Work"], "{}", world.engine);
        let many: Vec<Keyword> = (0..60).map(|n| Keyword::new(&format!("k{n}")).unwrap()).collect();
        let error = world.store.keyword_flags(world.alice, &many).await.unwrap_err();
        assert!(matches!(refused(&error), Some(Refused::Limit(_))), "{} {error}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_its_own_uid_and_outlives_the_original() {
    on_every_engine(|world| async move {
        let settled = world.deposit("INBOX", MESSAGE).await.unwrap();
        world.settle().await;
        let fresh = world.deposit("INBOX", b"Subject: fresh\r\n\r\nnot a file yet\r\n").await.unwrap();
        world.store.set_flags(world.alice, settled.mailbox, vec![settled.uid], Change::Add(Flags::SEEN), None).await.unwrap();
        let sent = MailboxName::new("Sent").unwrap();
        let copied = world.store.copy(world.alice, settled.mailbox, vec![settled.uid, fresh.uid, uid(77)], &sent).await.unwrap();
        assert_eq!(copied.pairs, [(uid(1), uid(1)), (uid(2), uid(2))], "{}", world.engine);
        assert_eq!(world.read("Sent", uid(1)).await.unwrap(), MESSAGE, "{}: linked at once", world.engine);
        world.store.expunge(world.alice, settled.mailbox, vec![settled.uid, fresh.uid], false).await.unwrap();
        world.settle().await;
        assert_eq!(world.read("Sent", uid(1)).await.unwrap(), MESSAGE, "{}", world.engine);
        assert_eq!(world.read("Sent", uid(2)).await.unwrap(), b"Subject: fresh\r\n\r\nnot a file yet\r\n", "{}", world.engine);
        let view = world.store.open(world.alice, &sent).await.unwrap();
        assert_eq!(view.rows[0].flags, Flags::SEEN);
        assert_eq!(world.letters("Sent").await.iter().filter(|letters| *letters == "S").count(), 1, "{}", world.engine);
        assert!(world.letters("INBOX").await.is_empty(), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_into_its_own_mailbox_ends() {
    on_every_engine(|world| async move {
        let at = world.deposit("INBOX", MESSAGE).await.unwrap();
        world.settle().await;
        let copied = world.store.copy(world.alice, at.mailbox, vec![at.uid], &world.inbox()).await.unwrap();
        assert_eq!(copied.pairs, [(uid(1), uid(2))]);
        assert_eq!(world.uids("INBOX").await, [1, 2], "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_message_is_in_one_mailbox_with_its_flags_and_file() {
    on_every_engine(|world| async move {
        let settled = world.deposit("INBOX", MESSAGE).await.unwrap();
        world.settle().await;
        let fresh = world.deposit("INBOX", b"Subject: fresh\r\n\r\nnot a file yet\r\n").await.unwrap();
        world.store.set_flags(world.alice, settled.mailbox, vec![settled.uid], Change::Add(Flags::SEEN), None).await.unwrap();
        let trash = MailboxName::new("Trash").unwrap();
        let before = world.store.open(world.alice, &world.inbox()).await.unwrap();
        let there = world.store.open(world.alice, &trash).await.unwrap();
        let moved = world.store.r#move(world.alice, settled.mailbox, vec![settled.uid, fresh.uid, uid(77)], &trash).await.unwrap();
        assert_eq!(moved.pairs, [(uid(1), uid(1)), (uid(2), uid(2))], "{}", world.engine);
        assert_eq!(world.read("Trash", uid(1)).await.unwrap(), MESSAGE, "{}: linked at once", world.engine);
        assert!(world.read("INBOX", uid(1)).await.is_none(), "{}", world.engine);
        let (gone, come) = (world.changes("INBOX", before.modseq).await, world.changes("Trash", there.modseq).await);
        assert_eq!(gone.vanished, [uid(1), uid(2)], "{}", world.engine);
        assert!(come.added.iter().all(|row| row.modseq > before.modseq) && come.added[0].flags == Flags::SEEN, "{}", world.engine);
        let again = world.store.r#move(world.alice, settled.mailbox, vec![settled.uid], &trash).await.unwrap();
        assert_eq!(again.pairs, [], "{}: it is gone from there", world.engine);
        world.settle().await;
        assert_eq!(world.read("Trash", uid(2)).await.unwrap(), b"Subject: fresh\r\n\r\nnot a file yet\r\n", "{}", world.engine);
        assert_eq!((world.letters("Trash").await.len(), world.letters("INBOX").await.len()), (2, 0), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_into_its_own_mailbox_gives_a_new_uid() {
    on_every_engine(|world| async move {
        let at = world.deposit("INBOX", MESSAGE).await.unwrap();
        world.settle().await;
        let since = world.store.open(world.alice, &world.inbox()).await.unwrap().modseq;
        let moved = world.store.r#move(world.alice, at.mailbox, vec![at.uid], &world.inbox()).await.unwrap();
        assert_eq!(moved.pairs, [(uid(1), uid(2))]);
        assert_eq!(world.uids("INBOX").await, [2], "{}", world.engine);
        let changes = world.changes("INBOX", since).await;
        assert_eq!((changes.added[0].uid, changes.vanished), (uid(2), vec![uid(1)]), "{}", world.engine);
        assert_eq!(world.read("INBOX", uid(2)).await.unwrap(), MESSAGE, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_asks_for_no_quota_and_two_that_race_double_nothing() {
    on_every_engine(|world| async move {
        let small = Address::parse("small@example.test").unwrap();
        let quota = Some(MESSAGE.len() as u64 + 10);
        let account = world.store.add_account(&small, "{PLAIN}x", quota).await.unwrap();
        let mut step = world.step("INBOX", MESSAGE).await;
        step = Deposit::new(account, world.inbox(), step.body().clone(), Date::new(1_795_486_185, 60));
        let at = world.store.db().commit(step).await.unwrap();
        let targets = ["Sent", "Trash", "Drafts"].map(|target| MailboxName::new(target).unwrap());
        let [a, b, c] = targets.each_ref().map(|target| world.store.r#move(account, at.mailbox, vec![at.uid], target));
        let (a, b, c) = tokio::join!(a, b, c);
        let moved = [a, b, c].into_iter().map(|moved| moved.unwrap().pairs.len()).sum::<usize>();
        assert_eq!(moved, 1, "{}", world.engine);
        let total: u64 = world.store.mailboxes(account).await.unwrap().iter().map(|mailbox| mailbox.total).sum();
        assert_eq!(total, 1, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_tell_everything_since() {
    on_every_engine(|world| async move {
        let one = world.deposit("INBOX", MESSAGE).await.unwrap();
        let two = world.deposit("INBOX", MESSAGE).await.unwrap();
        let since = world.store.open(world.alice, &world.inbox()).await.unwrap().modseq;
        let mut bell = world.store.watch(world.alice);
        world.store.set_flags(world.alice, one.mailbox, vec![one.uid], Change::Add(Flags::SEEN), None).await.unwrap();
        world.store.expunge(world.alice, one.mailbox, vec![two.uid], false).await.unwrap();
        let three = world.deposit("INBOX", MESSAGE).await.unwrap();
        bell.changed().await;
        let changes = world.changes("INBOX", since).await;
        let uids = |rows: &[store::Row]| rows.iter().map(|row| row.uid).collect::<Vec<_>>();
        assert_eq!((uids(&changes.added), uids(&changes.flagged), changes.vanished), (vec![three.uid], vec![one.uid], vec![two.uid]), "{}", world.engine);
        let nothing = world.changes("INBOX", changes.to).await;
        assert!(nothing.added.is_empty() && nothing.flagged.is_empty() && nothing.vanished.is_empty(), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_made_again_has_a_higher_uidvalidity() {
    on_every_engine(|world| async move {
        let name = MailboxName::new("Projects/Ärger & Co").unwrap();
        world.store.create_mailbox(world.alice, &name, None).await.unwrap();
        assert!(world.store.mailbox(world.alice, &name.parent().unwrap()).await.unwrap().is_some(), "{}: the parent is made", world.engine);
        let first = world.deposit(name.as_str(), MESSAGE).await.unwrap();
        let again = world.store.create_mailbox(world.alice, &name, None).await.unwrap_err();
        assert_eq!(refused(&again), Some(&Refused::MailboxExists(name.clone())));
        world.settle().await;
        world.store.delete_mailbox(world.alice, &name).await.unwrap();
        assert!(matches!(refused(&world.deposit(name.as_str(), MESSAGE).await.unwrap_err()), Some(Refused::NoSuchMailbox(_))));
        world.store.create_mailbox(world.alice, &name, None).await.unwrap();
        let second = world.deposit(name.as_str(), MESSAGE).await.unwrap();
        assert!(second.uidvalidity > first.uidvalidity, "{}", world.engine);
        assert_eq!(second.uid, uid(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_mailbox_keeps_its_messages_and_takes_its_children_along() {
    on_every_engine(|world| async move {
        let name = |name: &str| MailboxName::new(name).unwrap();
        world.store.create_mailbox(world.alice, &name("A/B"), None).await.unwrap();
        let at = world.deposit("A/B", MESSAGE).await.unwrap();
        world.settle().await;
        world.deposit("A/B", b"second\r\n").await.unwrap();
        world.store.rename_mailbox(world.alice, &name("A"), &name("Z/Y")).await.unwrap();
        assert_eq!(world.read("Z/Y/B", at.uid).await.unwrap(), MESSAGE, "{}", world.engine);
        world.settle().await;
        assert_eq!(world.read("Z/Y/B", uid(2)).await.unwrap(), b"second\r\n", "{}", world.engine);
        let view = world.store.open(world.alice, &name("Z/Y/B")).await.unwrap();
        assert_eq!(view.mailbox.uidvalidity, at.uidvalidity);
        for (from, to) in [("INBOX", "Sent"), ("INBOX", "INBOX"), ("Z", "Z/Y/Q"), ("Z", "Sent"), ("Nowhere", "X")] {
            assert!(world.store.rename_mailbox(world.alice, &name(from), &name(to)).await.is_err(), "{from} to {to}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inbox_renamed_is_emptied_and_stays() {
    on_every_engine(|world| async move {
        let name = |name: &str| MailboxName::new(name).unwrap();
        let first = world.deposit("INBOX", MESSAGE).await.unwrap();
        world.settle().await;
        world.deposit("INBOX", b"second\r\n").await.unwrap();
        world.store.create_mailbox(world.alice, &name("INBOX/below"), None).await.unwrap();
        world.store.rename_mailbox(world.alice, &name("INBOX"), &name("INBOX/2025")).await.unwrap();
        assert_eq!(world.read("INBOX/2025", uid(1)).await.unwrap(), MESSAGE, "{}", world.engine);
        world.settle().await;
        assert_eq!(world.read("INBOX/2025", uid(2)).await.unwrap(), b"second\r\n", "{}", world.engine);
        let inbox = world.store.open(world.alice, &world.inbox()).await.unwrap();
        assert_eq!((inbox.rows.len(), inbox.mailbox.uidvalidity, inbox.mailbox.uidnext), (0, first.uidvalidity, 3), "{}", world.engine);
        assert!(world.store.mailbox(world.alice, &name("INBOX/below")).await.unwrap().is_some());
        // An empty one is renamed too: there is a new mailbox, and nothing in it.
        world.store.rename_mailbox(world.alice, &name("INBOX"), &name("empty")).await.unwrap();
        assert_eq!(world.store.mailbox(world.alice, &name("empty")).await.unwrap().unwrap().total, 0, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_over_quota_gets_no_more_and_harms_nobody() {
    on_every_engine(|world| async move {
        world.store.set_quota(world.alice, Some(2 * MESSAGE.len() as u64), None).await.unwrap();
        let steps = (0..4).map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.deposit("INBOX", MESSAGE).await })
        });
        let mut fitted = 0;
        for step in steps.collect::<Vec<_>>() {
            match step.await.unwrap() {
                Ok(_) => fitted += 1,
                Err(error) => assert_eq!(refused(&error), Some(&Refused::OverQuota), "{}", world.engine),
            }
        }
        assert_eq!(fitted, 2, "{}", world.engine);
        let at = world.store.open(world.alice, &world.inbox()).await.unwrap();
        let copied = world.store.copy(world.alice, at.mailbox.id, vec![uid(1)], &MailboxName::new("Sent").unwrap()).await;
        assert_eq!(refused(&copied.unwrap_err()), Some(&Refused::OverQuota), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recent_is_claimed_once() {
    on_every_engine(|world| async move {
        let at = world.deposit("INBOX", MESSAGE).await.unwrap();
        assert_eq!(world.store.take_recent(world.alice, at.mailbox).await.unwrap(), 1..2, "{}", world.engine);
        assert_eq!(world.store.take_recent(world.alice, at.mailbox).await.unwrap(), 2..2, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_accounts_have_their_folders_and_removed_ones_nothing() {
    on_every_engine(|world| async move {
        let bob = Address::parse("Bob@Example.test").unwrap();
        let id = world.store.add_account(&bob, "{PLAIN}x", Some(1000)).await.unwrap();
        let names: Vec<String> = world.store.mailboxes(id).await.unwrap().iter().map(|mailbox| mailbox.name.as_str().to_owned()).collect();
        assert_eq!(names, ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
        assert_eq!(world.store.subscriptions(id).await.unwrap().len(), 6);
        assert_eq!(world.store.account_by_login(&Address::parse("bob@example.test").unwrap()).await.unwrap().unwrap().id, id);
        assert!(matches!(refused(&world.store.add_account(&bob, "x", None).await.unwrap_err()), Some(Refused::AddressExists(_))));
        let info = [bob.clone(), Address::parse("alice@example.test").unwrap()];
        world.store.set_alias("Info@example.test", &info).await.unwrap();
        assert_eq!(world.store.addresses_of(id).await.unwrap().len(), 2, "{}", world.engine);
        assert!(matches!(refused(&world.store.remove_domain("example.test").await.unwrap_err()), Some(Refused::DomainInUse(_))));
        world.store.remove_account(id).await.unwrap();
        assert!(world.store.account(id).await.unwrap().is_none());
        world.store.remove_alias("info@example.test").await.unwrap();
        world.store.add_account(&bob, "{PLAIN}x", None).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_renewed_only_while_it_is_the_same() {
    on_every_engine(|world| async move {
        let (store, alice) = (&world.store, world.alice);
        let secret = |record: &str, keys: Option<&str>| store::Secret { record: record.into(), scram: keys.map(str::to_owned) };
        let kept = async || store.credentials(alice).await.unwrap()[0].secret.clone();
        store.set_password(alice, "{SSHA}old").await.unwrap();
        assert!(!store.all_have_scram().await.unwrap(), "{}", world.engine);
        assert_eq!(store.without_scram().await.unwrap(), ["alice@example.test"], "{}", world.engine);
        let better = secret("{ARGON2ID}new", Some("4096,…"));
        assert!(!store.renew_password(alice, &"{SSHA}older".into(), better.clone()).await.unwrap(), "{}", world.engine);
        assert_eq!(kept().await, "{SSHA}old".into());
        assert!(store.renew_password(alice, &"{SSHA}old".into(), better.clone()).await.unwrap(), "{}", world.engine);
        assert_eq!(kept().await, better);
        assert!(!store.renew_password(alice, &"{ARGON2ID}new".into(), better.clone()).await.unwrap(), "{}: other keys", world.engine);
        assert!(store.all_have_scram().await.unwrap(), "{}", world.engine);
        assert!(store.without_scram().await.unwrap().is_empty(), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn app_passwords_stand_beside_the_password() {
    on_every_engine(|world| async move {
        let (store, alice) = (&world.store, world.alice);
        for (label, scopes) in [("phone", 1), ("printer", 4)] {
            store.add_app_password(alice, label, "{SHA256}x".into(), scopes).await.unwrap();
        }
        let again = store.add_app_password(alice, "phone", "{SHA256}y".into(), 0).await.unwrap_err();
        assert!(matches!(refused(&again), Some(Refused::Cannot(_))), "{}", world.engine);
        store.set_password(alice, "{SSHA}another").await.unwrap();
        let shown = store.credentials(alice).await.unwrap();
        let shown: Vec<_> = shown.iter().map(|one| (one.id, one.is_app, one.label.as_str(), one.scopes, one.last_used)).collect();
        assert_eq!(shown, [(1, false, "password", 0, None), (2, true, "phone", 1, None), (3, true, "printer", 4, None)], "{}", world.engine);
        store.note_use(alice, 3).await.unwrap();
        assert!(store.credentials(alice).await.unwrap()[2].last_used.is_some(), "{}", world.engine);
        assert!(store.remove_app_password(alice, "phone").await.unwrap());
        assert!(!store.remove_app_password(alice, "phone").await.unwrap() && !store.remove_app_password(alice, "password").await.unwrap());
        for n in 1..store::MAX_APP_PASSWORDS {
            store.add_app_password(alice, &n.to_string(), "{SHA256}x".into(), 0).await.unwrap();
        }
        let full = store.add_app_password(alice, "one more", "{SHA256}x".into(), 0).await.unwrap_err();
        assert!(matches!(refused(&full), Some(Refused::Limit(_))), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settler_runs_beside_everything_and_loses_nothing() {
    on_every_engine(|world| async move {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let settler = tokio::spawn(settle::run(world.store.clone(), async {
            let _ = stopped.await;
        }));
        let mut kept = Vec::new();
        for n in 0..40u32 {
            let at = world.deposit("INBOX", format!("Subject: {n}\r\n\r\nbody {n}\r\n").as_bytes()).await.unwrap();
            world.store.set_flags(world.alice, at.mailbox, vec![at.uid], Change::Add(Flags::SEEN), None).await.unwrap();
            match n % 3 {
                0 => drop(world.store.expunge(world.alice, at.mailbox, vec![at.uid], false).await.unwrap()),
                1 => {
                    let copied = world.store.copy(world.alice, at.mailbox, vec![at.uid], &MailboxName::new("Archive").unwrap()).await.unwrap();
                    kept.push(("Archive", copied.pairs[0].1, n));
                }
                _ => kept.push(("INBOX", at.uid, n)),
            }
        }
        for (mailbox, uid, n) in kept {
            assert_eq!(world.read(mailbox, uid).await.unwrap(), format!("Subject: {n}\r\n\r\nbody {n}\r\n").as_bytes(), "{}", world.engine);
        }
        drop(stop);
        settler.await.unwrap();
    })
    .await;
}

/// Sessions open a mailbox while mail comes and flags change: what each is shown is one moment, rows and counters alike.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_of_one_moment_whoever_else_opens_the_mailbox() {
    on_every_engine(|world| async move {
        let openers: Vec<_> = (0..6)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move {
                    for _ in 0..150 {
                        let view = world.store.open(world.alice, &world.inbox()).await.unwrap();
                        let unseen = view.rows.iter().filter(|row| !row.flags.contains(Flags::SEEN)).count() as u64;
                        assert_eq!((view.rows.len() as u64, unseen), (view.mailbox.total, view.mailbox.unseen), "{} at {:?}", world.engine, view.modseq);
                        assert!(view.rows.iter().all(|row| row.modseq <= view.modseq), "{}", world.engine);
                    }
                })
            })
            .collect();
        for n in 0..120u32 {
            let at = world.deposit("INBOX", MESSAGE).await.unwrap();
            if n % 3 == 0 {
                world.store.set_flags(world.alice, at.mailbox, vec![at.uid], Change::Add(Flags::SEEN), None).await.unwrap();
            }
        }
        for opener in openers {
            opener.await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyword_just_named_is_in_the_view() {
    on_every_engine(|world| async move {
        world.store.open(world.alice, &world.inbox()).await.unwrap();
        let word = Keyword::new("Later").unwrap();
        world.store.keyword_flags(world.alice, std::slice::from_ref(&word)).await.unwrap();
        let view = world.store.open(world.alice, &world.inbox()).await.unwrap();
        assert!(view.keywords.flag(&word).is_some(), "{}", world.engine);
    })
    .await;
}

/// Mailboxes are opened again and again, and after every command it is asked whether anything happened.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_costs_one_question() {
    on_every_engine(|world| async move {
        world.deposit("INBOX", MESSAGE).await.unwrap();
        let first = world.store.open(world.alice, &world.inbox()).await.unwrap();
        let before = db::statements();
        let again = world.store.open(world.alice, &world.inbox()).await.unwrap();
        assert!(std::sync::Arc::ptr_eq(&first, &again), "{}", world.engine);
        assert!(world.store.is_unchanged(world.alice, first.modseq, &first.keywords).await.unwrap(), "{}", world.engine);
        if std::env::var_os("NEXTEST").is_some() {
            assert_eq!(db::statements() - before, 2, "{}", world.engine);
        }
        // A keyword is named without a change of any message.
        world.store.keyword_flags(world.alice, &[mail::Keyword::new("named").unwrap()]).await.unwrap();
        assert!(!world.store.is_unchanged(world.alice, first.modseq, &first.keywords).await.unwrap(), "{}", world.engine);
        let named = world.store.open(world.alice, &world.inbox()).await.unwrap();
        assert_eq!(named.keywords.all().count(), first.keywords.all().count() + 1, "{}", world.engine);
        world.store.set_flags(world.alice, first.mailbox.id, vec![uid(1)], Change::Add(Flags::SEEN), None).await.unwrap();
        assert!(!world.store.is_unchanged(world.alice, first.modseq, &named.keywords).await.unwrap(), "{}", world.engine);
        assert!(world.store.open(world.alice, &world.inbox()).await.unwrap().rows[0].flags.contains(Flags::SEEN), "{}", world.engine);
        let gone = MailboxName::new("Nowhere").unwrap();
        assert!(world.store.open(world.alice, &gone).await.is_err(), "{}", world.engine);
    })
    .await;
}

/// Every other UID of many: one statement, not one for each.
#[tokio::test(flavor = "multi_thread")]
async fn scattered_messages_cost_no_statement_each() {
    on_every_engine(|world| async move {
        for _ in 0..40 {
            world.deposit("INBOX", MESSAGE).await.unwrap();
        }
        let inbox = world.store.open(world.alice, &world.inbox()).await.unwrap().mailbox.id;
        let uids: Vec<Uid> = (1..40).step_by(2).map(uid).collect();
        let before = db::statements();
        let set = world.store.set_flags(world.alice, inbox, uids.clone(), Change::Add(Flags::SEEN), None).await.unwrap();
        assert_eq!(set.rows.iter().map(|row| row.uid).collect::<Vec<_>>(), uids, "{}: in order", world.engine);
        let messages = world.store.messages(world.alice, inbox, &uids, false).await.unwrap();
        assert_eq!(messages.iter().map(|message| message.row.uid).collect::<Vec<_>>(), uids, "{}: in order", world.engine);
        // Other tests may run in this process beside us when it is not nextest that runs them: no exact count.
        if std::env::var_os("NEXTEST").is_some() {
            assert!(db::statements() - before < 30, "{}: {} statements", world.engine, db::statements() - before);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_mailbox_takes_only_what_lies_nowhere_else() {
    on_every_engine(|world| async move {
        let name = |name: &str| MailboxName::new(name).unwrap();
        world.store.create_mailbox(world.alice, &name("Box"), None).await.unwrap();
        let placed = world.deposit("Box", MESSAGE).await.unwrap();
        world.settle().await;
        let waiting = world.deposit("Box", b"waiting\r\n").await.unwrap();
        world.deposit("Box", b"only here\r\n").await.unwrap();
        world.store.copy(world.alice, placed.mailbox, vec![placed.uid, waiting.uid], &name("Sent")).await.unwrap();
        // Twice in the same mailbox is still nowhere else.
        world.store.copy(world.alice, placed.mailbox, vec![uid(3)], &name("Box")).await.unwrap();
        world.store.delete_mailbox(world.alice, &name("Box")).await.unwrap();
        assert_eq!(check::rows(&world.store).await.unwrap(), [], "{}", world.engine);
        assert_eq!(world.read("Sent", uid(1)).await.unwrap(), MESSAGE, "{}", world.engine);
        assert_eq!(world.read("Sent", uid(2)).await.unwrap(), b"waiting\r\n", "{}", world.engine);
        assert_eq!(world.store.account(world.alice).await.unwrap().unwrap().used_messages, 2, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_hosted_from_the_moment_it_is_added_until_it_is_removed() {
    on_every_engine(|world| async move {
        assert!(!world.store.is_hosted("second.test").await.unwrap(), "{}", world.engine);
        world.store.add_domain("Second.test").await.unwrap();
        assert!(world.store.is_hosted("second.test").await.unwrap(), "{}", world.engine);
        assert!(world.store.is_hosted("second.test").await.unwrap(), "{}: remembered", world.engine);
        world.store.remove_domain("second.test").await.unwrap();
        assert!(!world.store.is_hosted("second.test").await.unwrap(), "{}: forgotten", world.engine);
    })
    .await;
}
