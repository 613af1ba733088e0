//! Several clients do this and that to one mailbox. Each keeps a model of what it was told, as a mail program would; whatever
//! the server says must fit, and at the end each model is the truth. One lives by QRESYNC: when it selects anew it goes on with
//! what it knew. One speaks IMAP4rev2.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use mail::{Flags, MailboxName};

use super::client::Client;
use super::world::{World, on_every_engine, settings};

/// A small generator: one seed, one run (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as usize
    }
}

type Names = BTreeSet<String>;

/// What a client knows of one message.
#[derive(Clone, Default, Debug)]
struct Known {
    uid: Option<u32>,
    flags: Option<Names>,
}

/// Which session was told that a UID is \Recent.
type Recents = Arc<Mutex<HashMap<u32, usize>>>;

/// What a client has enabled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Speaks {
    Rev1,
    Qresync,
    Rev2,
}

struct Reader {
    client: Client,
    speaks: Speaks,
    validity: u64,
    /// The MODSEQ up to which it takes itself to know everything (RFC 7162 §6).
    highest: u64,
    /// What the command under way has told of that: HIGHESTMODSEQ, and the highest of the MODSEQs.
    told: (Option<u64>, u64),
    dice: Dice,
    known: Vec<Known>,
    /// Flags the mailbox is known to have.
    names: Names,
    recents: Recents,
    /// Counts selections: each is a session of its own for \Recent.
    id: usize,
    history: Vec<String>,
}

impl Reader {
    async fn new(world: &World, id: usize, seed: u64, recents: Recents) -> Reader {
        let client = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        let speaks = [Speaks::Rev1, Speaks::Qresync, Speaks::Rev2][id % 3];
        let (known, names, history) = (Vec::new(), Names::new(), Vec::new());
        let mut reader = Reader { client, speaks, validity: 0, highest: 0, told: (None, 0), dice: Dice(seed), known, names, recents, id, history };
        match speaks {
            Speaks::Rev1 => {}
            Speaks::Qresync => drop(reader.run("ENABLE QRESYNC", false).await),
            Speaks::Rev2 => drop(reader.run("ENABLE IMAP4rev2", false).await),
        }
        reader.select().await;
        reader
    }

    async fn select(&mut self) {
        self.id += 1000;
        let before = std::mem::take(&mut self.known);
        if self.speaks != Speaks::Qresync || self.highest == 0 {
            self.run("SELECT INBOX", true).await;
        } else {
            self.resync(before).await;
        }
        self.learn().await;
    }

    /// Goes on with what it knew: told is what has vanished, and the state of what has changed or come.
    async fn resync(&mut self, mut before: Vec<Known>) {
        let answer = self.run(&format!("SELECT INBOX (QRESYNC ({} {}))", self.validity, self.highest), true).await;
        let earlier = answer.iter().filter_map(|line| line.strip_prefix("* VANISHED (EARLIER) "));
        let gone: Vec<u32> = earlier.flat_map(uids).collect();
        before.retain(|known| !gone.contains(&known.uid.unwrap()));
        if before.len() > self.known.len() {
            self.fail("M-10: something vanished and was not told");
        }
        for (at, old) in before.into_iter().enumerate() {
            let known = &mut self.known[at];
            match known.uid {
                Some(uid) if Some(uid) != old.uid => self.fail("M-10: another message under this number"),
                Some(_) => {}
                None => *known = old,
            }
        }
        if self.known.iter().any(|known| known.uid.is_none() || known.flags.is_none()) {
            self.fail("M-10: something came and was not told");
        }
    }

    /// Who lives by UIDs asks for those it does not know yet; and again, if more came meanwhile.
    async fn learn(&mut self) {
        while self.speaks == Speaks::Qresync && self.known.iter().any(|known| known.uid.is_none()) {
            self.say("FETCH 1:* (UID FLAGS MODSEQ)", false).await;
        }
    }

