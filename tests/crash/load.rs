//! Senders that go on until the server is gone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use house_tests::smtp::Smtp;

use crate::judge::{Ledger, Sent};

/// Connections at once: enough that commits are grouped.
const SENDERS: usize = 8;
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
    /// Starts the senders of round `round`; they end when the server does.
    pub fn start(at: SocketAddr, round: usize) -> Load {
        let ledger = Arc::new(Mutex::new(Ledger::new()));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let threads = (0..SENDERS).map(|sender| {
            let (ledger, acknowledged) = (ledger.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                // Nobody there any more: the round is over for this sender.
                while let Ok(smtp) = Smtp::connect(at) {
                    send_on(smtp, round, sender, &ledger, &acknowledged);
                }
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

/// Sends over one connection until it breaks.
fn send_on(mut smtp: Smtp, round: usize, sender: usize, ledger: &Mutex<Ledger>, acknowledged: &AtomicUsize) {
    loop {
        let mut known = ledger.lock().expect("the ledger");
        let n = known.len();
        let id = format!("r{round}-s{sender}-n{n}");
        let to = if n.is_multiple_of(3) { vec!["carol", "dave"] } else { vec![if n.is_multiple_of(2) { "carol" } else { "dave" }] };
        // Written down before it is sent: what is found must be known.
        known.insert(id.clone(), Sent { to: to.clone(), acknowledged: false });
        drop(known);
        let addresses: Vec<String> = to.iter().map(|user| format!("{user}@example.test")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let size = if n % 16 == 7 { LARGE } else { SMALL };
        if smtp.send("load@example.net", &addresses, &message(&id, size)).is_err() {
            return;
        }
        ledger.lock().expect("the ledger").get_mut(&id).expect("its own entry").acknowledged = true;
        acknowledged.fetch_add(1, Ordering::Relaxed);
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
