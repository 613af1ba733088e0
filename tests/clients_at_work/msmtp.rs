//! msmtp, which stands in for sendmail.

use std::path::Path;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;
use house_tests::program::Said;

use crate::{configure, contents};

/// Exit codes, as sendmail's.
const NO_PERMISSION: i32 = 77;
const BAD_DATA: i32 = 65;

/// Sends `text` as alice.
#[track_caller]
fn msmtp(demo: &Demo, scratch: &Path, service: &str, password: &str, arguments: &[&str], text: &str) -> Said {
    let (alice, _) = demo.account(0);
    let (port, ca, file) = (demo.port(service), demo.ca(), scratch.join("msmtprc"));
    let starttls = if service == "submission" { "on" } else { "off" };
    configure(
        &file,
        &format!("account house\nhost localhost\nport {port}\ntls on\ntls_starttls {starttls}\ntls_trust_file {ca}\nauth on\nuser {alice}\npassword {password}\nfrom {alice}\n"),
    );
    client::run_with("msmtp", &[&["-C", file.to_str().expect("UTF-8"), "-a", "house"], arguments].concat(), text)
}

#[test]
fn msmtp_sends_by_both_submissions() {
    if !installed("msmtp_sends_by_both_submissions", &["msmtp"]) {
        return;
    }
    let demo = Demo::start_with("plaintext_auth = loopback");
    let scratch = tempfile::tempdir().expect("a directory");
    let (_, password) = demo.account(0);
    for service in ["submissions", "submission"] {
        let send = |password: &str, arguments: &[&str], text: &str| msmtp(&demo, scratch.path(), service, password, arguments, text);
        // -t: recipients are those of the header; Bcc must not be told.
        let text = format!("To: bob@example.test\nBcc: alice@example.test\nSubject: by {service}\n\n.\n\u{4f60}\u{597d}\n.. and dots\n");
        send(password, &["-t"], &text).ok();
        for n in [0, 1] {
            let last = demo.imap(n).messages("INBOX").pop().expect("a message");
            let text = String::from_utf8(last.text).expect("UTF-8");
            assert!(text.contains(&format!("Subject: by {service}\r\n")) && text.ends_with("\r\n\r\n.\r\n\u{4f60}\u{597d}\r\n.. and dots\r\n"), "{text}");
            assert!(text.contains("\r\nMessage-ID: <") && text.contains("\r\nDate: ") && !text.contains("Bcc"), "{text}");
        }
        assert_eq!(send("wrong", &["bob@example.test"], "Subject: x\n\n").code, Some(NO_PERMISSION));
        let nobody = send(password, &["nobody@example.test"], "Subject: x\n\n");
        assert!(nobody.code == Some(BAD_DATA) && nobody.err.contains("550"), "{nobody:#?}");
        let stranger = send(password, &["-f", "bob@example.test", "bob@example.test"], "Subject: as another\n\n");
        assert!(stranger.code == Some(BAD_DATA) && stranger.err.contains("553"), "{stranger:#?}");
        let information = send(password, &["--serverinfo"], "").ok();
        assert!(["SIZE", "PIPELINING", "AUTH"].iter().all(|word| information.contains(word)), "{information}");
    }
    assert_eq!(contents(&demo, 1, "INBOX"), ["Welcome", "by submissions", "by submission"]);
    demo.server.stop();
}
