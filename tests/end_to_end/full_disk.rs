//! The disk fills while mail comes in by SMTP and IMAP: every refusal says for now, nothing acknowledged is lost or doubled, what
//! is there can be read, and once there is room everything goes on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use house_tests::disk::Disk;
use house_tests::imap::Imap;
use house_tests::maildir;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::smtp::Smtp;
use house_tests::until::{SOON, within};

const USER: &str = "carol@example.test";
const PASSWORD: &str = "a long password";
/// Sessions of each protocol that load the server.
const SESSIONS: usize = 3;
/// Refusals that each session meets before it ends: the first as the disk fills, the others of a disk that is full.
const REFUSALS: usize = 10;

/// A message: the small ones wait in the database, the large ones go into a file at once.
fn letter(id: &str, large: bool) -> String {
    let lines = if large { 4_000 } else { 40 };
    format!("Subject: {id}\r\n\r\n{}the end of {id}\r\n", "a line that takes some room on the disk\r\n".repeat(lines))
}

/// What came in over SMTP until it was refused often enough.
fn send(at: SocketAddr, session: usize) -> Vec<String> {
    let mut smtp = Smtp::connect(at).expect("SMTP");
    let (mut taken, mut refused) = (Vec::new(), 0);
    for n in 0.. {
        let id = format!("smtp-{session}-{n}");
        match smtp.send("x@example.net", &[USER], &letter(&id, n % 5 == 0)) {
            Ok(_) => taken.push(id),
            Err(error) => {
                let said = error.to_string();
                // Told of the room, be it a file's or the database's; but where the log's index can't grow, SQLite knows only of an error.
                assert!(said.starts_with("452 4.3.1 ") || said.starts_with("451 4.3.0 "), "{said}");
                refused += 1;
                if refused == REFUSALS {
                    break;
                }
                // The server ends the session of one that is refused too often.
                smtp = Smtp::connect(at).expect("SMTP");
            }
        }
    }
    taken
}

/// What came in over IMAP until it was refused often enough.
fn append(at: SocketAddr, session: usize) -> Vec<String> {
    let mut imap = Imap::login(at, USER, PASSWORD);
    let (mut taken, mut refused) = (Vec::new(), 0);
    for n in 0.. {
        let id = format!("imap-{session}-{n}");
        match imap.append("INBOX", &letter(&id, n % 5 == 0)) {
            Ok(_) => taken.push(id),
            Err(error) => {
                let said = error.to_string();
                assert!(said.contains(" NO [UNAVAILABLE] "), "{said}");
                refused += 1;
                if refused == REFUSALS {
                    break;
                }
            }
        }
    }
    taken
}

/// The ids of whole messages, each of which must be there once; with line ends of the wire or of the disk.
fn whole(texts: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for text in texts {
        let text = text.replace("\r\n", "\n");
        let id = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_else(|| panic!("no id in {text:?}"));
        assert!(text.trim_end_matches(")\n").ends_with(&format!("the end of {id}\n")), "{id} is not whole");
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
    }
    ids
}

/// INBOX as IMAP shows it. EXAMINE changes nothing, so a disk that is full can't hinder it.
fn shown(server: &Server) -> BTreeSet<String> {
    let mut imap = Imap::login(server.address("imap"), USER, PASSWORD);
    imap.ask("EXAMINE INBOX");
    let answer = imap.ask("FETCH 1:* (BODY.PEEK[])");
    whole(answer.split("* ").filter(|part| part.contains("BODY[] {")).map(str::to_owned))
}

/// Loads `server` over both protocols until every session was refused often enough.
fn load(server: &Server) -> BTreeSet<String> {
    let taken = Mutex::new(BTreeSet::new());
    std::thread::scope(|threads| {
        for session in 0..SESSIONS {
            let (taken, smtp, imap) = (&taken, server.address("smtp"), server.address("imap"));
            let take = move |ids: Vec<String>| taken.lock().expect("no panic").extend(ids);
            threads.spawn(move || take(send(smtp, session)));
            threads.spawn(move || take(append(imap, session)));
        }
    });
    taken.into_inner().expect("no panic")
}

#[test]
fn a_disk_that_fills_up_loses_nothing_acknowledged() {
    let Some(disk) = Disk::mount("a_disk_that_fills_up_loses_nothing_acknowledged", 40) else { return };
    let reserve = disk.path().join("reserve");
    std::fs::write(&reserve, vec![b'x'; 16 << 20]).expect("a file");
    let directory = tempfile::tempdir().expect("a directory");
    let (server, configured) = serve(&disk, directory.path());
    let mut taken = load(&server);
    assert!(taken.len() > 20, "only {taken:?} came in before the disk was full");
    disk.fill();
    assert_eq!(shown(&server), taken, "while the disk is full");

    disk.make_room();
    std::fs::remove_file(&reserve).expect("a file");
    let mut smtp = Smtp::connect(server.address("smtp")).expect("SMTP");
    smtp.send("x@example.net", &[USER], &letter("smtp-afterwards", true)).expect("there is room");
    let mut imap = Imap::login(server.address("imap"), USER, PASSWORD);
    imap.append("INBOX", &letter("imap-afterwards", true)).expect("there is room");
    taken.extend(["smtp-afterwards".to_owned(), "imap-afterwards".to_owned()]);
    assert_eq!(shown(&server), taken, "once there is room");
    let folder = disk.path().join("store/mail/example.test/carol");
    let settled = || maildir::read(&folder).ok().filter(|files| files.len() == taken.len());
    let files = within(SOON, "a file for each message", settled);
    assert_eq!(whole(files.into_iter().map(|file| file.text)), taken);
    drop((smtp, imap));
    server.stop();
    configured.run(&["check"]).ok();
}

/// A server whose store lies on `disk`, and all else in `directory`.
fn serve(disk: &Disk, directory: &Path) -> (Server, Configured) {
    let configured = Configured { directory: directory.join("config") };
    let store = disk.path().join("store");
    let arguments = ["setup", "--hostname", "mail.example.test", "--domain", "example.test", "--self-signed", "--yes", "--store-dir"];
    configured.run(&[&arguments[..], &[store.to_str().expect("UTF-8")]].concat()).ok();
    configured.set("plaintext_auth = loopback\nsmtp_listen = 127.0.0.1:0\nimap_listen = 127.0.0.1:0");
    configured.add_user(USER, PASSWORD);
    (Server::serve(&configured, &["--only", "smtp,imap,queue,upkeep"]), configured)
}
