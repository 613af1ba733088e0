//! Names of mailboxes, in the protocol and on disk (RFC 9051 §5.1, Maildir++).

use std::fmt;

use crate::mutf7;

/// Why a name cannot be a mailbox's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("mailbox name is empty")]
    Empty,
    #[error("mailbox name is too long or too deep")]
    TooLong,
    #[error("mailbox name has an empty element")]
    EmptyElement,
    #[error("mailbox name has an element '.' or '..'")]
    Dots,
    #[error("mailbox name begins with '~'")]
    Home,
    #[error("mailbox name has a control character")]
    Control,
    #[error("mailbox name is not valid modified UTF-7")]
    Utf7,
    #[error("mailbox name is not valid UTF-8")]
    Utf8,
    #[error("not a directory name of a mailbox")]
    Directory,
}

/// The name of a mailbox: UTF-8, elements separated by `/`.
///
/// `INBOX` is written so whatever case it came in, also as the first of several elements: there is one INBOX, and its
/// children are its own. Everything else is compared octet by octet. What exists here is safe as a path below a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailboxName(String);

impl MailboxName {
    pub const SEPARATOR: char = '/';
    /// Octets of one element: NAME_MAX of every Unix.
    pub const ELEMENT_MAX: usize = 255;
    /// Octets of the whole name: it travels in LIST lines and stands in an index.
    pub const MAX: usize = 1000;
    /// Elements: keeps trees a client can draw, and recursions in theirs short.
    pub const DEPTH_MAX: usize = 32;

