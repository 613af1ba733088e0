//! Bodies from the first byte to the last, over a real directory: what is promised, and what a crash leaves.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use bodies::{Bodies, CHUNK_SIZE, Error, FileName, Folder, Home, INLINE_LIMIT, Job, Kind, MailLocation, Name, Place, Placement, Reader, SWEEP_AGE, Sealed, Settings, Source};
use proptest::prelude::*;

const SEC: u64 = 1_795_486_185;

/// A store of bodies in a directory of its own.
struct World {
    root: tempfile::TempDir,
    bodies: Bodies,
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().expect("a directory for the test");
        let bodies = open(root.path());
        World { root, bodies }
    }

    fn home(&self) -> Home {
        Home::from(self.root.path().join("mail/alice"))
    }

    fn folder(&self, dir: &str) -> Folder {
        self.bodies.folder(&self.home(), dir).expect("a folder")
    }

    async fn sealed(&self, message: &[u8]) -> Sealed {
        let mut draft = self.bodies.draft();
        draft.write(message).await.expect("written");
        draft.sealed().await.expect("sealed")
    }

    /// Files in the spool.
    fn spool(&self) -> Vec<PathBuf> {
        files(&self.root.path().join("spool"))
    }
}

fn open(root: &Path) -> Bodies {
    let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", root.display())).expect("a location");
    Bodies::open(Settings { spool: root.join("spool"), location }).expect("opened")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

async fn all(mut reader: Reader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await.expect("a chunk") {
        assert!(!chunk.is_empty() && chunk.len() <= CHUNK_SIZE);
        all.extend_from_slice(&chunk);
    }
    all
}

/// A message of at least `size` octets.
fn long(size: usize) -> Vec<u8> {
    let mut message = b"Subject: long\r\n\r\n".to_vec();
    let mut n = 0;
    while message.len() < size {
        message.extend_from_slice(format!("line {n} {}\r\n", "x".repeat(n % 90)).as_bytes());
        n += 1;
    }
    message
}

fn placement(folder: &Folder, sealed: &Sealed, letters: &str, again: bool) -> Placement {
    Placement { folder: folder.clone(), source: sealed.source(), name: sealed.file_name(SEC, 7), letters: letters.into(), internaldate: 1_000_000_000, again }
}

async fn place(world: &World, placement: Placement) -> Result<(), Error> {
    world.bodies.work(vec![Job::Place(placement)]).await.expect("a worker").remove(0)
}

#[tokio::test]
async fn a_message_reads_back_byte_for_byte() {
    let world = World::new();
    let folder = world.folder("");
    let mut messages: Vec<Vec<u8>> = [
        &b"Subject: hi\r\n\r\nFrom the start\r\n>From quoted\r\n.\r\n"[..],
        b"",
        b"no line end",
        b"\r\n",
        b"bare \r in a line\r\n",
        b"ends in \r",
        b"mangled\r\r\nstays\r\n",
        b"nul \0 and \xff\r\n",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    messages.extend([long(INLINE_LIMIT - 200), long(INLINE_LIMIT + 1), long(1_000_000), [&long(300_000)[..], b"a\r\r\n"].concat()]);
    for message in messages {
        let sealed = world.sealed(&message).await;
        assert_eq!(sealed.size, message.len() as u64);
        assert_eq!(all(sealed.reader().await.expect("a reader")).await, message, "before it is placed");
        let name = sealed.file_name(SEC, 1);
        folder.place(sealed.source(), name.clone(), "S", 5).await.expect("placed");
        let file = world.root.path().join(format!("mail/alice/cur/{name}:2,S"));
        assert_eq!(fs::metadata(&file).expect("the file").len(), sealed.disk_size, "S= is true");
        if !sealed.has_cr_cr_lf {
            let on_disk = fs::read(&file).expect("the file");
            assert!(!on_disk.windows(2).any(|pair| pair == b"\r\n"), "LF on disk");
        }
        assert_eq!(all(folder.open(&name.to_string(), "S").await.expect("open")).await, message);
    }
}

#[tokio::test]
async fn small_bodies_stay_out_of_the_spool_and_large_ones_leave_nothing_when_dropped() {
    let world = World::new();
    let small = world.sealed(&vec![b'x'; INLINE_LIMIT]).await;
    assert!(matches!(small.kind, Kind::Inline(_)) && small.place() == Place::Inline);
    assert_eq!(world.spool().len(), 0);

    let mut draft = world.bodies.draft();
    draft.write(&vec![b'x'; INLINE_LIMIT + 1]).await.expect("written");
    assert_eq!(world.spool().len(), 1);
    drop(draft);
    assert_eq!(world.spool().len(), 0, "an unsealed draft is gone");

    let sealed = world.sealed(&vec![b'x'; INLINE_LIMIT + 1]).await;
    let clone = sealed.clone();
    drop(sealed);
    assert_eq!(world.spool().len(), 1, "a clone is left");
    drop(clone);
    assert_eq!(world.spool().len(), 0, "the last clone is gone");

    for keep in [Sealed::committed, Sealed::abandon_to_sweeper, Sealed::submitted] {
        let sealed = world.sealed(&vec![b'x'; INLINE_LIMIT + 1]).await;
        let before = world.spool().len();
        keep(&sealed);
        drop(sealed);
        assert_eq!(world.spool().len(), before);
    }
    let sealed = world.sealed(&vec![b'x'; INLINE_LIMIT + 1]).await;
    let before = world.spool().len();
    sealed.submitted();
    sealed.refused();
    drop(sealed);
    assert_eq!(world.spool().len(), before - 1, "a refused commit takes its body along");
}

#[tokio::test]
async fn a_bare_line_feed_is_refused() {
    let world = World::new();
    let mut draft = world.bodies.draft();
    draft.write(b"a\nb").await.expect("written");
    assert!(matches!(draft.sealed().await, Err(Error::NotCanonical { .. })));
}

#[tokio::test]
async fn a_prefix_stands_before_a_shared_body() {
    let world = World::new();
    let prefix = "Return-Path: <a@example.test>\r\nDelivered-To: bob@example.test\r\n";
    for message in [b"Subject: x\r\n\r\nshort\r\n".to_vec(), long(200_000), [&long(200_000)[..], b"a\r\r\n"].concat()] {
        let sealed = world.sealed(&message).await;
        let whole = [prefix.as_bytes(), &message].concat();
        for one in [sealed.with_prefix(prefix).expect("a prefix"), sealed.others(1).await.expect("another").remove(0).with_prefix(prefix).expect("a prefix")] {
            assert_eq!(one.size, whole.len() as u64);
            assert_eq!(all(one.reader().await.expect("a reader")).await, whole);
            let source = match Place::parse(&one.place().to_string()).expect("a place") {
                Place::Inline => one.source(),
                Place::Spooled { name, prefix } => Source::Spooled { name, prefix },
            };
            let (folder, name) = (world.folder(".Sent"), one.file_name(SEC, 1));
            folder.place(source, name.clone(), "", 5).await.expect("placed from its row");
            assert_eq!(all(folder.open(&name.to_string(), "").await.expect("open")).await, whole);
        }
    }
    let sealed = world.sealed(b"x\r\n").await;
    assert!(sealed.with_prefix("not a line").is_err());
}

#[tokio::test]
async fn other_names_outlive_the_first() {
    let world = World::new();
    let message = long(100_000);
    let sealed = world.sealed(&message).await;
    let others = sealed.others(3).await.expect("linked");
    assert_eq!(world.spool().len(), 4);
    let names: HashSet<String> = others.iter().chain([&sealed]).map(|sealed| sealed.place().to_string()).collect();
    assert_eq!(names.len(), 4, "each row names its own");
    drop(sealed);
    assert_eq!(all(others[2].reader().await.expect("a reader")).await, message);
    drop(others);
    assert_eq!(world.spool().len(), 0);
}

#[tokio::test]
async fn a_row_lends_its_body_to_another() {
    let world = World::new();
    for message in [b"short\r\n".to_vec(), long(100_000)] {
        let row = world.sealed(&message).await.with_prefix("A: b\r\n").expect("a prefix");
        row.committed();
        let before = world.spool().len();
        let again = world.bodies.sealed_again(row.source(), row.size, row.disk_size).await.expect("linked");
        assert_ne!(again.name(), row.name());
        assert_eq!((again.size, again.disk_size, again.has_cr_cr_lf), (row.size, row.disk_size, row.has_cr_cr_lf));
        assert_eq!(all(again.reader().await.expect("a reader")).await, [&b"A: b\r\n"[..], &message].concat());
        drop(again);
        assert_eq!(world.spool().len(), before, "the row's own file stays");
    }
    let gone = Source::Spooled { name: Name::random(), prefix: "".into() };
    assert!(world.bodies.sealed_again(gone, 1, 1).await.is_err());
}

#[tokio::test]
async fn ranges_are_in_crlf_octets() {
    let world = World::new();
    let folder = world.folder("");
    for message in [b"a\r\nb\r\n\r\nc".to_vec(), long(700_000), [&long(700_000)[..], b"a\r\r\n"].concat()] {
        let sealed = world.sealed(&message).await.with_prefix("P: q\r\n").expect("a prefix");
        let message = [b"P: q\r\n", &message[..]].concat();
        let name = sealed.file_name(SEC, 1);
        folder.place(sealed.source(), name.clone(), "", 5).await.expect("placed");
        for mut reader in [sealed.reader().await.expect("a reader"), folder.open(&name.to_string(), "").await.expect("open")] {
            let size = message.len() as u64;
            for (start, len) in [(0, 3), (4, 9), (size / 2, 70_000), (10, 200_000), (0, size), (size - 1, 9), (size, 1), (size + 100, 1), (5, 0), (u64::MAX, u64::MAX)] {
                let (start, len) = (start, len.min(size));
                let expected = message.iter().skip(start.min(size) as usize).take(len as usize).copied().collect::<Vec<u8>>();
                let got = reader.read(start..start.saturating_add(len)).await.expect("a range");
                assert!(got == expected, "{start}+{len} of {size}: {} octets", got.len());
            }
            assert!(matches!(reader.read(0..u64::MAX).await, Err(Error::TooLarge { .. })));
        }
    }
}

#[tokio::test]
async fn a_file_is_found_wherever_other_programs_put_it() {
    let world = World::new();
    let folder = world.folder(".Lists");
    let directory = world.root.path().join("mail/alice/.Lists");
    let sealed = world.sealed(b"a\r\n").await;
    let base = sealed.file_name(SEC, 7).to_string();
    place(&world, placement(&folder, &sealed, "", false)).await.expect("placed");
    for name in [format!("new/{base}"), format!("cur/{base}:2,"), format!("cur/{base}"), format!("cur/{base}:2,FRSab,odd")] {
        let at = files(&directory.join("new")).into_iter().chain(files(&directory.join("cur"))).next().expect("the file");
        fs::rename(at, directory.join(&name)).expect("moved");
        for letters in ["", "S", "FRS"] {
            assert_eq!(all(folder.open(&base, letters).await.expect(&name)).await, b"a\r\n");
        }
    }
    folder.rename_flags(&base, "", "DS").await.expect("relabelled");
    assert!(directory.join(format!("cur/{base}:2,DSab,odd")).exists(), "what is not ours stays");
    folder.remove(&base).await.expect("removed");
    folder.remove(&base).await.expect("removed before");
    assert!(folder.open(&base, "").await.err().expect("gone").is_vanished());
    assert!(folder.rename_flags(&base, "", "S").await.expect_err("gone").is_vanished());
}

/// Where the last one was is only the first guess for the next.
#[tokio::test]
async fn a_group_is_opened_wherever_each_of_it_is() {
    let world = World::new();
    let folder = world.folder("");
    let directory = world.root.path().join("mail/alice");
    let states = ["cur/%:2,S", "cur/%:2,S", "new/%", "cur/%", "", "cur/%:2,FRSab,odd", "new/%", "cur/%:2,S", ""];
    ["new", "cur"].iter().for_each(|dir| fs::create_dir_all(directory.join(dir)).expect("a directory"));
    let mut group = Vec::new();
    for (n, state) in states.iter().enumerate() {
        let base = format!("{SEC}.{n}.host");
        if !state.is_empty() {
            fs::write(directory.join(state.replace('%', &base)), format!("{n}\r\n")).expect("written");
        }
        group.push(folder.file(&base, "S"));
    }
    let opened = world.bodies.open_files(group).await.expect("workers");
    for (n, (state, opened)) in states.iter().zip(opened).enumerate() {
        match opened {
            Err(error) => assert!(state.is_empty() && error.is_vanished(), "{state}: {error}"),
            Ok(reader) => assert_eq!(all(reader).await, format!("{n}\r\n").into_bytes(), "{state}"),
        }
    }
}

/// A group that has listed the folder twice already, for files that are not there, still finds what it made itself.
#[tokio::test]
async fn what_a_group_made_it_finds_and_removes() {
    let world = World::new();
    let folder = world.folder("");
    let sealed = world.sealed(b"a\r\n").await;
    let (first, second) = (sealed.file_name(SEC, 7), sealed.file_name(SEC, 8));
    place(&world, placement(&folder, &sealed, "S", false)).await.expect("placed");
    let gone = |uid| Job::Remove(folder.file(&sealed.file_name(SEC, uid).to_string(), ""));
    let jobs = vec![
        gone(20),
        gone(21),
        Job::Link { file: folder.file(&first.to_string(), "S"), to: folder.clone(), name: second.clone(), letters: "FS".into() },
        Job::Remove(folder.file(&second.to_string(), "")),
    ];
    world.bodies.work(jobs).await.expect("workers").into_iter().enumerate().for_each(|(n, done)| match done {
        Err(error) if n < 2 => assert!(error.is_vanished()),
        done => done.expect("done"),
    });
    assert_eq!(folder_files(&world), [format!("cur/{first}:2,S")]);
}

#[tokio::test]
async fn flags_decide_between_new_and_cur() {
    let world = World::new();
    let folder = world.folder("");
    let sealed = world.sealed(b"a\r\n").await;
    let base = sealed.file_name(SEC, 7).to_string();
    let at = || folder_files(&world);
    place(&world, placement(&folder, &sealed, "", false)).await.expect("placed");
    assert_eq!(at(), [format!("new/{base}")]);
    fs::rename(world.root.path().join(format!("mail/alice/new/{base}")), world.root.path().join(format!("mail/alice/new/{base}:2,F"))).expect("as mutt does");
    for (old, new, expected) in [("", "", format!("new/{base}")), ("", "S", format!("cur/{base}:2,S")), ("S", "S", format!("cur/{base}:2,S")), ("S", "", format!("cur/{base}:2,")), ("", "FT", format!("cur/{base}:2,FT"))] {
        folder.rename_flags(&base, old, new).await.expect("relabelled");
        assert_eq!(at(), [expected]);
    }
}

/// Files of alice's INBOX as `new/…` and `cur/…`.
fn folder_files(world: &World) -> Vec<String> {
    let home = world.root.path().join("mail/alice");
    let all = files(&home.join("new")).into_iter().chain(files(&home.join("cur")));
    all.map(|path| path.strip_prefix(&home).expect("inside").display().to_string()).collect()
}

#[tokio::test]
async fn every_state_of_a_crash_is_mended_by_placing_again() {
    for (size, letters) in [(100, ""), (100, "S"), (100_000, ""), (100_000, "S")] {
        let world = World::new();
        let folder = world.folder("");
        let message = long(size);
        let sealed = world.sealed(&message).await;
        sealed.committed();
        let base = sealed.file_name(SEC, 7).to_string();
        let home = world.root.path().join("mail/alice");
        let expected = if letters.is_empty() { format!("new/{base}") } else { format!("cur/{base}:2,{letters}") };
        let again = || placement(&folder, &sealed, letters, true);

        place(&world, again()).await.expect("after the commit: nothing is there");
        assert_eq!(folder_files(&world), std::slice::from_ref(&expected));

        fs::remove_file(home.join(&expected)).expect("removed");
        fs::write(home.join("tmp").join(&base), b"torn").expect("torn");
        place(&world, again()).await.expect("after writing tmp/: torn");
        assert_eq!(all(folder.open(&base, letters).await.expect("open")).await, message);
        assert_eq!(files(&home.join("tmp")).len(), 0);

        fs::write(home.join(&expected), b"").expect("emptied");
        place(&world, again()).await.expect("after the move, power lost: empty");
        assert_eq!(all(folder.open(&base, letters).await.expect("open")).await, message);

        fs::rename(home.join(&expected), home.join(format!("cur/{base}:2,RS"))).expect("moved");
        fs::write(home.join(format!("cur/{base}:2,RS")), b"").expect("emptied");
        place(&world, again()).await.expect("the same, and somebody has moved it");
        assert_eq!(folder_files(&world), [format!("cur/{base}:2,RS")], "it stands once");
        assert_eq!(all(folder.open(&base, letters).await.expect("open")).await, message);

        world.bodies.sync(&[world.home()]).await.expect("synced");
        if let Kind::Spooled(name) = sealed.kind {
            world.bodies.discard(vec![name, name]).await.expect("discarded");
            assert_eq!(world.spool().len(), 0);
            place(&world, again()).await.expect("after the discard: it stands");
            fs::remove_file(home.join(format!("cur/{base}:2,RS"))).expect("removed");
            assert!(matches!(place(&world, again()).await, Err(Error::Damaged { .. })), "both are gone: say so");
        }
    }
}

#[tokio::test]
async fn a_folder_that_somebody_removed_is_made_again() {
    let world = World::new();
    let folder = world.folder(".Work");
    folder.ensure().await.expect("made");
    folder.ensure().await.expect("made before");
    let directory = world.root.path().join("mail/alice/.Work");
    assert!(directory.join("maildirfolder").exists());
    assert_eq!(fs::metadata(&directory).expect("it").mode() & 0o777, 0o700);
    for missing in ["tmp", "new", ""] {
        fs::remove_dir_all(directory.join(missing)).expect("removed");
        let sealed = world.sealed(b"a\r\n").await;
        if missing == "new" {
            fs::remove_dir_all(directory.join("tmp")).expect("removed");
        }
        place(&world, placement(&folder, &sealed, "", false)).await.expect("placed");
    }
    assert!(!world.root.path().join("mail/alice/maildirfolder").exists(), "never in the root");
}

#[tokio::test]
async fn a_body_that_is_not_what_its_row_says_is_not_placed() {
    let world = World::new();
    let folder = world.folder("");
    let name = FileName { sec: SEC, random: Name::random(), host: world.bodies.host(), size: 9, wire: 10, uid: 1 };
    let done = folder.place(Source::Inline(b"a\r\n"[..].into()), name, "", 0).await;
    assert!(matches!(done, Err(Error::Damaged { .. })));
    assert_eq!(folder_files(&world), [""; 0]);
    assert_eq!(files(&world.root.path().join("mail/alice/tmp")).len(), 0);
}

#[tokio::test]
async fn a_copy_shares_its_bytes_and_its_date() {
    let world = World::new();
    let (inbox, archive) = (world.folder(""), world.folder(".Archive"));
    let sealed = world.sealed(b"a\r\n").await;
    place(&world, placement(&inbox, &sealed, "S", false)).await.expect("placed");
    let base = sealed.file_name(SEC, 7).to_string();
    let name = FileName { random: Name::random(), uid: 1, ..sealed.file_name(SEC, 7) };
    for _ in 0..2 {
        inbox.link(&base, "S", &archive, name.clone(), "FS").await.expect("linked, the folder made");
    }
    let scan = archive.scan().await.expect("scanned");
    assert_eq!(scan.entries.len(), 1);
    let entry = &scan.entries[0];
    assert_eq!((entry.base.clone(), entry.letters.as_str(), entry.in_new, entry.size, entry.mtime), (name.to_string(), "FS", false, 2, 1_000_000_000));
    assert_eq!(entry.inode, inbox.scan().await.expect("scanned").entries[0].inode);
    inbox.remove(&base).await.expect("removed");
    assert_eq!(all(archive.open(&name.to_string(), "FS").await.expect("open")).await, b"a\r\n");
    assert!(inbox.link(&base, "S", &archive, FileName { uid: 2, ..name }, "").await.expect_err("gone").is_vanished());
}

#[tokio::test]
async fn folders_are_listed_renamed_and_removed() {
    let world = World::new();
    assert_eq!(world.bodies.folders(&world.home()).await.expect("listed"), [""; 0]);
    for dir in ["", ".A", ".A.B"] {
        world.folder(dir).ensure().await.expect("made");
    }
    fs::create_dir(world.root.path().join("mail/alice/.notafolder")).expect("made");
    assert_eq!(world.bodies.folders(&world.home()).await.expect("listed"), ["", ".A", ".A.B"]);
    let stamp = world.folder("").stamp().await.expect("a stamp");
    let (a, c) = (world.folder(".A"), world.folder(".C"));
    for _ in 0..2 {
        a.rename_folder(&c).await.expect("renamed");
    }
    assert_eq!(world.bodies.folders(&world.home()).await.expect("listed"), ["", ".A.B", ".C"]);
    for _ in 0..2 {
        c.remove_folder().await.expect("removed");
    }
    assert_eq!(world.bodies.folders(&world.home()).await.expect("listed"), ["", ".A.B"]);
    assert_eq!(world.folder("").stamp().await.expect("a stamp"), stamp, "INBOX has not changed");
    assert!(world.folder("").remove_folder().await.is_err());
    world.bodies.remove_home(&world.home()).await.expect("removed");
    assert_eq!(files(&world.root.path().join("mail")).len(), 0);
}

#[tokio::test]
async fn names_cannot_leave_their_directory() {
    let world = World::new();
    for dir in ["..", ".", "../x", "./x", "a", "cur", "a/b", ".a/../../b", "/etc", ".a\0", ".a\n"] {
        assert!(matches!(world.bodies.folder(&world.home(), dir), Err(Error::BadName { .. })), "{dir:?}");
    }
    let folder = world.folder("");
    folder.ensure().await.expect("made");
    for base in ["../secret", "..", "", "/etc/passwd", "a/../../b"] {
        assert!(matches!(folder.open(base, "").await, Err(Error::BadName { .. })), "{base:?}");
        assert!(matches!(folder.remove(base).await, Err(Error::BadName { .. })), "{base:?}");
    }
    assert!(matches!(folder.open("x", "/../../y").await, Err(Error::BadName { .. })));
}

#[tokio::test]
async fn a_link_planted_in_tmp_is_not_followed() {
    let world = World::new();
    let folder = world.folder("");
    folder.ensure().await.expect("made");
    let victim = world.root.path().join("victim");
    fs::write(&victim, b"precious").expect("written");
    let sealed = world.sealed(b"a\r\n").await;
    let base = sealed.file_name(SEC, 7).to_string();
    std::os::unix::fs::symlink(&victim, world.root.path().join("mail/alice/tmp").join(&base)).expect("planted");
    assert!(place(&world, placement(&folder, &sealed, "", false)).await.is_err());
    assert_eq!(fs::read(&victim).expect("it"), b"precious");
}

#[tokio::test]
async fn the_sweeper_takes_old_files_that_no_row_names() {
    let world = World::new();
    let mut names = Vec::new();
    for _ in 0..3 {
        let sealed = world.sealed(&long(INLINE_LIMIT + 1)).await;
        sealed.abandon_to_sweeper();
        names.push(sealed.name());
    }
    fs::write(world.root.path().join("spool/README"), b"not ours").expect("written");
    let later = SystemTime::now() + SWEEP_AGE + Duration::from_secs(60);
    let named = HashSet::from([names[0]]);
    let young = world.bodies.sweep(named.clone(), SystemTime::now()).await.expect("swept");
    assert_eq!((young.removed, young.kept), (0, 4));
    let swept = world.bodies.sweep(named, later).await.expect("swept");
    assert_eq!((swept.removed, swept.kept), (2, 2));
    assert!(world.spool().contains(&world.root.path().join("spool").join(names[0].to_string())));

    // an old body that gets a second name now is young again: its commit may be under way
    let old = world.root.path().join("spool").join(names[0].to_string());
    let opened = fs::OpenOptions::new().write(true).open(&old).expect("open");
    opened.set_modified(SystemTime::now() - 2 * SWEEP_AGE).expect("aged");
    let swept = world.bodies.sweep(HashSet::new(), SystemTime::now()).await.expect("swept");
    assert_eq!(swept.removed, 0);

    let folder = world.folder("");
    folder.ensure().await.expect("made");
    fs::write(world.root.path().join("mail/alice/tmp/torn"), b"").expect("written");
    assert_eq!(world.bodies.sweep_tmp(&folder, SystemTime::now()).await.expect("swept").removed, 0);
    assert_eq!(world.bodies.sweep_tmp(&folder, later).await.expect("swept").removed, 1);
}

#[tokio::test]
async fn a_draft_whose_write_was_cancelled_cannot_be_sealed() {
    let world = World::new();
    let mut draft = world.bodies.draft();
    {
        let big = vec![b'x'; INLINE_LIMIT + 1];
        let mut write = Box::pin(draft.write(&big));
        let waker = std::task::Waker::noop();
        let polled = write.as_mut().poll(&mut std::task::Context::from_waker(waker));
        if polled.is_ready() {
            return; // the worker was that fast: nothing to cancel
        }
    }
    assert!(matches!(draft.write(b"y").await, Err(Error::Broken { .. })));
    assert!(matches!(draft.sealed().await, Err(Error::Broken { .. })));
}

/// Mutt finds the message by its subject, flags it and saves the folder; we read the flag in the name.
#[tokio::test]
async fn mutt_reads_what_we_place_and_we_read_what_mutt_leaves() {
    let installed = |program: &str| Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !installed("mutt") || !installed("python3") {
        eprintln!("skipped: mutt_reads_what_we_place_and_we_read_what_mutt_leaves (needs mutt and python3)");
        return;
    }
    let world = World::new();
    let folder = world.folder("");
    for (uid, subject) in [(1, "hay"), (2, "needle")] {
        let sealed = world.sealed(format!("From: a@example.test\r\nSubject: {subject}\r\n\r\nx\r\n").as_bytes()).await;
        folder.place(sealed.source(), sealed.file_name(SEC, uid), "", 5).await.expect("placed");
    }
    let home = world.root.path().join("mail/alice");
    let settings = "set folder=. record='' quit=yes move=no header_cache=''\npush '<limit>~s needle<enter><flag-message><sync-mailbox><exit>'\n";
    // It gives mutt a terminal, and ends it after 60 s.
    let terminal = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/mutt.py");
    let run = Command::new("python3").args([terminal, "60"]).arg(world.root.path()).args([settings, "mutt", "-f"]).arg(&home).stdin(Stdio::null()).output().expect("python3");
    assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    let entries = folder.scan().await.expect("scanned").entries;
    let flagged: Vec<Option<u32>> = entries.iter().filter(|entry| entry.letters.contains('F')).map(|entry| FileName::parse(&entry.base).map(|name| name.uid)).collect();
    assert_eq!((entries.len(), flagged), (2, vec![Some(2)]), "{:?}", folder_files(&world));
    let needle = entries.iter().find(|entry| entry.letters.contains('F')).expect("flagged");
    folder.rename_flags(&needle.base, "", "").await.expect("relabelled");
    assert!(folder.scan().await.expect("scanned").entries.iter().all(|entry| entry.letters.is_empty()));
}

/// A full disk leaves nothing behind, and works again once there is room.
#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(root.path()).stderr(Stdio::null()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a_full_disk_is_told_and_leaves_nothing (needs the right to mount a tmpfs)");
        return;
    }
    let _unmount = Unmount(root.path().into());
    let bodies = open(root.path());
    let folder = bodies.folder(&Home::from(root.path().join("mail/alice")), "").expect("a folder");
    folder.ensure().await.expect("made");

    let mut draft = bodies.draft();
    let written = draft.write(&long(2_000_000)).await;
    assert!(matches!(written, Err(Error::Full { .. })), "{written:?}");
    drop(draft);
    assert_eq!(files(&root.path().join("spool")).len(), 0);

    let mut draft = bodies.draft();
    draft.write(&long(600_000)).await.expect("room for one");
    let sealed = draft.sealed().await.expect("sealed");
    let name = sealed.file_name(SEC, 1);
    let placed = folder.place(sealed.source(), name.clone(), "", 0).await;
    assert!(matches!(placed, Err(Error::Full { .. })), "{placed:?}");
    assert_eq!(files(&root.path().join("mail/alice/tmp")).len(), 0);
    assert_eq!(files(&root.path().join("mail/alice/new")).len(), 0);

    let status = Command::new("mount").args(["-o", "remount,size=4m"]).arg(root.path()).status().expect("mount");
    assert!(status.success());
    folder.place(sealed.source(), name, "", 0).await.expect("placed once there is room");
}

