//! One session's view of its mailbox: which sequence number the client believes each message has, and what it must still
//! be told — RFC 3501 §2.3.1.2, §5.2, §7.4.
//!
//! The mailbox goes on; the view changes only by [`View::tell`]. In between it collects: messages that came, that vanished, whose
//! flags changed. So every number a client sends is read in the numbering it was told (S-01), also of messages that are
//! gone meanwhile (E-07).
//!
//! What a SEARCH saved (`$`, RFC 5182) is a mark on the message, so it lasts as long as that: whatever number it comes to have.
//!
//! Memory: 32 octets a message, shared by the sessions that were told the same at SELECT ([`Told`]) until one hears of a change. Resolving a set and telling walk arrays; nothing is allocated for each message.

use crate::flags::FlagNames;
use crate::response::{FetchItem, FetchLine, FlagList, Response};
use crate::set::{Bound, SequenceSet};
use mail::{Flags, ModSeq, Uid};
use std::ops::Range;
use std::sync::Arc;

mod missing;

pub use missing::MatchData;

pub struct View {
    /// What the client was told, ascending by UID: the index is the sequence number less one. Copied when it first changes.
    told: Arc<Vec<Message>>,
    /// What it wasn't told of yet, ascending; all above the last of `told`.
    arrived: Vec<Message>,
    names: Arc<FlagNames>,
    /// How many of `told` have `gone`.
    gone: usize,
    /// Whether any of `told` may have flags to report.
    flagged: bool,
    /// How many of `told` are `\Recent`.
    recent: u32,
    /// The number in the last RECENT line.
    recent_told: u32,
    /// As it was at SELECT.
    first_unseen: Option<u32>,
}

/// A mailbox as SELECT tells it: made once for all sessions that are told the same.
#[derive(Clone, Debug, Default)]
pub struct Told {
    messages: Arc<Vec<Message>>,
    recent: u32,
    first_unseen: Option<u32>,
}

impl Told {
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Told {
        let mut messages: Vec<Message> = messages.into_iter().collect();
        if !messages.is_sorted_by(|a, b| a.uid < b.uid) {
            messages.sort_by_key(|message| message.uid);
            messages.dedup_by_key(|message| message.uid);
        }
        let first_unseen = messages.iter().position(|message| !message.flags.contains(Flags::SEEN)).map(|index| index as u32 + 1);
        Told { recent: recent_of(&messages), first_unseen, messages: Arc::new(messages) }
    }
}

fn recent_of(messages: &[Message]) -> u32 {
    messages.iter().filter(|message| message.recent).count() as u32
}

/// A message as this session sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    pub uid: Uid,
    /// The flags it has now.
    pub flags: Flags,
    /// When they last changed (RFC 7162 §3.1).
    pub modseq: ModSeq,
    /// `\Recent` to this session.
    pub recent: bool,
    /// What the client believes.
    told: Flags,
    /// What is to be reported even though the flags are as told.
    report: Report,
    /// Vanished from the mailbox, and the client doesn't know.
    gone: bool,
    /// Belongs to `$`.
    saved: bool,
}

impl Message {
    pub fn new(uid: Uid, flags: Flags, modseq: ModSeq, recent: bool) -> Self {
        Message { uid, flags, modseq, recent, told: flags, report: Report::Nothing, gone: false, saved: false }
    }

    /// Expunged elsewhere, not yet told: its octets may be gone (E-07), a STORE passes it by (E-08).
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    fn unreported(&self) -> bool {
        !self.gone && (self.report != Report::Nothing || self.flags != self.told)
    }
}

/// What a STORE asks to be told of the messages it has changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Report {
    /// `.SILENT`.
    Nothing,
    /// `.SILENT` by a client that keeps MODSEQs (RFC 7162 §3.1.3).
    ModSeq,
    Flags,
}

/// The state of a message that is known already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flagged {
    pub uid: Uid,
    pub flags: Flags,
    pub modseq: ModSeq,
}

/// How a session is told things: by what it has switched on, and by the command that is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// FETCH lines carry the UID: in answers to UID commands (S-09), and always beside a MODSEQ (RFC 7162 §3.2.4) and in IMAP4rev2
    /// (RFC 9051 §7.5.2).
    pub uid: bool,
    /// FETCH lines carry the MODSEQ (RFC 7162 §3.1).
    pub modseq: bool,
    /// VANISHED in place of EXPUNGE (RFC 7162 §3.2.10).
    pub vanished: bool,
    /// There is no RECENT and no `\Recent` (RFC 9051 Appendix E).
    pub rev2: bool,
}