    /// One `/` at the end is removed: it only says that there will be children (RFC 9051 §6.3.4).
    pub fn new(name: &str) -> Result<MailboxName, BadName> {
        let name = name.strip_suffix(Self::SEPARATOR).unwrap_or(name);
        if name.is_empty() {
            return Err(BadName::Empty);
        }
        if name.len() > Self::MAX || name.split(Self::SEPARATOR).count() > Self::DEPTH_MAX {
            return Err(BadName::TooLong);
        }
        if name.starts_with('~') {
            return Err(BadName::Home);
        }
        if name.chars().any(char::is_control) {
            return Err(BadName::Control);
        }
        for element in name.split(Self::SEPARATOR) {
            match element {
                "" => return Err(BadName::EmptyElement),
                "." | ".." => return Err(BadName::Dots),
                long if long.len() > Self::ELEMENT_MAX => return Err(BadName::TooLong),
                _ => {}
            }
        }
        let first = name.split(Self::SEPARATOR).next().unwrap_or_default();
        match name.get(first.len()..) {
            Some(rest) if first.eq_ignore_ascii_case("INBOX") => Ok(MailboxName(format!("INBOX{rest}"))),
            _ => Ok(MailboxName(name.to_owned())),
        }
    }

    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The elements from the top down; at least one.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split(Self::SEPARATOR)
    }

    /// The mailbox one up; `None` at the top.
    pub fn parent(&self) -> Option<MailboxName> {
        self.0.rsplit_once(Self::SEPARATOR).map(|(parent, _)| MailboxName(parent.to_owned()))
    }

    /// Whether it is a child of `above`, or a child's child; not whether it is `above` itself.
    pub fn is_under(&self, above: &MailboxName) -> bool {
        self.0.strip_prefix(&above.0).is_some_and(|rest| rest.starts_with(Self::SEPARATOR))
    }

    /// The name it has once `from` (itself or above it) is called `to`; `None` if it is not under `from`.
    pub fn renamed(&self, from: &MailboxName, to: &MailboxName) -> Option<Result<MailboxName, BadName>> {
        if self != from && !self.is_under(from) {
            return None;
        }
        let rest = self.0.get(from.0.len()..)?;
        Some(MailboxName::new(&format!("{to}{rest}")))
    }

    /// Whether it is composed as Net-Unicode demands of a new name in UTF-8 (RFC 9051 §5.1, RFC 5198 §3): else there could be two of
    /// one look.
    pub fn is_composed(&self) -> bool {
        unicode_normalization::is_nfc(&self.0)
    }

    /// From an IMAP4rev1 command.
    pub fn from_mutf7(name: &[u8]) -> Result<MailboxName, BadName> {
        MailboxName::new(&mutf7::decode(name)?)
    }

    /// For an IMAP4rev1 answer.
    pub fn to_mutf7(&self) -> String {
        mutf7::encode(&self.0)
    }

    /// The directory below the Maildir's root: `""` for INBOX, `.Sent.2024` for `Sent/2024` (Maildir++). A `.` within an
    /// element is `\2e`, and a `\` that would be taken for such an escape is `\5c`.
    ///
    /// It may be longer than a file name can be: see [`fits_maildir`](MailboxName::fits_maildir).
    pub fn maildir_dir(&self) -> String {
        if self.is_inbox() {
            return String::new();
        }
        let mut dir = String::with_capacity(self.0.len() + 1);
        for element in self.elements() {
            dir.push('.');
            escape(&mutf7::encode(element), &mut dir);
        }
        dir
    }

    /// Whether [`maildir_dir`](MailboxName::maildir_dir) can exist: all elements share one file name of 255 octets there.
    pub fn fits_maildir(&self) -> bool {
        self.maildir_dir().len() <= Self::ELEMENT_MAX
    }

    /// The mailbox of a directory below the Maildir's root; refuses what no mailbox's [`maildir_dir`](Self::maildir_dir) is.
    pub fn from_maildir_dir(dir: &str) -> Result<MailboxName, BadName> {
        if dir.is_empty() {
            return Ok(MailboxName::inbox());
        }
        let elements = dir.strip_prefix('.').ok_or(BadName::Directory)?;
        let mut name = String::with_capacity(dir.len());
        for element in elements.split('.') {
            if !name.is_empty() {
                name.push(Self::SEPARATOR);
            }
            let element = mutf7::decode(unescape(element).as_bytes())?;
            if element.is_empty() || element.contains(Self::SEPARATOR) {
                return Err(BadName::Directory);
            }
            name.push_str(&element);
        }
        let name = MailboxName::new(&name)?;
        if name.maildir_dir() != dir {
            return Err(BadName::Directory);
        }
        Ok(name)
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn escape(element: &str, out: &mut String) {
    let mut rest = element;
    while let Some(c) = rest.chars().next() {
        match c {
            '.' => out.push_str("\\2e"),
            '\\' if escaped(rest).is_some() => out.push_str("\\5c"),
            other => out.push(other),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
}

fn unescape(element: &str) -> String {
    let mut out = String::with_capacity(element.len());
    let mut rest = element;
    while let Some(c) = rest.chars().next() {
        let (plain, taken) = escaped(rest).map_or((c, c.len_utf8()), |plain| (plain, 3));
        out.push(plain);
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// What the escape at the start stands for, if there is one.
fn escaped(text: &str) -> Option<char> {
    match text.get(..3)? {
        "\\2e" => Some('.'),
        "\\5c" => Some('\\'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(name: &str) -> MailboxName {
        MailboxName::new(name).unwrap()
    }

    #[test]
    fn what_is_a_name() {
        for (given, kept) in [
            ("inbox", "INBOX"),
            ("InBoX/", "INBOX"),
            ("inbox/Foo", "INBOX/Foo"),
            ("inboxes", "inboxes"),
            ("Sent/2024", "Sent/2024"),
            ("Foo/", "Foo"),
            ("a.b", "a.b"),
            ("…", "…"),
            ("a/~b", "a/~b"),
        ] {
            assert_eq!(MailboxName::new(given).as_ref().map(MailboxName::as_str), Ok(kept));
        }
        let long = "x".repeat(256);
        let longer = ["x".repeat(250).as_str(); 5].join("/");
        let deep = ["x"; 33].join("/");
        for bad in ["", "/", "//", "/a", "a//b", "a//", ".", "..", "a/../b", "a/.", "~", "~root/x", "a\0", "a\r\nb", "\u{85}", &long, &longer, &deep] {
            assert!(MailboxName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn family() {
        assert_eq!(name("a/b/c").parent(), Some(name("a/b")));
        assert_eq!(name("a").parent(), None);
        assert!(name("a/b").is_under(&name("a")));
        assert!(name("inbox/b").is_under(&MailboxName::inbox()));
        assert!(!name("ab").is_under(&name("a")));
        assert!(!name("a").is_under(&name("a")));
        assert_eq!(name("a/b").renamed(&name("a"), &name("x/y")), Some(Ok(name("x/y/b"))));
        assert_eq!(name("a").renamed(&name("a"), &name("x")), Some(Ok(name("x"))));
        assert_eq!(name("ab").renamed(&name("a"), &name("x")), None);
    }

    #[test]
    fn directories() {
        for (given, dir) in [
            ("INBOX", ""),
            ("INBOX/a", ".INBOX.a"),
            ("Sent/2024", ".Sent.2024"),
            ("Entwürfe/Sub", ".Entw&APw-rfe.Sub"),
            ("v1.0/x", ".v1\\2e0.x"),
            ("a\\b", ".a\\b"),
            ("a\\2e", ".a\\5c2e"),
            ("\\.", ".\\\\2e"),
        ] {
            assert_eq!(name(given).maildir_dir(), dir);
            assert_eq!(MailboxName::from_maildir_dir(dir), Ok(name(given)));
        }
        for bad in [".", "..", "a", ".a..b", ".a.", ".INBOX", ".inbox.a", ".a/b", ".&AC8-", ".ü", ".~a", ".\\2e\\2e"] {
            assert!(MailboxName::from_maildir_dir(bad).is_err(), "{bad}");
        }
        assert!(!name(&["x".repeat(200).as_str(); 2].join("/")).fits_maildir());
    }

    proptest! {
        #[test]
        fn every_name_has_a_directory_and_a_spelling_of_its_own(text in "[a-c./\\\\25ec&ü~ -]{1,12}") {
            if let Ok(name) = MailboxName::new(&text) {
                prop_assert_eq!(MailboxName::from_maildir_dir(&name.maildir_dir()), Ok(name.clone()));
                prop_assert_eq!(MailboxName::from_mutf7(name.to_mutf7().as_bytes()), Ok(name.clone()));
                prop_assert!(!name.maildir_dir().contains('/'));
            }
        }

        #[test]
        fn no_directory_has_two_names(dir in "\\.[a-b.\\\\25ec&-]{0,12}") {
            if let Ok(name) = MailboxName::from_maildir_dir(&dir) {
                prop_assert_eq!(name.maildir_dir(), dir);
            }
        }
    }
}
