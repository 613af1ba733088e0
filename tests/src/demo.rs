//! `posthouse demo`, as a newcomer runs it.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::client;
use crate::imap::Imap;
use crate::ports::Offset;
use crate::program::{Configured, Said};
use crate::server::Server;
use crate::smtp::Smtp;

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    /// The process.
    pub server: Server,
    /// What it wrote into `demo.json`.
    pub json: serde_json::Value,
    offset: Offset,
    directory: TempDir,
}

impl Demo {
    /// Starts one in a fresh directory.
    pub fn start() -> Demo {
        Demo::start_in(tempfile::tempdir().expect("a temporary directory"), Offset::take())
    }

    /// Starts one whose main.cf has the line `setting` too.
    pub fn start_with(setting: &str) -> Demo {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Configured::setup(directory.path(), &[]).set(setting);
        Demo::start_in(directory, Offset::take())
    }

    fn start_in(directory: TempDir, offset: Offset) -> Demo {
        let server = Server::demo(directory.path(), offset.offset);
        let text = std::fs::read_to_string(directory.path().join("demo.json")).expect("demo.json");
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("demo.json: {error}: {text}"));
        Demo { server, json, offset, directory }
    }

    /// Ends it as TERM does, and starts it again over what it left.
    pub fn again(self) -> Demo {
        let Demo { server, offset, directory, .. } = self;
        server.stop();
        Demo::start_in(directory, offset)
    }

    /// Starts one that has ended again, over what it left.
    pub fn after_its_end(self) -> Demo {
        Demo::start_in(self.directory, self.offset)
    }

    /// Where `demo.json` is.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("demo.json")
    }

    /// The commands on its configuration.
    pub fn configured(&self) -> Configured {
        Configured { directory: self.directory.path().join("config") }
    }

    /// Where it logs.
    pub fn log(&self) -> PathBuf {
        self.directory.path().join("mail.log")
    }

    /// The port of a service.
    pub fn port(&self, service: &str) -> u16 {
        self.json["ports"][service].as_u64().and_then(|port| port.try_into().ok()).unwrap_or_else(|| panic!("no port {service} in {}", self.json))
    }

    /// Address and password of account `n`.
    pub fn account(&self, n: usize) -> (&str, &str) {
        let account = &self.json["accounts"][n];
        (account["address"].as_str().expect("an address"), account["password"].as_str().expect("a password"))
    }

    /// Account `n` over plain IMAP; needs `plaintext_auth = loopback`.
    #[track_caller]
    pub fn imap(&self, n: usize) -> Imap {
        let (address, password) = self.account(n);
        Imap::login(self.server.address("imap"), address, password)
    }

    /// Brings a message to `to` by SMTP.
    #[track_caller]
    pub fn deliver(&self, to: &str, text: &str) {
        let mut smtp = Smtp::connect(self.server.address("smtp")).expect("SMTP");
        smtp.send("someone@example.net", &[to], text).expect("250");
    }

    /// The certificate to trust.
    pub fn ca(&self) -> &str {
        self.json["ca"].as_str().expect("a path")
    }

    /// The lines it printed to be pasted that begin with `program`, continued ones joined.
    pub fn to_paste(&self, program: &str) -> Vec<String> {
        let told = self.server.said.join("\n").replace("\\\n", " ");
        told.lines().map(str::trim).filter(|line| line.starts_with(&format!("{program} "))).map(str::to_owned).collect()
    }

    /// Runs a script of `tests/clients` with the path of `demo.json` and `arguments`.
    #[track_caller]
    pub fn python(&self, script: &str, arguments: &[&str]) -> String {
        let file = self.file();
        client::python(script, &[&[file.to_str().expect("UTF-8")], arguments].concat())
    }
}

/// Pastes a line into a shell.
#[track_caller]
pub fn paste(line: &str) -> Said {
    client::run_command(Command::new("sh").args(["-c", line]))
}