/// What happened in the mailbox since the last time, from whoever did it.
#[derive(Clone, Default, Debug)]
pub struct Changes {
    /// In any order. One that is known already only gets its flags.
    pub added: Vec<Message>,
    pub flagged: Vec<Flagged>,
    pub vanished: Vec<Uid>,
}

/// Whether EXPUNGE may be sent now: `Later` in FETCH, STORE and SEARCH by sequence number (E-01).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expunge {
    Now,
    Later,
}

/// A sequence number that the client can't know: the command is `BAD` (S-08).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no message with that sequence number")]
pub struct NoSuchNumber;

/// Messages chosen by a set: disjoint ascending ranges of indexes. Good until the next `tell(Expunge::Now)`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chosen(Vec<Range<usize>>);

impl Chosen {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether a message with this sequence number is among them: for SEARCH.
    pub fn contains(&self, seq: u32) -> bool {
        let Some(index) = (seq as usize).checked_sub(1) else { return false };
        let after = self.0.partition_point(|range| range.start <= index);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|range| range.contains(&index))
    }
}

impl View {
    /// At SELECT: the client is being told all of it, so [`View::count`] and [`View::recent`] go into the answer.
    pub fn new(messages: impl IntoIterator<Item = Message>, names: Arc<FlagNames>) -> Self {
        View::of(&Told::new(messages), names)
    }

    /// The same of what other sessions were told too.
    pub fn of(told: &Told, names: Arc<FlagNames>) -> Self {
        let &Told { ref messages, recent, first_unseen } = told;
        View { told: messages.clone(), arrived: Vec::new(), names, gone: 0, flagged: false, recent, recent_told: recent, first_unseen }
    }

    /// How many messages the client knows of: its highest sequence number.
    pub fn count(&self) -> u32 {
        self.told.len() as u32 // UIDs are 32 bits, so there are no more
    }

    pub fn recent(&self) -> u32 {
        self.recent
    }

    /// For `[UNSEEN n]` of SELECT: as it was then.
    pub fn first_unseen(&self) -> Option<u32> {
        self.first_unseen
    }

    pub fn names(&self) -> &Arc<FlagNames> {
        &self.names
    }

    /// New keywords in the account. `tell` doesn't announce them: send FLAGS first (E-12).
    pub fn set_names(&mut self, names: Arc<FlagNames>) {
        self.names = names;
    }

    pub fn message(&self, seq: u32) -> Option<&Message> {
        self.told.get((seq as usize).checked_sub(1)?)
    }

    pub fn seq_of(&self, uid: Uid) -> Option<u32> {
        self.index_of(uid).map(|index| index as u32 + 1)
    }

    /// To change it, which takes a copy where it is shared.
    fn message_mut(&mut self, uid: Uid) -> Option<&mut Message> {
        let index = self.index_of(uid)?;
        Arc::make_mut(&mut self.told).get_mut(index)
    }

    fn index_of(&self, uid: Uid) -> Option<usize> {
        self.told.binary_search_by_key(&uid, |message| message.uid).ok()
    }

    /// Every message the client knows of.
    pub fn all(&self) -> Chosen {
        if self.told.is_empty() { Chosen::default() } else { Chosen(std::iter::once(0..self.told.len()).collect()) }
    }

    /// The messages of these ascending sequence numbers, as far as there are any.
    pub fn numbered(&self, numbers: &[u32]) -> Chosen {
        let index = |number: &u32| (*number as usize).checked_sub(1).filter(|index| *index < self.told.len());
        Chosen(merged(numbers.iter().filter_map(index).map(|index| index..index + 1).collect()))
    }

