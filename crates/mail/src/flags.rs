//! Flags and keywords of a message (RFC 9051 §2.3.2, RFC 5788), and the letters a Maildir has for them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{BitOr, BitOrAssign};

/// The flags of a message as a bitmap.
///
/// Bits 0–4 are IMAP's system flags, 5–9 the keywords of RFC 5788 that have a meaning for us, 10–15 are reserved, and
/// [`DICTIONARY`](Flags::DICTIONARY) (16–62) are numbers in the account's own dictionary of keywords, which the store keeps.
/// Bit 63 is never used: the database's integers are signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Flags(u64);

impl Flags {
    pub const EMPTY: Flags = Flags(0);
    pub const ANSWERED: Flags = Flags(1 << 0);
    pub const FLAGGED: Flags = Flags(1 << 1);
    pub const DELETED: Flags = Flags(1 << 2);
    pub const SEEN: Flags = Flags(1 << 3);
    pub const DRAFT: Flags = Flags(1 << 4);
    pub const FORWARDED: Flags = Flags(1 << 5);
    pub const MDN_SENT: Flags = Flags(1 << 6);
    pub const JUNK: Flags = Flags(1 << 7);
    pub const NOT_JUNK: Flags = Flags(1 << 8);
    pub const PHISHING: Flags = Flags(1 << 9);

    /// The five that IMAP names with a backslash.
    pub const SYSTEM: Flags = Flags(0b1_1111);
    /// The bits a dictionary of keywords may give out: as many keywords as an account may have of its own.
    pub const DICTIONARY: std::ops::Range<u32> = 16..63;

    /// The bits are on disk: never change one.
    const NAMED: [(Flags, &'static str); 10] = [
        (Flags::ANSWERED, "\\Answered"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::SEEN, "\\Seen"),
        (Flags::DRAFT, "\\Draft"),
        (Flags::FORWARDED, "$Forwarded"),
        (Flags::MDN_SENT, "$MDNSent"),
        (Flags::JUNK, "$Junk"),
        (Flags::NOT_JUNK, "$NotJunk"),
        (Flags::PHISHING, "$Phishing"),
    ];

    /// In ASCII order, as readers of Maildirs expect it.
    const LETTERS: [(char, Flags); 6] = [
        ('D', Flags::DRAFT),
        ('F', Flags::FLAGGED),
        ('P', Flags::FORWARDED),
        ('R', Flags::ANSWERED),
        ('S', Flags::SEEN),
        ('T', Flags::DELETED),
    ];

    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Bit 63 is dropped.
    pub const fn from_bits(bits: u64) -> Flags {
        Flags(bits & (u64::MAX >> 1))
    }

    /// The flag of one dictionary bit; `None` outside [`Flags::DICTIONARY`].
    pub fn dictionary_bit(bit: u32) -> Option<Flags> {
        Self::DICTIONARY.contains(&bit).then(|| Flags(1 << bit))
    }

    /// The set bits that belong to the account's dictionary, ascending.
    pub fn dictionary_bits(self) -> impl Iterator<Item = u32> {
        Self::DICTIONARY.filter(move |bit| self.0 >> bit & 1 == 1)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    pub const fn only(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }

    /// Only IMAP's system flags.
    pub const fn system(self) -> Flags {
        self.only(Flags::SYSTEM)
    }

    /// A well-known flag by its name, in any case: `\Seen`, `$Forwarded`. `\Recent` is none: no one can set it.
    pub fn of_name(name: &str) -> Option<Flags> {
        Self::NAMED.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(flag, _)| *flag)
    }

    /// The names of the well-known ones that are set; those of the dictionary are the store's to tell.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }

    /// What stands after `:2,` in a Maildir file name.
    pub fn maildir_letters(self) -> String {
        Self::LETTERS.iter().filter(|(_, flag)| self.contains(*flag)).map(|(letter, _)| *letter).collect()
    }

    /// Letters that are not ours (`a`–`z`: another server's keywords) are passed over.
    pub fn from_maildir_letters(letters: &str) -> Flags {
        let known = Self::LETTERS.iter().filter(|(letter, _)| letters.contains(*letter));
        known.fold(Flags::EMPTY, |flags, (_, flag)| flags | *flag)
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        self.union(other)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        *self = self.union(other);
    }
}

/// A keyword is too long, empty, or has a character an atom may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a keyword: 1 to {} letters, digits or signs other than ( ) {{ % * \" \\ ] are needed", Keyword::MAX)]
pub struct BadKeyword;

/// A flag-keyword (RFC 9051 §9): the case it came in is kept, and does not count in comparisons.
#[derive(Clone, Debug)]
pub struct Keyword(String);

impl Keyword {
    /// Octets. The dictionary of 47 such names is read with every mailbox.
    pub const MAX: usize = 64;

    pub fn new(name: &str) -> Result<Keyword, BadKeyword> {
        let atom = |byte: u8| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte);
        if name.is_empty() || name.len() > Self::MAX || !name.bytes().all(atom) {
            return Err(BadKeyword);
        }
        Ok(Keyword(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl Hash for Keyword {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Flags::of_name("\\sEEN"), Some(Flags::SEEN));
        assert_eq!(Flags::of_name("$notjunk"), Some(Flags::NOT_JUNK));
        for unknown in ["\\Recent", "Seen", "", "$Label1"] {
            assert_eq!(Flags::of_name(unknown), None, "{unknown}");
        }
        let both = Flags::SEEN | Flags::FORWARDED | Flags::from_bits(1 << 20);
        assert_eq!(both.names().collect::<Vec<_>>(), ["\\Seen", "$Forwarded"]);
        assert_eq!(both.system(), Flags::SEEN);
        assert_eq!(both.dictionary_bits().collect::<Vec<_>>(), [20]);
        for (bit, (flag, name)) in Flags::NAMED.into_iter().enumerate() {
            assert_eq!(flag.bits(), 1 << bit, "{name}");
        }
    }

    #[test]
    fn letters_stand_in_ascii_order_and_strange_ones_are_passed_over() {
        let all = Flags::from_maildir_letters("TSRPFD");
        assert_eq!(all.maildir_letters(), "DFPRST");
        assert_eq!(Flags::from_maildir_letters("Sab,X"), Flags::SEEN);
        assert_eq!(Flags::EMPTY.maildir_letters(), "");
    }

    #[test]
    fn keywords() {
        for good in ["$Label1", "NonJunk", "a", "x-y.z:w", &"k".repeat(64)] {
            assert!(Keyword::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a(", "a]", "\\Seen", "a\"", "é", "a\0", "%", &"k".repeat(65)] {
            assert!(Keyword::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Keyword::new("$LABEL").ok(), Keyword::new("$label").ok());
    }

    proptest! {
        #[test]
        fn letters_round_trip(bits in any::<u64>()) {
            let flags = Flags::from_bits(bits);
            let letters = Flags::LETTERS.iter().fold(Flags::EMPTY, |all, (_, flag)| all | *flag);
            prop_assert_eq!(Flags::from_maildir_letters(&flags.maildir_letters()), flags.only(letters));
        }
    }
}
