//! mutt in a terminal: over IMAP, and on the Maildir itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use house_tests::client::{self, installed};
use house_tests::demo::{Demo, paste};
use house_tests::maildir;
use house_tests::smtp::Smtp;
use house_tests::until::within;

/// How long mutt may take for one visit.
const SECONDS: &str = "60";

/// Runs mutt on `mailbox` with `settings`, types `keys`, and gives the screen.
#[track_caller]
fn mutt(directory: &Path, settings: &str, mailbox: &str, keys: &str) -> String {
    let settings = format!(
        "set confirmappend=no confirmcreate=no delete=yes resolve=no move=no mark_old=no quit=yes wait_key=no postponed=/dev/null record=''\n\
         set folder=. \n\
         set header_cache='' message_cachedir='' certificate_file=/dev/null ssl_verify_host=yes\n{settings}\npush '{keys}'\n"
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/mutt.py");
    let mut command = Command::new("python3");
    command.arg(script).args([SECONDS]).arg(directory).args([&settings, "mutt", "-f", mailbox]);
    client::run_command(&mut command).ok()
}

fn filled(count: usize) -> Demo {
    let demo = Demo::start();
    let mut smtp = Smtp::connect(demo.server.address("smtp")).expect("SMTP");
    for n in 1..=count {
        let text = format!("From: someone@example.net\r\nTo: bob@example.test\r\nSubject: letter {n}\r\n\r\nbody {n}\r\n");
        smtp.send("someone@example.net", &["bob@example.test"], &text).expect("250");
    }
    demo
}

#[test]
fn mutt_reads_flags_copies_and_deletes_over_imap() {
    if !installed("mutt_reads_flags_copies_and_deletes_over_imap", &["mutt", "python3"]) {
        return;
    }
    let demo = filled(4);
    let scratch = tempfile::tempdir().expect("a directory");
    let (bob, password) = demo.account(1);
    let url = format!("imaps://localhost:{}", demo.port("imaps"));
    let settings = format!("set imap_user={bob} imap_pass={password} ssl_ca_certificates_file={} folder={url}/", demo.ca());
    // 1 is the welcome; letters 1 to 4 are 2 to 5: 2 is read, 3 flagged and copied, 4 deleted.
    let keys = "<jump>2<enter><display-message><exit><jump>3<enter><flag-message><copy-message>=Copied<enter><jump>4<enter><delete-message><sync-mailbox><quit>";
    let screen = mutt(scratch.path(), &settings, &format!("{url}/INBOX"), keys);
    let inbox = demo.python("counts.py", &["INBOX"]);
    assert_eq!(flags(&inbox, "letter 1").as_deref(), Some("\\Seen"), "{inbox}\n{screen}");
    assert_eq!(flags(&inbox, "letter 2").map(|flags| flags.contains("\\Flagged")), Some(true), "{inbox}\n{screen}");
    assert_eq!(flags(&inbox, "letter 3"), None, "{inbox}\n{screen}");
    assert_eq!(flags(&inbox, "letter 4").as_deref(), Some(""), "{inbox}\n{screen}");
    let copied = demo.python("counts.py", &["Copied"]);
    assert!(flags(&copied, "letter 2").is_some() && copied.lines().count() == 1, "{copied}\n{screen}");
    demo.server.stop();
}

/// The flags of the message with `subject`, as counts.py prints them.
fn flags(listed: &str, subject: &str) -> Option<String> {
    let (flags, _) = listed.lines().filter_map(|line| line.split_once(": ")).find(|(_, other)| *other == subject)?;
    Some(flags.split(' ').filter(|flag| *flag != "\\Recent").collect::<Vec<_>>().join(" "))
}

#[test]
fn the_printed_line_of_mutt_works_as_it_stands() {
    if !installed("the_printed_line_of_mutt_works_as_it_stands", &["mutt", "python3"]) {
        return;
    }
    let demo = filled(1);
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
    let demo = filled(2);
    let scratch = tempfile::tempdir().expect("a directory");
    let folder = demo.configured().maildir("bob");
    let files = || maildir::read(&folder).ok().filter(|files| files.len() == 3);
    within(Duration::from_secs(30), "three files", files);
    let keys = "<search>~s Welcome<enter><pipe-message>cat >piped<enter><exit>";
    let screen = mutt(scratch.path(), "set read_only=yes sort=subject", folder.to_str().expect("UTF-8"), keys);
    let piped = std::fs::read_to_string(scratch.path().join("piped")).unwrap_or_else(|error| panic!("{error}:\n{screen}"));
    assert!(piped.contains("Subject: Welcome"), "{piped}\n{screen}");
    demo.server.stop();
}
