//! Tables for the rules, and a model: a mailbox that others change, and a client that believes only what it is told.

use super::*;
use crate::Limits;
use crate::cursor::Cursor;
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(super) fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

pub(super) fn set(text: &str) -> SequenceSet {
    SequenceSet::parse(&mut Cursor::new(text.as_bytes(), true, &Limits::default())).unwrap()
}

fn message(number: u32) -> Message {
    Message::new(uid(number), Flags::EMPTY, ModSeq::ZERO, false)
}

pub(super) fn view(uids: &[u32]) -> View {
    View::new(uids.iter().copied().map(message), FlagNames::well_known())
}

fn added(uids: &[u32]) -> Changes {
    Changes { added: uids.iter().copied().map(message).collect(), ..Changes::default() }
}

fn vanished(uids: &[u32]) -> Changes {
    Changes { vanished: uids.iter().copied().map(uid).collect(), ..Changes::default() }
}

fn flagged(flags: &[(u32, Flags)]) -> Changes {
    Changes { flagged: flags.iter().map(|&(number, flags)| state(number, flags, 0)).collect(), ..Changes::default() }
}

fn state(number: u32, flags: Flags, modseq: u64) -> Flagged {
    Flagged { uid: uid(number), flags, modseq: ModSeq::new(modseq) }
}

const PLAIN: Form = Form { uid: false, modseq: false, vanished: false, rev2: false };
const BY_UID: Form = Form { uid: true, ..PLAIN };
const QRESYNC: Form = Form { uid: true, modseq: true, vanished: true, rev2: false };
const REV2: Form = Form { rev2: true, ..BY_UID };

/// As the client reads it.
fn told(view: &mut View, expunge: Expunge, form: Form) -> String {
    let mut out = bytes::BytesMut::new();
    Response::Batch(view.tell(expunge, form)).write(None, &mut out);
    String::from_utf8_lossy(&out).replace("\r\n", ";")
}

#[test]
fn what_was_saved_stays_the_same_messages() {
    let mut view = view(&[10, 20, 30, 40, 50]);
    let saved = |view: &View, by_uid| view.uids(&view.resolve(&SequenceSet::Saved, by_uid).unwrap()).into_iter().map(Uid::get).collect::<Vec<_>>();
    assert_eq!(saved(&view, false), [], "nothing was saved yet, and that is no error");
    view.save(&[2, 3, 5, 99]);
    for by_uid in [false, true] {
        assert_eq!(saved(&view, by_uid), [20, 30, 50]);
    }
    view.note(vanished(&[10, 30]));
    assert_eq!(saved(&view, false), [20, 50], "what is expunged leaves it before it is told");
    told(&mut view, Expunge::Now, PLAIN);
    assert_eq!(saved(&view, false), [20, 50]);
    assert_eq!(view.resolve(&SequenceSet::Saved, false).unwrap(), view.resolve(&set("1,3"), false).unwrap());
    view.save(&[2]);
    assert_eq!(saved(&view, true), [40], "the last one counts");
    view.save(&[]);
    assert_eq!(saved(&view, true), []);
}

