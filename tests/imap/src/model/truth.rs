//! What is in each mailbox, known exactly while clients take turns, and which changes a command allows.
//!
//! Every message has a history: the flags it had, one version after another. What a client is told of a message must be a version that
//! is not older than what it knew; so a session that is behind is right, and one that goes back, or tells what never was, is not.

use std::collections::{BTreeMap, HashMap};

use super::action::{Action, How};
use super::client::{Broken, Client, Did, Outcome, changed};
use super::view::{Expunge, Told, View};
use super::{Flags, Ident, Quirk, Uid, ident_of, text};
use crate::server::Server;

/// A message of a mailbox.
#[derive(Clone, Debug)]
struct Message {
    ident: Ident,
    /// The last is what is true.
    versions: Vec<Flags>,
    modseq: u64,
    gone: bool,
}

impl Message {
    fn now(&self) -> &Flags {
        self.versions.last().expect("a message has flags")
    }
}

#[derive(Clone, Debug, Default)]
struct Mailbox {
    validity: u32,
    highest: u64,
    /// The greatest UID ever.
    last: Uid,
    messages: BTreeMap<Uid, Message>,
}

impl Mailbox {
    fn alive(&self) -> impl Iterator<Item = (Uid, &Message)> {
        self.messages.iter().filter(|(_, message)| !message.gone).map(|(uid, message)| (*uid, message))
    }

    fn is_alive(&self, uid: Uid) -> bool {
        self.messages.get(&uid).is_some_and(|message| !message.gone)
    }
}

/// What may become of a message by a command; without one it stays as it is.
#[derive(Clone, Debug)]
enum Fate {
    /// It has these flags now.
    Has(Flags),
    /// One of these.
    HasOneOf(Vec<Flags>),
    Gone,
    /// Gone, or as it was.
    MayGo,
}

/// A message that comes into a mailbox by a command.
#[derive(Clone, Debug)]
struct Arrival {
    ident: Ident,
    flags: Vec<Flags>,
    uid: Option<Uid>,
}

/// All that a command does to one mailbox.
#[derive(Clone, Debug, Default)]
struct Expected {
    fates: BTreeMap<Uid, Fate>,
    arrivals: Vec<Arrival>,
    /// These may have come, and nobody was told ([`Quirk::RefusedMoveTellsNothing`]).
    strays: Vec<Arrival>,
}

/// What is true, and an auditor who finds it out.
pub struct Truth {
    /// Its connection, which only looks.
    pub auditor: Client,
    boxes: BTreeMap<&'static str, Mailbox>,
    /// The greatest UIDVALIDITY that a name ever had.
    validities: BTreeMap<&'static str, u32>,
    /// The selection that was told \Recent of a message (F-02).
    recents: HashMap<(u32, Uid), usize>,
    quirks: Vec<Quirk>,
}

/// The auditor is a client with CONDSTORE.
const AUDITOR: usize = 998;

