//! The program under test, serving IMAP to one account.

use std::sync::atomic::{AtomicU32, Ordering};

use house_tests::program::Configured;
use house_tests::server;

use crate::server::Listening;

const PASSWORD: &str = "a long password";

/// A running server with carol's account, in a directory of its own.
#[derive(Debug)]
pub struct Ours {
    server: server::Server,
    configured: Configured,
    accounts: AtomicU32,
    _directory: tempfile::TempDir,
}

impl Ours {
    /// Over SQLite, or over the database that a URL names.
    pub fn start(database_url: Option<&str>) -> Ours {
        let directory = tempfile::tempdir().expect("a directory");
        let more: Vec<&str> = database_url.iter().flat_map(|url| ["--database-url", *url]).collect();
        let configured = Configured::setup(directory.path(), &more);
        configured.set("plaintext_auth = loopback\nimap_listen = 127.0.0.1:0");
        configured.add_user("carol@example.test", PASSWORD);
        let server = server::Server::serve(&configured, &["--only", "imap,upkeep"]);
        Ours { server, configured, accounts: AtomicU32::new(0), _directory: directory }
    }

    /// Where carol's account is reached.
    pub fn listening(&self) -> Listening {
        Listening { at: self.server.address("imap"), user: "carol@example.test".into(), password: PASSWORD.into() }
    }

    /// A fresh account, and where it is reached.
    pub fn another_account(&self) -> Listening {
        let user = format!("account{}@example.test", self.accounts.fetch_add(1, Ordering::Relaxed));
        self.configured.add_user(&user, PASSWORD);
        Listening { user, ..self.listening() }
    }

    /// It must end well.
    #[track_caller]
    pub fn stop(self) {
        self.server.stop();
    }
}