#[test]
fn what_a_set_means() {
    // uids 10, 20, 30, 40 are messages 1 to 4
    type Row<'a> = (&'a str, Result<&'a [u32], NoSuchNumber>, &'a [u32]);
    let table: &[Row] = &[
        ("1", Ok(&[1]), &[]),
        ("4,2", Ok(&[2, 4]), &[]),
        ("2:3", Ok(&[2, 3]), &[]),
        ("3:2", Ok(&[2, 3]), &[]),
        ("*", Ok(&[4]), &[4]),
        ("*:*", Ok(&[4]), &[4]),
        ("3:*", Ok(&[3, 4]), &[1, 2, 3, 4]),
        ("*:3", Ok(&[3, 4]), &[1, 2, 3, 4]),
        ("9:*", Ok(&[4]), &[1, 2, 3, 4]),
        ("1:3,2:4,1", Ok(&[1, 2, 3, 4]), &[]),
        ("5", Err(NoSuchNumber), &[]),
        ("1:5", Err(NoSuchNumber), &[]),
        ("10", Err(NoSuchNumber), &[1]),
        ("10,15,40:35", Err(NoSuchNumber), &[1, 4]),
        ("11:19", Err(NoSuchNumber), &[]),
        ("999:*", Ok(&[4]), &[4]),
        ("1:4294967295", Err(NoSuchNumber), &[1, 2, 3, 4]),
    ];
    let view = view(&[10, 20, 30, 40]);
    for (text, by_number, by_uid) in table {
        let seqs = |chosen: Chosen| {
            let seqs: Vec<u32> = view.messages(&chosen).map(|(seq, _)| seq).collect();
            assert_eq!((chosen.len(), chosen.is_empty()), (seqs.len(), seqs.is_empty()));
            for seq in 0..7 {
                assert_eq!(chosen.contains(seq), seqs.contains(&seq), "{text} {seq}");
            }
            seqs
        };
        assert_eq!(view.resolve(&set(text), false).map(seqs), by_number.map(<[u32]>::to_vec), "{text}");
        assert_eq!(view.resolve(&set(text), true).map(seqs), Ok(by_uid.to_vec()), "UID {text}");
    }
    assert_eq!(view.uids(&view.all()), [10, 20, 30, 40].map(uid));
}

#[test]
fn a_message_costs_32_octets() {
    assert_eq!(size_of::<Message>(), 32);
}

#[test]
fn an_empty_mailbox() {
    let view = view(&[]);
    for text in ["1", "*", "1:*"] {
        assert_eq!(view.resolve(&set(text), false), Err(NoSuchNumber), "{text}");
        assert_eq!(view.resolve(&set(text), true), Ok(Chosen::default()), "UID {text}");
    }
    assert!(view.all().is_empty());
    assert_eq!((view.count(), view.first_unseen()), (0, None));
}

#[test]
fn expunges_come_first_and_descend() {
    let mut view = view(&[1, 2, 3, 4, 5]);
    view.note(vanished(&[2, 4]));
    view.note(added(&[7, 6]));
    view.note(flagged(&[(5, Flags::SEEN)]));
    let lines = told(&mut view, Expunge::Now, BY_UID);
    assert_eq!(lines, "* 4 EXPUNGE;* 2 EXPUNGE;* 5 EXISTS;* 0 RECENT;* 3 FETCH (UID 5 FLAGS (\\Seen));");
    assert_eq!(view.seq_of(uid(7)), Some(5));
    assert_eq!(told(&mut view, Expunge::Now, BY_UID), "");
    assert!(!view.has_news(Expunge::Now));
}

#[test]
fn numbers_stand_until_an_expunge_is_told() {
    let mut view = view(&[1, 2, 3]);
    view.note(vanished(&[1]));
    view.note(added(&[4]));
    assert!(view.has_news(Expunge::Later));
    assert_eq!(told(&mut view, Expunge::Later, PLAIN), "* 4 EXISTS;* 0 RECENT;");
    assert!(!view.has_news(Expunge::Later) && view.has_news(Expunge::Now));
    assert!(view.message(1).unwrap().is_gone());
    assert_eq!(view.seq_of(uid(3)), Some(3));
    assert_eq!(told(&mut view, Expunge::Now, PLAIN), "* 1 EXPUNGE;");
    assert_eq!(view.seq_of(uid(3)), Some(2));
}

#[test]
fn what_came_and_went_unnoticed_is_not_told() {
    let mut view = view(&[1]);
    view.note(added(&[2]));
    view.note(vanished(&[2, 9]));
    view.note(flagged(&[(1, Flags::SEEN)]));
    view.note(flagged(&[(1, Flags::EMPTY), (9, Flags::SEEN)]));
    assert_eq!(told(&mut view, Expunge::Now, BY_UID), "");
    view.note(flagged(&[(1, Flags::SEEN)]));
    view.note(vanished(&[1, 1]));
    assert_eq!(told(&mut view, Expunge::Later, BY_UID), "", "flags of a message that is gone");
    assert_eq!(told(&mut view, Expunge::Now, BY_UID), "* 1 EXPUNGE;");
}

