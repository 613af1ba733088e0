//! Numbers that name things for good (RFC 9051 §2.3.1, RFC 7162 §3.1).

use std::fmt;
use std::num::NonZeroU32;

/// Names a message in a mailbox for good; only grows (RFC 9051 §2.3.1.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Uid(NonZeroU32);

/// Says which life of a mailbox its UIDs belong to; a new one makes every client forget (RFC 9051 §2.3.1.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UidValidity(NonZeroU32);

macro_rules! nonzero {
    ($name:ident) => {
        impl $name {
            /// The smallest one.
            pub const FIRST: $name = $name(NonZeroU32::MIN);
            /// The largest one.
            pub const LAST: $name = $name(NonZeroU32::MAX);

            /// `None` for 0, which names nothing.
            pub const fn new(value: u32) -> Option<Self> {
                match NonZeroU32::new(value) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            pub const fn get(self) -> u32 {
                self.0.get()
            }

            /// The one after this; `None` once all are used.
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

nonzero!(Uid);
nonzero!(UidValidity);

/// A point in the life of an account: each change has one, and a later commit has a larger one (RFC 7162 §3.1).
/// Stays below 2^63, so that it fits the database's signed integer and the protocol's number64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ModSeq(u64);

impl ModSeq {
    /// Before every change.
    pub const ZERO: ModSeq = ModSeq(0);
    /// The largest the protocol can say.
    pub const MAX: ModSeq = ModSeq(i64::MAX as u64);

    /// Values above [`ModSeq::MAX`] are lowered to it.
    pub const fn new(value: u64) -> Self {
        if value > Self::MAX.0 { Self::MAX } else { Self(value) }
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_names_nothing_and_the_last_has_no_next() {
        assert_eq!(Uid::new(0), None);
        assert_eq!(Uid::FIRST.next(), Uid::new(2));
        assert_eq!(Uid::LAST.next(), None);
        assert_eq!(UidValidity::new(7).map(|v| v.to_string()).as_deref(), Some("7"));
    }

    #[test]
    fn a_modseq_fits_63_bits() {
        assert_eq!(ModSeq::new(u64::MAX), ModSeq::MAX);
        assert_eq!(ModSeq::new(5).get(), 5);
    }
}
