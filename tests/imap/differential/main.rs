//! Debian's Dovecot and ours, asked the same of the same messages.

use std::path::Path;

use house_tests::program::Configured;
use house_tests::server;
use house_tests::skip;
use imap_tests::corpus;
use imap_tests::difference::{Difference, compare};
use imap_tests::server::{Dovecot, Listening};

mod known;

const PASSWORD: &str = "a long password";

/// Ours, with carol's account.
struct Ours {
    server: server::Server,
    _directory: tempfile::TempDir,
}

impl Ours {
    fn start() -> Ours {
        let directory = tempfile::tempdir().expect("a directory");
        let configured = Configured::setup(directory.path(), &[]);
        configured.set("plaintext_auth = loopback\nimap_listen = 127.0.0.1:0");
        configured.add_user("carol@example.test", PASSWORD);
        Ours { server: server::Server::serve(&configured, &["--only", "imap,upkeep"]), _directory: directory }
    }

    fn listening(&self) -> Listening {
        Listening { at: self.server.address("imap"), user: "carol@example.test".into(), password: PASSWORD.into() }
    }
}

#[test]
fn dovecot_and_ours_answer_alike_or_it_is_known_why() {
    if !Dovecot::installed() {
        return skip("dovecot_and_ours_answer_alike_or_it_is_known_why", "Dovecot is not installed; apt-get install dovecot-imapd");
    }
    let ours = Ours::start();
    let theirs = Dovecot::new().expect("a Dovecot");
    let found = compare(&ours.listening(), &theirs, &corpus::named()).expect("both answer");
    known::judge(&Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/known.txt"), &found);
    ours.server.stop();
}
