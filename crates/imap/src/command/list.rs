//! LIST — RFC 3501 §6.3.8, extended by RFC 5258 (options, several patterns), 5819 (STATUS) and 6154 (SPECIAL-USE); LSUB —
//! §6.3.9; XLIST, which is LIST as asked before there was RFC 6154. And what their patterns match.
//!
//! ```text
//! list   = "LIST" [SP "(" [select *(SP select)] ")"] SP reference SP (pattern / "(" pattern *(SP pattern) ")")
//!          [SP "RETURN" SP "(" [return *(SP return)] ")"]
//! select = "SUBSCRIBED" / "SPECIAL-USE" / "REMOTE" / "RECURSIVEMATCH"
//! return = "SUBSCRIBED" / "SPECIAL-USE" / "CHILDREN" / "STATUS" SP "(" status-att *(SP status-att) ")"
//! ```

use super::{CommandBody, StatusItem, status};
use crate::Names;
use crate::cursor::{Bad, Cursor};
use mail::MailboxName;

/// What stands in every line is not asked for here: the special use and whether there are children. No mailbox is remote, so
/// REMOTE changes nothing either.
#[derive(Clone, PartialEq, Debug)]
pub struct List {
    pub selection: Selection,
    /// At least one; a name matches if it matches any.
    pub patterns: Vec<Pattern>,
    pub returns: Returns,
    /// Said in any of the ways of RFC 5258 §1: the client understands `\NonExistent` and CHILDINFO, and `""` is no question for
    /// the separator.
    pub extended: bool,
}

/// Which names are wanted of those that match; all criteria together. None: the mailboxes there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// The subscribed names, whether or not there are such mailboxes.
    pub subscribed: bool,
    /// Those with a special use.
    pub special_use: bool,
    /// RECURSIVEMATCH: also those above others that meet the criteria.
    pub recursive: bool,
}

/// What is told of each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Returns {
    /// `\Subscribed`.
    pub subscribed: bool,
    /// A STATUS line with these behind each LIST line of a mailbox that can be selected; none if empty.
    pub status: Vec<StatusItem>,
}

impl List {
    /// `LIST "" ""`: the client only asks for the separator; answer [`ListLine::separator`](crate::response::ListLine::separator).
    pub fn asks_separator(&self) -> bool {
        !self.extended && self.patterns.iter().any(Pattern::asks_separator)
    }

    /// Whether a name matches. The empty pattern of an extended LIST matches none.
    pub fn matches(&self, mailbox: &MailboxName) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(mailbox))
    }
}

/// Reference and mailbox pattern joined, as sent. `*` stands for anything, `%` for anything but `/`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    octets: Vec<u8>,
    names: Names,
}

impl Pattern {
    /// `reference` counts only when the pattern doesn't begin at the root. `names`: how both are written.
    pub fn new(reference: &[u8], pattern: &[u8], names: Names) -> Self {
        let octets = match pattern.strip_prefix(b"/") {
            _ if pattern.is_empty() => Vec::new(),
            Some(absolute) => absolute.to_vec(),
            None => [reference, pattern].concat(),
        };
        Pattern { octets, names }
    }

    /// The empty pattern: LSUB and plain LIST ask so for the separator only.
    pub fn asks_separator(&self) -> bool {
        self.octets.is_empty()
    }

    pub fn matches(&self, mailbox: &MailboxName) -> bool {
        // INBOX is INBOX in any case, also above others.
        let any_case = if mailbox.elements().next() == Some("INBOX") { "INBOX".len() } else { 0 };
        matches(&self.octets, self.names.text(mailbox).as_bytes(), any_case)
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

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let mut list = List { selection: Selection::default(), patterns: Vec::new(), returns: Returns::default(), extended: false };
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.selection = selection(cursor)?;
        cursor.sp()?;
    }
    let reference = cursor.astring()?;
    cursor.sp()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = patterns(cursor, &reference)?;
    } else {
        list.patterns.push(pattern(cursor, &reference)?);
    }
    if !cursor.at_end() {
        list.extended = true;
        cursor.sp()?;
        list.returns = returns(cursor)?;
    }
    list.returns.subscribed |= list.selection.subscribed; // RFC 5258 §3.1
    Ok(CommandBody::List(list))
}

/// The arguments of LSUB and XLIST.
pub(crate) fn parse_plain(cursor: &mut Cursor) -> Result<Pattern, Bad> {
    cursor.sp()?;
    let reference = cursor.astring()?;
    cursor.sp()?;
    pattern(cursor, &reference)
}