/// What the file system has sent to its disk when the power goes: a copy of the image under a loop mount, mounted again.
/// Controls: what was not sealed or not synced must be seen to be lost, else the test could not tell.
#[tokio::test]
async fn what_is_sealed_or_synced_survives_the_loss_of_power() {
    let root = tempfile::tempdir().expect("a directory");
    let (image, copy, disk, after) = (root.path().join("image"), root.path().join("copy"), root.path().join("disk"), root.path().join("after"));
    fs::File::create(&image).and_then(|file| file.set_len(32 << 20)).expect("an image");
    fs::create_dir_all(&disk).and_then(|()| fs::create_dir_all(&after)).expect("mount points");
    let run = |program: &str, args: &[&std::ffi::OsStr]| Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let mount = |image: &Path, at: &Path| run("mount", &["-o".as_ref(), "loop".as_ref(), image.as_os_str(), at.as_os_str()]);
    if !run("mkfs.ext4", &["-q".as_ref(), image.as_os_str()]) || !mount(&image, &disk) {
        eprintln!("skipped: what_is_sealed_or_synced_survives_the_loss_of_power (needs the right to mount a loop device)");
        return;
    }
    let _disk = Unmount(disk.clone());
    let bodies = open(&disk);
    let home = Home::from(disk.join("mail/alice"));
    let folder = bodies.folder(&home, "").expect("a folder");
    let message = long(200_000);

    let mut draft = bodies.draft();
    draft.write(&message).await.expect("written");
    let sealed = draft.sealed().await.expect("sealed");
    let other = sealed.others(1).await.expect("linked").remove(0);
    let synced = sealed.file_name(SEC, 1);
    folder.place(sealed.source(), synced.clone(), "", 0).await.expect("placed");
    bodies.sync(&[home]).await.expect("synced");
    let unsynced = other.file_name(SEC, 2);
    folder.place(other.source(), unsynced.clone(), "", 0).await.expect("placed");
    let mut draft = bodies.draft();
    draft.write(&message).await.expect("written");
    let late = draft.sealed().await.expect("sealed after the sync");
    let linked = late.others(1).await.expect("linked").remove(0);
    let mut unsealed = bodies.draft();
    unsealed.write(&message).await.expect("written");

    fs::copy(&image, &copy).expect("the power is lost");
    assert!(mount(&copy, &after), "the journal is replayed");
    let _after = Unmount(after.clone());
    for name in [sealed.name(), other.name(), late.name(), linked.name()] {
        assert!(fs::read(after.join("spool").join(name.to_string())).expect("sealed, so durable") == message);
    }
    let placed = |name: &FileName| fs::metadata(after.join("mail/alice/new").join(name.to_string())).map_or(0, |file| file.len());
    assert_eq!(placed(&synced), synced.size, "synced, so durable");
    assert!(placed(&unsynced) < unsynced.size, "control: without a sync it is lost");
    let whole = files(&after.join("spool")).iter().filter(|path| fs::metadata(path).is_ok_and(|file| file.len() == message.len() as u64)).count();
    assert_eq!(whole, 4, "control: an unsealed draft is lost");
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Messages of the bytes that matter, in CRLF form.
fn tricky() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(vec![&b"\r\n"[..], b"\r", b"a", b".", b"\r\r\n"]);
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the bytes and wherever they are cut, they come back from memory, spool and folder.
    #[test]
    fn any_message_cut_anywhere_comes_back(message in tricky(), filler in 0usize..3, cut in 0usize..200_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async move {
            let world = World::new();
            // so that the tricky part lies across the border of inline and spooled, or of two reads
            let whole = [vec![b'x'; filler * (INLINE_LIMIT - 4)], message].concat();
            let cut = cut.min(whole.len());
            let mut draft = world.bodies.draft();
            draft.write(&whole[..cut]).await.expect("written");
            draft.write(&whole[cut..]).await.expect("written");
            let sealed = draft.sealed().await.expect("sealed");
            assert_eq!(all(sealed.reader().await.expect("a reader")).await, whole);
            let (folder, name) = (world.folder(""), sealed.file_name(SEC, 1));
            folder.place(sealed.source(), name.clone(), "", 0).await.expect("placed");
            assert_eq!(all(folder.open(&name.to_string(), "").await.expect("open")).await, whole);
        });
    }
}
