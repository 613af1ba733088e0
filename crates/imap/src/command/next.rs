//! What comes next: whether a client has sent a command by sequence number before it was told what the one under way did to its
//! numbers — RFC 3501 §5.5, §7.4.1. It should have waited; a server that holds back EXPUNGE makes no harm of it (E-04).

use super::TAG;
use crate::cursor::{is_atom_char, is_tag_char, run};

/// Commands that name messages by number, in their arguments or in their answer. Behind UID they do not.
pub(super) const BY_NUMBER: [&str; 7] = ["FETCH", "STORE", "SEARCH", "COPY", "MOVE", "SORT", "THREAD"];

/// Octets that decide: a tag, a space, the longest of the names, a space.
const LOOK: usize = TAG + 1 + "SEARCH".len() + 1;

/// Whether what lies unread behind a whole command begins with one by number: `tag SP name SP`. Blank lines before it are nothing.
/// Only the begin of its line is looked at, so it need not be all there and its literals mean nothing; what is not yet to be seen counts as nothing.
pub(crate) fn is_by_number(unread: &[u8]) -> bool {
    let mut unread = unread;
    while let Some(behind) = unread.strip_prefix(b"\r\n") {
        unread = behind;
    }
    let begin = unread.get(..LOOK).unwrap_or(unread);
    let tag = run(begin, is_tag_char).len();
    let Some(rest) = begin.get(tag..).and_then(|rest| rest.strip_prefix(b" ")) else { return false };
    let name = run(rest, is_atom_char);
    let is_whole = rest.get(name.len()) == Some(&b' ');
    (1..=TAG).contains(&tag) && is_whole && BY_NUMBER.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_04_only_the_begin_of_a_command_by_number_is_one() {
        let longest = "t".repeat(TAG);
        let table: &[(&str, bool)] = &[
            ("b FETCH 2 (UID)\r\n", true),
            ("b store 1:* +FLAGS (\\Seen)\r\n", true),
            ("b SEARCH ALL\r\nc NOOP\r\n", true),
            ("b Copy 1 Trash\r\n", true),
            ("b MOVE 1 Trash\r\n", true),
            ("b SORT (DATE) UTF-8 ALL\r\n", true),
            ("b THREAD REFERENCES UTF-8 ALL\r\n", true),
            ("\r\n\r\nb FETCH 1 (UID)\r\n", true),
            // Not all there yet: its name decides.
            ("b FETCH 2 (BODY[HEADER.FIE", true),
            ("b SEARCH SUBJECT {400000+}\r\nb", true),
            ("b COPY ", true),
            ("b COPY", false),
            ("b FET", false),
            ("b ", false),
            ("b", false),
            ("", false),
            // By UID, or without messages.
            ("b UID FETCH 2 (FLAGS)\r\n", false),
            ("b UID SEARCH 1\r\n", false),
            ("b NOOP\r\nc FETCH 1 (UID)\r\n", false),
            ("b EXPUNGE\r\n", false),
            ("b LOGIN FETCH STORE\r\n", false),
            ("b FETCHES 1\r\n", false),
            // Not commands.
            ("FETCH 1 (UID)\r\n", false),
            (" FETCH 1 (UID)\r\n", false),
            ("b  FETCH 1 (UID)\r\n", false),
            ("+ FETCH 1 (UID)\r\n", false),
            ("\n b FETCH 1 (UID)\r\n", false),
            ("b\r\nFETCH 1\r\n", false),
            ("DONE\r\nb FETCH 1\r\n", false),
            ("b FETCH\r\n", false),
            ("b {5+}\r\nFETCH 1\r\n", false),
        ];
        for (unread, expected) in table {
            assert_eq!(is_by_number(unread.as_bytes()), *expected, "{unread:?}");
        }
        assert!(is_by_number(format!("{longest} SEARCH ALL\r\n").as_bytes()), "the longest tag and name are within what is looked at");
        assert!(!is_by_number(format!("{longest}t COPY 1 x\r\n").as_bytes()));
        assert!(!is_by_number(&[0xff; 10_000]));
    }

    #[test]
    fn every_name_is_a_command() {
        for name in BY_NUMBER {
            assert!(super::super::COMMANDS.iter().any(|(known, _, _)| *known == name), "{name}");
        }
    }
}