    /// The chosen messages with their sequence numbers, ascending.
    pub fn messages<'v>(&'v self, chosen: &'v Chosen) -> impl Iterator<Item = (u32, &'v Message)> {
        let range = |range: &Range<usize>| {
            let messages = self.told.get(range.clone()).unwrap_or_default();
            messages.iter().zip(range.start as u32 + 1..).map(|(message, seq)| (seq, message))
        };
        chosen.0.iter().flat_map(range)
    }

    /// Those of the chosen messages that changed after a moment (RFC 7162 §3.1.4.1).
    pub fn changed_since(&self, chosen: &Chosen, since: ModSeq) -> Chosen {
        let changed = self.messages(chosen).filter(|(_, message)| message.modseq > since);
        Chosen(merged(changed.map(|(seq, _)| seq as usize - 1..seq as usize).collect()))
    }

    /// Their UIDs, ascending; those that are gone too.
    pub fn uids(&self, chosen: &Chosen) -> Vec<Uid> {
        self.messages(chosen).map(|(_, message)| message.uid).collect()
    }

    /// From now on `$` means the messages of these sequence numbers.
    pub fn save(&mut self, numbers: &[u32]) {
        if numbers.is_empty() && !self.told.iter().any(|message| message.saved) {
            return; // nothing to copy it for
        }
        let told = Arc::make_mut(&mut self.told);
        told.iter_mut().for_each(|message| message.saved = false);
        for &number in numbers {
            if let Some(message) = (number as usize).checked_sub(1).and_then(|index| told.get_mut(index)) {
                message.saved = true;
            }
        }
    }

    /// The UIDs of these sequence numbers, in their order.
    pub fn uids_of(&self, mut numbers: Vec<u32>) -> Vec<u32> {
        numbers.retain_mut(|number| {
            let uid = self.message(*number).map(|message| message.uid.get());
            *number = uid.unwrap_or_default();
            uid.is_some()
        });
        numbers
    }

    /// Which messages a set means. `$`: those saved that are still there (RFC 5182 §2.1). By UID: unknown ones are passed by, and `999:*` has the last message (S-07). By number:
    /// an unknown one is an error, but in a range with `*` it means up to the last.
    pub fn resolve(&self, set: &SequenceSet, uid: bool) -> Result<Chosen, NoSuchNumber> {
        let SequenceSet::Ranges(bounds) = set else { return Ok(self.saved()) };
        let mut ranges = Vec::with_capacity(bounds.len());
        for &(first, last) in bounds {
            let range = if uid { self.by_uid(first, last) } else { self.by_number(first, last)? };
            if !range.is_empty() {
                ranges.push(range);
            }
        }
        Ok(Chosen(merged(ranges)))
    }

    fn saved(&self) -> Chosen {
        let is_saved = |message: &Message| message.saved && !message.gone;
        let indexes = self.told.iter().enumerate().filter(|(_, message)| is_saved(message)).map(|(index, _)| index);
        Chosen(indexes.fold(Vec::new(), |mut ranges: Vec<Range<usize>>, index| {
            match ranges.last_mut() {
                Some(last) if last.end == index => last.end += 1,
                _ => ranges.push(index..index + 1),
            }
            ranges
        }))
    }

    fn by_uid(&self, first: Bound, last: Bound) -> Range<usize> {
        let Some(highest) = self.told.last() else { return 0..0 };
        let value = |bound| match bound {
            Bound::Number(number) => number.get(),
            Bound::Last => highest.uid.get(),
        };
        let (low, high) = ordered(value(first), value(last));
        let start = self.told.partition_point(|message| message.uid.get() < low);
        let end = self.told.partition_point(|message| message.uid.get() <= high);
        start..end.max(start)
    }

    fn by_number(&self, first: Bound, last: Bound) -> Result<Range<usize>, NoSuchNumber> {
        let count = self.count();
        if count == 0 {
            return Err(NoSuchNumber);
        }
        let open = first == Bound::Last || last == Bound::Last;
        let value = |bound| match bound {
            Bound::Number(number) if number.get() <= count => Ok(number.get()),
            Bound::Number(_) if !open => Err(NoSuchNumber),
            _ => Ok(count),
        };
        let (low, high) = ordered(value(first)?, value(last)?);
        Ok(low as usize - 1..high as usize)
    }

    /// Takes in what happened. Nothing is told yet.
    pub fn note(&mut self, changes: Changes) {
        for message in changes.added {
            self.note_added(message);
        }
        for flagged in changes.flagged {
            self.note_flags(flagged);
        }
        self.note_vanished(changes.vanished);
    }

    fn note_added(&mut self, message: Message) {
        let above_told = self.told.last().is_none_or(|last| last.uid < message.uid);
        let Message { uid, flags, modseq, .. } = message;
        if !above_told {
            return self.note_flags(Flagged { uid, flags, modseq });
        }
        match self.arrived.binary_search_by_key(&uid, |known| known.uid) {
            Ok(_) => self.note_flags(Flagged { uid, flags, modseq }),
            Err(at) => self.arrived.insert(at, message), // nearly always the end
        }
    }

    fn note_flags(&mut self, Flagged { uid, flags, modseq }: Flagged) {
        if let Some(message) = self.message_mut(uid) {
            (message.flags, message.modseq) = (flags, modseq);
            self.flagged |= message.flags != message.told;
        } else if let Ok(at) = self.arrived.binary_search_by_key(&uid, |message| message.uid)
            && let Some(message) = self.arrived.get_mut(at)
        {
            (message.flags, message.told, message.modseq) = (flags, flags, modseq);
        }
    }

    fn note_vanished(&mut self, mut vanished: Vec<Uid>) {
        vanished.sort_unstable();
        for &uid in &vanished {
            if let Some(message) = self.message_mut(uid)
                && !message.gone
            {
                message.gone = true;
                self.gone += 1;
            }
        }
        // Never told of, so there is nothing to say.
        self.arrived.retain(|message| vanished.binary_search(&message.uid).is_err());
    }

    /// After this session's own STORE: `rows` are the flags that came out, `change` what the client asked for, `report` what it
    /// wants to hear of each. Without the flags it takes its own change for granted, so only what another session changed
    /// meanwhile is told of them (E-05, E-06).
    pub fn stored(&mut self, rows: &[Flagged], change: impl Fn(Flags) -> Flags, report: Report) {
        for &Flagged { uid, flags, modseq } in rows {
            let Some(message) = self.message_mut(uid) else { continue };
            (message.flags, message.modseq) = (flags, modseq);
            message.report = message.report.max(report);
            if report != Report::Flags {
                message.told = change(message.told);
            }
            self.flagged |= message.unreported();
        }
    }

    /// The flags of these are told, whether or not the client knows them.
    pub fn report(&mut self, uids: &[Uid]) {
        for &uid in uids {
            if let Some(message) = self.message_mut(uid) {
                message.report = Report::Flags;
                self.flagged = true;
            }
        }
    }

    /// The handler showed a message's flags in a FETCH of its own.
    pub fn shown(&mut self, uid: Uid) {
        if let Some(message) = self.message_mut(uid) {
            message.told = message.flags;
            message.report = Report::Nothing;
        }
    }

    /// Whether an EXPUNGE is held back.
    pub fn holds_back(&self) -> bool {
        self.gone > 0
    }

    /// Whether `tell` would have something to say.
    pub fn has_news(&self, expunge: Expunge) -> bool {
        (expunge == Expunge::Now && self.gone > 0) || !self.arrived.is_empty() || self.flagged
    }

    /// What the client must hear, in an order it can follow: EXPUNGE or VANISHED, EXISTS and RECENT, FETCH with FLAGS. From now
    /// on the client knows.
    pub fn tell(&mut self, expunge: Expunge, form: Form) -> Vec<Response> {
        let mut lines = Vec::new();
        if expunge == Expunge::Now {
            self.tell_gone(form, &mut lines);
        }
        if !self.arrived.is_empty() {
            self.recent += recent_of(&self.arrived);
            Arc::make_mut(&mut self.told).append(&mut self.arrived);
            lines.push(Response::Exists(self.count()));
        }
        let exists_told = matches!(lines.last(), Some(Response::Exists(_)));
        // An EXPUNGE of recent messages lowers the number too; Dovecot and Cyrus then say so.
        if !lines.is_empty() && !form.rev2 {
            let recent = self.recent();
            if exists_told || recent != self.recent_told {
                lines.push(Response::Recent(recent));
                self.recent_told = recent;
            }
        }
        if std::mem::take(&mut self.flagged) {
            self.tell_flags(form, &mut lines);
        }
        lines
    }

    /// EXPUNGE descending: then each number is right at its moment without further thought (S-03).
    fn tell_gone(&mut self, form: Form, lines: &mut Vec<Response>) {
        if self.gone == 0 {
            return;
        }
        let gone = self.told.iter().enumerate().filter(|(_, message)| message.gone);
        match form.vanished {
            true => lines.extend(missing::vanished(false, gone.map(|(_, message)| message.uid.get()..=message.uid.get()))),
            false => lines.extend(gone.rev().map(|(index, _)| Response::Expunge(index as u32 + 1))),
        }
        Arc::make_mut(&mut self.told).retain(|message| !message.gone);
        self.recent = recent_of(&self.told);
        self.gone = 0;
    }

    fn tell_flags(&mut self, form: Form, lines: &mut Vec<Response>) {
        for (message, seq) in Arc::make_mut(&mut self.told).iter_mut().zip(1u32..) {
            if !message.unreported() {
                continue;
            }
            let with_flags = message.report != Report::ModSeq || message.flags != message.told;
            message.told = message.flags;
            message.report = Report::Nothing;
            let mut items = Vec::with_capacity(3);
            if form.uid {
                items.push(FetchItem::Uid(message.uid));
            }
            if with_flags || !form.modseq {
                items.push(FetchItem::Flags(FlagList { flags: message.flags, recent: message.recent, names: self.names.clone() }));
            }
            if form.modseq {
                items.push(FetchItem::ModSeq(message.modseq));
            }
            lines.push(Response::Fetch(FetchLine { seq, items }));
        }
    }
}

fn ordered(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}

/// Sorted, overlapping and touching ones joined: each message is chosen once.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
