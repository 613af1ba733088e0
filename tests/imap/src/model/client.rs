//! One client: a connection, what it was told, and how it does what comes to its mind.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::action::{Action, How, KEPT, Pick, What};
use super::view::{Expunge, Told, View};
use super::{Flags, Ident, Uid, numbers, text};
use crate::response::{Condition, Response};
use crate::server::Server;
use crate::wire::{Answer, Connection};

/// Messages of a mailbox from which on few are copied.
const CROWDED: usize = 40;

/// A rule and what broke it.
pub type Broken = String;

/// What a client keeps of a mailbox that it may come back to (RFC 7162 §6).
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// UIDVALIDITY
    pub validity: u32,
    /// HIGHESTMODSEQ when it was true.
    pub modseq: u64,
    /// What was there.
    pub messages: BTreeMap<Uid, Flags>,
}

/// A client.
pub struct Client {
    /// Its connection.
    pub connection: Connection,
    /// What is selected.
    pub view: Option<View>,
    /// MOVE is announced.
    pub moves: bool,
    /// CONDSTORE is on; with `qresync`, that too.
    pub condstore: bool,
    /// QRESYNC is on.
    pub qresync: bool,
    /// What it keeps, by mailbox.
    pub kept: BTreeMap<&'static str, Kept>,
    idle: Option<String>,
    selections: usize,
    /// Tells the selections of all clients apart.
    pub number: usize,
}

