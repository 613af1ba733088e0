//! The programs of a machine that send by the `sendmail` command: each names its options its own way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use house_tests::client::{installed, run_command_with};
use house_tests::demo::Demo;
use house_tests::program::{self, Said};
use house_tests::until::{SOON, within};

use crate::configure;

/// A demo, and the program under the name of `sendmail`.
struct House {
    demo: Demo,
    directory: tempfile::TempDir,
}

impl House {
    fn new() -> House {
        let directory = tempfile::tempdir().expect("a directory");
        symlink(program::path(), directory.path().join("sendmail")).expect("a link");
        House { demo: Demo::start_with("plaintext_auth = loopback\nmyorigin = example.test"), directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn sendmail(&self) -> String {
        self.path("sendmail").to_str().expect("UTF-8").to_owned()
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(program);
        command.args(arguments).env("MAIL_CONFIG", self.demo.configured().directory).env("EMAIL", "alice@example.test").env_remove("RUST_LOG");
        run_command_with(command.current_dir(self.directory.path()), input)
    }

    /// The text of bob's newest message, once it has this subject.
    #[track_caller]
    fn bob_has(&self, subject: &str) -> String {
        let newest = || self.demo.imap(1).messages("INBOX").pop().filter(|message| message.subject() == subject);
        let message = within(SOON, subject, newest);
        String::from_utf8_lossy(&message.text).into_owned()
    }
}

#[test]
fn cron_sends_what_a_job_said() {
    let house = House::new();
    // its command line, and the header it writes
    let text = "From: root (Cron Daemon)\nTo: bob\nSubject: Cron <root@vm> date\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\n.\n\u{4f60}\u{597d}\n";
    house.run(&house.sendmail(), &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "bob"], text).ok();
    let got = house.bob_has("Cron <root@vm> date");
    assert!(got.contains("\r\nFrom: root@example.test (Cron Daemon)\r\nTo: bob@example.test\r\n") && got.ends_with("\r\n\r\n.\r\n\u{4f60}\u{597d}\r\n"), "{got}");
    house.demo.server.stop();
}

#[test]
fn the_mail_of_php_is_sent() {
    if !installed("the_mail_of_php_is_sent", &["php"]) {
        return;
    }
    let house = House::new();
    let path = format!("sendmail_path={} -t -i", house.sendmail());
    let script = r#"exit(mail("bob@example.test", "by PHP", "a\n.\nb", "From: Alice <alice@example.test>\r\nBcc: alice@example.test", "-falice@example.test") ? 0 : 1);"#;
    house.run("php", &["-d", &path, "-r", script], "").ok();
    let got = house.bob_has("by PHP");
    assert!(got.starts_with("Return-Path: <alice@example.test>\r\n") && got.ends_with("\r\n\r\na\r\n.\r\nb\r\n") && !got.contains("Bcc"), "{got}");
    assert_eq!(house.demo.imap(0).messages("INBOX").pop().expect("a copy").subject(), "by PHP");
    // what PHP passes on from a visitor is an argument and a header, and becomes nothing else
    let script = r#"exit(mail("bob@example.test", "twice", "x", "From: a@example.test", "-f'a b'@x -oQ/tmp -X/tmp/x.php") ? 0 : 1);"#;
    assert_ne!(house.run("php", &["-d", &path, "-r", script], "").code, Some(0));
    house.demo.server.stop();
}

#[test]
fn git_sends_patches() {
    if !installed("git_sends_patches", &["git", "perl"]) {
        return;
    }
    let house = House::new();
    if house.run("git", &["send-email", "--help-all"], "").err.contains("not a git command") {
        return house_tests::skip("git_sends_patches", "git send-email is not installed");
    }
    let patch = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Alice <alice@example.test>\nDate: Tue, 24 Nov 2026 02:01:13 +0000\nSubject: [PATCH] mend it\n\n---\n a | 1 +\n\n--\n2.39\n";
    fs::write(house.path("0001.patch"), patch).expect("a patch");
    let server = format!("--smtp-server={}", house.sendmail());
    let arguments = ["send-email", &server, "--from=alice@example.test", "--envelope-sender=alice@example.test", "--to=bob@example.test", "--confirm=never", "--suppress-cc=all", "--no-validate", "0001.patch"];
    house.run("git", &arguments, "").ok();
    let got = house.bob_has("[PATCH] mend it");
    assert!(got.starts_with("Return-Path: <alice@example.test>\r\n") && got.contains("\r\nTo: bob@example.test\r\n") && got.contains(" a | 1 +\r\n"), "{got}");
    house.demo.server.stop();
}

#[test]
fn mutt_sends_by_it_and_asks_for_notices() {
    if !installed("mutt_sends_by_it_and_asks_for_notices", &["mutt"]) {
        return;
    }
    let house = House::new();
    let rc = house.path("muttrc");
    let settings = format!("set sendmail=\"{} -oem -oi\" from=alice@example.test use_envelope_from=yes dsn_notify=failure,delay dsn_return=hdrs copy=no record=''\n", house.sendmail());
    configure(&rc, &settings);
    house.run("mutt", &["-n", "-F", rc.to_str().expect("UTF-8"), "-s", "by mutt", "bob@example.test"], "hello\n.\n").ok();
    let got = house.bob_has("by mutt");
    assert!(got.starts_with("Return-Path: <alice@example.test>\r\n") && got.ends_with("\r\n.\r\n"), "{got}");
    house.demo.server.stop();
}

#[test]
fn s_nail_sends_by_it() {
    if !installed("s_nail_sends_by_it", &["s-nail"]) {
        return;
    }
    let house = House::new();
    let mta = format!("-Smta=file://{}", house.sendmail());
    house.run("s-nail", &["-:/", "-Sv15-compat", &mta, "-v", "-r", "alice@example.test", "-s", "by s-nail", "bob@example.test"], "hello\n").ok();
    assert!(house.bob_has("by s-nail").starts_with("Return-Path: <alice@example.test>\r\n"));
    house.demo.server.stop();
}

#[test]
fn the_lesson_of_the_mail_command_works() {
    if !installed("the_lesson_of_the_mail_command_works", &["bsd-mailx"]) {
        return;
    }
    let house = House::new();
    let rc = house.path("mailrc");
    configure(&rc, &format!("set sendmail={}\n", house.sendmail()));
    let send = |to: &str, text: &str| {
        let mut command = Command::new("bsd-mailx");
        command.args(["-vs", "test mail", to]).env("MAILRC", &rc).env("MAIL_CONFIG", house.demo.configured().directory);
        run_command_with(&mut command, text).ok()
    };
    // as typed: mail -vs "test mail" root@host
    send("bob@example.test", "the text\n");
    let got = house.bob_has("test mail");
    assert!(got.contains("\r\nTo: bob@example.test\r\n") && got.ends_with("\r\n\r\nthe text\r\n"), "{got}");
    assert!(got.contains("@example.test>\r\n"), "{got}");
    send("bob", "bare\n");
    within(SOON, "a name alone", || house.bob_has("test mail").ends_with("\r\n\r\nbare\r\n").then_some(()));
    house.demo.server.stop();
}