    /// Runs a command, and takes in all that is told. `expunge`: whether EXPUNGE may be.
    async fn run(&mut self, command: &str, expunge: bool) -> Vec<String> {
        let answer = self.say(command, expunge).await;
        if !command.starts_with("SELECT") {
            self.learn().await;
        }
        answer
    }

    async fn say(&mut self, command: &str, expunge: bool) -> Vec<String> {
        self.history.push(format!("C: {command}"));
        let answer = self.client.command(command).await;
        for line in &answer {
            self.history.push(format!("S: {line}"));
            self.hear(line, expunge);
        }
        // HIGHESTMODSEQ counts, even below a MODSEQ that was seen.
        let (said, seen) = std::mem::take(&mut self.told);
        self.highest = said.unwrap_or(self.highest.max(seen));
        answer
    }

    fn fail(&self, why: &str) -> ! {
        let tail = self.history.len().saturating_sub(40);
        panic!("{why}; the last of session {}:\n{}", self.id, self.history[tail..].join("\n"));
    }

    fn hear(&mut self, line: &str, expunge: bool) {
        if let Some(highest) = number(line, "[HIGHESTMODSEQ ") {
            self.told.0 = Some(highest);
        }
        self.validity = number(line, "[UIDVALIDITY ").unwrap_or(self.validity);
        if self.speaks == Speaks::Rev2 && ["RECENT", "Recent", "* SEARCH"].iter().any(|gone| line.contains(gone)) {
            self.fail("what IMAP4rev2 has not");
        }
        let Some(said) = line.strip_prefix("* ") else { return };
        if let Some(flags) = said.strip_prefix("FLAGS (") {
            self.names = flags.trim_end_matches(')').split(' ').map(str::to_owned).collect();
        }
        if let Some(gone) = said.strip_prefix("VANISHED ").filter(|gone| !gone.starts_with('(')) {
            return self.vanished(gone, expunge);
        }
        let Some((number, what)) = said.split_once(' ') else { return };
        let Ok(number) = number.parse::<usize>() else { return };
        match what {
            "EXISTS" if number < self.known.len() => self.fail("S-02: EXISTS shrank"),
            "EXISTS" => self.known.resize_with(number, Known::default),
            "EXPUNGE" if self.speaks == Speaks::Qresync => self.fail("EXPUNGE in place of VANISHED"),
            "EXPUNGE" if !expunge => self.fail("E-01: EXPUNGE where none may be"),
            "EXPUNGE" if !(1..=self.known.len()).contains(&number) => self.fail("EXPUNGE of an unknown number"),
            "EXPUNGE" => drop(self.known.remove(number - 1)),
            fetch if fetch.starts_with("FETCH (") => self.fetched(number, fetch),
            _ => {}
        }
    }

    fn vanished(&mut self, gone: &str, expunge: bool) {
        if !expunge {
            self.fail("E-01: VANISHED where none may be");
        }
        for uid in uids(gone) {
            match self.known.iter().position(|known| known.uid == Some(uid)) {
                Some(at) => drop(self.known.remove(at)),
                None => self.fail("VANISHED of what was not there"),
            }
        }
    }

    fn fetched(&mut self, number: usize, fetch: &str) {
        self.told.1 = self.told.1.max(self::number(fetch, "MODSEQ (").unwrap_or(0));
        if !(1..=self.known.len()).contains(&number) {
            self.fail("FETCH of an unknown number");
        }
        let uid = fetch.split_once("UID ").and_then(|(_, rest)| rest.split([' ', ')']).next()?.parse().ok());
        let before = self.known[number - 1].uid;
        if uid.is_some() && before.is_some() && uid != before {
            self.fail("S-01: another message under this number");
        }
        self.known[number - 1].uid = before.or(uid);
        let Some((_, flags)) = fetch.split_once("FLAGS (") else { return };
        let flags = flags.split(')').next().unwrap_or_default();
        let mut flags: Names = flags.split(' ').filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
        if flags.remove("\\Recent")
            && let Some(uid) = uid
        {
            let first = *self.recents.lock().unwrap().entry(uid).or_insert(self.id);
            if first != self.id {
                self.fail("F-02: \\Recent to two sessions");
            }
        }
        if !flags.is_subset(&self.names) {
            self.fail("E-12: a keyword that wasn't announced");
        }
        self.known[number - 1].flags = Some(flags);
    }

