//! Messages that refer to one another in any way, as numbers and as headers: each is told once, in the grammar of RFC 5256 §5.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::sorting::SortKeys;
use mail::thread::{Forest, Message, Names, Step, ordered_subject, references};

/// Names of each kind: few, so that they meet.
const NAMES: Names = Names { ids: 16, subjects: 4 };

fuzz_target!(|octets: &[u8]| {
    let _ = SortKeys::of_header(octets);
    // A message is a byte of flags, a Message-ID with a date, and as many references as the flags say.
    let mut rest = octets;
    let mut parts: Vec<(u8, u8, Vec<u32>)> = Vec::new();
    while let [flags, id, more @ ..] = rest {
        let count = (flags & 7) as usize;
        let references = more.iter().take(count).map(|octet| u32::from(octet & 15)).collect();
        parts.push((*flags, *id, references));
        rest = more.get(count..).unwrap_or_default();
    }
    let messages: Vec<Message<'_>> = parts
        .iter()
        .map(|(flags, id, references)| Message {
            id: (flags & 8 == 0).then_some(u32::from(id & 15)),
            references,
            subject: (flags & 16 == 0).then_some(u32::from(flags >> 5 & 3)),
            is_reply: flags & 128 != 0,
            sent: i64::from(id >> 4),
        })
        .collect();
    for forest in [references(&messages, NAMES), ordered_subject(&messages, NAMES)] {
        check(&forest, messages.len());
    }
});

fn check(forest: &Forest, count: usize) {
    let mut seen = vec![false; count];
    // Of each branch that is open: whether it has a message, and how many branches.
    let mut open: Vec<(bool, usize)> = Vec::new();
    for step in forest.walk() {
        match step {
            Step::Open => {
                if let Some((_, branches)) = open.last_mut() {
                    *branches += 1;
                }
                open.push((false, 0));
            }
            Step::Message(index) => {
                let seen = &mut seen[index as usize];
                assert!(!std::mem::replace(seen, true), "message {index} is there twice");
                let (has, branches) = open.last_mut().expect("a message outside");
                assert_eq!(*branches, 0, "a message behind branches");
                *has = true;
            }
            Step::Close => {
                let (has, branches) = open.pop().expect("closed without being open");
                assert!(branches != 1 && (has || branches > 1), "a branch alone, or nothing");
            }
        }
    }
    assert!(open.is_empty() && seen.iter().all(|seen| *seen), "a message is missing");
}
