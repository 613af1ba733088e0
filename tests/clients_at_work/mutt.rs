//! mutt and neomutt in a terminal: over IMAP and POP3, sending, and on the Maildir itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use house_tests::client::{self, installed};
use house_tests::demo::{Demo, paste};
use house_tests::maildir;
use house_tests::until::within;

use crate::{contents, with_letters};

/// How long mutt may take for one visit.
const SECONDS: &str = "60";

/// Runs `program` on `mailbox` with `settings`, types `keys`, and gives the screen.
#[track_caller]
fn mutt(program: &str, directory: &Path, settings: &str, mailbox: &str, keys: &str) -> String {
    let settings = format!(
        "set confirmappend=no confirmcreate=no delete=yes resolve=no move=no mark_old=no quit=yes wait_key=no postponed=/dev/null record=''\n\
         set folder=. \n\
         set header_cache='' message_cachedir='' certificate_file=/dev/null ssl_verify_host=yes\n{settings}\npush '{keys}'\n"
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/mutt.py");
    let mut command = Command::new("python3");
    command.arg(script).args([SECONDS]).arg(directory).args([&settings, program, "-f", mailbox]);
    client::run_command(&mut command).ok()
}

/// Where and as whom it reads bob's mail.
fn settings(demo: &Demo) -> (String, String) {
    let (bob, password) = demo.account(1);
    let url = format!("imaps://localhost:{}", demo.port("imaps"));
    let settings = format!(
        "set imap_user={bob} imap_pass={password} pop_user={bob} pop_pass={password} ssl_ca_certificates_file={} folder={url}/ \
         smtp_url=smtps://{}@localhost:{} smtp_pass={password} from={bob} realname='Bob B.' imap_check_subscribed=no",
        demo.ca(),
        bob.replace('@', "%40"),
        demo.port("submissions")
    );
    (url, settings)
}

fn reads_flags_copies_and_deletes_over_imap(program: &str) {
    let demo = with_letters(4);
    let scratch = tempfile::tempdir().expect("a directory");
    let (url, settings) = settings(&demo);
    // 1 is the welcome; letters 1 to 4 are 2 to 5: 2 is read, 3 flagged and copied, 4 deleted.
    let keys = "<jump>2<enter><display-message><exit><jump>3<enter><flag-message><copy-message>=Copied<enter><jump>4<enter><delete-message><sync-mailbox><quit>";
    let screen = mutt(program, scratch.path(), &settings, &format!("{url}/INBOX"), keys);
    let inbox = contents(&demo, 1, "INBOX");
    assert_eq!(inbox[1], r"letter 1 \Seen", "{inbox:?}\n{screen}");
    assert!(inbox[2].contains(r"letter 2 \Flagged"), "{inbox:?}\n{screen}");
    assert_eq!(inbox[3], "letter 4", "{inbox:?}\n{screen}");
    let copied = contents(&demo, 1, "Copied");
    assert!(copied.len() == 1 && copied[0].contains("letter 2"), "{copied:?}\n{screen}");
    demo.server.stop();
}

fn searches_and_moves(program: &str) {
    let demo = with_letters(4);
    let scratch = tempfile::tempdir().expect("a directory");
    let (url, settings) = settings(&demo);
    // Searches by the server, for one letter and for all with a body like it; moves these into a folder of another name.
    let keys = "<limit>=b \"body 3\"<enter><set-flag>r<limit>all<enter><tag-pattern>=b \"body\"<enter><tag-prefix><save-message>=Entw\u{fc}rfe<enter><sync-mailbox><quit>";
    let screen = mutt(program, scratch.path(), &settings, &format!("{url}/INBOX"), keys);
    assert_eq!(contents(&demo, 1, "INBOX"), ["Welcome"], "{screen}");
    let moved = contents(&demo, 1, "Entw&APw-rfe");
    assert!(moved.len() == 4 && moved[2].contains(r"letter 3 \Answered"), "{moved:?}\n{screen}");
    demo.server.stop();
}

fn sends(program: &str) {
    let demo = with_letters(0);
    let (_, settings) = settings(&demo);
    let scratch = tempfile::tempdir().expect("a directory");
    let rc = scratch.path().join("muttrc");
    // neomutt keeps no copy on a server unless it was opened before.
    let record = if program == "mutt" { "=Sent" } else { "" };
    std::fs::write(&rc, format!("{settings}\nset record='{record}' charset=utf-8 confirmcreate=no\n")).expect("a file");
    let rc = rc.to_str().expect("UTF-8");
    client::run_with(program, &["-n", "-F", rc, "-s", "Gr\u{fc}\u{df}e", "-a", demo.ca(), "--", "alice@example.test"], ".\n\u{4f60}\u{597d}\n.. and dots\n").ok();
    let came = demo.imap(0).messages("INBOX").pop().expect("a message");
    let text = String::from_utf8_lossy(&came.text);
    assert!(text.contains("\r\n\r\n.\r\n") && text.contains("\r\n.. and dots\r\n") && text.contains("ca.pem") && text.contains("From: \"Bob B.\" <bob@"), "{text}");
    let copies = demo.imap(1).messages("Sent");
    assert_eq!(copies.len(), record.len().min(1));
    assert!(copies.iter().all(|copy| copy.is(r"\Seen")));
    demo.server.stop();
}

fn reads_and_deletes_over_pop3(program: &str) {
    let demo = with_letters(4);
    let scratch = tempfile::tempdir().expect("a directory");
    let (_, settings) = settings(&demo);
    let url = format!("pops://localhost:{}", demo.port("pop3s"));
    let keys = "<jump>2<enter><pipe-message>cat >piped<enter><jump>3<enter><delete-message><jump>4<enter><delete-message><sync-mailbox><quit>";
    let screen = mutt(program, scratch.path(), &settings, &url, keys);
    let piped = std::fs::read_to_string(scratch.path().join("piped")).unwrap_or_else(|error| panic!("{error}:\n{screen}"));
    assert!(piped.contains("Subject: letter 1") && piped.contains("body 1\n.. ends with dots\n"), "{piped}");
    let left = contents(&demo, 1, "INBOX");
    assert!(left.len() == 3 && left[2].starts_with("letter 4"), "{left:?}\n{screen}");
    demo.server.stop();
}

macro_rules! each_program {
    ($($test:ident $program:literal $does:ident)*) => {
        $(
            #[test]
            fn $test() {
                if installed(stringify!($test), &[$program, "python3"]) {
                    $does($program);
                }
            }
        )*
    };
}

each_program! {
    mutt_reads_flags_copies_and_deletes_over_imap "mutt" reads_flags_copies_and_deletes_over_imap
    neomutt_reads_flags_copies_and_deletes_over_imap "neomutt" reads_flags_copies_and_deletes_over_imap
    mutt_searches_and_moves "mutt" searches_and_moves
    neomutt_searches_and_moves "neomutt" searches_and_moves
    mutt_sends_and_keeps_a_copy "mutt" sends
    neomutt_sends "neomutt" sends
    mutt_reads_and_deletes_over_pop3 "mutt" reads_and_deletes_over_pop3
    neomutt_reads_and_deletes_over_pop3 "neomutt" reads_and_deletes_over_pop3
}

#[test]
fn the_printed_line_of_mutt_works_as_it_stands() {
    if !installed("the_printed_line_of_mutt_works_as_it_stands", &["mutt", "python3"]) {
        return;
    }
    let demo = with_letters(1);
    let scratch = tempfile::tempdir().expect("a directory");
    let [line] = &demo.to_paste("mutt")[..] else { panic!("{:?}", demo.server.said) };
    // A shell takes the line apart; our own settings and keys come in between.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/mutt.py");
    // Without a folder, mutt's first visit asks whether to make ~/Mail.
    let keys = "set folder=. quit=yes\npush '<pipe-message>cat >piped<enter><quit>'\nset wait_key=no delete=no move=no\n";
    let wrapped = line.replacen("mutt ", &format!("exec python3 {script} {SECONDS} {} \"$KEYS\" mutt ", scratch.path().display()), 1);
    let mut command = Command::new("sh");
    let screen = client::run_command(command.args(["-c", &wrapped]).env("KEYS", keys)).ok();
    let piped = std::fs::read_to_string(scratch.path().join("piped")).unwrap_or_else(|error| panic!("{error}:\n{screen}"));
    assert!(piped.contains("Subject: "), "{piped}");
    assert!(paste("mutt -v").ok().contains("IMAP"));
    demo.server.stop();
}

#[test]
fn mutt_reads_the_maildir_itself() {
    if !installed("mutt_reads_the_maildir_itself", &["mutt", "python3"]) {
        return;
    }
    let demo = with_letters(2);
    let scratch = tempfile::tempdir().expect("a directory");
    let folder = demo.configured().maildir("bob");
    let files = || maildir::read(&folder).ok().filter(|files| files.len() == 3);
    within(Duration::from_secs(30), "three files", files);
    let keys = "<search>~s Welcome<enter><pipe-message>cat >piped<enter><exit>";
    let screen = mutt("mutt", scratch.path(), "set read_only=yes sort=subject", folder.to_str().expect("UTF-8"), keys);
    let piped = std::fs::read_to_string(scratch.path().join("piped")).unwrap_or_else(|error| panic!("{error}:\n{screen}"));
    assert!(piped.contains("Subject: Welcome"), "{piped}\n{screen}");
    demo.server.stop();
}
