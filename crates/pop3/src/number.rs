//! Message numbers.

use std::fmt;
use std::num::NonZeroU32;

/// A message by its place in the maildrop, from 1; valid for one session (RFC 1939 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Number(NonZeroU32);

impl Number {
    /// Longest text of a number: 4294967295.
    const DIGITS: usize = 10;

    /// `None` for 0.
    pub fn new(number: u32) -> Option<Number> {
        NonZeroU32::new(number).map(Number)
    }

    /// The number of the element at `index` of a list; `None` beyond 2^32 - 1.
    pub fn of_index(index: usize) -> Option<Number> {
        u32::try_from(index).ok()?.checked_add(1).and_then(Number::new)
    }

    /// The number itself, from 1.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The place in a list, from 0.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1 // not below 0: the type says so
    }

    /// A number in decimal digits; `None` for 0, for more than fits, for signs and spaces.
    pub(crate) fn parse(text: &[u8]) -> Option<Number> {
        digits(text).and_then(Number::new)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Decimal digits, at least one, as a number.
pub(crate) fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > Number::DIGITS || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_from_one_on_are_numbers() {
        let table: [(&[u8], Option<u32>); 10] = [
            (b"1", Some(1)),
            (b"007", Some(7)),
            (b"4294967295", Some(u32::MAX)),
            (b"4294967296", None),
            (b"00000000001", None),
            (b"0", None),
            (b"", None),
            (b"-1", None),
            (b"+1", None),
            (b"1 ", None),
        ];
        for (text, number) in table {
            assert_eq!(Number::parse(text).map(Number::get), number, "{:?}", String::from_utf8_lossy(text));
        }
        assert_eq!(Number::of_index(0).map(Number::index), Some(0));
    }
}