#[test]
fn a_store_is_reported_unless_silent() {
    let seen = |flags: Flags| flags | Flags::SEEN;
    let rows = [state(1, Flags::SEEN, 7), state(2, Flags::SEEN | Flags::FLAGGED, 7)]; // another session flagged 2
    for (report, form, expected) in [
        (Report::Flags, PLAIN, "* 1 FETCH (FLAGS (\\Seen));* 2 FETCH (FLAGS (\\Flagged \\Seen));"),
        (Report::Nothing, PLAIN, "* 2 FETCH (FLAGS (\\Flagged \\Seen));"),
        (Report::Flags, QRESYNC, "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (7));* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen) MODSEQ (7));"),
        (Report::ModSeq, QRESYNC, "* 1 FETCH (UID 1 MODSEQ (7));* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen) MODSEQ (7));"),
    ] {
        let mut view = view(&[1, 2]);
        view.stored(&rows, seen, report);
        assert_eq!(told(&mut view, Expunge::Later, form), expected, "{report:?}");
        // The same change comes back from the store: old news (E-06).
        view.note(flagged(&[(1, Flags::SEEN), (2, Flags::SEEN | Flags::FLAGGED)]));
        assert_eq!(told(&mut view, Expunge::Now, PLAIN), "", "{report:?}");
        // A STORE that changes nothing is answered all the same.
        view.stored(&rows[..1], seen, Report::Flags);
        assert_eq!(told(&mut view, Expunge::Later, BY_UID), "* 1 FETCH (UID 1 FLAGS (\\Seen));");
    }
}

#[test]
fn vanished_takes_the_place_of_expunge() {
    let mut view = view(&[1, 2, 3, 5, 6, 9]);
    view.note(vanished(&[2, 3, 4, 9, 6]));
    view.note(added(&[12]));
    assert_eq!(told(&mut view, Expunge::Later, QRESYNC), "* 7 EXISTS;* 0 RECENT;");
    assert!(view.holds_back());
    assert_eq!(told(&mut view, Expunge::Now, QRESYNC), "* VANISHED 2:3,6,9;");
    assert!(!view.holds_back());
}

#[test]
fn imap4rev2_has_no_recent() {
    let mut view = view(&[1, 2]);
    view.note(vanished(&[1]));
    view.note(added(&[3]));
    assert_eq!(told(&mut view, Expunge::Now, REV2), "* 1 EXPUNGE;* 2 EXISTS;");
}

#[test]
fn what_changed_since_is_strictly_after_it() {
    let mut view = View::new((1..=5).map(|n| Message::new(uid(n), Flags::EMPTY, ModSeq::new(10 * u64::from(n)), false)), FlagNames::well_known());
    let since = |view: &View, set_text: &str, since: u64| -> Vec<u32> {
        let chosen = view.resolve(&set(set_text), true).unwrap();
        view.changed_since(&chosen, ModSeq::new(since)).into_seqs(view)
    };
    assert_eq!(since(&view, "1:*", 30), [4, 5]);
    assert_eq!(since(&view, "1:3,5", 0), [1, 2, 3, 5]);
    assert_eq!(since(&view, "1:*", 50), [] as [u32; 0]);
    view.note(Changes { flagged: vec![state(1, Flags::SEEN, 60)], ..Changes::default() });
    view.stored(&[state(3, Flags::SEEN, 61)], |flags| flags, Report::Nothing);
    assert_eq!(since(&view, "1:*", 50), [1, 3]);
    view.report(&[uid(2), uid(7)]);
    let lines = told(&mut view, Expunge::Now, QRESYNC);
    assert_eq!(lines, "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (60));* 2 FETCH (UID 2 FLAGS () MODSEQ (20));* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (61));");
}

impl Chosen {
    fn into_seqs(self, view: &View) -> Vec<u32> {
        view.messages(&self).map(|(seq, _)| seq).collect()
    }
}

#[test]
fn flags_shown_in_a_fetch_are_told() {
    let mut view = view(&[1]);
    view.note(flagged(&[(1, Flags::SEEN)]));
    view.shown(uid(1));
    assert_eq!(told(&mut view, Expunge::Now, PLAIN), "");
}

