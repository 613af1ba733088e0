//! What a crash, a failure or a second process may come between.

use mail::{Address, Flags};

use super::*;
use crate::testing::{MESSAGE, World, name, on_every_engine};
use crate::{Change, State, check};

const LARGE: usize = 200_000;

fn large() -> Vec<u8> {
    [b"Subject: large\r\n\r\n".to_vec(), vec![b'x'; LARGE], b"\r\n".to_vec()].concat()
}

/// Waits until it is so. The settler runs meanwhile.
async fn until(world: &World, sql: &str) {
    for _ in 0..2_000 {
        if world.store.db().query(sql, &[]).await.unwrap()[0].int(0) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{}: never came true: {sql}", world.engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_without_settling_is_settled_at_the_next_start() {
    on_every_engine(|world| async move {
        let small = world.deposit("INBOX", MESSAGE).await;
        let big = world.deposit("INBOX", &large()).await;
        settle(&world.store).await.unwrap();
        world.store.set_flags(world.alice, small.mailbox, vec![small.uid], Change::Add(Flags::SEEN), None).await.unwrap();
        let late = world.deposit("INBOX", &large()).await;
        let copied = world.store.copy(world.alice, small.mailbox, vec![small.uid, late.uid], &name("Sent")).await.unwrap();
        world.store.expunge(world.alice, small.mailbox, vec![big.uid], false).await.unwrap();
        // As a process that was killed: nothing of what it knew is left but the disk.
        let again = world.second().await;
        settle(&again).await.unwrap();
        assert_eq!(check::files(&again).await.unwrap(), [], "{}", world.engine);
        assert_eq!(world.letters("INBOX").await.len(), 2, "{}", world.engine);
        assert_eq!(world.letters("Sent").await.len(), 2, "{}", world.engine);
        assert_eq!(world.read("Sent", copied.pairs[1].1).await, large(), "{}", world.engine);
        assert!(world.letters("INBOX").await.contains(&"S".to_owned()), "{}: flags are in the names", world.engine);
    })
    .await;
}

/// A rename whose directory was not moved before the crash, and mail that waits to be placed under the new name.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_moved_before_mail_is_placed_under_its_new_name() {
    on_every_engine(|world| async move {
        world.store.create_mailbox(world.alice, &name("Old"), None).await.unwrap();
        let placed = world.deposit("Old", MESSAGE).await;
        settle(&world.store).await.unwrap();
        let waiting = world.deposit("Old", b"second\r\n").await;
        world.store.db().commit(crate::mailbox::renamed(world.alice, "Old", "New")).await.unwrap();
        settle(&world.second().await).await.unwrap();
        assert_eq!(world.read("New", placed.uid).await, MESSAGE, "{}", world.engine);
        assert_eq!(world.read("New", waiting.uid).await, b"second\r\n", "{}", world.engine);
        assert!(!world.path("Old").await.exists(), "{}", world.engine);
    })
    .await;
}

/// A mailbox was deleted, its directory not yet, and one of its name made again.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_still_to_be_removed_does_not_take_a_new_one_with_it() {
    on_every_engine(|world| async move {
        world.store.create_mailbox(world.alice, &name("Box"), None).await.unwrap();
        world.deposit("Box", MESSAGE).await;
        settle(&world.store).await.unwrap();
        world.store.db().commit(crate::mailbox::deleted(world.alice, "Box")).await.unwrap();
        world.store.create_mailbox(world.alice, &name("Box"), None).await.unwrap();
        let new = world.deposit("Box", b"new\r\n").await;
        settle(&world.second().await).await.unwrap();
        assert_eq!(world.read("Box", new.uid).await, b"new\r\n", "{}", world.engine);
        assert_eq!(world.letters("Box").await.len(), 1, "{}", world.engine);
    })
    .await;
}

