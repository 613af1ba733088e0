//! mbsync (isync).

use std::fs;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;
use house_tests::skip;

use crate::two_way::{self, Near, PERSONAL, Pair};

/// Runs it once, and gives the commands by which it changed the server.
pub fn mbsync(demo: &Demo, near: &Near) -> Vec<String> {
    let (bob, password) = demo.account(1);
    let (port, ca, configuration, near) = (demo.port("imaps"), demo.ca(), near.beside("mbsyncrc"), near.mail());
    let near = near.display();
    let text = format!(
        "IMAPAccount house\nHost localhost\nPort {port}\nUser {bob}\nPass {password}\nSSLType IMAPS\nCertificateFile {ca}\n\n\
         IMAPStore far\nAccount house\n\n\
         MaildirStore near\nPath {near}/\nInbox {near}/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n"
    );
    fs::write(&configuration, text).expect("a file");
    let said = client::run("mbsync", &["-Dn", "-c", configuration.to_str().expect("UTF-8"), "all"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!said.out.contains(" BAD "), "{said:#?}");
    changes(&said.out)
}

/// `>>> 7 UID STORE …`: what `-Dn` prints of the connection.
fn changes(told: &str) -> Vec<String> {
    let sent = told.lines().filter_map(|line| line.trim_start().strip_prefix(">>> "));
    sent.filter(|line| two_way::CHANGES.iter().any(|command| line.contains(command))).map(str::to_owned).collect()
}

#[test]
fn mbsync_keeps_a_maildir_and_an_account_the_same() {
    if installed("mbsync_keeps_a_maildir_and_an_account_the_same", &["mbsync"]) {
        let pair = Pair::fresh().go_through(mbsync);
        // A folder that is emptied and deleted on one side goes on the other too.
        let mut imap = pair.imap();
        imap.ask(&format!("SELECT {PERSONAL}"));
        imap.ask(r"STORE 1:* +FLAGS (\Deleted)");
        imap.ask("CLOSE");
        mbsync(&pair.demo, &pair.near);
        imap.ask(&format!("DELETE {PERSONAL}"));
        mbsync(&pair.demo, &pair.near);
        assert!(!pair.near.mail().join(PERSONAL).exists());
        pair.assert_same("after a folder was deleted");
        pair.demo.server.stop();
    }
}

#[test]
fn mbsync_chooses_scram_by_itself() {
    let name = "mbsync_chooses_scram_by_itself";
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    if !libraries.into_iter().any(|directory| directory.path().join("sasl2/libscram.so").exists()) {
        return skip(name, "libsasl2-modules is not installed");
    }
    if installed(name, &["mbsync"]) {
        let pair = Pair::fresh();
        mbsync(&pair.demo, &pair.near);
        let log = pair.demo.server.log();
        assert!(log.contains("imap-login: Login: ") && log.contains("method=SCRAM-SHA-256, "), "{log}");
        pair.demo.server.stop();
    }
}
