//! Clients that act all at once, each in a thread of its own.
//!
//! While they act, each is held to what it alone was told, and all to it that a UID names one message for good. What each did is
//! written down with the time from its begin to its end. At the end, when all is quiet, every client must agree with a fresh connection,
//! and what is there must be explained by what was done: each message that came and was not expunged, and for each flag
//! a change that no later one has undone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::action::{Action, FLEETING, KEPT, How};
use super::client::{Broken, Client, Did, Outcome};
use super::turns::prepare;
use super::view::{Told, View};
use super::{Failure, Flags, Ident, Quirk, Uid, ident_of, text};
use crate::dice::Dice;
use crate::server::Server;

/// Lines of the last client's transcript that a failure shows.
const SHOWN: usize = 120;

/// A message of a mailbox, by UIDVALIDITY and UID.
type Place = (u32, Uid);

/// From before a command was sent to after its answer.
#[derive(Clone, Copy, Debug)]
struct Span {
    begin: u64,
    end: u64,
}

impl Span {
    fn is_before(self, other: Span) -> bool {
        self.end < other.begin
    }
}

/// Something that may have set or cleared a flag.
#[derive(Clone, Debug)]
struct Write {
    span: Span,
    how: How,
    flags: Flags,
    /// It was answered with OK: it has happened.
    certain: bool,
}

impl Write {
    /// What it made of `flag`; `None` if it left it alone.
    fn value(&self, flag: &str) -> Option<bool> {
        match (self.how, self.flags.contains(flag)) {
            (How::Add, true) => Some(true),
            (How::Remove, true) => Some(false),
            (How::Replace, is) => Some(is),
            (How::Add | How::Remove, false) => None,
        }
    }
}

/// How a message came to its place.
#[derive(Clone, Debug)]
enum Birth {
    /// APPEND, with these flags.
    Sent(Ident, Flags),
    /// COPY or MOVE, with the flags that the original had then.
    CopyOf(Place),
}

/// What became of a message. It may be written down before its birth is: one client may change what another has not yet been told of.
#[derive(Debug, Default)]
struct Life {
    birth: Option<Birth>,
    writes: Vec<Write>,
    moved: bool,
    /// By a MOVE that was refused, where it is not said how far that came.
    perhaps_moved: bool,
    /// It may have been expunged then, by its UID.
    expunges: Vec<Span>,
    /// Which message it was found to be.
    seen: Option<Ident>,
    /// The selection that was told \\Recent of it (F-02).
    recent: Option<usize>,
}

/// What all of them know.
#[derive(Default)]
struct Register {
    lives: HashMap<Place, Life>,
    /// EXPUNGE and CLOSE of a mailbox.
    expunges: Vec<(u32, Span)>,
    /// UIDVALIDITY of mailboxes to which something may have come of which nobody was told.
    strangers: BTreeSet<u32>,
}

struct World<'s> {
    server: &'s dyn Server,
    clock: AtomicU64,
    next: AtomicUsize,
    register: Mutex<Register>,
    /// UIDVALIDITY of each mailbox.
    validities: BTreeMap<&'static str, u32>,
    quirks: &'s [Quirk],
}

/// Lets so many clients do so many things each.
pub fn play(server: &dyn Server, clients: usize, seed: u64, steps: usize, quirks: &[Quirk]) -> Result<(), Failure> {
    let failure = |why: Broken| Failure { why, transcript: Vec::new() };
    prepare(server).map_err(failure)?;
    let mut auditor = Client::connect(server, AUDITOR).map_err(failure)?;
    let mut validities = BTreeMap::new();
    for name in KEPT {
        validities.insert(name, fresh(&mut auditor, name).map_err(failure)?.validity);
    }
    let world = World { server, clock: AtomicU64::new(0), next: AtomicUsize::new(0), register: Mutex::default(), validities, quirks };
    let results: Vec<Result<Client, Failure>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn({
            let world = &world;
            move || world.client(number, seed.wrapping_mul(1000).wrapping_add(number as u64), steps)
        })).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(failure("a client panicked".into())))).collect()
    });
    let mut done = Vec::new();
    for result in results {
        done.push(result?);
    }
    world.quiet(&mut auditor, done)
}

const AUDITOR: usize = 998;

fn fresh(auditor: &mut Client, name: &'static str) -> Result<View, Broken> {
    let outcome = auditor.perform(&Action::Select { mailbox: name, read_only: true }, &mut || 0)?;
    auditor.view.clone().ok_or_else(|| format!("{name} can't be opened: {:?}", outcome.tagged))
}