fn pattern(cursor: &mut Cursor, reference: &[u8]) -> Result<Pattern, Bad> {
    let pattern = cursor.list_mailbox()?;
    if reference.len() + pattern.len() > cursor.limits.pattern {
        return Err(Bad::limit("Pattern too long"));
    }
    Ok(Pattern::new(reference, &pattern, cursor.names))
}

/// All of them together are no longer than one may be: each name is compared with each.
fn patterns(cursor: &mut Cursor, reference: &[u8]) -> Result<Vec<Pattern>, Bad> {
    cursor.expect(b'(')?;
    let mut patterns: Vec<Pattern> = Vec::new();
    let mut octets = 0;
    loop {
        let pattern = pattern(cursor, reference)?;
        octets += pattern.octets.len().max(1);
        if octets > cursor.limits.pattern {
            return Err(Bad::limit("Patterns too long"));
        }
        patterns.push(pattern);
        if cursor.take(b')') {
            return Ok(patterns);
        }
        cursor.sp()?;
    }
}

fn selection(cursor: &mut Cursor) -> Result<Selection, Bad> {
    let mut selection = Selection::default();
    options(cursor, |_, option| {
        match option {
            b"SUBSCRIBED" => selection.subscribed = true,
            b"SPECIAL-USE" => selection.special_use = true,
            b"RECURSIVEMATCH" => selection.recursive = true,
            b"REMOTE" => {}
            _ => return Err(Bad::syntax("Unknown selection option")),
        }
        Ok(())
    })?;
    if selection.recursive && !selection.subscribed && !selection.special_use {
        return Err(Bad::syntax("RECURSIVEMATCH needs another selection option"));
    }
    Ok(selection)
}

fn returns(cursor: &mut Cursor) -> Result<Returns, Bad> {
    if !cursor.atom()?.eq_ignore_ascii_case(b"RETURN") {
        return Err(Bad::syntax("RETURN expected"));
    }
    cursor.sp()?;
    let mut returns = Returns::default();
    options(cursor, |cursor, option| {
        match option {
            b"SUBSCRIBED" => returns.subscribed = true,
            b"CHILDREN" | b"SPECIAL-USE" => {}
            b"STATUS" => {
                cursor.sp()?;
                returns.status = status::items(cursor)?;
            }
            _ => return Err(Bad::syntax("Unknown return option")),
        }
        Ok(())
    })?;
    Ok(returns)
}

/// `"(" [option *(SP option)] ")"`, each given in upper case; what belongs to it is for `take` to read.
fn options<'a>(cursor: &mut Cursor<'a>, mut take: impl FnMut(&mut Cursor<'a>, &[u8]) -> Result<(), Bad>) -> Result<(), Bad> {
    cursor.expect(b'(')?;
    if cursor.take(b')') {
        return Ok(());
    }
    loop {
        let option = cursor.atom()?.to_ascii_uppercase();
        take(cursor, &option)?;
        if cursor.take(b')') {
            return Ok(());
        }
        cursor.sp()?;
    }
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
            let pattern = Pattern::new(reference.as_bytes(), pattern.as_bytes(), Names::Mutf7);
            let matches = |name: &&&str| pattern.matches(&MailboxName::new(name).unwrap());
            assert!(yes.iter().all(|name| matches(&name)), "{pattern:?} {yes:?}");
            assert!(!no.iter().any(|name| matches(&name)), "{pattern:?} {no:?}");
        }
        assert!(Pattern::new(b"x", b"", Names::Mutf7).asks_separator());
    }

    #[test]
    fn patterns_of_imap4rev2_are_in_utf_8() {
        let name = MailboxName::new("Entwürfe/böse").unwrap();
        for (pattern, yes) in [("Entw*", true), ("Entwürfe/%", true), ("*ö*", true), ("%", false), ("Entw&APw-rfe/*", false)] {
            assert_eq!(Pattern::new(b"", pattern.as_bytes(), Names::Utf8).matches(&name), yes, "{pattern}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let name = MailboxName::new(&"a".repeat(250)).unwrap();
        assert!(!Pattern::new(b"", "*a".repeat(500).as_bytes(), Names::Mutf7).matches(&MailboxName::inbox()));
        assert!(Pattern::new(b"", "*a".repeat(250).as_bytes(), Names::Mutf7).matches(&name));
        assert!(!Pattern::new(b"", [&b"*a".repeat(249)[..], b"b"].concat().as_slice(), Names::Mutf7).matches(&name));
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
