//! Sequence sets: `1,3:5,9:*` — RFC 3501 §9 `sequence-set` — and `$`, RFC 5182 §3. Whether the numbers mean sequence numbers or
//! UIDs stands beside them.

use crate::cursor::{Bad, Cursor};
use std::fmt;
use std::num::NonZeroU32;

/// One end of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    Number(NonZeroU32),
    /// `*`: the largest number in use.
    Last,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SequenceSet {
    /// In the order given; `4:2` is kept as sent and means `2:4`. Never empty.
    Ranges(Vec<(Bound, Bound)>),
    /// `$`: the messages that the last SEARCH saved, by whatever name.
    Saved,
}

impl SequenceSet {
    /// `1:*`
    pub fn all() -> Self {
        SequenceSet::Ranges(vec![(Bound::Number(NonZeroU32::MIN), Bound::Last)])
    }

    /// Numbers alone: neither `*` nor `$`.
    pub(crate) fn is_plain(&self) -> bool {
        let is_plain = |&(first, last): &(Bound, Bound)| first != Bound::Last && last != Bound::Last;
        matches!(self, SequenceSet::Ranges(ranges) if ranges.iter().all(is_plain))
    }

    /// From numbers in ascending order, made into ranges; `None` of nothing.
    pub fn of_numbers(numbers: impl IntoIterator<Item = NonZeroU32>) -> Option<Self> {
        let mut ranges: Vec<(NonZeroU32, NonZeroU32)> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        let ranges: Vec<_> = ranges.into_iter().map(|(a, b)| (Bound::Number(a), Bound::Number(b))).collect();
        (!ranges.is_empty()).then_some(SequenceSet::Ranges(ranges))
    }

    pub(crate) fn parse(cursor: &mut Cursor) -> Result<Self, Bad> {
        if cursor.take(b'$') {
            return Ok(SequenceSet::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            let first = bound(cursor)?;
            let second = if cursor.take(b':') { bound(cursor)? } else { first };
            ranges.push((first, second));
            if !cursor.take(b',') {
                return Ok(SequenceSet::Ranges(ranges));
            }
            if ranges.len() >= cursor.limits.ranges {
                return Err(Bad::limit("Too many ranges in the message set"));
            }
        }
    }
}

fn bound(cursor: &mut Cursor) -> Result<Bound, Bad> {
    if cursor.take(b'*') {
        return Ok(Bound::Last);
    }
    cursor.nz_number().map(Bound::Number).map_err(|_| Bad::syntax("Invalid message set"))
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Number(number) => number.fmt(f),
            Bound::Last => f.write_str("*"),
        }
    }
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SequenceSet::Ranges(ranges) = self else { return f.write_str("$") };
        for (index, (first, last)) in ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            first.fmt(f)?;
            if first != last {
                write!(f, ":{last}")?;
            }
        }
        Ok(())
    }
}