#[test]
fn recent() {
    let recent = |number| Message::new(uid(number), Flags::EMPTY, ModSeq::ZERO, true);
    let mut view = View::new([message(1), recent(2)], FlagNames::well_known());
    assert_eq!((view.count(), view.recent(), view.first_unseen()), (2, 1, Some(1)));
    view.note(Changes { added: vec![recent(3)], ..Changes::default() });
    assert_eq!(told(&mut view, Expunge::Now, PLAIN), "* 3 EXISTS;* 2 RECENT;");
    view.note(flagged(&[(3, Flags::SEEN)]));
    assert_eq!(told(&mut view, Expunge::Now, PLAIN), "* 3 FETCH (FLAGS (\\Seen \\Recent));");
    view.note(vanished(&[2]));
    assert_eq!(told(&mut view, Expunge::Now, PLAIN), "* 2 EXPUNGE;* 1 RECENT;");
}

#[test]
fn unsorted_and_double_rows_do_no_harm() {
    let view = View::new([3, 1, 2, 2].map(message), FlagNames::well_known());
    assert_eq!(view.uids(&view.all()), [1, 2, 3].map(uid));
}

/// A client: what it was told, by sequence number.
#[derive(Default)]
struct Client {
    messages: Vec<Option<(Uid, Flags)>>,
}

