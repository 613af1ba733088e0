//! What SEARCH looks at — RFC 3501 §6.4.4.
//!
//! A [`Query`] judges a message by the [`Evidence`] at hand and says `None` while that doesn't suffice: flags and numbers are
//! in the view, dates and sizes in rows, the rest in header and body. So each message is read no further than it must be.
//! Strings match as substrings without regard to case, in decoded text.

mod body;
mod find;
mod keys;
mod known;

use std::cmp::Ordering;

use imap::command::Key;
use imap::command::search::{Day, Returns};
use imap::view::{Chosen, Message};
use mail::fold::fold;
use mail::{Date, Flags, ModSeq, header};
use store::texts::{Found, HEADER_LIMIT, NEEDLES, fields};

use crate::halt::Halt;
use crate::selected::Selected;

use body::Looked;
pub(crate) use find::{Patience, find};
pub(crate) use keys::{Keyed, keyed};
use known::Known;

pub(crate) struct Query {
    test: Test,
    /// Every string looked for in bodies, folded; tests name them by index.
    needles: Vec<Vec<u8>>,
    /// Tests in all.
    tests: usize,
}

/// Tests between two turns of others: some 0.1 ms.
const TESTS: usize = 1 << 14;

/// A query of flags alone: those a message must have, and those it must not.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub(crate) struct OfFlags {
    with: Flags,
    without: Flags,
}

impl OfFlags {
    fn of(test: &Test) -> Option<OfFlags> {
        match test {
            Test::Known(true) => Some(OfFlags::default()),
            Test::Flag(flag) => Some(OfFlags { with: *flag, without: Flags::EMPTY }),
            Test::Not(test) => match **test {
                Test::Flag(flag) if flag.bits().is_power_of_two() => Some(OfFlags { with: Flags::EMPTY, without: flag }),
                _ => None,
            },
            Test::All(tests) => tests.iter().try_fold(OfFlags::default(), |all, test| {
                let one = OfFlags::of(test)?;
                Some(OfFlags { with: all.with | one.with, without: all.without | one.without })
            }),
            _ => None,
        }
    }

    pub(crate) fn finds(self, flags: Flags) -> bool {
        flags.contains(self.with) && flags.bits() & self.without.bits() == 0
    }
}

#[derive(Clone, Debug)]
enum Test {
    Known(bool),
    All(Vec<Test>),
    Either(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Numbers(Chosen),
    Flag(Flags),
    /// Changed at this MODSEQ or after it.
    Changed(ModSeq),
    Recent,
    /// The day the message came, compared to a day.
    Came(Ordering, Day),
    /// Came not later than this moment, in seconds since 1970.
    CameUntil(i64),
    /// Not earlier.
    CameFrom(i64),
    /// The same of its `Date:`.
    Sent(Ordering, Day),
    Larger(u64),
    Smaller(u64),
    Field(Field),
    /// Body holds the needle.
    Body(usize),
    /// Header or body do.
    Text(String, usize),
}

/// What is known of a message so far.
pub(crate) struct Evidence<'f> {
    seq: u32,
    message: &'f Message,
    /// What is kept ready of its header.
    pub(crate) known: Option<Known<'f>>,
    /// What was found in what is kept of its text; with that of its headers, if the query looks for any there.
    pub(crate) found: Option<Found>,
    pub(crate) row: Option<&'f store::Message>,
    pub(crate) header: Option<&'f Header>,
    /// What was found in its body and its parts.
    pub(crate) looked: Option<&'f Looked>,
}

impl<'f> Evidence<'f> {
    pub(crate) fn of(seq: u32, message: &'f Message) -> Evidence<'f> {
        Evidence { seq, message, known: None, found: None, row: None, header: None, looked: None }
    }

    fn came(&self) -> Option<Date> {
        self.row.map(|row| row.internaldate).or(self.known.map(|known| known.head.arrived))
    }

    /// Whether a string is in what is kept of its text; `None` if it may be in what is not.
    fn is_found(&self, needle: usize, bits: impl Fn(Found) -> u32) -> Option<bool> {
        let found = self.found?;
        let is = bits(found).checked_shr(needle as u32).is_some_and(|bits| bits & 1 == 1);
        (is || (found.is_whole && needle < NEEDLES)).then_some(is)
    }

    fn size(&self) -> Option<u64> {
        self.row.map(|row| row.size).or(self.known.map(|known| known.head.size))
    }
}

impl Query {
    /// Sets are resolved in the numbering the client knows; a number it can't know is BAD.
    pub(crate) fn new(key: &Key, selected: &Selected) -> Result<Query, Halt> {
        let mut making = Making { selected, now: now(), needles: Vec::new(), tests: 0 };
        let test = making.test(key)?;
        Ok(Query { test, needles: making.needles, tests: making.tests })
    }