    /// One thing a client might do.
    async fn step(&mut self, world: &World) {
        let count = self.known.len();
        let one = 1 + self.dice.roll(count);
        match self.dice.roll(16) {
            13 if count > 0 => drop(self.run(&format!("MOVE {one} INBOX"), true).await),
            14 if count > 0 => {
                let uid = self.known[one - 1].uid.unwrap_or(1);
                self.run(&format!("UID MOVE {uid} Trash"), true).await;
            }
            0 => drop(self.run("APPEND INBOX (\\Draft) {5+}\r\nhello", true).await),
            1 => world.deliver("INBOX", b"Subject: in\r\n\r\nx\r\n").await,
            2 if count > 0 => self.store(&format!("{one}"), false).await,
            3 if count > 0 => self.store(&format!("{one}:*"), false).await,
            4 if count > 0 => self.store("1:*", true).await,
            5 => drop(self.run("EXPUNGE", true).await),
            6 if count > 0 => {
                let uid = self.known[one - 1].uid.unwrap_or(1);
                self.run(&format!("UID EXPUNGE {uid}"), true).await;
            }
            7 if count > 0 && count < 40 => drop(self.run(&format!("COPY {one} INBOX"), true).await),
            // What comes and goes within IDLE has no UID that it could know.
            8 if self.speaks != Speaks::Qresync => self.idle().await,
            9 => self.search().await,
            10 if count > 0 => drop(self.run(&format!("FETCH {one}:* (FLAGS UID BODY.PEEK[TEXT])"), false).await),
            11 if count > 0 => drop(self.run(&format!("FETCH {one} (UID BODY[TEXT])"), false).await),
            12 if self.speaks == Speaks::Qresync || self.dice.roll(6) == 0 => {
                self.run("UNSELECT", true).await;
                self.select().await;
            }
            _ => drop(self.run("NOOP", true).await),
        }
    }

    async fn search(&mut self) {
        let answer = self.run("SEARCH OR DELETED BODY hello", false).await;
        if self.speaks == Speaks::Rev2 {
            return match answer.iter().any(|line| line.starts_with("* ESEARCH (TAG \"x\")")) {
                true => {}
                false => self.fail("no ESEARCH line"),
            };
        }
        let numbers = answer.iter().find_map(|line| line.strip_prefix("* SEARCH")).unwrap_or_else(|| self.fail("Q-07: no SEARCH line"));
        let numbers: Vec<usize> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
        if !numbers.is_sorted() || numbers.last().is_some_and(|last| *last > self.known.len()) {
            self.fail("Q-06: SEARCH found numbers that are not");
        }
    }

    async fn idle(&mut self) {
        self.history.push("C: IDLE, DONE".into());
        self.client.send(b"x IDLE\r\nDONE\r\n").await;
        while let Some(line) = self.client.response().await {
            self.history.push(format!("S: {line}"));
            self.hear(&line, true);
            if line.starts_with("x ") {
                return;
            }
        }
        self.fail("IDLE had no answer");
    }

