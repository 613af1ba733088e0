//! What a mailbox is for (RFC 6154 §2).

use std::fmt;

/// A special use; an account has at most one mailbox for each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SpecialUse {
    Archive,
    Drafts,
    Junk,
    Sent,
    Trash,
    Flagged,
    All,
}

impl SpecialUse {
    /// Every use with its database code and its attribute in LIST. The codes are on disk: never change one.
    const TABLE: [(SpecialUse, i64, &'static str); 7] = [
        (SpecialUse::Archive, 1, "\\Archive"),
        (SpecialUse::Drafts, 2, "\\Drafts"),
        (SpecialUse::Junk, 3, "\\Junk"),
        (SpecialUse::Sent, 4, "\\Sent"),
        (SpecialUse::Trash, 5, "\\Trash"),
        (SpecialUse::Flagged, 6, "\\Flagged"),
        (SpecialUse::All, 7, "\\All"),
    ];

    /// As LIST and CREATE write it: `\Drafts`.
    pub fn flag(self) -> &'static str {
        self.row().2
    }

    /// As LIST and CREATE write it, in any case.
    pub fn of_flag(flag: &str) -> Option<SpecialUse> {
        Self::TABLE.iter().find(|row| row.2.eq_ignore_ascii_case(flag)).map(|row| row.0)
    }

    /// The number it has in the database.
    pub fn code(self) -> i64 {
        self.row().1
    }

    pub fn from_code(code: i64) -> Option<SpecialUse> {
        Self::TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    fn row(self) -> &'static (SpecialUse, i64, &'static str) {
        &Self::TABLE[self as usize]
    }
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.flag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_its_own_place() {
        for (use_, code, flag) in SpecialUse::TABLE {
            assert_eq!((use_.code(), use_.flag()), (code, flag));
            assert_eq!(SpecialUse::from_code(code), Some(use_));
            assert_eq!(SpecialUse::of_flag(&flag.to_uppercase()), Some(use_));
        }
        assert_eq!(SpecialUse::from_code(0), None);
    }
}