    /// The query, if it is of flags alone.
    pub(crate) fn of_flags(&self) -> Option<OfFlags> {
        OfFlags::of(&self.test)
    }

    /// Messages to judge before others have their turn, however many keys each is judged by.
    pub(crate) fn turn(&self) -> usize {
        (TESTS / self.tests.max(1)).max(1)
    }

    /// `None`: more evidence is needed.
    pub(crate) fn judge(&self, evidence: &Evidence<'_>) -> Option<bool> {
        judge(&self.test, evidence)
    }

    /// Whether a row's structure saves reading the header: it has the `Date:` and the fields of the envelope.
    pub(crate) fn wants_structure(&self) -> bool {
        wants_structure(&self.test)
    }

    /// Whether what is kept ready of headers decides something that would take reading them.
    pub(crate) fn wants_known(&self) -> bool {
        wants_known(&self.test)
    }

    /// The folded strings looked for in bodies, if all fit a search of what is kept of them.
    pub(crate) fn needles(&self) -> Option<&[Vec<u8>]> {
        Some(self.needles.as_slice()).filter(|needles| (1..=NEEDLES).contains(&needles.len()))
    }

    /// Whether strings are looked for in headers too.
    pub(crate) fn wants_headers(&self) -> bool {
        wants_headers(&self.test)
    }

    /// What the message's body and its parts hold of the needles.
    pub(crate) async fn look(&self, reader: &mut bodies::Reader, structure: &mail::mime::Structure) -> Result<Looked, bodies::Error> {
        body::search(reader, structure, &self.needles, self.wants_headers()).await
    }
}

/// Keys on their way to a query.
struct Making<'s> {
    selected: &'s Selected,
    /// The moment that OLDER and YOUNGER count from, one for all messages.
    now: i64,
    needles: Vec<Vec<u8>>,
    tests: usize,
}

impl Making<'_> {
    fn test(&mut self, key: &Key) -> Result<Test, Halt> {
        let (selected, now) = (self.selected, self.now);
        self.tests += 1;
        Ok(match key {
            Key::All => Test::Known(true),
            Key::And(keys) => Test::All(keys.iter().map(|key| self.test(key)).collect::<Result<_, _>>()?),
            Key::Or(a, b) => Test::Either(Box::new(self.test(a)?), Box::new(self.test(b)?)),
            Key::Not(key) => Test::Not(Box::new(self.test(key)?)),
            Key::Set(set) => Test::Numbers(selected.view.resolve(set, false)?),
            Key::Uid(set) => Test::Numbers(selected.view.resolve(set, true)?),
            Key::Flag(flag) => Test::Flag(*flag),
            Key::Keyword(name) => selected.keyword(name).map_or(Test::Known(false), Test::Flag), // and none is made
            Key::ModSeq(modseq) => Test::Changed(*modseq),
            Key::Recent => Test::Recent,
            Key::Before(day) => Test::Came(Ordering::Less, *day),
            Key::On(day) => Test::Came(Ordering::Equal, *day),
            Key::Since(day) => Test::Not(Box::new(Test::Came(Ordering::Less, *day))),
            Key::SentBefore(day) => Test::Sent(Ordering::Less, *day),
            Key::SentOn(day) => Test::Sent(Ordering::Equal, *day),
            // Not the opposite of SENTBEFORE: without a date it is neither.
            Key::SentSince(day) => Test::Either(Box::new(Test::Sent(Ordering::Equal, *day)), Box::new(Test::Sent(Ordering::Greater, *day))),
            Key::Older(seconds) => Test::CameUntil(now.saturating_sub(seconds.get().into())),
            Key::Younger(seconds) => Test::CameFrom(now.saturating_sub(seconds.get().into())),
            Key::Larger(size) => Test::Larger(*size),
            Key::Smaller(size) => Test::Smaller(*size),
            Key::Header { field, value } => Test::Field(Field::new(field, value)),
            Key::Body(text) => Test::Body(self.needle(text)),
            Key::Text(text) => Test::Text(fold(text), self.needle(text)),
        })
    }

    fn needle(&mut self, text: &str) -> usize {
        self.needles.push(fold(text).into_bytes());
        self.needles.len() - 1
    }
}

