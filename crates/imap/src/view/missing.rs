//! What a client knows that is here no more — RFC 7162 §3.2.5, §3.2.6: UIDs that are not in the view, as VANISHED lines.

use super::View;
use crate::response::Response;
use crate::set::{Bound, SequenceSet};
use mail::Uid;
use std::ops::RangeInclusive;

/// Ranges in one VANISHED line: some eight kilobytes, which is what RFC 7162 §4 counts on.
const RANGES: usize = 400;

/// `seq-match-data`: numbers of messages, and the UIDs that they had (RFC 7162 §3.2.5.2). Both ascend.
#[derive(Clone, PartialEq, Debug)]
pub struct MatchData {
    pub numbers: SequenceSet,
    pub uids: SequenceSet,
}

impl View {
    /// Up to which UID the client knows of every EXPUNGE: where a message still has the number that it knows, nothing below is
    /// missing. 0 if there is none.
    pub fn heard_up_to(&self, known: &MatchData) -> u32 {
        let runs = both(&known.numbers, &known.uids);
        runs.into_iter().filter_map(|(number, uid, count)| self.last_match(number, uid, count)).max().unwrap_or(0)
    }

    /// The last of messages `number`, `number + 1` … that has the UID `uid`, `uid + 1` …
    fn last_match(&self, number: u32, uid: u32, count: u32) -> Option<u32> {
        let messages = self.told.get(number.checked_sub(1)? as usize..)?;
        let messages = messages.get(..count as usize).unwrap_or(messages);
        // UIDs grow by one at least, so what they are ahead of the client's never shrinks.
        let ahead = |at: usize| i64::from(messages[at].uid.get()) - i64::from(uid) - at as i64;
        let (mut low, mut high) = (0, messages.len());
        while low < high {
            let middle = low + (high - low) / 2;
            (low, high) = if ahead(middle) <= 0 { (middle + 1, high) } else { (low, middle) };
        }
        let last = low.checked_sub(1)?;
        (ahead(last) == 0).then(|| messages[last].uid.get())
    }

    /// VANISHED (EARLIER) of all UIDs of a set within `bounds` that no message has: for when it is not known which of them were
    /// expunged since a moment.
    pub fn missing(&self, set: &SequenceSet, bounds: RangeInclusive<u32>) -> Vec<Response> {
        let ranges = uids(set).into_iter().map(|range| *range.start().max(bounds.start())..=*range.end().min(bounds.end()));
        vanished(true, ranges.flat_map(|range| self.gaps(range)))
    }

    /// The parts of a range of UIDs that no message has.
    fn gaps(&self, range: RangeInclusive<u32>) -> impl Iterator<Item = RangeInclusive<u32>> {
        let end = *range.end();
        let first = self.told.partition_point(|message| message.uid.get() < *range.start());
        let there = self.told.get(first..).unwrap_or_default().iter().map(|message| message.uid.get()).take_while(move |uid| *uid <= end);
        // A range that is empty from the beginning has no parts, nor does what lies beyond the largest UID.
        let mut next = Some(*range.start());
        let part = move |uid: Option<u32>| {
            let start = next?;
            next = uid.and_then(|uid| uid.checked_add(1));
            Some(start..=uid.map_or(end, |uid| uid - 1)).filter(|part| !part.is_empty())
        };
        there.map(Some).chain([None]).filter_map(part)
    }

    /// VANISHED (EARLIER) of those of `expunged` (ascending) that are in a set, above `heard`, and not still in the view: of
    /// these the client hears in their turn.
    pub fn expunged(&self, set: &SequenceSet, heard: u32, expunged: &[Uid]) -> Vec<Response> {
        let ranges = uids(set);
        let is_in_set = |uid: u32| {
            let after = ranges.partition_point(|range| *range.start() <= uid);
            after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| range.contains(&uid))
        };
        let gone = expunged.iter().filter(|uid| uid.get() > heard && is_in_set(uid.get()) && self.index_of(**uid).is_none());
        vanished(true, gone.map(|uid| uid.get()..=uid.get()))
    }
}

/// VANISHED lines of ascending ranges; those that touch are joined.
pub(super) fn vanished(earlier: bool, ranges: impl Iterator<Item = RangeInclusive<u32>>) -> Vec<Response> {
    let mut joined: Vec<RangeInclusive<u32>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end().checked_add(1) == Some(*range.start()) => *last = *last.start()..=*range.end(),
            _ => joined.push(range),
        }
    }
    joined.chunks(RANGES).map(|uids| Response::Vanished { earlier, uids: uids.to_vec() }).collect()
}

/// A set of UIDs as ascending ranges that do not overlap. `*` is beyond all: what is asked for is what was, not what is. Of `$` nothing
/// was: a message that goes leaves it.
fn uids(set: &SequenceSet) -> Vec<RangeInclusive<u32>> {
    let SequenceSet::Ranges(bounds) = set else { return Vec::new() };
    let value = |bound| match bound {
        Bound::Number(number) => number.get(),
        Bound::Last => u32::MAX,
    };
    let mut ranges: Vec<(u32, u32)> = bounds.iter().map(|&(first, last)| super::ordered(value(first), value(last))).collect();
    ranges.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined.into_iter().map(|(first, last)| first..=last).collect()
}

