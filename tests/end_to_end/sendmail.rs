//! `sendmail`: with the server up and down, by its own user and by another, and what others try on `maildrop`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use house_tests::client::run_command_with;
use house_tests::imap::Imap;
use house_tests::ports::Offset;
use house_tests::program::{self, Configured, Said};
use house_tests::server::Server;
use house_tests::until::{SOON, within};
use house_tests::{is_root, skip};

const PASSWORD: &str = "correct horse";
/// `nobody` of Debian: a user that owns nothing here.
const STRANGER: u32 = 65534;

/// A server for example.test with `bob` and `root`, and the program under the name of `sendmail`, where everybody can run it.
struct House {
    directory: tempfile::TempDir,
    configured: Configured,
    _offset: Offset,
}

impl House {
    fn new() -> House {
        let (directory, offset) = (tempfile::tempdir().expect("a directory"), Offset::take());
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("open");
        let configured = Configured::setup(directory.path(), &["--port-offset", &offset.offset.to_string()]);
        configured.set("myorigin = example.test");
        configured.set("plaintext_auth = loopback");
        for name in ["bob", "root", "me"] {
            configured.add_user(&format!("{name}@example.test"), PASSWORD);
        }
        fs::copy(program::path(), directory.path().join("sendmail")).expect("copied");
        House { directory, configured, _offset: offset }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn maildrop(&self) -> PathBuf {
        self.path("store/maildrop")
    }

    fn sendmail(&self, arguments: &[&str], input: &str) -> Said {
        self.as_user(None, arguments, input)
    }

    /// As another user, if there is one given.
    fn as_user(&self, user: Option<u32>, arguments: &[&str], input: &str) -> Said {
        let program = self.path("sendmail");
        let mut command = match user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).env("MAIL_CONFIG", &self.configured.directory).env_remove("NAME").env_remove("RUST_LOG");
        run_command_with(&mut command, input)
    }
}

/// What lies in the inbox of `user`, once it holds `count`.
fn inbox(server: &Server, user: &str, count: usize) -> Vec<String> {
    let mut imap = Imap::login(server.address("imap"), &format!("{user}@example.test"), PASSWORD);
    let all = within(SOON, "the inbox", || Some(imap.messages("INBOX")).filter(|all| all.len() >= count));
    all.into_iter().map(|message| String::from_utf8(message.text).expect("UTF-8")).collect()
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory).expect("maildrop").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

#[test]
fn a_message_is_completed_and_taken() {
    let house = House::new();
    let server = Server::serve(&house.configured, &[]);
    let text = "From x Tue Nov 24\nTo: Bob <bob>,\n root\nBcc: me\nSubject: hi\n\n..two\n.\nnever seen\n";
    house.sendmail(&["-t", "-F", "J. Random", "-f", "me"], text).ok();
    let [bob, root, me] = ["bob", "root", "me"].map(|user| inbox(&server, user, 1).pop().expect("a message"));
    assert!(bob.contains(&format!("\r\nReceived: by mail.example.test (Posthouse, from userid {})\r\n\tid ", own_uid())), "{bob}");
    assert!(bob.contains("\r\nFrom: \"J. Random\" <me@example.test>\r\nTo: Bob <bob@example.test>,\r\n root@example.test\r\nSubject: hi\r\n\r\n..two\r\n"), "{bob}");
    assert!(bob.contains("\r\nMessage-ID: <") && bob.contains("\r\nDate: ") && !bob.contains("never seen") && !bob.contains("Bcc"), "{bob}");
    assert!(bob.starts_with("Return-Path: <me@example.test>\r\n") && root.contains("Subject: hi") && me.contains("Subject: hi"), "{bob}");
    // what is typed without a header is the body; -i lets dots be
    house.sendmail(&["-i", "bob"], "hello\n.\nworld").ok();
    let plain = inbox(&server, "bob", 2).pop().expect("a message");
    assert!(plain.ends_with("\r\n\r\nhello\r\n.\r\nworld\r\n"), "{plain}");
    server.stop();
}

#[test]
fn who_does_not_exist_is_told_by_a_bounce() {
    let house = House::new();
    let server = Server::serve(&house.configured, &[]);
    house.sendmail(&["-f", "me", "bob", "nosuch"], "Subject: x\n\n").ok();
    let bounce = inbox(&server, "me", 1).pop().expect("a bounce");
    assert!(bounce.contains("Undelivered Mail Returned to Sender") && bounce.contains("nosuch@example.test"), "{bounce}");
    assert_eq!(inbox(&server, "bob", 1).len(), 1);
    server.stop();
}

