//! getmail6.

use std::path::Path;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;
use tempfile::TempDir;

use crate::{configure, contents, with_letters};

/// Fetches bob's mail, and gives what was fetched.
#[track_caller]
fn getmail(demo: &Demo, scratch: &Path, service: &str, options: &str) -> String {
    let (bob, password) = demo.account(1);
    let (port, ca, file) = (demo.port(service), demo.ca(), scratch.join("fetched"));
    let (retriever, mailboxes) = if service == "imaps" { ("SimpleIMAPSSLRetriever", "mailboxes = (\"INBOX\",)") } else { ("SimplePOP3SSLRetriever", "") };
    // It refuses to write files as root, but not to run a command.
    configure(
        &scratch.join("getmailrc"),
        &format!(
            "[retriever]\ntype = {retriever}\nserver = localhost\nport = {port}\nusername = {bob}\npassword = {password}\nca_certs = {ca}\n{mailboxes}\n\
             [destination]\ntype = MDA_external\npath = /bin/sh\narguments = (\"-c\", \"cat >>{}\")\nallow_root_commands = true\n\
             [options]\nread_all = false\n{options}\n",
            file.display()
        ),
    );
    std::fs::write(&file, "").expect("a file");
    client::run("getmail", &["--getmaildir", scratch.to_str().expect("UTF-8")]).ok();
    std::fs::read_to_string(file).expect("what was fetched")
}

fn fetches_what_is_new(service: &str) {
    let demo = with_letters(3);
    let scratch = TempDir::new().expect("a directory");
    let fetched = getmail(&demo, scratch.path(), service, "");
    for n in 1..=3 {
        assert!(fetched.contains(&format!("Subject: letter {n}\n")) && fetched.contains(&format!("\nbody {n}\n.. ends with dots\n")), "{fetched}");
    }
    assert_eq!(getmail(&demo, scratch.path(), service, ""), "", "what it had was fetched again");
    // What it remembers is true of the server that starts again.
    let demo = demo.again();
    assert_eq!(getmail(&demo, scratch.path(), service, ""), "", "what it had was fetched again after a restart");
    assert_eq!(contents(&demo, 1, "INBOX").len(), 4);
    demo.deliver("bob@example.test", "Subject: later\r\n\r\n");
    let fetched = getmail(&demo, scratch.path(), service, "delete = true");
    assert!(fetched.contains("Subject: later") && !fetched.contains("Subject: letter"), "{fetched}");
    assert_eq!(contents(&demo, 1, "INBOX"), Vec::<String>::new(), "what it had and what was new is deleted");
    demo.server.stop();
}

#[test]
fn getmail_fetches_what_is_new_over_imap() {
    if installed("getmail_fetches_what_is_new_over_imap", &["getmail"]) {
        fetches_what_is_new("imaps");
    }
}

#[test]
fn getmail_fetches_what_is_new_over_pop3() {
    if installed("getmail_fetches_what_is_new_over_pop3", &["getmail"]) {
        fetches_what_is_new("pop3s");
    }
}