/// What a client has done that the others may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// Nothing.
    Looked,
    /// The view must be all that is true.
    Synced,
    /// As `Synced`, of what it keeps.
    Resynced(&'static str),
    /// These messages are those of its view that changed after `since`, and all of them.
    Changed { since: u64, uids: Vec<Uid> },
    /// STORE, or `\Seen` by FETCH. `modified` were left alone.
    Stored { uids: Vec<Uid>, how: How, flags: Flags, unchanged_since: Option<u64>, modified: Vec<Uid> },
    /// COPY or MOVE of `uids`; `pairs` is what COPYUID says.
    Copied { uids: Vec<Uid>, to: &'static str, pairs: Vec<(Uid, Uid)>, moved: bool },
    Appended { to: &'static str, ident: Ident, flags: Flags, uid: Option<Uid> },
    /// EXPUNGE, within these if it was UID EXPUNGE.
    Expunged { within: Option<Vec<Uid>> },
    /// CLOSE, which expunges.
    Closed,
    Searched { flag: String, not: bool, found: Vec<Uid> },
    Status { mailbox: &'static str, items: BTreeMap<String, u64> },
    Created(&'static str),
    Deleted(&'static str),
    Renamed(&'static str, &'static str),
}

/// What was done, and what came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it did.
    pub did: Did,
    /// The last tagged line.
    pub tagged: Condition,
    /// All that it was told on the way.
    pub told: Vec<Told>,
    /// As it was before.
    pub before: Option<View>,
}

impl Client {
    /// Connects; every third client uses CONDSTORE, every third QRESYNC, where there is any.
    pub fn connect(server: &dyn Server, number: usize) -> Result<Client, Broken> {
        let connection = server.connect().map_err(|error| format!("connecting: {error}"))?;
        let mut client = Client { connection, view: None, moves: false, condstore: false, qresync: false, kept: BTreeMap::new(), idle: None, selections: 0, number };
        let mut told = Vec::new();
        let answer = client.ask("CAPABILITY", None, Expunge::Any, &mut told)?;
        let announced: Vec<String> = answer.untagged.iter().filter_map(|response| match response {
            Response::Data(word, values) if word == "CAPABILITY" => Some(values.iter().filter_map(|value| Some(value.atom()?.to_ascii_uppercase()))),
            _ => None,
        }).flatten().collect();
        let has = |name: &str| announced.iter().any(|announced| announced == name);
        client.moves = has("MOVE");
        for (turn, name) in [(1, "QRESYNC"), (2, "CONDSTORE")] {
            if number % 3 == turn && has("ENABLE") && has(name) {
                client.ask(&format!("ENABLE {name}"), None, Expunge::Any, &mut told)?;
                client.condstore = true;
                client.qresync = name == "QRESYNC";
            }
        }
        Ok(client)
    }

    /// Runs one command; what is told is taken in.
    pub fn ask(&mut self, command: &str, literal: Option<&[u8]>, expunge: Expunge, told: &mut Vec<Told>) -> Result<Answer, Broken> {
        self.finish_idle(told)?;
        let answer = self.connection.ask_with(command.as_bytes(), literal).map_err(|error| wire(&error))?;
        self.hear(&answer, expunge, told)?;
        let highest = answer.tagged.code("HIGHESTMODSEQ").and_then(|rest| rest.first()?.number());
        if let (Some(highest), Some(view)) = (highest, &mut self.view) {
            view.highest = view.highest.max(highest);
            self.keep(highest);
        }
        if answer.tagged.word == "BAD" {
            return Err(format!("{command}: BAD: {}", answer.tagged.text));
        }
        Ok(answer)
    }

    /// Who is told a HIGHESTMODSEQ has been told of every change until then (M-13), and may go on from there another day.
    fn keep(&mut self, modseq: u64) {
        let Some(view) = &self.view else { return };
        let Some(name) = KEPT.iter().find(|name| **name == view.mailbox) else { return };
        let messages: Option<BTreeMap<Uid, Flags>> = view.rows.iter().map(|row| Some((row.uid?, row.flags.clone()?))).collect();
        if let Some(messages) = messages {
            self.kept.insert(name, Kept { validity: view.validity, modseq, messages });
        }
    }

    fn hear(&mut self, answer: &Answer, expunge: Expunge, told: &mut Vec<Told>) -> Result<(), Broken> {
        for response in &answer.untagged {
            if matches!(response, Response::Untagged(condition) if condition.word == "BYE") {
                return Err(format!("C-08: {response:?}"));
            }
            if let Some(view) = &mut self.view {
                told.extend(view.hear(response, expunge)?);
            }
        }
        Ok(())
    }

    /// DONE, if it is in IDLE.
    pub fn finish_idle(&mut self, told: &mut Vec<Told>) -> Result<(), Broken> {
        let Some(tag) = self.idle.take() else { return Ok(()) };
        self.connection.send(b"DONE\r\n").map_err(|error| wire(&error))?;
        let answer = self.connection.until(&tag, None).map_err(|error| wire(&error))?;
        self.hear(&answer, Expunge::Any, told)?;
        if answer.tagged.is_ok() { Ok(()) } else { Err(format!("IDLE: {:?}", answer.tagged)) }
    }

    /// Asks for UIDs and flags of what has come, until nothing more comes: a command by number must know what it means.
    fn learn(&mut self, told: &mut Vec<Told>) -> Result<(), Broken> {
        while let Some(view) = self.view.as_mut().filter(|view| view.grown) {
            view.grown = false;
            let unknown: Vec<String> = view.rows.iter().zip(1..).filter(|(row, _)| row.uid.is_none()).map(|(_, number): (_, u32)| number.to_string()).collect();
            if !unknown.is_empty() {
                let modseq = if self.condstore { " MODSEQ" } else { "" };
                self.ask(&format!("FETCH {} (UID FLAGS{modseq})", unknown.join(",")), None, Expunge::Never, told)?;
            }
        }
        Ok(())
    }

    /// Ends IDLE, if it is in it: what was told in that is of the mailbox that was selected then.
    pub fn wake(&mut self) -> Result<Outcome, Broken> {
        let (before, mut told) = (self.view.clone(), Vec::new());
        self.finish_idle(&mut told)?;
        self.learn(&mut told)?;
        Ok(Outcome { did: Did::Looked, tagged: done(), told, before })
    }

    /// Does it, after [`wake`](Client::wake). What needs a selected mailbox, or a message, and has none, becomes NOOP.
    pub fn perform(&mut self, action: &Action, next: &mut dyn FnMut() -> Ident) -> Result<Outcome, Broken> {
        let (before, mut told) = (self.view.clone(), Vec::new());
        let (did, tagged) = self.act(action, next, &mut told)?;
        self.learn(&mut told)?;
        Ok(Outcome { did, tagged, told, before })
    }

    fn act(&mut self, action: &Action, next: &mut dyn FnMut() -> Ident, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        match action {
            Action::Select { mailbox, read_only } => self.select(mailbox, *read_only, told),
            Action::Resync { mailbox } => self.resync(mailbox, told),
            Action::Append { to, flags } => self.append(to, flags, next(), told),
            Action::Status { mailbox } => self.status(mailbox, told),
            Action::Create { mailbox } => self.plain(&format!("CREATE {mailbox}"), Did::Created(mailbox), told),
            Action::Delete { mailbox } => self.plain(&format!("DELETE {mailbox}"), Did::Deleted(mailbox), told),
            Action::Rename { from, to } => self.plain(&format!("RENAME {from} {to}"), Did::Renamed(from, to), told),
            Action::Idle if self.view.is_some() => self.begin_idle(told),
            _ if self.view.is_none() => self.plain("NOOP", Did::Looked, told),
            Action::Idle | Action::Noop => self.plain("NOOP", Did::Synced, told),
            Action::Check => self.plain("CHECK", Did::Looked, told),
            Action::Close | Action::Unselect => {
                let (command, did) = if *action == Action::Close { ("CLOSE", Did::Closed) } else { ("UNSELECT", Did::Looked) };
                let done = self.plain(command, did, told)?;
                self.view = None;
                Ok(done)
            }
            Action::Expunge => self.plain("EXPUNGE", Did::Expunged { within: None }, told),
            Action::Search { by_uid, flag, not } => self.search(*by_uid, flag, *not, told),
            Action::ChangedSince => self.changed_since(told),
            Action::Fetch { by_uid, pick, what } => self.fetch(*by_uid, *pick, *what, told),
            Action::Store { by_uid, pick, how, silent, flags, unchanged_since } => self.store(*by_uid, *pick, *how, *silent, flags, *unchanged_since, told),
            Action::Copy { by_uid, pick, to } => self.copy(*by_uid, *pick, to, false, told),
            Action::Move { by_uid, pick, to } => self.copy(*by_uid, *pick, to, true, told),
            Action::UidExpunge { pick } => match self.chosen(true, *pick) {
                Some((set, uids)) => self.plain(&format!("UID EXPUNGE {set}"), Did::Expunged { within: Some(uids) }, told),
                None => self.plain("NOOP", Did::Synced, told),
            },
        }
    }

    fn plain(&mut self, command: &str, did: Did, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let answer = self.ask(command, None, Expunge::Any, told)?;
        Ok((did, answer.tagged))
    }

    /// A set in numbers or UIDs, and the UIDs that it means.
    fn chosen(&self, by_uid: bool, pick: Pick) -> Option<(String, Vec<Uid>)> {
        let rows = &self.view.as_ref()?.rows;
        let places: Vec<usize> = if by_uid { (0..rows.len()).filter(|place| rows[*place].uid.is_some()).collect() } else { (0..rows.len()).collect() };
        let picked: Vec<usize> = pick.places(places.len()).into_iter().map(|place| places[place]).collect();
        let number = |place: &usize| if by_uid { rows[*place].uid.unwrap_or_default() } else { *place as u32 + 1 };
        let (first, last) = (picked.first()?, picked.last()?);
        let set = match pick {
            Pick::Range(..) | Pick::All => format!("{}:{}", number(first), number(last)),
            Pick::One(_) | Pick::Two(..) => picked.iter().map(|place| number(place).to_string()).collect::<Vec<_>>().join(","),
        };
        // A range of UIDs may hold some that the client has not heard of: only those before and after are told apart.
        let set = if by_uid { picked.iter().map(|place| number(place).to_string()).collect::<Vec<_>>().join(",") } else { set };
        Some((set, picked.iter().filter_map(|place| rows[*place].uid).collect()))
    }

    fn begin_view(&mut self, mailbox: &str, read_only: bool) {
        self.selections += 1;
        self.view = Some(View { mailbox: mailbox.to_owned(), read_only, id: self.number * 1_000_000 + self.selections, ..View::default() });
    }

    fn select(&mut self, mailbox: &'static str, read_only: bool, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        self.begin_view(mailbox, read_only);
        let answer = self.ask(&format!("{} {mailbox}", if read_only { "EXAMINE" } else { "SELECT" }), None, Expunge::Any, told)?;
        if !answer.tagged.is_ok() {
            self.view = None;
            return Ok((Did::Looked, answer.tagged));
        }
        self.learn(told)?;
        if let Some(highest) = self.view.as_ref().map(|view| view.highest).filter(|_| self.condstore) {
            self.keep(highest);
        }
        Ok((Did::Looked, answer.tagged))
    }

    /// RFC 7162 §3.2.5
    fn resync(&mut self, mailbox: &'static str, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let Some(mut kept) = self.kept.get(mailbox).cloned().filter(|kept| self.qresync && kept.modseq > 0) else {
            return self.select(mailbox, false, told);
        };
        self.begin_view(mailbox, false);
        let answer = self.ask(&format!("SELECT {mailbox} (QRESYNC ({} {}))", kept.validity, kept.modseq), None, Expunge::Any, told)?;
        let Some(view) = self.view.as_mut().filter(|_| answer.tagged.is_ok()) else { return Err(format!("M-10: SELECT with QRESYNC: {:?}", answer.tagged)) };
        if view.validity != kept.validity {
            // As a plain SELECT.
            self.kept.remove(mailbox);
            self.learn(told)?;
            return Ok((Did::Looked, answer.tagged));
        }
        for response in &answer.untagged {
            if let Response::Data(word, values) = response
                && word == "VANISHED"
            {
                let uids = values.last().and_then(|value| numbers(value.atom()?)).ok_or("VANISHED without UIDs")?;
                uids.iter().for_each(|uid| drop(kept.messages.remove(uid)));
            }
        }
        for heard in &*told {
            if let Told::Flags { uid, flags, .. } = heard {
                kept.messages.insert(*uid, flags.clone());
            }
        }
        if kept.messages.len() != view.rows.len() {
            return Err(format!("M-10: {} messages are kept, {} are there", kept.messages.len(), view.rows.len()));
        }
        for (row, (uid, flags)) in view.rows.iter_mut().zip(&kept.messages) {
            if row.uid.is_some_and(|told| told != *uid) {
                return Err(format!("M-10: {uid} is kept where {:?} is", row.uid));
            }
            (row.uid, row.flags) = (Some(*uid), Some(flags.clone()));
        }
        view.grown = false;
        kept.modseq = view.highest;
        self.kept.insert(mailbox, kept);
        Ok((Did::Resynced(mailbox), answer.tagged))
    }

    /// RFC 2177
    fn begin_idle(&mut self, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let tag = self.connection.tag();
        self.connection.send(format!("{tag} IDLE\r\n").as_bytes()).map_err(|error| wire(&error))?;
        // What comes before the continuation is told as in any command.
        let mut early = Vec::new();
        loop {
            match self.connection.response().map_err(|error| wire(&error))? {
                Response::Continue => break,
                Response::Tagged(_, tagged) => return Err(format!("IDLE: {tagged:?}")),
                response => early.push(response),
            }
        }
        self.idle = Some(tag);
        self.hear(&Answer { untagged: early, tagged: done() }, Expunge::Any, told)?;
        Ok((Did::Looked, done()))
    }

    fn fetch(&mut self, by_uid: bool, pick: Pick, what: What, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let Some((set, uids)) = self.chosen(by_uid, pick) else { return self.plain("NOOP", Did::Synced, told) };
        let items = match what {
            What::Flags => "(FLAGS)",
            What::Sizes => "(UID FLAGS RFC822.SIZE)",
            What::Peek => "(BODY.PEEK[])",
            What::Body => "(BODY[])",
        };
        let (word, expunge) = word("FETCH", by_uid);
        let answer = self.ask(&format!("{word} {set} {items}"), None, expunge, told)?;
        let read_only = self.view.as_ref().is_some_and(|view| view.read_only);
        let did = match what {
            What::Body if !read_only => Did::Stored { uids, how: How::Add, flags: ["\\seen".to_owned()].into(), unchanged_since: None, modified: Vec::new() },
            _ => Did::Looked,
        };
        Ok((did, answer.tagged))
    }

    /// RFC 7162 §3.1.4.1, after NOOP, so that nothing is held back.
    fn changed_since(&mut self, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let noop = self.plain("NOOP", Did::Synced, told)?;
        self.learn(told)?;
        let Some(view) = self.view.as_ref().filter(|view| self.condstore && !view.rows.is_empty()) else { return Ok(noop) };
        let kept = self.kept.values().find(|kept| kept.validity == view.validity).map(|kept| kept.modseq);
        let Some(since) = kept.filter(|since| *since > 0) else { return Ok(noop) };
        let mut heard = Vec::new();
        let answer = self.ask(&format!("FETCH 1:* (UID FLAGS) (CHANGEDSINCE {since})"), None, Expunge::Never, &mut heard)?;
        let uids = heard.iter().filter_map(|told| match told {
            Told::Flags { uid, .. } => Some(*uid),
            _ => None,
        });
        let did = Did::Changed { since, uids: uids.collect() };
        told.append(&mut heard);
        Ok((did, answer.tagged))
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the command")]
    fn store(&mut self, by_uid: bool, pick: Pick, how: How, silent: bool, flags: &[&str], unchanged_since: bool, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let Some((set, uids)) = self.chosen(by_uid, pick) else { return self.plain("NOOP", Did::Synced, told) };
        let names: Flags = flags.iter().map(|flag| flag.to_ascii_lowercase()).collect();
        let Some(view) = &mut self.view else { return Err("nothing is selected".into()) };
        let since = Some(view.rows.iter().map(|row| row.modseq).max().unwrap_or_default().max(view.highest)).filter(|since| unchanged_since && self.condstore && *since > 0);
        if silent {
            // A client takes its own change for granted, unless it may be refused.
            for uid in &uids {
                let Some(index) = view.index(*uid) else { continue };
                let known = view.rows[index].flags.take();
                view.rows[index].flags = known.filter(|_| since.is_none() && !view.read_only).map(|known| changed(&known, how, &names));
            }
        }
        let numbered: BTreeMap<u32, Uid> = view.rows.iter().zip(1..).filter_map(|(row, number)| Some((number, row.uid?))).collect();
        let modifier = since.map(|since| format!(" (UNCHANGEDSINCE {since})")).unwrap_or_default();
        let item = format!("{}FLAGS{}", ["+", "-", ""][how as usize], if silent { ".SILENT" } else { "" });
        let (word, expunge) = word("STORE", by_uid);
        let answer = self.ask(&format!("{word} {set}{modifier} {item} ({})", flags.join(" ")), None, expunge, told)?;
        let modified = match answer.tagged.code("MODIFIED") {
            Some(rest) => rest.first().and_then(|set| numbers(set.atom()?)).ok_or("M-04: MODIFIED without a set")?,
            None => Vec::new(),
        };
        let modified = if by_uid { modified } else { modified.iter().filter_map(|number| numbered.get(number).copied()).collect() };
        if silent && !answer.tagged.is_ok() && let Some(view) = &mut self.view {
            // Who knows what was done.
            for uid in &uids {
                if let Some(index) = view.index(*uid) {
                    view.rows[index].flags = None;
                }
            }
        }
        Ok((Did::Stored { uids, how, flags: names, unchanged_since: since, modified }, answer.tagged))
    }

    fn copy(&mut self, by_uid: bool, mut pick: Pick, to: &'static str, moved: bool, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        // Else copies of copies would soon be all there is.
        if self.view.as_ref().is_some_and(|view| view.rows.len() > CROWDED) {
            pick = match pick {
                Pick::Range(one, _) | Pick::One(one) => Pick::One(one),
                pick => Pick::Two(0, pick.places(CROWDED).len()),
            };
        }
        let Some((set, uids)) = self.chosen(by_uid, pick).filter(|_| self.moves || !moved) else { return self.plain("NOOP", Did::Synced, told) };
        let (word, _) = word(if moved { "MOVE" } else { "COPY" }, by_uid);
        let answer = self.ask(&format!("{word} {set} {to}"), None, Expunge::Any, told)?;
        let untagged = answer.untagged.iter().filter_map(|response| match response {
            Response::Untagged(condition) => Some(condition),
            _ => None,
        });
        let code = untagged.chain([&answer.tagged]).find_map(|condition| condition.code("COPYUID"));
        let pairs = match code {
            None => Vec::new(),
            Some([_, from, to]) => {
                let [from, to] = [from, to].map(|set| set.atom().and_then(numbers).unwrap_or_default());
                if from.len() != to.len() || from.is_empty() {
                    return Err(format!("A-07: COPYUID pairs {from:?} with {to:?}"));
                }
                from.into_iter().zip(to).collect()
            }
            Some(other) => return Err(format!("COPYUID {other:?}")),
        };
        Ok((Did::Copied { uids, to, pairs, moved }, answer.tagged))
    }

    fn append(&mut self, to: &'static str, flags: &[&str], ident: Ident, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let list = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(" ")) };
        let answer = self.ask(&format!("APPEND {to}{list}"), Some(&text(ident)), Expunge::Any, told)?;
        let uid = answer.tagged.code("APPENDUID").and_then(|rest| rest.get(1)?.number()).and_then(|uid| Uid::try_from(uid).ok());
        Ok((Did::Appended { to, ident, flags: flags.iter().map(|flag| flag.to_ascii_lowercase()).collect(), uid }, answer.tagged))
    }

    fn search(&mut self, by_uid: bool, flag: &'static str, not: bool, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let key = match flag.strip_prefix('\\') {
            Some(system) => system.to_ascii_uppercase(),
            None => format!("KEYWORD {flag}"),
        };
        let (word, expunge) = word("SEARCH", by_uid);
        let rows = self.view.as_ref().map(|view| view.rows.clone()).unwrap_or_default();
        let answer = self.ask(&format!("{word} {}{key}", if not { "NOT " } else { "" }), None, expunge, told)?;
        let mut found = Vec::new();
        for response in &answer.untagged {
            if let Response::Data(word, values) = response
                && word == "SEARCH"
            {
                let numbers = values.iter().filter_map(|value| u32::try_from(value.number()?).ok());
                found.extend(numbers.filter_map(|number| match by_uid {
                    true => Some(number),
                    false => rows.get((number as usize).wrapping_sub(1))?.uid,
                }));
            }
        }
        Ok((Did::Searched { flag: flag.to_ascii_lowercase(), not, found }, answer.tagged))
    }

    fn status(&mut self, mailbox: &'static str, told: &mut Vec<Told>) -> Result<(Did, Condition), Broken> {
        let answer = self.ask(&format!("STATUS {mailbox} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"), None, Expunge::Any, told)?;
        let mut items = BTreeMap::new();
        for response in &answer.untagged {
            if let Response::Data(word, values) = response
                && word == "STATUS"
            {
                let list = values.get(1).and_then(|value| value.list()).ok_or("STATUS without its list")?;
                items.extend(list.chunks(2).filter_map(|pair| Some((pair[0].atom()?.to_ascii_uppercase(), pair.get(1)?.number()?))));
            }
        }
        Ok((Did::Status { mailbox, items }, answer.tagged))
    }
}

/// How what has no answer yet has ended.
fn done() -> Condition {
    Condition { word: "OK".into(), code: Vec::new(), text: String::new() }
}

/// A command's word, and whether EXPUNGE may be told in it.
fn word(word: &str, by_uid: bool) -> (String, Expunge) {
    if by_uid { (format!("UID {word}"), Expunge::Any) } else { (word.to_owned(), Expunge::Never) }
}

fn wire(error: &std::io::Error) -> Broken {
    match error.kind() {
        ErrorKind::InvalidData => error.to_string(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the server says nothing".into(),
        _ => format!("the connection broke: {error}"),
    }
}

/// RFC 3501 §6.4.6
pub fn changed(flags: &Flags, how: How, by: &Flags) -> Flags {
    match how {
        How::Add => flags | by,
        How::Remove => flags - by,
        How::Replace => by.clone(),
    }
}
