//! Other people's clients through their real work, over TLS, each against a demo of its own. What is missing on the machine is
//! skipped by name.

#![forbid(unsafe_code)]

mod fetchmail;
mod getmail;
mod imapfilter;
mod mbsync;
mod msmtp;
mod mutt;
mod node;
mod offlineimap;
mod python;
mod s_nail;
mod scram;
mod sendmail;
mod side_by_side;
mod swaks_and_curl;
mod thunderbird;
mod two_way;

use std::path::Path;

use house_tests::demo::Demo;

/// A demo with `letter 1` to `letter COUNT` in bob's inbox, after the welcome. Their last line is a dot and more.
fn with_letters(count: usize) -> Demo {
    let demo = Demo::start_with("plaintext_auth = loopback");
    for n in 1..=count {
        let text = format!("From: someone@example.net\r\nTo: bob@example.test\r\nSubject: letter {n}\r\n\r\nbody {n}\r\n... ends with dots\r\n"); // the first dot is SMTP's
        demo.deliver("bob@example.test", &text);
    }
    demo
}

/// The subjects of a mailbox of account `n`, in order, each with its flags.
fn contents(demo: &Demo, n: usize, mailbox: &str) -> Vec<String> {
    let told = |message: house_tests::imap::Message| {
        let flags = message.flags.iter().filter(|flag| !flag.eq_ignore_ascii_case(r"\Recent")).map(|flag| format!(" {flag}"));
        message.subject() + &flags.collect::<String>()
    };
    demo.imap(n).messages(mailbox).into_iter().map(told).collect()
}

/// Writes a configuration that only its owner may read.
fn configure(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a file");
}