#[test]
fn mail_is_taken_while_the_server_is_down_and_delivered_at_its_start() {
    let house = House::new();
    // before its first start, too
    house.sendmail(&["bob"], "Subject: one\n\n").ok();
    house.sendmail(&["-f", "", "bob"], "Subject: two\n\n").ok();
    assert_eq!(files(&house.maildrop()).iter().filter(|name| name.ends_with(".letter")).count(), 2);
    // killed in the middle: one that was never renamed, and one that some program renamed too early
    let letter = files(&house.maildrop()).remove(0);
    let whole = fs::read(house.maildrop().join(&letter)).expect("a letter");
    let half = whole.strip_suffix(b"\r\n.\r\n").expect("its end");
    fs::write(house.maildrop().join("half.part"), half).expect("written");
    fs::write(house.maildrop().join("half.letter"), half).expect("written");
    let server = Server::serve(&house.configured, &[]);
    let mut subjects: Vec<String> = inbox(&server, "bob", 2).iter().filter_map(|text| text.lines().find(|line| line.starts_with("Subject"))).map(str::to_owned).collect();
    subjects.sort();
    assert_eq!(subjects, ["Subject: one", "Subject: two"]);
    within(SOON, "maildrop to hold only what nobody finished", || (files(&house.maildrop()) == ["half.bad", "half.part"]).then_some(()));
    assert!(server.log().contains("half.letter: it ends before its end; it is kept as"), "{}", server.log());
    server.stop();
    // with nowhere to leave it, it is not accepted
    fs::remove_dir_all(house.maildrop()).expect("removed");
    let nowhere = house.sendmail(&["bob"], "Subject: x\n\n");
    assert_eq!((nowhere.code, nowhere.err.contains("store/maildrop: No such file")), (Some(75), true), "{nowhere:#?}");
}

#[test]
fn another_user_hands_in_and_reads_or_removes_nothing_of_others() {
    if !is_root() {
        return skip("another_user_hands_in_and_reads_or_removes_nothing_of_others", "it needs root, to be another user");
    }
    let house = House::new();
    let server = Server::serve(&house.configured, &[]);
    house.as_user(Some(STRANGER), &["bob"], "Subject: up\n\n").ok();
    let up = inbox(&server, "bob", 1).pop().expect("a message");
    assert!(up.contains("from userid 65534)") && up.contains("\r\nFrom: nobody <nobody@example.test>\r\n"), "{up}");
    server.stop();
    house.sendmail(&["bob"], "Subject: secret\n\n").ok();
    house.as_user(Some(STRANGER), &["bob"], "Subject: down\n\n").ok();
    let secret = files(&house.maildrop()).into_iter().find(|name| fs::metadata(house.maildrop().join(name)).expect("a file").uid() == 0).expect("root's letter");
    let tried = |script: &str| {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={STRANGER}"), &format!("--regid={STRANGER}"), "--clear-groups", "sh", "-c", script]).current_dir(house.maildrop());
        run_command_with(&mut command, "")
    };
    for script in [
        format!("cat {secret}"),
        format!("rm -f {secret}"),
        format!("mv {secret} x.letter"),
        format!("echo x >{secret}"),
        "ls ..".into(),
        "cat ../posthouse.db".into(),
        "ls ../mail ../spool".into(),
        "ls ../run".into(),
        "touch ../x ../run/x".into(),
    ] {
        let said = tried(&script);
        assert!(said.code != Some(0) && said.out.is_empty() && said.err.contains("ermission denied") || said.err.contains("not permitted"), "{script}: {said:#?}");
    }
    // what a stranger plants is set aside: a link to somebody's letter, a pipe, a second name, noise
    symlink("/etc/shadow", house.maildrop().join("link.letter")).expect("a link");
    tried("mkfifo pipe.letter; echo x >noise.letter; printf 'posthouse letter 1\\nrecipient bob\\n\\n\\r\\n.\\r\\n' >two.letter; ln two.letter second.letter; mkdir room.letter").ok();
    let server = Server::serve(&house.configured, &[]);
    assert!(inbox(&server, "bob", 3).iter().any(|text| text.contains("Subject: down") && text.contains("from userid 65534)")));
    let kept = ["link.bad", "noise.bad", "pipe.bad", "room.bad", "second.bad", "two.bad"];
    within(SOON, "what is planted to be set aside", || (files(&house.maildrop()) == kept).then_some(()));
    server.stop();
}

