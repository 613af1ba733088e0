//! Senders that go on until the server is gone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use house_tests::imap::Imap;
use house_tests::smtp::Smtp;

use crate::judge::{Flagged, Ledger, Sent};
use crate::world::PASSWORD;

/// Connections at once: enough that commits are grouped.
const SENDERS: usize = 8;
/// Of them, those that append by IMAP and set flags.
const APPENDERS: usize = 2;
/// Small ones lie in the database with their row; a large one goes through the spool.
const SMALL: usize = 600;
const LARGE: usize = 200_000;

/// The header that carries the id.
pub const HEADER: &str = "X-Load-Id";

/// A running load.
pub struct Load {
    ledger: Arc<Mutex<Ledger>>,
    acknowledged: Arc<AtomicUsize>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    /// Starts the senders of round `round` to SMTP at `smtp` and IMAP at `imap`; they end when the server does.
    pub fn start(smtp: SocketAddr, imap: SocketAddr, round: usize) -> Load {
        let ledger = Arc::new(Mutex::new(Ledger::new()));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let threads = (0..SENDERS).map(|sender| {
            let (ledger, acknowledged) = (ledger.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                let sender = Sender { name: format!("r{round}-s{sender}"), appends: sender < APPENDERS, ledger, acknowledged };
                sender.run(smtp, imap);
            })
        });
        let threads = threads.collect();
        Load { ledger, acknowledged, threads }
    }

    /// How many 250 came.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Whether senders still run.
    pub fn runs(&self) -> bool {
        self.threads.iter().any(|thread| !thread.is_finished())
    }

    /// Waits for the senders' end, and gives what they know.
    pub fn end(self) -> Ledger {
        for thread in self.threads {
            thread.join().expect("a sender");
        }
        std::mem::take(&mut *self.ledger.lock().expect("the ledger"))
    }
}

/// One thread of the load.
struct Sender {
    name: String,
    appends: bool,
    ledger: Arc<Mutex<Ledger>>,
    acknowledged: Arc<AtomicUsize>,
}

impl Sender {
    /// Goes on until nobody is there any more.
    fn run(&self, smtp: SocketAddr, imap: SocketAddr) {
        if self.appends {
            while let Ok(imap) = Imap::try_login(imap, "carol@example.test", PASSWORD) {
                // It breaks when the server dies.
                let _ = self.append_on(imap);
            }
        } else {
            while let Ok(smtp) = Smtp::connect(smtp) {
                let _ = self.send_on(smtp);
            }
        }
    }

    fn send_on(&self, mut smtp: Smtp) -> std::io::Result<()> {
        loop {
            let (id, to, text) = self.next(|n| if n.is_multiple_of(3) { vec!["carol", "dave"] } else { vec![if n.is_multiple_of(2) { "carol" } else { "dave" }] });
            let addresses: Vec<String> = to.iter().map(|user| format!("{user}@example.test")).collect();
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            smtp.send("load@example.net", &addresses, &text)?;
            self.note(&id, |sent| sent.acknowledged = true);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn append_on(&self, mut imap: Imap) -> std::io::Result<()> {
        imap.try_ask("SELECT INBOX")?;
        loop {
            let (id, _, text) = self.next(|_| vec!["carol"]);
            let uid = imap.append("INBOX", &text)?;
            self.note(&id, |sent| (sent.acknowledged, sent.flagged) = (true, Flagged::Perhaps));
            imap.try_ask(&format!("UID STORE {uid} +FLAGS.SILENT (\\Flagged)"))?;
            self.note(&id, |sent| sent.flagged = Flagged::Yes);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A new message, written down before it is sent: what is found must be known.
    fn next(&self, to: impl FnOnce(usize) -> Vec<&'static str>) -> (String, Vec<&'static str>, String) {
        let mut known = self.ledger.lock().expect("the ledger");
        let n = known.len();
        let (id, to) = (format!("{}-n{n}", self.name), to(n));
        known.insert(id.clone(), Sent { to: to.clone(), acknowledged: false, flagged: Flagged::No });
        let text = message(&id, if n % 16 == 7 { LARGE } else { SMALL });
        (id, to, text)
    }

    fn note(&self, id: &str, change: impl FnOnce(&mut Sent)) {
        change(self.ledger.lock().expect("the ledger").get_mut(id).expect("its own entry"));
    }
}

/// A message of about `size` octets that shows whether it is whole.
fn message(id: &str, size: usize) -> String {
    let line = format!("one of many lines of {id}\r\n");
    let lines = line.repeat(size / line.len());
    format!("From: load@example.net\r\nSubject: load\r\n{HEADER}: {id}\r\nX-Lines: {}\r\n\r\n{lines}end of {id}\r\n", size / line.len())
}

/// The id of a message, and whether it is whole.
pub fn read(text: &str) -> Option<(String, bool)> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::trim));
    let id = value(HEADER)?;
    let line = format!("one of many lines of {id}");
    let lines = text.lines().filter(|other| *other == line).count();
    let whole = value("X-Lines").is_some_and(|count| count == lines.to_string()) && text.trim_end().ends_with(&format!("end of {id}"));
    Some((id.to_owned(), whole))
}

#[test]
fn a_torn_message_is_recognised() {
    for size in [SMALL, LARGE] {
        let text = message("r0-s1-n2", size);
        assert_eq!(read(&text), Some(("r0-s1-n2".into(), true)));
        assert_eq!(read(&text.replace("\r\n", "\n")), Some(("r0-s1-n2".into(), true)));
        assert_eq!(read(&text[..text.len() - 40]).map(|(_, whole)| whole), Some(false));
        let hole = text.replacen("one of many lines", "\0\0\0", 1);
        assert_eq!(read(&hole).map(|(_, whole)| whole), Some(false));
    }
    assert_eq!(read("Subject: another\r\n\r\n"), None);
}