fn shown(client: &Client, why: Broken) -> Failure {
    let from = client.connection.transcript.len().saturating_sub(SHOWN);
    Failure { why: format!("client {}: {why}", client.number), transcript: client.connection.transcript[from..].to_vec() }
}

impl World<'_> {
    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// One client's day.
    fn client(&self, number: usize, seed: u64, steps: usize) -> Result<Client, Failure> {
        let mut client = Client::connect(self.server, number).map_err(|why| Failure { why, transcript: Vec::new() })?;
        let mut dice = Dice::new(seed);
        self.act(&mut client, &Action::Select { mailbox: KEPT[0], read_only: false }).map_err(|why| shown(&client, why))?;
        for _ in 0..steps {
            let action = kept_only(Action::any(&mut dice));
            self.act(&mut client, &action).map_err(|why| shown(&client, why))?;
            let surplus = client.connection.transcript.len().saturating_sub(2 * SHOWN);
            client.connection.transcript.drain(..surplus);
        }
        Ok(client)
    }

    fn act(&self, client: &mut Client, action: &Action) -> Result<(), Broken> {
        let awake = client.wake()?;
        self.told(client.view.as_ref(), &awake.told)?;
        let begin = self.tick();
        let outcome = client.perform(action, &mut || Ident::try_from(self.next.fetch_add(1, Ordering::SeqCst) + 1).unwrap_or_default())?;
        let span = Span { begin, end: self.tick() };
        self.note(&outcome, span)?;
        self.told(client.view.as_ref(), &outcome.told)
    }

    /// Writes down what was done.
    fn note(&self, outcome: &Outcome, span: Span) -> Result<(), Broken> {
        let certain = outcome.tagged.is_ok();
        let mut register = self.register();
        let (validity, read_only) = outcome.before.as_ref().map_or((0, true), |view| (view.validity, view.read_only));
        match &outcome.did {
            Did::Stored { uids, how, flags, modified, .. } if !read_only => {
                for uid in uids.iter().filter(|uid| !modified.contains(uid)) {
                    register.life((validity, *uid)).writes.push(Write { span, how: *how, flags: flags.clone(), certain });
                }
            }
            Did::Expunged { within: None } | Did::Closed if !read_only => register.expunges.push((validity, span)),
            Did::Expunged { within: Some(uids) } if !read_only => uids.iter().for_each(|uid| register.life((validity, *uid)).expunges.push(span)),
            Did::Appended { uid: None, .. } if certain => return Err("A-09: APPEND without APPENDUID".into()),
            Did::Appended { to, ident, flags, uid: Some(uid) } if certain => register.born((self.validity(to)?, *uid), Birth::Sent(*ident, flags.clone()))?,
            Did::Copied { uids, to, pairs, moved } => {
                let to = self.validity(to)?;
                if !certain && *moved && self.quirks.contains(&Quirk::RefusedMoveTellsNothing) {
                    uids.iter().for_each(|uid| register.life((validity, *uid)).perhaps_moved = true);
                    register.strangers.insert(to);
                }
                // A MOVE that is refused may be done in part (RFC 6851 §3.3), a COPY not.
                let pairs = if certain || *moved { &pairs[..] } else { &[] };
                for (uid, new) in pairs {
                    register.life((validity, *uid)).moved |= *moved;
                    register.born((to, *new), Birth::CopyOf((validity, *uid)))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn validity(&self, name: &str) -> Result<u32, Broken> {
        self.validities.get(name).copied().ok_or_else(|| format!("{name} is not there"))
    }

    /// A UID names one message for good, whoever asks.
    fn told(&self, view: Option<&View>, told: &[Told]) -> Result<(), Broken> {
        let Some(view) = view else { return Ok(()) };
        let mut register = self.register();
        for told in told {
            match told {
                Told::Whole { uid, octets } => {
                    let ident = ident_of(octets).ok_or_else(|| format!("S-10: {uid} is no message that was sent"))?;
                    let seen = *register.life((view.validity, *uid)).seen.get_or_insert(ident);
                    if seen != ident {
                        return Err(format!("S-10: {uid} was message {seen}, and is {ident}"));
                    }
                }
                Told::Size { uid, size } => {
                    let ident = register.life((view.validity, *uid)).seen;
                    let quirk = *size == 0 && self.quirks.contains(&Quirk::SizeOfGoneIsZero);
                    if !quirk && ident.is_some_and(|ident| text(ident).len() as u64 != *size) {
                        return Err(format!("B-08: {uid} has not {size} octets"));
                    }
                }
                Told::Flags { uid, recent: true, .. } if !view.read_only => {
                    let first = *register.life((view.validity, *uid)).recent.get_or_insert(view.id);
                    if first != view.id {
                        return Err(format!("F-02: {uid} is \\Recent to two sessions"));
                    }
                }
                Told::Flags { .. } | Told::Expunged(_) => {}
            }
        }
        Ok(())
    }

    /// Nobody does anything any more: now all must agree.
    fn quiet(&self, auditor: &mut Client, clients: Vec<Client>) -> Result<(), Failure> {
        let mut clients = clients;
        for client in &mut clients {
            self.act(client, &Action::Noop).map_err(|why| shown(client, why))?;
        }
        for name in KEPT {
            let truth = fresh(auditor, name).map_err(|why| shown(auditor, why))?;
            for client in &clients {
                if let Some(view) = client.view.as_ref().filter(|view| view.mailbox == name) {
                    agree(view, &truth).map_err(|why| shown(client, why))?;
                }
            }
            let outcome = auditor.perform(&Action::Fetch { by_uid: false, pick: super::action::Pick::All, what: super::action::What::Peek }, &mut || 0);
            let outcome = outcome.map_err(|why| shown(auditor, why))?;
            self.told(auditor.view.as_ref(), &outcome.told).map_err(|why| shown(auditor, why))?;
            self.explained(&truth).map_err(|why| shown(auditor, why))?;
        }
        Ok(())
    }

    /// That what is in a mailbox comes from what was done.
    fn explained(&self, truth: &View) -> Result<(), Broken> {
        let register = self.register();
        let reappears = self.quirks.contains(&Quirk::ExpungedReappears);
        for row in &truth.rows {
            let (uid, flags) = row.uid.zip(row.flags.as_ref()).ok_or("E-07: a message has neither UID nor flags")?;
            if register.is_stranger((truth.validity, uid)) || (reappears && register.has_reappeared((truth.validity, uid), truth)) {
                continue;
            }
            let life = register.lives.get(&(truth.validity, uid));
            let life = life.filter(|life| life.birth.is_some()).ok_or_else(|| format!("A-07: nobody brought {uid} of {}", truth.mailbox))?;
            if life.moved {
                return Err(format!("A-07: {uid} of {} was moved, and is still there", truth.mailbox));
            }
            for flag in super::action::FLAGS.map(str::to_ascii_lowercase) {
                if !life.may_have(&flag, flags.contains(&flag)) {
                    return Err(format!("F-03: {flag} of {uid} of {} is {}: {life:?}", truth.mailbox, flags.contains(&flag)));
                }
            }
        }
        // Else a copy may be that of a message of which nobody knows how it came.
        let all_are_known = register.strangers.is_empty() && !reappears;
        for ((validity, uid), life) in register.lives.iter().filter(|((validity, _), life)| *validity == truth.validity && life.birth.is_some()) {
            let all = register.expunges.iter().filter(|(of, _)| of == validity).map(|(_, span)| span);
            let lost = !life.moved && !life.perhaps_moved && !all.chain(&life.expunges).any(|span| life.may_be_deleted(*span));
            if lost && truth.index(*uid).is_none() {
                return Err(format!("E-10: {uid} of {} was lost: {life:?}", truth.mailbox));
            }
            let (seen, sent) = (life.seen, register.sent((*validity, *uid)));
            if seen.is_some() && seen != sent && (sent.is_some() || all_are_known) {
                return Err(format!("S-10: {uid} of {} is {seen:?}, and {sent:?} was sent", truth.mailbox));
            }
        }
        Ok(())
    }
}

impl Register {
    fn life(&mut self, place: Place) -> &mut Life {
        self.lives.entry(place).or_default()
    }

    fn born(&mut self, place: Place, birth: Birth) -> Result<(), Broken> {
        match self.life(place).birth.replace(birth) {
            None => Ok(()),
            Some(other) => Err(format!("S-04: {place:?} was given to {other:?} and to another")),
        }
    }

    /// Whether it may have come without being told of.
    fn is_stranger(&self, place: Place) -> bool {
        self.strangers.contains(&place.0) && self.lives.get(&place).is_none_or(|life| life.birth.is_none())
    }

    /// Whether nobody brought it, and it is what another message of its mailbox was that is gone ([`Quirk::ExpungedReappears`]).
    fn has_reappeared(&self, place: Place, truth: &View) -> bool {
        let Some(life) = self.lives.get(&place).filter(|life| life.birth.is_none()) else { return false };
        let was_it = |other: Place| life.seen.is_some() && (self.sent(other) == life.seen || self.lives[&other].seen == life.seen);
        self.lives.keys().any(|other| other.0 == place.0 && other.1 < place.1 && truth.index(other.1).is_none() && was_it(*other))
    }

    /// Which message is here, from copy to original.
    fn sent(&self, mut place: Place) -> Option<Ident> {
        loop {
            match self.lives.get(&place)?.birth.as_ref()? {
                Birth::Sent(ident, _) => return Some(*ident),
                // An original has another mailbox or a lower UID, but who knows what a server says.
                Birth::CopyOf(original) if *original != place => place = *original,
                Birth::CopyOf(_) => return None,
            }
        }
    }
}

impl Life {
    /// Whether it came with a flag; `None` if that is not known.
    fn born_with(&self, flag: &str) -> Option<bool> {
        match &self.birth {
            Some(Birth::Sent(_, flags)) => Some(flags.contains(flag)),
            _ => None,
        }
    }

    /// Whether a flag may be so at the end: something made it so, and nothing that came after that undid it.
    fn may_have(&self, flag: &str, value: bool) -> bool {
        let writes: Vec<(&Write, bool)> = self.writes.iter().filter_map(|write| Some((write, write.value(flag)?))).collect();
        if self.born_with(flag).is_none_or(|born| born == value) && !writes.iter().any(|(write, _)| write.certain) {
            return true;
        }
        let undone = |by: &Write| writes.iter().any(|(later, _)| later.certain && by.span.is_before(later.span));
        writes.iter().any(|(write, to)| *to == value && !undone(write))
    }

    /// Whether it may have had \Deleted at some time before the end of that.
    fn may_be_deleted(&self, expunge: Span) -> bool {
        let set = |write: &Write| write.value("\\deleted") == Some(true) && write.span.begin < expunge.end;
        self.born_with("\\deleted").unwrap_or(true) || self.writes.iter().any(set)
    }
}

/// A client that was told everything knows what is there.
fn agree(view: &View, truth: &View) -> Result<(), Broken> {
    let uids = |view: &View| view.rows.iter().map(|row| row.uid).collect::<Vec<_>>();
    if uids(view) != uids(truth) {
        return Err(format!("S-01: at the end the view is {:?}, and {:?} are there", uids(view), uids(truth)));
    }
    for (row, real) in view.rows.iter().zip(&truth.rows) {
        if row.flags.is_some() && row.flags != real.flags {
            return Err(format!("E-06: at the end {:?} is known with {:?}, and has {:?}", row.uid, row.flags, real.flags));
        }
    }
    Ok(())
}

/// Mailboxes that come and go are for those who take turns.
fn kept_only(action: Action) -> Action {
    let kept = |name: &'static str| if name == FLEETING[0] { KEPT[1] } else if name == FLEETING[1] { KEPT[2] } else { name };
    match action {
        Action::Select { mailbox, read_only } => Action::Select { mailbox: kept(mailbox), read_only },
        Action::Append { to, flags } => Action::Append { to: kept(to), flags },
        Action::Copy { by_uid, pick, to } => Action::Copy { by_uid, pick, to: kept(to) },
        Action::Move { by_uid, pick, to } => Action::Move { by_uid, pick, to: kept(to) },
        Action::Status { mailbox } => Action::Status { mailbox: kept(mailbox) },
        Action::Create { .. } | Action::Delete { .. } | Action::Rename { .. } => Action::Noop,
        action => action,
    }
}

#[test]
fn only_what_was_in_the_mailbox_and_is_gone_may_reappear() {
    let mut register = Register::default();
    for (uid, ident) in [(1, 7), (2, 8)] {
        register.born((5, uid), Birth::Sent(ident, Flags::new())).expect("nobody else was given it");
    }
    let row = |uid| super::view::Row { uid: Some(uid), ..super::view::Row::default() };
    let truth = View { validity: 5, rows: vec![row(2), row(3)], ..View::default() };
    for (seen, may) in [(None, false), (Some(7), true), (Some(8), false), (Some(9), false)] {
        register.life((5, 3)).seen = seen;
        assert_eq!(register.has_reappeared((5, 3), &truth), may, "{seen:?}");
    }
    register.life((6, 3)).seen = Some(7);
    assert!(!register.has_reappeared((6, 3), &View { validity: 6, ..truth.clone() }), "of another mailbox");
    assert!(!register.has_reappeared((5, 1), &truth), "it was brought");
}
