//! s-nail, mailx of today.

use house_tests::client::{self, installed};
use house_tests::demo::Demo;

use crate::{contents, with_letters};

/// Runs `commands` on bob's mailbox at `url`.
#[track_caller]
fn s_nail(demo: &Demo, url: &str, commands: &str) -> String {
    let ca = format!("-Stls-ca-file={}", demo.ca());
    client::run_with("s-nail", &["-:/", "-#", "-Sv15-compat", "-Simap-auth=login", &ca, "-Stls-verify=strict", "-f", url], commands).ok()
}

/// How it writes an account of the demo and a service.
fn url(demo: &Demo, service: &str, account: usize) -> String {
    let (address, password) = demo.account(account);
    let protocol = if service == "submissions" { "smtps" } else { service };
    format!("{protocol}://{}:{password}@localhost:{}", address.replace('@', "%40"), demo.port(service))
}

#[test]
fn s_nail_sends() {
    if !installed("s_nail_sends", &["s-nail"]) {
        return;
    }
    let demo = Demo::start_with("plaintext_auth = loopback");
    let (mta, ca) = (format!("-Smta={}", url(&demo, "submissions", 0)), format!("-Stls-ca-file={}", demo.ca()));
    let arguments = [
        "-:/", "-Sv15-compat", &mta, "-Ssmtp-auth=plain", &ca, "-Stls-verify=strict", "-Sfrom=alice@example.test", "-Sttycharset=utf-8", "-s", "Gr\u{fc}\u{df}e", "-a",
        demo.ca(), "bob@example.test", "alice@example.test",
    ];
    client::run_with("s-nail", &arguments, "hello\n.\nmore\n").ok();
    for n in [0, 1] {
        let text = String::from_utf8(demo.imap(n).messages("INBOX").pop().expect("a message").text).expect("UTF-8");
        assert!(text.contains("multipart/mixed") && text.contains("\r\nhello\r\n.\r\nmore\r\n") && text.contains("filename=\"ca.pem\""), "{text}");
    }
    demo.server.stop();
}

#[test]
fn s_nail_reads_flags_copies_and_deletes_over_imap() {
    if !installed("s_nail_reads_flags_copies_and_deletes_over_imap", &["s-nail"]) {
        return;
    }
    let demo = with_letters(4);
    let imaps = url(&demo, "imaps", 1);
    let said = s_nail(&demo, &format!("{imaps}/INBOX"), &format!("from *\ntype 2\nflag 3\ndelete 4\ncopy 3 {imaps}/Copied\nquit\n"));
    assert!(said.contains("letter 4") && said.contains("body 1\n.. ends with dots"), "{said}");
    assert_eq!(contents(&demo, 1, "INBOX"), ["Welcome", r"letter 1 \Seen", r"letter 2 \Flagged \Seen", "letter 4"], "{said}");
    assert_eq!(contents(&demo, 1, "Copied").len(), 1, "{said}");
    demo.server.stop();
}

#[test]
fn s_nail_reads_and_deletes_over_pop3() {
    if !installed("s_nail_reads_and_deletes_over_pop3", &["s-nail"]) {
        return;
    }
    let demo = with_letters(3);
    let said = s_nail(&demo, &url(&demo, "pop3s", 1), "from *\ntype 2\ndelete 1 3\nquit\n");
    assert!(said.contains("letter 3") && said.contains("body 1\n.. ends with dots"), "{said}");
    let left = contents(&demo, 1, "INBOX");
    assert!(left.len() == 2 && left[1] == "letter 3", "{left:?}\n{said}");
    demo.server.stop();
}