/// Two sets side by side: runs of first number, first UID, and how many there are of both. What one has more than the other has
/// no partner.
fn both(numbers: &SequenceSet, of_uids: &SequenceSet) -> Vec<(u32, u32, u32)> {
    let (mut numbers, mut uids) = (uids(numbers).into_iter(), uids(of_uids).into_iter());
    let mut runs = Vec::new();
    let (mut left, mut right) = (numbers.next(), uids.next());
    while let (Some(number), Some(uid)) = (left, right) {
        let less = (number.end() - number.start()).min(uid.end() - uid.start());
        runs.push((*number.start(), *uid.start(), less.saturating_add(1)));
        left = rest(&number, less).or_else(|| numbers.next());
        right = rest(&uid, less).or_else(|| uids.next());
    }
    runs
}

/// A range without its first `less + 1`.
fn rest(range: &RangeInclusive<u32>, less: u32) -> Option<RangeInclusive<u32>> {
    (range.end() - range.start() > less).then(|| range.start() + less + 1..=*range.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::{set, uid, view};
    use proptest::prelude::*;

    fn told(lines: Vec<Response>) -> String {
        let mut out = bytes::BytesMut::new();
        Response::Batch(lines).write(None, &mut out);
        String::from_utf8_lossy(&out).replace("\r\n", ";")
    }

    #[test]
    fn m_11_what_is_missing_of_what_the_client_knows() {
        let view = view(&[3, 4, 7]);
        let table = [
            ("1:10", 1..=8, "* VANISHED (EARLIER) 1:2,5:6,8;"),
            ("1:10", 5..=8, "* VANISHED (EARLIER) 5:6,8;"),
            ("*:1", 1..=8, "* VANISHED (EARLIER) 1:2,5:6,8;"),
            ("6:2,5,1", 1..=8, "* VANISHED (EARLIER) 1:2,5:6;"),
            ("3:4,7", 1..=8, ""),
            ("9:20", 1..=8, ""),
            ("1:10", 9..=8, ""),
        ];
        for (known, bounds, expected) in table {
            assert_eq!(told(view.missing(&set(known), bounds)), expected, "{known}");
        }
        assert_eq!(told(super::super::tests::view(&[]).missing(&set("1:*"), 1..=u32::MAX)), "* VANISHED (EARLIER) 1:4294967295;");
        assert_eq!(told(super::super::tests::view(&[u32::MAX]).missing(&set("2:*"), 1..=u32::MAX)), "* VANISHED (EARLIER) 2:4294967294;");
    }

    #[test]
    fn what_was_expunged_is_told_where_it_was_asked_for() {
        let view = view(&[3, 4, 7]);
        let gone = [1, 2, 5, 7, 9].map(uid);
        for (known, heard, expected) in [("1:*", 0, "1:2,5,9"), ("2:5", 0, "2,5"), ("1:*", 2, "5,9"), ("5,1", 1, "5"), ("*", 0, "")] {
            let line = if expected.is_empty() { String::new() } else { format!("* VANISHED (EARLIER) {expected};") };
            assert_eq!(told(view.expunged(&set(known), heard, &gone)), line, "{known}");
        }
    }

    #[test]
    fn numbers_that_are_right_still_spare_what_is_below() {
        let view = view(&[3, 6, 9, 12, 16]);
        let table = [("4", "12", 12), ("1,5", "3,15", 3), ("5", "15", 0), ("2", "6", 6), ("1:5", "3,6,9,12,15", 12), ("9", "30", 0), ("1", "4", 0), ("1:4294967295", "3:4294967295", 3)];
        for (numbers, uids, expected) in table {
            assert_eq!(view.heard_up_to(&MatchData { numbers: set(numbers), uids: set(uids) }), expected, "{numbers} {uids}");
        }
    }

    #[test]
    fn no_line_is_long() {
        let uids: Vec<u32> = (0..1000).map(|n| 4_000_000_000 + 2 * n).collect();
        let lines = view(&uids).missing(&set("1:*"), 1..=u32::MAX);
        assert_eq!(lines.len(), 3);
        for line in lines {
            let length = told(vec![line]).len();
            assert!(length < 8192 + 1024, "{length}");
        }
    }

    proptest! {
        /// Against the definition, number by number.
        #[test]
        fn as_defined(there in proptest::collection::btree_set(1u32..40, 0..20), ranges in proptest::collection::vec((1u32..45, 1u32..45), 1..4), low in 1u32..40, high in 1u32..45) {
            let there: Vec<u32> = there.into_iter().collect();
            let text: Vec<String> = ranges.iter().map(|(a, b)| format!("{a}:{b}")).collect();
            let is_in_set = |uid: u32| ranges.iter().any(|&(a, b)| (a.min(b)..=a.max(b)).contains(&uid));
            let expected: Vec<u32> = (low..=high).filter(|uid| is_in_set(*uid) && !there.contains(uid)).collect();
            let lines = view(&there).missing(&set(&text.join(",")), low..=high);
            let got: Vec<u32> = lines.into_iter().flat_map(|line| match line {
                Response::Vanished { uids, .. } => uids.into_iter().flatten().collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            }).collect();
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn a_match_is_the_last_that_is_right(there in proptest::collection::btree_set(1u32..30, 0..12), pairs in proptest::collection::btree_map(1u32..12, 1u32..30, 1..6)) {
            let there: Vec<u32> = there.into_iter().collect();
            // Both ascend; as many of each.
            let (numbers, mut uids): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
            uids.sort_unstable();
            uids.dedup();
            let expected = numbers.iter().zip(&uids).filter(|(number, uid)| there.get(**number as usize - 1) == Some(uid)).map(|(_, uid)| *uid).max();
            let text = |numbers: &[u32]| set(&numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
            let known = MatchData { numbers: text(&numbers), uids: text(&uids) };
            prop_assert_eq!(view(&there).heard_up_to(&known), expected.unwrap_or(0));
        }
    }
}