/// The highest MODSEQ of the numbers that are told, if MODSEQ was searched for (RFC 7162 §3.1.6): of all, or where MIN and MAX alone
/// are, of those (RFC 4731 §3.2).
pub(crate) fn highest(key: &Key, returns: Option<Returns>, selected: &Selected, found: &[u32]) -> Option<ModSeq> {
    if !key.any(&|key| matches!(key, Key::ModSeq(_))) {
        return None;
    }
    let told = returns.map_or(found.to_vec(), |returns| returns.saved(found));
    told.into_iter().filter_map(|seq| selected.view.message(seq)).map(|message| message.modseq).max()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn judge(test: &Test, evidence: &Evidence<'_>) -> Option<bool> {
    match test {
        Test::Known(known) => Some(*known),
        Test::All(tests) => {
            let mut all = Some(true);
            for test in tests {
                match judge(test, evidence) {
                    Some(true) => {}
                    Some(false) => return Some(false),
                    None => all = None,
                }
            }
            all
        }
        Test::Either(a, b) => match judge(a, evidence) {
            Some(true) => Some(true),
            Some(false) => judge(b, evidence),
            None => judge(b, evidence).filter(|b| *b),
        },
        Test::Not(test) => judge(test, evidence).map(|is| !is),
        Test::Numbers(chosen) => Some(chosen.contains(evidence.seq)),
        Test::Flag(flag) => Some(evidence.message.flags.contains(*flag)),
        Test::Changed(modseq) => Some(evidence.message.modseq >= *modseq),
        Test::Recent => Some(evidence.message.recent),
        Test::Came(order, day) => evidence.came().map(|came| compare(came, *day) == *order),
        Test::CameUntil(moment) => evidence.came().map(|came| came.unix <= *moment),
        Test::CameFrom(moment) => evidence.came().map(|came| came.unix >= *moment),
        Test::Sent(order, day) => sent(evidence).map(|date| date.is_some_and(|date| compare(date, *day) == *order)),
        Test::Larger(size) => evidence.size().map(|is| is > *size),
        Test::Smaller(size) => evidence.size().map(|is| is < *size),
        Test::Field(field) => field.is_in(evidence),
        Test::Body(index) => evidence.is_found(*index, |found| found.body).or_else(|| in_body(evidence, *index)),
        Test::Text(text, index) => evidence.is_found(*index, |found| found.header | found.body).or_else(|| in_text(evidence, text, *index)),
    }
}

fn in_body(evidence: &Evidence<'_>, index: usize) -> Option<bool> {
    evidence.looked.map(|looked| looked.bodies.get(index).copied().unwrap_or(false))
}

fn in_parts(evidence: &Evidence<'_>, index: usize) -> Option<bool> {
    evidence.looked.map(|looked| looked.parts.get(index).copied().unwrap_or(false))
}

fn in_text(evidence: &Evidence<'_>, text: &str, index: usize) -> Option<bool> {
    match evidence.header.map(|header| header.contains(text)) {
        Some(false) => Some(in_body(evidence, index)? || in_parts(evidence, index)?),
        is => is,
    }
}

/// The days as written, without regard to time and zone.
fn compare(date: Date, day: Day) -> Ordering {
    date.civil_day().cmp(&(day.year, day.month, day.day))
}

/// Of a missing or unreadable date: `Some(None)`, which matches no day.
fn sent(evidence: &Evidence<'_>) -> Option<Option<Date>> {
    if let Some(known) = evidence.known {
        return Some(known.head.sent);
    }
    if let Some(structure) = evidence.row.and_then(|row| row.structure.as_ref()) {
        return Some(structure.envelope.date.as_deref().and_then(Date::parse_rfc5322));
    }
    evidence.header.map(|header| header::find(&header.0, "Date").and_then(Date::parse_rfc5322))
}

/// Fields that the envelope has as they are. Should one come twice, the first counts.
const IN_ENVELOPE: [&str; 3] = ["Message-ID", "Subject", "In-Reply-To"];

/// A field of this name holds the folded string; an empty one: there is one.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    value: String,
    /// Looks for the value in many texts.
    finder: memchr::memmem::Finder<'static>,
    sought: Option<store::keys::Sought>,
}

impl Field {
    fn new(name: &str, value: &str) -> Field {
        let value = fold(value);
        let finder = memchr::memmem::Finder::new(&value).into_owned();
        Field { name: name.to_owned(), value, finder, sought: store::keys::Sought::of_name(name) }
    }

    fn is_in(&self, evidence: &Evidence<'_>) -> Option<bool> {
        let known = evidence.known.zip(self.sought);
        known.and_then(|(known, sought)| known.holds(sought, &self.finder)).or_else(|| field(evidence, &self.name, &self.value))
    }
}

/// Addresses are looked for in the header: the envelope has not the whole field.
fn field(evidence: &Evidence<'_>, name: &str, value: &str) -> Option<bool> {
    let envelope = evidence.row.and_then(|row| row.structure.as_ref()).map(|structure| &structure.envelope);
    if let (Some(envelope), Some(known)) = (envelope, IN_ENVELOPE.iter().position(|known| known.eq_ignore_ascii_case(name))) {
        let raw = [&envelope.message_id, &envelope.subject, &envelope.in_reply_to].into_iter().nth(known).and_then(Option::as_deref);
        return Some(raw.is_some_and(|raw| holds(raw, value)));
    }
    evidence.header.map(|header| header::find_all(&header.0, name).any(|raw| holds(raw, value)))
}