impl Client {
    fn hear(&mut self, responses: &[Response]) {
        for response in responses {
            match response {
                Response::Expunge(seq) => drop(self.messages.remove(*seq as usize - 1)),
                Response::Vanished { earlier: false, uids } => {
                    let is_gone = |uid: Uid| uids.iter().any(|range| range.contains(&uid.get()));
                    let before = self.messages.len();
                    self.messages.retain(|slot| !slot.is_some_and(|(uid, _)| is_gone(uid)));
                    assert_eq!(before - self.messages.len(), uids.iter().flat_map(Clone::clone).count(), "only of messages it knows");
                }
                Response::Exists(count) => {
                    assert!(*count as usize >= self.messages.len(), "EXISTS never shrinks");
                    self.messages.resize(*count as usize, None);
                }
                Response::Recent(_) => {}
                Response::Fetch(line) => {
                    let [FetchItem::Uid(uid), FetchItem::Flags(flags), ..] = line.items.as_slice() else { panic!() };
                    let slot = &mut self.messages[line.seq as usize - 1];
                    assert!(slot.is_none_or(|(known, _)| known == *uid), "a number changed its message");
                    *slot = Some((*uid, flags.flags));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The client asks for what it doesn't know yet, as it would by FETCH.
    fn ask(&mut self, view: &View) {
        for (slot, seq) in self.messages.iter_mut().zip(1..) {
            let message = view.message(seq).expect("a number the client was told");
            match slot {
                None => *slot = Some((message.uid, message.told)),
                Some((uid, _)) => assert_eq!(*uid, message.uid, "number {seq} means another message"),
            }
        }
        assert_eq!(self.messages.len(), view.count() as usize);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Arrive,
    Vanish(prop::sample::Index),
    Flag(prop::sample::Index, u64),
    Store(prop::sample::Index, u64, bool),
    /// The changes reach the session.
    Look,
    Tell(Expunge),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        3 => Just(Step::Arrive),
        2 => index().prop_map(Step::Vanish),
        2 => (index(), 0u64..32).prop_map(|(index, bits)| Step::Flag(index, bits)),
        2 => (index(), 0u64..32, any::<bool>()).prop_map(|(index, bits, silent)| Step::Store(index, bits, silent)),
        3 => Just(Step::Look),
        2 => Just(Step::Tell(Expunge::Later)),
        2 => Just(Step::Tell(Expunge::Now)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn the_client_ends_up_knowing_the_mailbox(start in 0u32..6, steps in steps(), form in prop_oneof![Just(BY_UID), Just(QRESYNC), Just(REV2)]) {
        let mut mailbox: BTreeMap<Uid, Flags> = (1..=start).map(|number| (uid(number), Flags::EMPTY)).collect();
        let mut next = start + 1;
        let mut view = View::new(mailbox.keys().map(|&uid| Message::new(uid, Flags::EMPTY, ModSeq::ZERO, false)), FlagNames::well_known());
        let mut client = Client { messages: vec![None; view.count() as usize] };
        let mut seen = mailbox.clone(); // the mailbox when the session last looked
        let mut silent_ops = Vec::new();
        for step in steps.into_iter().chain([Step::Look, Step::Tell(Expunge::Now)]) {
            match step {
                Step::Arrive => {
                    mailbox.insert(uid(next), Flags::EMPTY);
                    next += 1;
                }
                Step::Vanish(index) if !mailbox.is_empty() => {
                    let uid = *mailbox.keys().nth(index.index(mailbox.len())).unwrap();
                    mailbox.remove(&uid);
                }
                Step::Flag(index, bits) if !mailbox.is_empty() => {
                    let at = index.index(mailbox.len());
                    *mailbox.values_mut().nth(at).unwrap() = Flags::from_bits(bits);
                }
                Step::Store(index, bits, silent) if view.count() > 0 => {
                    // the client adds flags to a message it knows, which may be gone
                    let seq = index.index(view.count() as usize) as u32 + 1;
                    let uid = view.message(seq).unwrap().uid;
                    let add = Flags::from_bits(bits);
                    if let Some(flags) = mailbox.get_mut(&uid) {
                        *flags |= add;
                        let report = if silent { Report::Nothing } else { Report::Flags };
                        view.stored(&[Flagged { uid, flags: *flags, modseq: ModSeq::ZERO }], |flags| flags | add, report);
                        if silent {
                            silent_ops.push((seq, add));
                        }
                        seen.insert(uid, *flags);
                    }
                }
                Step::Look => {
                    let added = mailbox.iter().filter(|(uid, _)| !seen.contains_key(uid));
                    let changes = Changes {
                        added: added.map(|(&uid, &flags)| Message::new(uid, flags, ModSeq::ZERO, false)).collect(),
                        flagged: mailbox.iter().filter(|(uid, flags)| seen.get(uid).is_some_and(|old| old != *flags)).map(|(&uid, &flags)| Flagged { uid, flags, modseq: ModSeq::ZERO }).collect(),
                        vanished: seen.keys().filter(|uid| !mailbox.contains_key(uid)).copied().collect(),
                    };
                    seen = mailbox.clone();
                    view.note(changes);
                }
                Step::Tell(expunge) => {
                    for (seq, add) in silent_ops.drain(..) {
                        if let Some(Some((_, flags))) = client.messages.get_mut(seq as usize - 1) {
                            *flags |= add; // it takes its own change for granted
                        }
                    }
                    let lines = view.tell(expunge, form);
                    if expunge == Expunge::Later {
                        let expunges = lines.iter().any(|line| matches!(line, Response::Expunge(_) | Response::Vanished { .. }));
                        prop_assert!(!expunges);
                    }
                    client.hear(&lines);
                }
                _ => {}
            }
            client.ask(&view);
        }
        let known: BTreeMap<Uid, Flags> = client.messages.into_iter().flatten().collect();
        prop_assert_eq!(known, mailbox);
    }
}

#[test]
fn what_one_session_hears_changes_no_other_that_was_told_the_same() {
    assert_eq!(size_of::<Message>(), 32);
    let recent = Message::new(uid(3), Flags::SEEN, ModSeq::ZERO, true);
    let told = Told::new([message(2), Message::new(uid(1), Flags::SEEN, ModSeq::ZERO, false), recent]);
    let (mut one, other) = (View::of(&told, FlagNames::well_known()), View::of(&told, FlagNames::well_known()));
    assert_eq!((one.count(), one.recent(), one.first_unseen()), (3, 1, Some(2)));
    one.note(Changes { flagged: vec![Flagged { uid: uid(1), flags: Flags::EMPTY, modseq: ModSeq::new(7) }], ..vanished(&[3]) });
    one.note(added(&[4]));
    one.save(&[2]);
    one.tell(Expunge::Now, Form::default());
    assert_eq!((one.count(), one.recent(), one.message(1).unwrap().flags), (3, 0, Flags::EMPTY));
    assert_eq!((other.count(), other.recent(), other.message(1).unwrap().flags), (3, 1, Flags::SEEN));
    assert!(other.resolve(&SequenceSet::Saved, false).unwrap().is_empty());
}
