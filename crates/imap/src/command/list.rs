//! LIST, LSUB — RFC 3501 §6.3.8, §6.3.9: and what their patterns match.

use crate::cursor::{Bad, Cursor};
use mail::MailboxName;

#[derive(Clone, PartialEq, Debug)]
pub struct List {
    pub pattern: Pattern,
}

/// Reference and mailbox pattern joined, in modified UTF-7 as sent. `*` stands for anything, `%` for anything but `/`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// `reference` counts only when the pattern doesn't begin at the root.
    pub fn new(reference: &[u8], pattern: &[u8]) -> Self {
        if pattern.is_empty() {
            return Pattern(Vec::new());
        }
        match pattern.strip_prefix(b"/") {
            Some(absolute) => Pattern(absolute.to_vec()),
            None => Pattern([reference, pattern].concat()),
        }
    }

    /// `LIST "" ""`: the client only asks for the separator; answer [`ListLine::separator`](crate::response::ListLine::separator).
    pub fn asks_separator(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, mailbox: &MailboxName) -> bool {
        // INBOX is INBOX in any case, also above others.
        let any_case = if mailbox.elements().next() == Some("INBOX") { "INBOX".len() } else { 0 };
        matches(&self.0, mailbox.to_mutf7().as_bytes(), any_case)
    }
}

/// One pass over the pattern with the set of positions reached in the name: pattern × name at worst, never more. The
/// first `any_case` octets of the name are compared without regard to case.
fn matches(pattern: &[u8], name: &[u8], any_case: usize) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for &p in pattern {
        match p {
            b'*' | b'%' => {
                for at in 0..name.len() {
                    if reached[at] && (p == b'*' || name[at] != b'/') {
                        reached[at + 1] = true;
                    }
                }
            }
            _ => {
                for at in (0..name.len()).rev() {
                    let same = if at < any_case { p.eq_ignore_ascii_case(&name[at]) } else { p == name[at] };
                    reached[at + 1] = reached[at] && same;
                }
                reached[0] = false;
            }
        }
    }
    reached[name.len()]
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<List, Bad> {
    cursor.sp()?;
    let reference = cursor.astring()?;
    cursor.sp()?;
    let pattern = cursor.list_mailbox()?;
    if reference.len() + pattern.len() > cursor.limits.pattern {
        return Err(Bad::limit("Pattern too long"));
    }
    Ok(List { pattern: Pattern::new(&reference, &pattern) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table: &[(&str, &str, &[&str], &[&str])] = &[
            ("", "*", &["INBOX", "a", "a/b", "Entwürfe"], &[]),
            ("", "%", &["INBOX", "a"], &["a/b"]),
            ("", "a/%", &["a/b"], &["a", "a/b/c", "ab"]),
            ("", "a*", &["a", "a/b", "ab"], &["b", "INBOX"]),
            ("", "%/%", &["a/b"], &["a", "a/b/c"]),
            ("", "*b", &["b", "a/b", "a/c/ab"], &["a/b/c"]),
            ("", "inbox", &["INBOX"], &["a"]),
            ("", "iNb%", &["INBOX"], &["inb", "a"]),
            ("", "inbox/*", &["INBOX/sub", "INBOX/a/b"], &["INBOX", "a/INBOX"]),
            ("", "inbox/SUB", &["INBOX/SUB"], &["INBOX/sub"]),
            ("a/", "b", &["a/b"], &["b"]),
            ("a/", "/b", &["b"], &["a/b"]),
            ("a", "/b", &["b"], &[]),
            ("", "Entw&APw-rfe", &["Entwürfe"], &[]),
            ("", "Entwürfe", &[], &["Entwürfe"]),
            ("", "&", &[], &["&", "a"]),
            ("", "&-", &["&"], &[]),
            ("", "a%%%**b", &["ab", "axb", "a/b"], &["a"]),
        ];
        for (reference, pattern, yes, no) in table {
            let pattern = Pattern::new(reference.as_bytes(), pattern.as_bytes());
            let matches = |name: &&&str| pattern.matches(&MailboxName::new(name).unwrap());
            assert!(yes.iter().all(|name| matches(&name)), "{pattern:?} {yes:?}");
            assert!(!no.iter().any(|name| matches(&name)), "{pattern:?} {no:?}");
        }
        assert!(Pattern::new(b"x", b"").asks_separator());
    }

    #[test]
    fn no_pattern_takes_long() {
        let name = MailboxName::new(&"a".repeat(250)).unwrap();
        assert!(!Pattern::new(b"", "*a".repeat(500).as_bytes()).matches(&MailboxName::inbox()));
        assert!(Pattern::new(b"", "*a".repeat(250).as_bytes()).matches(&name));
        assert!(!Pattern::new(b"", [&b"*a".repeat(249)[..], b"b"].concat().as_slice()).matches(&name));
    }

    proptest::proptest! {
        /// Against the definition, word for word.
        #[test]
        fn matches_as_defined(pattern in "[ab/%*]{0,7}", name in "[ab/]{0,7}") {
            fn defined(pattern: &[u8], name: &[u8]) -> bool {
                match pattern.split_first() {
                    None => name.is_empty(),
                    Some((b'*', rest)) => (0..=name.len()).any(|at| defined(rest, &name[at..])),
                    Some((b'%', rest)) => (0..=name.len()).any(|at| !name[..at].contains(&b'/') && defined(rest, &name[at..])),
                    Some((p, rest)) => name.first() == Some(p) && defined(rest, &name[1..]),
                }
            }
            let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
            proptest::prop_assert_eq!(matches(pattern, name, 0), defined(pattern, name));
        }
    }
}