    async fn store(&mut self, set: &str, by_uid: bool) {
        const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "Work", "Later"];
        let flag = FLAGS[self.dice.roll(FLAGS.len())];
        let change = ["+", "-", ""][self.dice.roll(3)];
        let silent = self.dice.roll(2) == 0;
        if silent && !by_uid {
            // A mail program takes its own change for granted.
            let first: usize = set.split(':').next().unwrap().parse().unwrap();
            let last = if set.contains(':') { self.known.len() } else { first };
            self.run(&format!("FETCH {set} (FLAGS)"), false).await;
            for known in &mut self.known[first - 1..last] {
                let Some(flags) = &mut known.flags else { continue };
                match change {
                    "+" => drop(flags.insert(flag.into())),
                    "-" => drop(flags.remove(flag)),
                    _ => *flags = Names::from([flag.to_owned()]),
                }
            }
        }
        let uid = if by_uid { "UID " } else { "" };
        let silent = if silent && !by_uid { ".SILENT" } else { "" };
        self.run(&format!("{uid}STORE {set} {change}FLAGS{silent} ({flag})"), by_uid).await;
    }

    /// At the end the client knows the truth: first of what it believes already, then of everything.
    async fn check(&mut self, world: &World) {
        self.run("NOOP", true).await;
        let truth = truth(world).await;
        self.agrees(&truth);
        self.run("FETCH 1:* (UID FLAGS)", false).await;
        self.agrees(&truth);
        if self.known.iter().any(|known| known.uid.is_none() || known.flags.is_none()) {
            self.fail("FETCH 1:* left something out");
        }
    }

    fn agrees(&self, truth: &[(u32, Names)]) {
        if self.known.len() != truth.len() {
            self.fail(&format!("{} messages known, {} there", self.known.len(), truth.len()));
        }
        for (known, (uid, flags)) in self.known.iter().zip(truth) {
            if known.uid.is_some_and(|known| known != *uid) || known.flags.as_ref().is_some_and(|known| known != flags) {
                self.fail(&format!("{known:?} is {uid} {flags:?}"));
            }
        }
    }
}

/// The number behind a word.
fn number(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    rest.split([']', ')']).next()?.parse().ok()
}

/// A set of UIDs, one by one.
fn uids(set: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        first.parse::<u32>().unwrap()..=last.parse::<u32>().unwrap()
    };
    set.split(',').flat_map(range).collect()
}

/// UIDs and flags as the store has them.
async fn truth(world: &World) -> Vec<(u32, Names)> {
    let view = world.store.open(world.alice, &MailboxName::inbox()).await.unwrap();
    let names = |flags: Flags| {
        let named = view.keywords.names(flags).map(|name| name.as_str().to_owned());
        flags.names().map(str::to_owned).chain(named).collect()
    };
    view.rows.iter().map(|row| (row.uid.get(), names(row.flags))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_turns_every_client_is_told_the_truth() {
    on_every_engine(settings(), |world| async move {
        for seed in 0..4 {
            let recents = Recents::default();
            let mut readers = Vec::new();
            for id in 0..3 {
                readers.push(Reader::new(&world, id, seed * 10 + id as u64, recents.clone()).await);
            }
            let mut dice = Dice(seed);
            for _ in 0..150 {
                readers[dice.roll(3)].step(&world).await;
            }
            for reader in &mut readers {
                reader.check(&world).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once_every_client_is_told_the_truth() {
    on_every_engine(settings(), |world| async move {
        // Bodies become files and flags file names all the while.
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let settler = tokio::spawn(store::settle::run(world.store.clone(), async move { drop(stopped.await) }));
        let recents = Recents::default();
        let readers = (0..4).map(|id| {
            let (world, recents) = (world.clone(), recents.clone());
            tokio::spawn(async move {
                let mut reader = Reader::new(&world, id, 77 + id as u64, recents).await;
                for _ in 0..120 {
                    reader.step(&world).await;
                }
                reader
            })
        });
        let mut done = Vec::new();
        for reader in readers.collect::<Vec<_>>() {
            done.push(reader.await.unwrap());
        }
        for reader in &mut done {
            reader.check(&world).await;
        }
        drop(stop);
        settler.await.unwrap();
    })
    .await;
}
