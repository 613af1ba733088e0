//! The RFC's examples, the guards of Q-11, and what is true of every forest.

use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// A mailbox in words: `id: references | subject @ sent`.
#[derive(Clone, Debug, Default)]
struct Letter {
    id: Option<&'static str>,
    references: Vec<&'static str>,
    subject: &'static str,
    sent: i64,
}

fn letter(id: &'static str, references: &[&'static str], subject: &'static str, sent: i64) -> Letter {
    Letter { id: Some(id).filter(|id| !id.is_empty()), references: references.to_vec(), subject, sent }
}

fn told(letters: &[Letter], thread: fn(&[Message<'_>], Names) -> Forest) -> String {
    let (mut ids, mut subjects) = (HashMap::new(), HashMap::new());
    let mut number = |id: &'static str| {
        let next = ids.len() as u32;
        *ids.entry(id).or_insert(next)
    };
    let references: Vec<Vec<u32>> = letters.iter().map(|letter| letter.references.iter().map(|id| number(id)).collect()).collect();
    let messages: Vec<Message> = letters
        .iter()
        .zip(&references)
        .map(|(letter, references)| {
            let base = crate::subject::BaseSubject::of_text(letter.subject);
            let next = subjects.len() as u32;
            let subject = (!base.text.is_empty()).then(|| *subjects.entry(crate::casemap::key(&base.text)).or_insert(next));
            Message { id: letter.id.map(&mut number), references, subject, is_reply: base.is_reply, sent: letter.sent }
        })
        .collect();
    shown(&thread(&messages, Names { ids: ids.len(), subjects: subjects.len() }))
}

/// As IMAP writes it, messages counted from 1.
fn shown(forest: &Forest) -> String {
    let mut text = String::new();
    for step in forest.walk() {
        match step {
            Step::Open => text.push_str(if text.ends_with(char::is_numeric) { " (" } else { "(" }),
            Step::Message(index) => text.push_str(&format!("{}{}", if text.ends_with('(') || text.is_empty() { "" } else { " " }, index + 1)),
            Step::Close => text.push(')'),
        }
    }
    text
}

#[test]
fn replies_stand_below_what_they_reply_to() {
    let tree = [
        letter("2", &[], "x", 1),
        letter("3", &[], "y", 2),
        letter("6", &["3"], "Re: y", 3),
        letter("4", &["3", "6"], "Re: y", 4),
        letter("23", &["3", "6", "4"], "Re: y", 5),
        letter("44", &["3", "6"], "Re: y", 6),
        letter("7", &["44"], "Re: y", 7),
        letter("96", &["7"], "Re: y", 8),
    ];
    assert_eq!(told(&tree, references), "(1)(2 3 (4 5)(6 7 8))");
    assert_eq!(told(&[], references), "");
    assert_eq!(told(&[], ordered_subject), "");
}

#[test]
fn what_is_missing_holds_its_children_together() {
    let one = [letter("a", &["gone"], "x", 1)];
    assert_eq!(told(&one, references), "(1)", "a dummy with one child is none");
    let two = [letter("a", &["gone"], "x", 1), letter("b", &["gone"], "y", 2)];
    assert_eq!(told(&two, references), "((1)(2))");
    // The dummy above it has but one child, a dummy itself.
    let deep = [letter("a", &["g1", "g2"], "x", 1), letter("b", &["g1", "g2"], "y", 2)];
    assert_eq!(told(&deep, references), "((1)(2))");
    // In the middle it is left out.
    let middle = [letter("r", &[], "x", 1), letter("a", &["r", "gone"], "x", 2), letter("b", &["r", "gone"], "x", 3)];
    assert_eq!(told(&middle, references), "(1 (2)(3))");
    // One child of a dummy that lost its other child to where that belongs.
    let lost = [letter("a", &["gone"], "x", 1), letter("c", &["gone", "b"], "z", 2), letter("b", &["a"], "y", 3)];
    assert_eq!(told(&lost, references), "(1 3 2)");
}

#[test]
fn q_11_no_knot_of_references_is_followed() {
    assert_eq!(told(&[letter("a", &["a"], "x", 1)], references), "(1)", "its own parent");
    let two = [letter("a", &["b"], "x", 1), letter("b", &["a"], "y", 2)];
    assert_eq!(told(&two, references), "(2 1)", "the first link holds");
    let three = [letter("a", &["c"], "x", 1), letter("b", &["a"], "y", 2), letter("c", &["b"], "z", 3)];
    assert_eq!(told(&three, references), "(3 1 2)");
    let twice = [letter("a", &["g", "h", "g"], "x", 1), letter("b", &["h", "g", "h"], "y", 2)];
    assert_eq!(told(&twice, references), "((1)(2))");
}

#[test]
fn q_11_a_message_id_belongs_to_the_first_that_has_it() {
    let twice = [letter("a", &[], "x", 1), letter("a", &[], "y", 2), letter("b", &["a"], "z", 3), letter("", &["a"], "w", 4)];
    assert_eq!(told(&twice, references), "(1 (3)(4))(2)");
}

#[test]
fn q_11_a_message_knows_its_parent_better_than_others() {
    // The second says a is the parent of c; c itself says b is.
    let letters = [letter("a", &[], "x", 1), letter("d", &["a", "c"], "x", 2), letter("b", &[], "y", 3), letter("c", &["b"], "y", 4)];
    assert_eq!(told(&letters, references), "(1)(3 4 2)");
    // It says that it has none.
    let letters = [letter("a", &[], "x", 1), letter("d", &["a", "c"], "y", 2), letter("c", &[], "z", 4)];
    assert_eq!(told(&letters, references), "(1)(3 2)");
}

#[test]
fn what_has_no_parent_is_gathered_by_subject() {
    let reply = [letter("a", &[], "x", 1), letter("b", &[], "Re: X", 2)];
    assert_eq!(told(&reply, references), "(1 2)", "a reply below what it replies to, in any case");
    let early = [letter("b", &[], "Re: x", 1), letter("a", &[], "x", 2)];
    assert_eq!(told(&early, references), "(2 1)", "even if it came before");
    let replies = [letter("a", &[], "Re: x", 1), letter("b", &[], "Re: x", 2), letter("c", &[], "Re: x", 3)];
    assert_eq!(told(&replies, references), "((1)(2)(3))");
    let same = [letter("a", &[], "x", 1), letter("b", &[], "x", 2)];
    assert_eq!(told(&same, references), "((1)(2))", "neither is a reply");
    let empty = [letter("a", &[], "", 1), letter("b", &[], "Re:", 2)];
    assert_eq!(told(&empty, references), "(1)(2)", "no subject is no subject");
    let dummies = [letter("a", &["g"], "x", 1), letter("b", &["g"], "y", 2), letter("c", &["h"], "x", 3), letter("d", &["h"], "z", 4), letter("e", &[], "x", 5)];
    assert_eq!(told(&dummies, references), "((1)(2)(3)(4)(5))", "two dummies become one, and take the third in");
    let children = [letter("a", &[], "x", 1), letter("b", &["a"], "x", 2), letter("c", &[], "Re: x", 3)];
    assert_eq!(told(&children, references), "(1 (2)(3))");
}

#[test]
fn siblings_stand_by_date_then_by_number() {
    let letters = [letter("c", &["a"], "x", 9), letter("b", &["a"], "x", 8), letter("a", &[], "x", 5), letter("d", &["a"], "x", 8), letter("e", &[], "y", -3)];
    assert_eq!(told(&letters, references), "(5)(3 (2)(4)(1))");
    // A dummy has the date of its first child.
    let letters = [letter("a", &[], "x", 5), letter("b", &["g"], "y", 9), letter("c", &["g"], "z", 1)];
    assert_eq!(told(&letters, references), "((3)(2))(1)");
}

#[test]
fn ordered_subject_is_one_level_deep() {
    let letters = [
        letter("", &[], "x", 3), letter("", &[], "Re: y", 2), letter("", &[], "re: X", 1), letter("", &[], "Y", 4), letter("", &[], "X (fwd)", 5), letter("", &[], "", 0),
        letter("", &[], "Re:", 9),
    ];
    assert_eq!(told(&letters, ordered_subject), "(6 7)(3 (1)(5))(2 4)");
}

/// Messages of an enemy, or of chance.
fn messages() -> impl Strategy<Value = Vec<(Option<u32>, Vec<u32>, Option<u32>, bool, i64)>> {
    let id = || 0..12u32;
    let message = (proptest::option::weighted(0.9, id()), proptest::collection::vec(id(), 0..5), proptest::option::of(0..4u32), any::<bool>(), 0..6i64);
    proptest::collection::vec(message, 0..16)
}

const NAMES: Names = Names { ids: 12, subjects: 4 };

proptest! {
    #[test]
    fn every_message_is_there_once_and_dummies_hold_two(made in messages()) {
        let messages: Vec<Message> = made.iter().map(|(id, references, subject, is_reply, sent)| Message { id: *id, references, subject: *subject, is_reply: *is_reply, sent: *sent }).collect();
        for thread in [references, ordered_subject] {
            let forest = thread(&messages, NAMES);
            let seen: Vec<u32> = forest.walk().filter_map(|step| match step { Step::Message(index) => Some(index), _ => None }).collect();
            prop_assert_eq!(seen.len(), messages.len());
            prop_assert_eq!(seen.iter().collect::<HashSet<_>>().len(), messages.len());
            let text = shown(&forest);
            prop_assert!(!text.contains("()") && !text.contains("(("  ) || text.split("((").skip(1).all(|rest| rest.contains(")(")), "{}", text);
            // thread-nested = 2*thread-list: no branch alone.
            for top in 0..forest.begins.len() as u32 - 1 {
                let children = forest.children(top).len();
                prop_assert!((top as usize) < messages.len() || children != 1, "{}", text);
                prop_assert!(children == 0 || forest.children(top).iter().all(|child| (*child as usize) < messages.len()), "a dummy below the top");
            }
        }
    }

    /// Step (1) and (3) as the RFC writes them, with loops found by walking.
    #[test]
    fn parents_are_what_the_steps_give(made in messages()) {
        // Without subjects, so that nothing is gathered.
        let messages: Vec<Message> = made.iter().map(|(id, references, _, _, sent)| Message { id: *id, references, subject: None, is_reply: false, sent: *sent }).collect();
        let mut node_of: HashMap<u32, usize> = HashMap::new();
        for (index, message) in messages.iter().enumerate() {
            if let Some(id) = message.id { node_of.entry(id).or_insert(index); }
        }
        let mut parents: Vec<Option<usize>> = vec![None; messages.len()];
        let is_above = |parents: &[Option<usize>], above: usize, below: usize| {
            std::iter::successors(Some(below), |node| parents[*node]).any(|node| node == above)
        };
        for (index, message) in messages.iter().enumerate() {
            let mut last = None;
            for id in message.references {
                let node = *node_of.entry(*id).or_insert_with(|| { parents.push(None); parents.len() - 1 });
                if let Some(above) = last && parents[node].is_none() && !is_above(&parents, node, above) { parents[node] = Some(above); }
                last = Some(node);
            }
            parents[index] = None;
            if let Some(above) = last && !is_above(&parents, index, above) { parents[index] = Some(above); }
        }
        let count = messages.len();
        // The real message above each, or the topmost dummy if that holds more than one.
        let above = |node: usize| {
            let up = std::iter::successors(parents[node], |node| parents[*node]);
            let up: Vec<usize> = up.collect();
            up.iter().copied().find(|node| *node < count).or(up.last().copied())
        };
        let tops: Vec<Option<usize>> = (0..count).map(above).collect();
        let alone = |top: usize| top >= count && tops.iter().filter(|other| **other == Some(top)).count() == 1;
        let expected: Vec<Option<usize>> = tops.iter().map(|top| top.filter(|top| !alone(*top))).collect();
        let forest = references(&messages, NAMES);
        for node in 0..forest.begins.len() as u32 - 1 {
            for child in forest.children(node) {
                let (is, ought) = (node as usize, expected[*child as usize]);
                prop_assert!(if is < count { ought == Some(is) } else { ought.is_some_and(|top| top >= count) }, "{} below {}: {:?}", child, node, ought);
            }
        }
        let tops = forest.tops.iter().filter(|top| (**top as usize) < count).count();
        prop_assert_eq!(tops, expected.iter().filter(|top| top.is_none()).count());
    }
}

#[test]
fn a_hundred_thousand_messages_in_one_chain() {
    const COUNT: u32 = 100_000;
    let time = std::time::Instant::now();
    for reversed in [false, true] {
        let parents: Vec<[u32; 1]> = (0..COUNT).map(|n| [n.wrapping_sub(1)]).collect();
        let message = |n: u32| Message { id: Some(n), references: if n == 0 { &[] } else { &parents[n as usize] }, subject: Some(0), is_reply: n > 0, sent: n.into() };
        let messages: Vec<Message> = if reversed { (0..COUNT).rev().map(message).collect() } else { (0..COUNT).map(message).collect() };
        let forest = references(&messages, Names { ids: COUNT as usize, subjects: 1 });
        let steps: Vec<Step> = forest.walk().collect();
        assert_eq!(steps.len(), COUNT as usize + 2, "one thread without a branch");
        assert_eq!(steps[1], Step::Message(if reversed { COUNT - 1 } else { 0 }));
    }
    // Knots: a deep chain, then pairs that are hung below its end one after another, cut out of it before.
    let deep = COUNT / 2;
    let chain: Vec<u32> = (0..deep).collect();
    let pairs: Vec<Vec<u32>> = (deep..COUNT).map(|n| vec![deep - 1, n - 1]).collect();
    let mut messages = vec![Message { references: &chain, ..Message::default() }];
    messages.extend(pairs.iter().zip(deep..).map(|(references, n)| Message { id: Some(n), references, ..Message::default() }));
    messages.extend((0..deep).map(|n| Message { id: Some(n), references: &chain[deep as usize - 1..], ..Message::default() }));
    let forest = references(&messages, Names { ids: COUNT as usize, subjects: 0 });
    assert_eq!(forest.walk().filter(|step| matches!(step, Step::Message(_))).count(), messages.len());
    assert!(time.elapsed().as_secs() < 60, "it took {:?}", time.elapsed());
}