#[test]
fn smtp_is_spoken_on_standard_input() {
    let house = House::new();
    let server = Server::serve(&house.configured, &[]);
    let session = "EHLO here\r\nMAIL FROM:<me> BODY=8BITMIME\r\nRCPT TO:<bob>\r\nRCPT TO:<bad address>\r\nDATA\r\nSubject: by -bs\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
    let said = house.sendmail(&["-bs"], session).ok();
    let codes: Vec<&str> = said.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-')).filter_map(|line| line.get(..3)).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "501", "354", "250", "221"], "{said}");
    let bob = inbox(&server, "bob", 1).pop().expect("a message");
    assert!(bob.starts_with("Return-Path: <me@example.test>\r\n") && bob.ends_with("Subject: by -bs\r\n\r\n.dot\r\n"), "{bob}");
    server.stop();
    // and while the server is down
    let said = house.sendmail(&["-bs"], session).ok();
    assert!(said.contains("250 2.0.0 Ok: handed in"), "{said}");
    assert_eq!(files(&house.maildrop()).len(), 1);
}

#[test]
fn what_it_says_and_ends_with_is_what_postfix_says() {
    let house = House::new();
    house.configured.set("message_size_limit = 2000");
    let server = Server::serve(&house.configured, &[]);
    let who = |text: &str| text.rsplit("): ").next().unwrap_or_default().trim_end().to_owned();
    let large = "x".repeat(3000);
    for (arguments, input, said) in [
        (&[][..], "x", "Recipient addresses must be specified on the command line or via the -t option"),
        (&["-t"], "Subject: x\n\n", "No recipient addresses found in message header"),
        (&["bob"], large.as_str(), "message file too big"),
        (&["-n", "bob"], "", "sendmail: fatal: -n option not supported"),
        (&["-bt"], "", "sendmail: fatal: unsupported: -bt"),
        (&["-qS"], "", "sendmail: fatal: -qS is not implemented"),
    ] {
        let told = house.sendmail(arguments, input);
        assert_eq!((told.code, told.out.as_str(), who(&told.err)), (Some(75), "", said.to_owned()), "{arguments:?}: {told:#?}");
    }
    assert_eq!(house.sendmail(&["-q30m"], "").ok(), "");
    assert_eq!(house.sendmail(&["-bp"], "").ok(), "Mail queue is empty\n");
    server.stop();
}

#[test]
fn a_store_that_was_closed_is_opened_and_its_files_are_closed() {
    let house = House::new();
    let mode = |name: &str| fs::metadata(house.path("store").join(name)).expect("there").permissions().mode() & 0o7777;
    assert_eq!((mode(""), mode("run"), mode("maildrop"), mode("mail") & 0o077, mode("posthouse.db")), (0o711, 0o711, 0o3777, 0, 0o600));
    // as an older program left it
    fs::set_permissions(house.path("store/posthouse.db"), fs::Permissions::from_mode(0o644)).expect("open");
    fs::set_permissions(house.path("store"), fs::Permissions::from_mode(0o700)).expect("closed");
    Server::serve(&house.configured, &[]).stop();
    assert_eq!((mode(""), mode("posthouse.db")), (0o711, 0o640));
}

/// Letters that are handed in while the server is killed and started again.
const LETTERS: usize = 60;

#[test]
fn nothing_that_was_taken_is_lost_when_the_server_is_killed() {
    let house = House::new();
    let mut first = Server::serve(&house.configured, &[]);
    let second = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let house = &house;
                scope.spawn(move || {
                    for n in (sender..LETTERS).step_by(3) {
                        house.sendmail(&["bob"], &format!("Subject: number {n}\n\n{}\n", "x".repeat(20_000))).ok();
                    }
                })
            })
            .collect();
        inbox(&first, "bob", LETTERS / 4);
        first.kill();
        // some now find nobody
        within(SOON, "a letter in maildrop", || files(&house.maildrop()).iter().any(|name| name.ends_with(".letter")).then_some(()));
        let second = Server::serve(&house.configured, &[]);
        for sender in senders {
            sender.join().expect("a sender");
        }
        second
    });
    within(SOON, "maildrop to be empty", || files(&house.maildrop()).is_empty().then_some(()));
    let all = inbox(&second, "bob", LETTERS);
    let mut subjects: Vec<&str> = all.iter().filter_map(|text| text.lines().find_map(|line| line.strip_prefix("Subject: "))).collect();
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(subjects.len(), LETTERS, "each was accepted");
    // twice: those that the server had when it died, one a sender at the most
    assert!(all.len() <= LETTERS + 3, "{} came for {LETTERS}", all.len());
    second.stop();
}