/// The same, with the new mail placed by a settler that begins with the bodies, as the first one did.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_placed_while_a_folder_is_still_to_be_moved_or_removed() {
    on_every_engine(|world| async move {
        world.store.create_mailbox(world.alice, &name("Box"), None).await.unwrap();
        world.store.db().commit(crate::mailbox::deleted(world.alice, "Box")).await.unwrap();
        world.deposit("INBOX", MESSAGE).await;
        assert!(place::batch(&world.store, &mut BTreeSet::new()).await.unwrap() == place::Batch::Nothing, "{}", world.engine);
        assert!(world.letters("INBOX").await.is_empty(), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_another_program_made_is_set_aside_for_a_rename() {
    on_every_engine(|world| async move {
        world.store.create_mailbox(world.alice, &name("Old"), None).await.unwrap();
        let at = world.deposit("Old", MESSAGE).await;
        settle(&world.store).await.unwrap();
        let foreign = world.path("New").await;
        std::fs::create_dir_all(foreign.join("cur")).unwrap();
        std::fs::write(foreign.join("cur/1.mutt:2,S"), "theirs").unwrap();
        world.store.rename_mailbox(world.alice, &name("Old"), &name("New")).await.unwrap();
        assert_eq!(world.read("New", at.uid).await, MESSAGE, "{}", world.engine);
        let beside = std::fs::read_dir(foreign.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        let kept = beside.filter(|path| path.join("cur/1.mutt:2,S").exists()).count();
        assert_eq!(kept, 1, "{}: what others wrote stays", world.engine);
    })
    .await;
}

/// Flags of a copy whose second name is not made yet, and of a message that is no file yet.
#[tokio::test(flavor = "multi_thread")]
async fn names_say_the_flags_whatever_was_due_first() {
    on_every_engine(|world| async move {
        let at = world.deposit("INBOX", MESSAGE).await;
        settle(&world.store).await.unwrap();
        let copy = crate::Copy::new(&world.store, world.alice, at.mailbox, vec![at.uid], name("Sent"));
        let copied = world.store.db().commit(copy).await.unwrap();
        let sent = world.mailbox("Sent").await;
        world.store.set_flags(world.alice, sent, vec![copied.pairs[0].1], Change::Add(Flags::FLAGGED), None).await.unwrap();
        let fresh = world.deposit("INBOX", MESSAGE).await;
        world.store.set_flags(world.alice, at.mailbox, vec![fresh.uid], Change::Add(Flags::SEEN), None).await.unwrap();
        // Names before anything else: they must wait for what is due before them, or leave it to it.
        mirror::all(&world.store, None, &mut BTreeSet::new()).await.unwrap();
        settle(&world.second().await).await.unwrap();
        assert_eq!(world.letters("Sent").await, ["F"], "{}", world.engine);
        let mut inbox = world.letters("INBOX").await;
        inbox.sort();
        assert_eq!(inbox, ["", "S"], "{}", world.engine);
    })
    .await;
}

/// Bodies of one account can't become files: its names still follow its flags, and the others' mail is placed.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_tried_again_without_a_bell_and_holds_up_nobody() {
    on_every_engine(|world| async move {
        let bob = world.store.add_account(&Address::parse("bob@example.test").unwrap(), "{PLAIN}x", None).await.unwrap();
        // A file stands where alice's Drafts should be.
        let drafts = world.path("Drafts").await;
        std::fs::remove_dir_all(&drafts).unwrap();
        std::fs::write(&drafts, "in the way").unwrap();
        let at = world.deposit("INBOX", MESSAGE).await;
        settle(&world.store).await.unwrap();
        world.deposit("Drafts", MESSAGE).await;
        world.store.set_flags(world.alice, at.mailbox, vec![at.uid], Change::Add(Flags::SEEN), None).await.unwrap();
        let sealed = world.sealed(MESSAGE).await;
        world.store.db().commit(crate::Deposit::new(bob, name("INBOX"), sealed, mail::Date::new(0, 0))).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let settler = tokio::spawn(run_every(
            world.store.clone(),
            async {
                let _ = stopped.await;
            },
            Duration::from_millis(20),
        ));
        until(&world, "SELECT COUNT(*) FROM body").await;
        assert_eq!(world.letters("INBOX").await, [""], "{}: the failing account waits as a whole", world.engine);
        std::fs::remove_file(&drafts).unwrap();
        // No bell rings: nobody changes anything.
        until(&world, "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM body) AND NOT EXISTS (SELECT 1 FROM mailbox WHERE mirrored < seq) THEN 1 ELSE 0 END").await;
        assert_eq!((world.letters("INBOX").await, world.letters("Drafts").await.len()), (vec!["S".to_owned()], 1), "{}", world.engine);
        drop(stop);
        settler.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_cut_short_is_ended_at_the_next_start() {
    on_every_engine(|world| async move {
        world.deposit("INBOX", MESSAGE).await;
        settle(&world.store).await.unwrap();
        world.deposit("INBOX", &large()).await;
        let path = world.path("INBOX").await;
        world.store.mark_removed(world.alice).await.unwrap();
        assert_eq!(world.store.account(world.alice).await.unwrap().unwrap().state, State::Removed);
        assert!(path.exists());
        let again = world.second().await;
        run_every(again.clone(), async {}, AGAIN).await;
        assert!(again.account(world.alice).await.unwrap().is_none(), "{}", world.engine);
        assert!(!path.exists(), "{}", world.engine);
        let left = "SELECT (SELECT COUNT(*) FROM mailbox) + (SELECT COUNT(*) FROM message) + (SELECT COUNT(*) FROM body) + (SELECT COUNT(*) FROM change)";
        assert_eq!(again.db().query(left, &[]).await.unwrap()[0].int(0), 0, "{}", world.engine);
    })
    .await;
}

/// One process renames and deletes while the other settles: no message may stand where nobody looks for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_renames_while_this_one_settles() {
    on_every_engine(|world| async move {
        let other = world.second().await;
        world.store.create_mailbox(world.alice, &name("A"), None).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let settler = tokio::spawn(run_every(
            world.store.clone(),
            async {
                let _ = stopped.await;
            },
            Duration::from_millis(1),
        ));
        for round in 0..12u32 {
            let (from, to) = if round % 2 == 0 { ("A", "B") } else { ("B", "A") };
            let at = world.deposit(from, format!("{round}\r\n").as_bytes()).await;
            let (old, new, inbox) = (name(from), name(to), name("INBOX"));
            let (renamed, copied) = tokio::join!(
                other.rename_mailbox(world.alice, &old, &new),
                world.store.copy(world.alice, at.mailbox, vec![at.uid], &inbox),
            );
            renamed.unwrap();
            copied.unwrap();
        }
        for round in 0..12u32 {
            let uid = mail::Uid::new(round + 1).unwrap();
            assert_eq!(world.read("A", uid).await, format!("{round}\r\n").as_bytes(), "{}", world.engine);
            assert_eq!(world.read("INBOX", uid).await, format!("{round}\r\n").as_bytes(), "{}", world.engine);
        }
        drop(stop);
        settler.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_pruned_and_the_floor_says_so() {
    on_every_engine(|world| async move {
        let first = world.deposit("INBOX", MESSAGE).await;
        for n in 0..30 {
            let flags = if n % 2 == 0 { Change::Add(Flags::FLAGGED) } else { Change::Remove(Flags::FLAGGED) };
            world.store.set_flags(world.alice, first.mailbox, vec![first.uid], flags, None).await.unwrap();
        }
        let gone = world.deposit("INBOX", MESSAGE).await;
        world.store.expunge(world.alice, first.mailbox, vec![gone.uid], false).await.unwrap();
        let keep = prune::Keep { rows: 10, since: 0, step: 7 };
        let logged = "SELECT COUNT(*) FROM change";
        // Names are still behind: what they need is not pruned.
        prune::account(&world.store, world.alice, keep).await.unwrap();
        let before = world.store.db().query(logged, &[]).await.unwrap()[0].int(0);
        assert!(before > 30, "{}: {before}", world.engine);
        settle(&world.store).await.unwrap();
        prune::account(&world.store, world.alice, keep).await.unwrap();
        assert_eq!(world.store.db().query(logged, &[]).await.unwrap()[0].int(0), 10, "{}", world.engine);
        assert!(matches!(world.store.changes(world.alice, first.mailbox, first.modseq).await.unwrap(), crate::view::Since::Forgotten), "{}", world.engine);
        let view = world.store.open(world.alice, &name("INBOX")).await.unwrap();
        assert!(matches!(world.store.changes(world.alice, first.mailbox, view.modseq).await.unwrap(), crate::view::Since::Changes(_)));
        // By age: everything, and what is kept for undelete.
        prune::account(&world.store, world.alice, prune::Keep { rows: 10, since: i64::MAX, step: 3 }).await.unwrap();
        let left = "SELECT (SELECT COUNT(*) FROM change) + (SELECT COUNT(*) FROM expunged)";
        assert_eq!(world.store.db().query(left, &[]).await.unwrap()[0].int(0), 0, "{}", world.engine);
        assert!(matches!(world.store.changes(world.alice, first.mailbox, view.modseq).await.unwrap(), crate::view::Since::Changes(_)), "{}", world.engine);
        world.deposit("INBOX", MESSAGE).await;
        assert_eq!(world.store.open(world.alice, &name("INBOX")).await.unwrap().rows.len(), 2, "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spool_files_that_messages_name_are_told() {
    on_every_engine(|world| async move {
        assert!(spooled(&world.store).await.unwrap().is_empty());
        world.deposit("INBOX", MESSAGE).await;
        world.deposit("INBOX", &large()).await;
        assert_eq!(spooled(&world.store).await.unwrap().len(), 1, "{}", world.engine);
        settle(&world.store).await.unwrap();
        assert!(spooled(&world.store).await.unwrap().is_empty(), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_commits_rings_here_and_is_settled_here() {
    on_every_engine(|world| async move {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let settler = tokio::spawn(run_every(
            world.store.clone(),
            async {
                let _ = stopped.await;
            },
            Duration::from_millis(20),
        ));
        let mut bell = world.store.watch(world.alice);
        // It rings once for having looked.
        bell.changed().await;
        let other = world.second().await;
        let step = world.step("INBOX", MESSAGE).await;
        other.db().commit(step).await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), bell.changed()).await.unwrap();
        until(&world, "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM body) THEN 1 ELSE 0 END").await;
        drop(stop);
        settler.await.unwrap();
        other.close().await;
        assert!(matches!(other.set_quota(world.alice, None, None).await, Err(Error::Closed)), "{}", world.engine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_account_s_directory_goes_with_another_account() {
    on_every_engine(|world| async move {
        world.store.add_domain("example.net").await.unwrap();
        let net = Address::parse("alice@example.net").unwrap();
        let shared = world.with_homes("%n").await;
        let refused = shared.add_account(&net, "{PLAIN}x", None).await.unwrap_err();
        assert!(matches!(crate::refused(&refused), Some(crate::Refused::Cannot(why)) if why.contains("%d")), "{}: {refused}", world.engine);
        // Added before mail_location was changed: its removal leaves what the other has too.
        let second = world.store.add_account(&net, "{PLAIN}x", None).await.unwrap();
        let home = shared.home(world.alice).await.unwrap().display().to_string();
        std::fs::create_dir_all(format!("{home}/cur")).unwrap();
        shared.remove_account(second).await.unwrap();
        assert!(std::path::Path::new(&home).exists(), "{}", world.engine);
        // Twice at once: who comes second finds nothing to remove, even when the address is an account's again.
        let third = world.store.add_account(&net, "{PLAIN}x", None).await.unwrap();
        let other = world.second().await;
        let (one, two) = tokio::join!(world.store.remove_account(third), other.remove_account(third));
        assert!(one.is_ok() || two.is_ok(), "{}: {one:?} {two:?}", world.engine);
        for result in [one, two] {
            assert!(result.as_ref().err().is_none_or(|error| matches!(crate::refused(error), Some(crate::Refused::NoSuchAccount(_)))), "{}: {result:?}", world.engine);
        }
    })
    .await;
}