fn holds(raw: &[u8], value: &str) -> bool {
    value.is_empty() || fold(&header::decode_text(raw)).contains(value)
}

fn wants_structure(test: &Test) -> bool {
    match test {
        Test::All(tests) => tests.iter().any(wants_structure),
        Test::Either(a, b) => wants_structure(a) || wants_structure(b),
        Test::Not(test) => wants_structure(test),
        Test::Sent(..) | Test::Body(_) | Test::Text(..) => true,
        Test::Field(field) => IN_ENVELOPE.iter().any(|known| known.eq_ignore_ascii_case(&field.name)),
        _ => false,
    }
}

fn wants_headers(test: &Test) -> bool {
    match test {
        Test::All(tests) => tests.iter().any(wants_headers),
        Test::Either(a, b) => wants_headers(a) || wants_headers(b),
        Test::Not(test) => wants_headers(test),
        test => matches!(test, Test::Text(..)),
    }
}

fn wants_known(test: &Test) -> bool {
    match test {
        Test::All(tests) => tests.iter().any(wants_known),
        Test::Either(a, b) => wants_known(a) || wants_known(b),
        Test::Not(test) => wants_known(test),
        Test::Sent(..) => true,
        Test::Field(field) => field.sought.is_some(),
        _ => false,
    }
}

/// A message's header, up to [`HEADER_LIMIT`].
pub(crate) struct Header(bytes::Bytes);

impl Header {
    pub(crate) async fn read(reader: &mut bodies::Reader) -> Result<Header, bodies::Error> {
        Ok(Header(reader.header(HEADER_LIMIT).await?))
    }

    /// Whether any field, as a reader sees it, holds the folded text.
    fn contains(&self, text: &str) -> bool {
        text.is_empty() || header_contains(&self.0, text)
    }
}

fn header_contains(octets: &[u8], text: &str) -> bool {
    fields(octets).any(|field| fold(&field).contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::Uid;
    use proptest::prelude::*;

    /// Tests of which some need the body.
    fn tests() -> impl Strategy<Value = Test> {
        let leaf = prop_oneof![any::<bool>().prop_map(Test::Known), (0..3usize).prop_map(Test::Body), Just(Test::Flag(Flags::SEEN)), Just(Test::Recent)];
        leaf.prop_recursive(5, 40, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Test::All),
                two.prop_map(|(a, b)| Test::Either(Box::new(a), Box::new(b))),
                inner.prop_map(|test| Test::Not(Box::new(test))),
            ]
        })
    }

    /// The same, with everything known.
    fn plainly(test: &Test, message: &Message, bodies: &[bool]) -> bool {
        match test {
            Test::Known(known) => *known,
            Test::All(tests) => tests.iter().all(|test| plainly(test, message, bodies)),
            Test::Either(a, b) => plainly(a, message, bodies) || plainly(b, message, bodies),
            Test::Not(test) => !plainly(test, message, bodies),
            Test::Flag(flag) => message.flags.contains(*flag),
            Test::Recent => message.recent,
            Test::Body(index) => bodies[*index],
            _ => unreachable!("not made here"),
        }
    }

    proptest! {
        #[test]
        fn an_early_verdict_is_the_last_one(test in tests(), seen: bool, recent: bool, bodies: [bool; 3]) {
            let flags = if seen { Flags::SEEN } else { Flags::EMPTY };
            let message = Message::new(Uid::FIRST, flags, ModSeq::ZERO, recent);
            let truth = plainly(&test, &message, &bodies);
            if let Some(query) = OfFlags::of(&test) {
                prop_assert_eq!(query.finds(flags), truth);
            }
            let mut evidence = Evidence::of(1, &message);
            if let Some(early) = judge(&test, &evidence) {
                prop_assert_eq!(early, truth);
            }
            let bodies = Looked { bodies: bodies.to_vec(), parts: Vec::new() };
            evidence.looked = Some(&bodies);
            prop_assert_eq!(judge(&test, &evidence), Some(truth));
        }
    }

    #[test]
    fn a_field_is_found_decoded_and_in_any_case() {
        let header = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an\r\n alle\r\nX-Empty:\r\n";
        assert!(header_contains(header, "grüße an alle") && header_contains(header, "subject: gr") && !header_contains(header, "=c3"));
        assert!(header_contains(header, "x-empty:") && !header_contains(header, "alle\r\n"));
    }
}
