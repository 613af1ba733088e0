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
        let name = mailbox.to_mutf7();
        matches(&self.0, name.as_bytes(), mailbox.is_inbox())
    }
}

/// One pass over the pattern with the set of positions reached in the name: pattern × name at worst, never more.
fn matches(pattern: &[u8], name: &[u8], any_case: bool) -> bool {
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
                    let same = if any_case { p.eq_ignore_ascii_case(&name[at]) } else { p == name[at] };
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