impl Truth {
    /// Of a server where `kept` have just been created.
    pub fn new(server: &dyn Server, kept: &[&'static str], quirks: &[Quirk]) -> Result<Truth, Broken> {
        let mut truth = Truth { auditor: Client::connect(server, AUDITOR)?, boxes: BTreeMap::new(), validities: BTreeMap::new(), recents: HashMap::new(), quirks: quirks.to_vec() };
        for name in kept {
            truth.begin(name)?;
        }
        Ok(truth)
    }

    /// A mailbox that was created.
    fn begin(&mut self, name: &'static str) -> Result<(), Broken> {
        self.boxes.insert(name, Mailbox::default());
        let view = self.audit(name)?;
        if view.validity == 0 || self.validities.get(name).is_some_and(|before| view.validity <= *before) {
            return Err(format!("S-05: UIDVALIDITY of a new {name} is {}, and was {:?}", view.validity, self.validities.get(name)));
        }
        if !view.rows.is_empty() {
            return Err(format!("E-11: a new {name} has {} messages", view.rows.len()));
        }
        self.validities.insert(name, view.validity);
        self.boxes.insert(name, Mailbox { validity: view.validity, highest: view.highest, ..Mailbox::default() });
        Ok(())
    }

    /// Whether there is such a mailbox.
    pub fn has(&self, name: &str) -> bool {
        self.boxes.contains_key(name)
    }

    /// A mailbox as a fresh look shows it.
    fn audit(&mut self, name: &'static str) -> Result<View, Broken> {
        let outcome = self.auditor.perform(&Action::Select { mailbox: name, read_only: true }, &mut || 0)?;
        self.auditor.view.clone().ok_or_else(|| format!("{name} can't be opened: {:?}", outcome.tagged))
    }

    /// Judges what a client did; `client` is as it is after it.
    pub fn judge(&mut self, client: &mut Client, outcome: &Outcome) -> Result<(), Broken> {
        let expected = self.expected(outcome)?;
        for (name, expected) in expected {
            let seen = self.audit(name)?;
            self.apply(name, &seen, expected)?;
        }
        if let Some(view) = &mut client.view {
            for told in &outcome.told {
                self.told(view, told)?;
            }
        }
        self.agree(client, outcome)
    }

    /// What each mailbox that the command concerns must look like.
    fn expected(&mut self, outcome: &Outcome) -> Result<Vec<(&'static str, Expected)>, Broken> {
        let ok = outcome.tagged.is_ok();
        let selected = outcome.before.as_ref().and_then(|view| self.boxes.keys().copied().find(|name| *name == view.mailbox));
        let read_only = outcome.before.as_ref().is_some_and(|view| view.read_only);
        let refused = |why: bool| if ok || why { Ok(()) } else { Err(format!("refused without need: {:?}", outcome.tagged)) };
        match &outcome.did {
            Did::Looked | Did::Synced | Did::Resynced(_) | Did::Changed { .. } | Did::Searched { .. } => Ok(Vec::new()),
            Did::Status { mailbox, .. } => refused(!self.has(mailbox)).map(|()| Vec::new()),
            Did::Created(name) => {
                refused(self.has(name))?;
                if ok {
                    if self.has(name) {
                        return Err(format!("N-03: {name} was created twice"));
                    }
                    self.begin(name)?;
                }
                Ok(Vec::new())
            }
            Did::Deleted(name) => {
                refused(!self.has(name))?;
                if ok && self.boxes.remove(name).is_none() {
                    return Err(format!("N-05: {name} was not there, and is deleted"));
                }
                Ok(Vec::new())
            }
            Did::Renamed(from, to) => {
                refused(!self.has(from) || self.has(to))?;
                self.renamed(from, to, ok)
            }
            Did::Stored { .. } => {
                let Some((name, mailbox)) = selected.and_then(|name| Some((name, self.boxes.get(name)?))) else { return Ok(Vec::new()) };
                let expected = stored(mailbox, outcome, read_only)?;
                Ok(vec![(name, expected)])
            }
            Did::Expunged { within } => {
                refused(read_only)?;
                Ok(self.expunged(selected, outcome, within.as_deref(), ok && !read_only))
            }
            Did::Closed => Ok(self.expunged(selected, outcome, None, ok && !read_only)),
            Did::Appended { to, ident, flags, uid } => {
                refused(!self.has(to))?;
                self.needs(to, outcome)?;
                let arrival = Arrival { ident: *ident, flags: vec![flags.clone()], uid: *uid };
                Ok(if self.has(to) { vec![(*to, Expected { arrivals: vec![arrival], ..Expected::default() })] } else { Vec::new() })
            }
            Did::Copied { uids, to, pairs, moved } => {
                let Some(from) = selected else { return Ok(Vec::new()) };
                let some_gone = uids.iter().any(|uid| !self.boxes[from].is_alive(*uid));
                refused(!self.has(to) || some_gone || (*moved && read_only))?;
                // Which reason is told first is the server's: what is gone, or that the mailbox may only be read, says as much.
                if !some_gone && !(*moved && read_only) {
                    self.needs(to, outcome)?;
                }
                // A MOVE that is refused may be done in part (RFC 6851 §3.3), a COPY not.
                self.copied(from, to, uids, if ok || *moved { pairs } else { &[] }, *moved, ok, outcome)
            }
        }
    }

    /// What goes to a mailbox that is not there is refused with TRYCREATE.
    fn needs(&self, to: &str, outcome: &Outcome) -> Result<(), Broken> {
        if self.has(to) || (!outcome.tagged.is_ok() && outcome.tagged.code("TRYCREATE").is_some()) {
            return Ok(());
        }
        Err(format!("A-02: {to} is not there: {:?}", outcome.tagged))
    }

    fn renamed(&mut self, from: &'static str, to: &'static str, ok: bool) -> Result<Vec<(&'static str, Expected)>, Broken> {
        if !ok {
            return Ok(Vec::new());
        }
        let mailbox = self.boxes.remove(from).ok_or("N-06: a mailbox that was not there is renamed")?;
        if self.boxes.insert(to, mailbox).is_some() {
            return Err("N-06: a mailbox was renamed onto another".into());
        }
        let seen = self.audit(to)?;
        let mailbox = self.boxes.get_mut(to).ok_or("it is there")?;
        // Kept or raised: either is another than the one that this name had before (RFC 9051 §6.3.6).
        if seen.validity < mailbox.validity {
            return Err(format!("S-05: UIDVALIDITY {} of {from} is {} as {to}", mailbox.validity, seen.validity));
        }
        mailbox.validity = seen.validity;
        let greatest = self.validities.entry(to).or_default();
        *greatest = seen.validity.max(*greatest);
        Ok(vec![(to, Expected::default())])
    }

    fn expunged(&self, selected: Option<&'static str>, outcome: &Outcome, within: Option<&[Uid]>, may: bool) -> Vec<(&'static str, Expected)> {
        let Some(name) = selected else { return Vec::new() };
        let deleted = |flags: &Flags| flags.contains("\\deleted");
        let known = |uid: Uid| outcome.before.as_ref().and_then(|view| view.rows[view.index(uid)?].flags.as_ref());
        let mut fates = BTreeMap::new();
        if may {
            let chosen = self.boxes[name].alive().filter(|(uid, message)| deleted(message.now()) && within.is_none_or(|within| within.contains(uid)));
            // What was marked by another client, and not told to this one, may stay.
            fates.extend(chosen.map(|(uid, _)| (uid, if known(uid).is_some_and(deleted) { Fate::Gone } else { Fate::MayGo })));
        }
        vec![(name, Expected { fates, ..Expected::default() })]
    }

    #[expect(clippy::too_many_arguments, reason = "what the command was, and what came of it")]
    fn copied(
        &self,
        from: &'static str,
        to: &'static str,
        uids: &[Uid],
        pairs: &[(Uid, Uid)],
        moved: bool,
        ok: bool,
        outcome: &Outcome,
    ) -> Result<Vec<(&'static str, Expected)>, Broken> {
        let source = &self.boxes[from];
        if ok && let Some(left) = uids.iter().find(|uid| source.is_alive(**uid) && !pairs.iter().any(|(from, _)| from == *uid)) {
            return Err(format!("A-07: {left} was not copied"));
        }
        let (mut left, mut come) = (Expected::default(), Expected::default());
        if moved && !ok && self.quirks.contains(&Quirk::RefusedMoveTellsNothing) {
            for (uid, message) in source.alive().filter(|(uid, _)| uids.contains(uid)) {
                left.fates.insert(uid, Fate::MayGo);
                come.strays.push(Arrival { ident: message.ident, flags: message.versions.clone(), uid: None });
            }
        }
        for (uid, new) in pairs {
            let message = source.messages.get(uid).filter(|_| uids.contains(uid)).ok_or_else(|| format!("A-07: {uid} was copied, which was not asked for"))?;
            let known = outcome.before.as_ref().and_then(|view| Some(view.rows[view.index(*uid)?].version)).unwrap_or_default();
            // A session that is behind may copy what it knows.
            come.arrivals.push(Arrival { ident: message.ident, flags: message.versions[known.min(message.versions.len() - 1)..].to_vec(), uid: Some(*new) });
            if moved && !message.gone {
                left.fates.insert(*uid, Fate::Gone);
            }
        }
        if from == to {
            (left.arrivals, left.strays) = (come.arrivals, come.strays);
            return Ok(vec![(from, left)]);
        }
        let mut all = vec![(from, left)];
        if self.has(to) {
            all.push((to, come));
        }
        Ok(all)
    }

    /// Compares a mailbox with what it was and what was expected, and takes it over.
    fn apply(&mut self, name: &'static str, seen: &View, expected: Expected) -> Result<(), Broken> {
        let mailbox = self.boxes.get_mut(name).ok_or_else(|| format!("{name} is gone"))?;
        if seen.validity != mailbox.validity {
            return Err(format!("S-05: UIDVALIDITY of {name} was {} and is {}", mailbox.validity, seen.validity));
        }
        if seen.highest < mailbox.highest {
            return Err(format!("M-02: HIGHESTMODSEQ of {name} was {} and is {}", mailbox.highest, seen.highest));
        }
        let rows: BTreeMap<Uid, (&Flags, u64)> = seen.rows.iter().filter_map(|row| Some((row.uid?, (row.flags.as_ref()?, row.modseq)))).collect();
        if rows.len() != seen.rows.len() {
            return Err(format!("E-07: {} of {} messages of {name} have neither UID nor flags", seen.rows.len() - rows.len(), seen.rows.len()));
        }
        for (uid, message) in mailbox.messages.iter_mut() {
            become_of(*uid, message, rows.get(uid).copied(), expected.fates.get(uid), mailbox.highest)?;
        }
        let new: Vec<Uid> = rows.keys().copied().filter(|uid| !mailbox.messages.contains_key(uid)).collect();
        let mut expected = expected;
        if new.len() > expected.arrivals.len() && !expected.strays.is_empty() {
            // Those that stayed did not come; the others did, in their order. (Which is which is seen by their texts, below.)
            let surplus = expected.strays.len().min(new.len() - expected.arrivals.len());
            let strays = self.auditor_finds(&new)?;
            expected.strays.retain(|stray| strays.contains(&stray.ident));
            expected.arrivals.extend(expected.strays.drain(..).take(surplus));
        }
        let mailbox = self.boxes.get_mut(name).ok_or_else(|| format!("{name} is gone"))?;
        if new.len() != expected.arrivals.len() {
            return Err(format!("A-07: {new:?} came to {name}, where {} were to come", expected.arrivals.len()));
        }
        for (uid, arrival) in new.iter().zip(&expected.arrivals) {
            if *uid <= mailbox.last || arrival.uid.is_some_and(|told| told != *uid) {
                return Err(format!("S-04: {uid} came to {name} after {}; told was {:?}", mailbox.last, arrival.uid));
            }
            let (flags, modseq) = rows[uid];
            if !arrival.flags.contains(flags) {
                return Err(format!("F-06: {uid} of {name} has {flags:?}, not one of {:?}", arrival.flags));
            }
            if modseq != 0 && modseq <= mailbox.highest {
                return Err(format!("M-03: {uid} of {name} came with MODSEQ {modseq}, where {} was before", mailbox.highest));
            }
            mailbox.messages.insert(*uid, Message { ident: arrival.ident, versions: vec![flags.clone()], modseq, gone: false });
            mailbox.last = *uid;
        }
        mailbox.highest = seen.highest;
        self.read(&new, &expected.arrivals)
    }

    /// Which messages these are.
    fn auditor_finds(&mut self, uids: &[Uid]) -> Result<Vec<Ident>, Broken> {
        let mut told = Vec::new();
        let uids: Vec<String> = uids.iter().map(Uid::to_string).collect();
        self.auditor.ask(&format!("UID FETCH {} (BODY.PEEK[])", uids.join(",")), None, Expunge::Any, &mut told)?;
        Ok(told.iter().filter_map(|told| match told {
            Told::Whole { octets, .. } => ident_of(octets),
            _ => None,
        }).collect())
    }

    /// That what came is what was sent.
    fn read(&mut self, uids: &[Uid], arrivals: &[Arrival]) -> Result<(), Broken> {
        let mut told = Vec::new();
        for (uid, arrival) in uids.iter().zip(arrivals) {
            told.clear();
            self.auditor.ask(&format!("UID FETCH {uid} (BODY.PEEK[])"), None, Expunge::Any, &mut told)?;
            let octets = told.iter().find_map(|told| match told {
                Told::Whole { octets, .. } => Some(octets),
                _ => None,
            });
            if octets.is_none_or(|octets| *octets != text(arrival.ident)) {
                return Err(format!("S-10: {uid} is not message {}", arrival.ident));
            }
        }
        Ok(())
    }

    /// Judges what a client was told.
    fn told(&mut self, view: &mut View, told: &Told) -> Result<(), Broken> {
        let Some(mailbox) = self.boxes.get(&*view.mailbox) else { return Ok(()) };
        let message = |uid: &Uid| mailbox.messages.get(uid).ok_or_else(|| format!("S-01: UID {uid} never was in {}", view.mailbox));
        match told {
            Told::Flags { uid, flags, recent, .. } => {
                let message = message(uid)?;
                let row = view.index(*uid).map(|index| &mut view.rows[index]);
                let known = row.as_ref().map_or(0, |row| row.version);
                if message.gone {
                    // A session that still has it may change its own copy of the flags (E-08).
                    return Ok(());
                }
                let Some(version) = message.versions.iter().skip(known).position(|version| version == flags) else {
                    return Err(format!("F-03: {uid} has {flags:?}, not one of {:?}", &message.versions[known.min(message.versions.len())..]));
                };
                if let Some(row) = row {
                    row.version = known + version;
                }
                if *recent && !view.read_only {
                    let first = *self.recents.entry((view.validity, *uid)).or_insert(view.id);
                    if first != view.id {
                        return Err(format!("F-02: {uid} is \\Recent to two sessions"));
                    }
                }
            }
            Told::Whole { uid, octets } => {
                let ident = message(uid)?.ident;
                if ident_of(octets) != Some(ident) {
                    return Err(format!("S-10: {uid} is message {ident}, and another was sent"));
                }
            }
            Told::Size { uid, size } => {
                let Message { ident, gone, .. } = *message(uid)?;
                if gone && *size == 0 && self.quirks.contains(&Quirk::SizeOfGoneIsZero) {
                    return Ok(());
                }
                if *size != text(ident).len() as u64 {
                    return Err(format!("B-08: {uid} has {} octets, not {size}", text(ident).len()));
                }
            }
            Told::Expunged(Some(uid)) if mailbox.is_alive(*uid) => return Err(format!("E-01: {uid} is said to be expunged, and is there")),
            Told::Expunged(_) => {}
        }
        Ok(())
    }

    /// What this command, more than others, must get right.
    fn agree(&mut self, client: &mut Client, outcome: &Outcome) -> Result<(), Broken> {
        let Some(view) = &client.view else { return Ok(()) };
        let Some(mailbox) = self.boxes.get(&*view.mailbox) else { return Ok(()) };
        match &outcome.did {
            Did::Synced => synced(mailbox, view),
            Did::Resynced(name) => {
                let kept: Vec<(&Uid, &Flags)> = client.kept.get(name).map(|kept| kept.messages.iter().collect()).unwrap_or_default();
                let truth: Vec<(Uid, &Flags)> = mailbox.alive().map(|(uid, message)| (uid, message.now())).collect();
                let same = kept.len() == truth.len() && kept.iter().zip(&truth).all(|((uid, flags), (other, truth))| *uid == other && flags == truth);
                if same { Ok(()) } else { Err(format!("M-10: {kept:?} is kept, and {truth:?} true")) }
            }
            Did::Changed { since, uids } => {
                let changed: Vec<Uid> = mailbox.alive().filter(|(_, message)| message.modseq > *since).map(|(uid, _)| uid).collect();
                if changed == *uids { Ok(()) } else { Err(format!("M-09: {changed:?} changed since {since}, and {uids:?} was told")) }
            }
            Did::Searched { flag, not, found } => {
                // What came with the answer was not looked through.
                for row in outcome.before.iter().flat_map(|before| &before.rows).filter(|row| row.uid.is_some()) {
                    let uid = row.uid.unwrap_or_default();
                    let Some(message) = mailbox.messages.get(&uid).filter(|message| !message.gone) else { continue };
                    let is = found.contains(&uid);
                    let might = message.versions.iter().skip(row.version).any(|flags| (flags.contains(flag) != *not) == is);
                    if !might {
                        return Err(format!("Q-04: SEARCH says {is} of {uid}, which has {:?}", message.now()));
                    }
                }
                Ok(())
            }
            Did::Status { mailbox: name, items } if *name != view.mailbox => {
                let Some(mailbox) = self.boxes.get(name) else { return Ok(()) };
                let unseen = mailbox.alive().filter(|(_, message)| !message.now().contains("\\seen")).count() as u64;
                let right = [("MESSAGES", mailbox.alive().count() as u64), ("UNSEEN", unseen), ("UIDVALIDITY", mailbox.validity.into())];
                if let Some((item, right)) = right.iter().find(|(item, right)| items.get(*item).is_some_and(|told| told != right)) {
                    return Err(format!("N-09: STATUS says {:?} of {name}; {item} is {right}", items));
                }
                match items.get("UIDNEXT") {
                    Some(next) if *next > mailbox.last.into() => Ok(()),
                    next => Err(format!("S-06: UIDNEXT is {next:?}, and {} was", mailbox.last)),
                }
            }
            _ => Ok(()),
        }
    }
}

/// STORE, and `\Seen` by FETCH.
fn stored(mailbox: &Mailbox, outcome: &Outcome, read_only: bool) -> Result<Expected, Broken> {
    let Did::Stored { uids, how, flags, unchanged_since, modified } = &outcome.did else { return Ok(Expected::default()) };
    let ok = outcome.tagged.is_ok();
    if read_only {
        return Ok(Expected::default());
    }
    let some_gone = uids.iter().any(|uid| !mailbox.is_alive(*uid));
    if !ok && !some_gone && modified.is_empty() {
        return Err(format!("refused without need: {:?}", outcome.tagged));
    }
    let mut fates = BTreeMap::new();
    for uid in uids {
        let Some(message) = mailbox.messages.get(uid).filter(|message| !message.gone) else { continue };
        let after = changed(message.now(), *how, flags);
        if let Some(since) = unchanged_since {
            // Without a MODSEQ of the auditor nothing is known.
            let must_fail = message.modseq > *since;
            if message.modseq != 0 && must_fail != modified.contains(uid) {
                return Err(format!("M-05: {uid} has MODSEQ {}, UNCHANGEDSINCE was {since}, MODIFIED {modified:?}", message.modseq));
            }
        }
        let fate = match (modified.contains(uid), ok || !some_gone) {
            (true, _) => Fate::Has(message.now().clone()),
            (false, true) => Fate::Has(after),
            (false, false) => Fate::HasOneOf(vec![message.now().clone(), after]),
        };
        fates.insert(*uid, fate);
    }
    Ok(Expected { fates, ..Expected::default() })
}

/// One message after a command.
fn become_of(uid: Uid, message: &mut Message, seen: Option<(&Flags, u64)>, fate: Option<&Fate>, highest: u64) -> Result<(), Broken> {
    let Some((flags, modseq)) = seen else {
        if !message.gone && !matches!(fate, Some(Fate::Gone | Fate::MayGo)) {
            return Err(format!("E-10: {uid} was lost"));
        }
        message.gone = true;
        return Ok(());
    };
    let right = match fate {
        _ if message.gone => return Err(format!("S-04: {uid} was expunged, and is there again")),
        Some(Fate::Gone) => return Err(format!("E-10: {uid} is still there")),
        Some(Fate::Has(right)) => flags == right,
        Some(Fate::HasOneOf(right)) => right.contains(flags),
        Some(Fate::MayGo) | None => flags == message.now(),
    };
    if !right {
        return Err(format!("F-03: {uid} has {flags:?} after {:?}; expected was {fate:?}", message.now()));
    }
    if modseq < message.modseq || (flags != message.now() && modseq != 0 && modseq <= highest) {
        return Err(format!("M-01: {uid} had MODSEQ {} in a mailbox of {highest}; it changed, and has {modseq}", message.modseq));
    }
    message.modseq = modseq;
    if flags != message.now() {
        message.versions.push(flags.clone());
    }
    Ok(())
}

/// A view after NOOP is all that is true: nobody else does anything meanwhile.
fn synced(mailbox: &Mailbox, view: &View) -> Result<(), Broken> {
    let truth: Vec<(Uid, &Message)> = mailbox.alive().collect();
    let uids: Vec<Option<Uid>> = view.rows.iter().map(|row| row.uid).collect();
    if uids.len() != truth.len() || uids.iter().zip(&truth).any(|(uid, (truth, _))| *uid != Some(*truth)) {
        return Err(format!("S-01: after NOOP the view is {uids:?}, and {:?} are there", truth.iter().map(|(uid, _)| uid).collect::<Vec<_>>()));
    }
    for (row, (uid, message)) in view.rows.iter().zip(&truth) {
        if let Some(flags) = &row.flags
            && flags != message.now()
        {
            return Err(format!("E-06: after NOOP {uid} is known with {flags:?}, and has {:?}", message.now()));
        }
    }
    Ok(())
}

/// So that the one who reads a failure knows what `How` is.
impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(["+FLAGS", "-FLAGS", "FLAGS"][*self as usize])
    }
}
