//! A store that is crashed again and again, and what is found in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use house_tests::imap::Imap;
use house_tests::maildir;
use house_tests::program::Configured;
use house_tests::server::Server;

use crate::judge::{Found, Ledger, judge};
use crate::load::{self, HEADER, Load};

pub const ACCOUNTS: [&str; 2] = ["carol", "dave"];
pub const PASSWORD: &str = "a long password";
/// How long recovery may take until every file is placed.
pub const RECOVERY: Duration = Duration::from_secs(60);

/// A configured store, and all that was ever sent to it.
pub struct World {
    pub configured: Configured,
    ledger: Ledger,
    /// Where each account's ids were found before: id → UID.
    uids: BTreeMap<&'static str, BTreeMap<String, u32>>,
    round: usize,
    /// Messages to both accounts go through the queue, and may arrive some time after the start.
    queued: bool,
}

impl World {
    /// Below `directory`, with the store in `store`; `database_url` for another engine.
    pub fn new(directory: &Path, database_url: Option<&str>) -> World {
        let more: Vec<&str> = database_url.iter().flat_map(|url| ["--database-url", *url]).collect();
        let configured = Configured::setup(directory, &more);
        configured.set("plaintext_auth = loopback\nsmtp_listen = 127.0.0.1:0\nimap_listen = 127.0.0.1:0");
        for user in ACCOUNTS {
            configured.add_user(&format!("{user}@example.test"), PASSWORD);
        }
        World { configured, ledger: Ledger::new(), uids: BTreeMap::new(), round: 0, queued: false }
    }

    /// The same, where a message to more than one recipient goes through the queue.
    pub fn queued(directory: &Path) -> World {
        let world = World::new(directory, None);
        world.configured.set("direct_recipient_limit = 1");
        World { queued: true, ..world }
    }

    /// Serves `services` of it.
    pub fn serve(&self, services: &str) -> Server {
        Server::serve(&self.configured, &["--only", services])
    }

    /// Serves by another program that runs ours: `wrapper posthouse serve`.
    pub fn serve_under(&self, wrapper: &str, services: &str) -> Server {
        let plain = self.configured.command(&["serve", "--only", services]);
        let mut command = Command::new(wrapper);
        command.arg(plain.get_program()).args(plain.get_args());
        let mut server = Server::starting(command, &self.configured.directory);
        server.wait_for("posthouse: ready");
        server
    }

    /// Loads `smtp` and `imap` until about `enough` are acknowledged, then calls `crash`, and notes what the senders know.
    pub fn load_until(&mut self, smtp: SocketAddr, imap: SocketAddr, enough: usize, crash: impl FnOnce()) -> usize {
        self.round += 1;
        let load = Load::start(smtp, imap, self.round);
        house_tests::until::within(RECOVERY, "enough acknowledged messages", || {
            assert!(load.runs(), "all senders were refused");
            (load.acknowledged() >= enough).then_some(())
        });
        crash();
        let ledger = load.end();
        let acknowledged = ledger.values().filter(|sent| sent.acknowledged).count();
        self.ledger.extend(ledger);
        acknowledged
    }

    /// Everything that is wrong with what `server` shows at once, and with the Maildir once it is settled; at most `limit` is
    /// waited for that, and for the queue to be empty if there is one.
    pub fn faults(&mut self, server: &Server, limit: Duration) -> Vec<String> {
        let begun = Instant::now();
        let mut faults = Vec::new();
        let mut shown = self.shown(server, &mut faults);
        loop {
            let mut wrong = judge(&self.ledger, "IMAP", &shown);
            let at_once = !self.queued && !wrong.is_empty();
            let lying = ACCOUNTS.map(|user| (user, self.by_maildir(user))).into();
            wrong.extend(judge(&self.ledger, "Maildir", &lying));
            if sorted(&shown) != sorted(&lying) {
                wrong.push("IMAP and Maildir show different messages".into());
            }
            if wrong.is_empty() || at_once || begun.elapsed() > limit {
                faults.extend(wrong);
                return faults;
            }
            std::thread::sleep(Duration::from_millis(50));
            if self.queued {
                shown = self.shown(server, &mut faults);
            }
        }
    }

    fn shown(&mut self, server: &Server, faults: &mut Vec<String>) -> BTreeMap<&'static str, Vec<Found>> {
        ACCOUNTS.map(|user| (user, self.by_imap(server, user, faults))).into()
    }

    /// What the program's own check says.
    pub fn check(&self) -> Vec<String> {
        let said = self.configured.run(&["check", "--json"]);
        if said.code == Some(0) { Vec::new() } else { vec![format!("check: {said:?}")] }
    }

    /// INBOX as IMAP shows it; a changed UID is a fault.
    fn by_imap(&mut self, server: &Server, user: &'static str, faults: &mut Vec<String>) -> Vec<Found> {
        let mut imap = Imap::login(server.address("imap"), &format!("{user}@example.test"), PASSWORD);
        imap.ask("SELECT INBOX");
        let answer = imap.ask("UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
        let before = self.uids.entry(user).or_default();
        let mut found = Vec::new();
        for message in answer.split("\r\n* ").filter(|part| part.contains(HEADER)) {
            let Some((id, whole)) = load::read(message.trim_end().trim_end_matches(')')) else { continue };
            let uid = message.split_once("UID ").and_then(|(_, rest)| rest.split([' ', ')']).next()?.parse().ok()).unwrap_or_default();
            let known = *before.entry(id.clone()).or_insert(uid);
            if known != uid {
                faults.push(format!("{user}'s {id} has UID {uid}, and had {known}"));
            }
            let head = message.split_once("BODY[").map_or(message, |(head, _)| head);
            found.push(Found { id, whole, flagged: head.contains("\\Flagged") });
        }
        found
    }

    /// INBOX as it lies on the disk.
    fn by_maildir(&self, user: &str) -> Vec<Found> {
        let main_cf = std::fs::read_to_string(self.configured.main_cf()).expect("main.cf");
        let store = main_cf.lines().find_map(|line| line.strip_prefix("store_directory = ")).expect("setup writes it");
        let folder = Path::new(store).join("mail/example.test").join(user);
        let files = match maildir::read(&folder) {
            Ok(files) => files,
            // Nothing was placed yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{}: {error}", folder.display()),
        };
        let read = |file: &maildir::File| load::read(&file.text).map(|(id, whole)| Found { id, whole, flagged: file.letters.contains('F') });
        files.iter().filter_map(read).collect()
    }
}

fn sorted(found: &BTreeMap<&'static str, Vec<Found>>) -> BTreeMap<&'static str, Vec<Found>> {
    let mut sorted = found.clone();
    sorted.values_mut().for_each(|messages| messages.sort());
    sorted
}
