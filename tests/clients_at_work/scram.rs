//! SCRAM. Some clients choose it by themselves once it is offered: mbsync here, mutt in `mutt.rs`.

use std::process::Command;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;

#[test]
fn mbsync_logs_in_by_scram_unasked_and_msmtp_when_told() {
    if !installed("mbsync_logs_in_by_scram_unasked_and_msmtp_when_told", &["msmtp", "mbsync"]) {
        return;
    }
    let demo = Demo::start();
    let (alice, password) = demo.account(0);
    let scratch = tempfile::tempdir().expect("a directory");
    let message = "From: alice@example.test\r\nTo: alice@example.test\r\nSubject: by SCRAM\r\n\r\nhello\r\n";
    std::fs::write(scratch.path().join("message"), message).expect("written");
    let msmtp = |password: &str| {
        let line = format!(
            "msmtp --debug --host=localhost --port={} --tls --tls-trust-file={} --auth=scram-sha-256 --user={alice} --passwordeval='echo {password}' --from={alice} {alice} <message",
            demo.port("submission"),
            demo.ca(),
        );
        client::run_command(Command::new("sh").args(["-c", &line]).current_dir(scratch.path()))
    };
    let said = msmtp(password).ok();
    assert!(said.contains("--> AUTH SCRAM-SHA-256"), "{said}");
    let wrong = msmtp("wrong");
    assert!(wrong.code != Some(0) && wrong.err.contains("535"), "{wrong:#?}");

    let folders = scratch.path().join("mail");
    std::fs::create_dir(&folders).expect("a directory");
    let settings = format!(
        "IMAPStore far\nHost localhost\nPort {}\nUser {alice}\nPass {password}\nSSLType IMAPS\nSystemCertificates no\nCertificateFile {}\n\n\
         MaildirStore near\nPath {folders}/\nInbox {folders}/INBOX\n\nChannel all\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n",
        demo.port("imaps"),
        demo.ca(),
        folders = folders.display(),
    );
    let rc = scratch.path().join("mbsyncrc");
    std::fs::write(&rc, settings).expect("written");
    client::run("mbsync", &["-c", rc.to_str().expect("UTF-8"), "-V", "all"]).ok();
    let log = std::fs::read_to_string(demo.log()).expect("the log");
    assert!(log.lines().any(|line| line.contains("imap-login: Login: ") && line.contains(", TLS, ") && line.contains("method=SCRAM-SHA-256")), "{log}");
    demo.server.stop();
}
