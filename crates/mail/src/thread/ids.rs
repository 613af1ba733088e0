//! Message-IDs in a field — RFC 5322 §3.6.4 — in the one form that RFC 5256 compares: without quotes and blanks.
//!
//! ```text
//! msg-id = "<" id-left "@" id-right ">"        ; id-left may be a quoted string
//! ```

use std::collections::VecDeque;

/// Message-IDs of one field that are looked at, the last ones: programs cut them down to some ten, and each costs a link.
const MOST: usize = 1_000;

/// The Message-IDs of a raw field value, in their order; of more than [`MOST`] the last. What stands between them is passed over.
pub fn ids(value: &[u8]) -> Vec<Vec<u8>> {
    let mut found = VecDeque::new();
    for id in (Ids { rest: value }) {
        if found.len() == MOST {
            found.pop_front();
        }
        found.push_back(id);
    }
    found.into()
}

/// The first Message-ID of a raw field value.
pub fn first_id(value: &[u8]) -> Option<Vec<u8>> {
    Ids { rest: value }.next()
}

struct Ids<'v> {
    rest: &'v [u8],
}

impl Iterator for Ids<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let start = memchr::memchr(b'<', self.rest)?;
            self.rest = &self.rest[start + 1..];
            if let Some(id) = self.inside() {
                return Some(id);
            }
        }
    }
}

impl Ids<'_> {
    /// Up to the `>`, and behind it. `None` when this is no Message-ID: then the rest begins where the next could.
    fn inside(&mut self) -> Option<Vec<u8>> {
        let (mut id, mut at_sign, mut quoted) = (Vec::new(), None, false);
        let mut octets = self.rest.iter().copied().enumerate();
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => quoted = !quoted,
                b'\\' if quoted => id.extend(octets.next().map(|(_, octet)| octet)),
                b' ' | b'\t' | b'\r' | b'\n' if !quoted => {}
                // In quotes there are no blanks and no line ends: these were not closed.
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.rest = &self.rest[at..];
                    return None;
                }
                b'<' if !quoted => {
                    self.rest = &self.rest[at..];
                    return None;
                }
                b'>' if !quoted => {
                    self.rest = &self.rest[at + 1..];
                    return at_sign.filter(|at_sign| 0 < *at_sign && at_sign + 1 < id.len()).map(|_| id);
                }
                octet => {
                    if octet == b'@' && !quoted {
                        at_sign = Some(id.len());
                    }
                    id.push(octet);
                }
            }
        }
        self.rest = &[];
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(value: &str) -> Vec<String> {
        ids(value.as_bytes()).into_iter().map(|id| String::from_utf8(id).unwrap()).collect()
    }

    #[test]
    fn q_11_one_form_for_every_way_to_quote() {
        let table: &[(&str, &[&str])] = &[
            ("<a@b>", &["a@b"]),
            (" <a@b>\r\n <c@d><E@f> ", &["a@b", "c@d", "E@f"]),
            ("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", &["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
            ("<\"a\\\"b\\\\c\"@d>", &["a\"b\\c@d"]),
            ("<\"a>b\"@c> <d@e>", &["a>b@c", "d@e"]),
            ("<long\r\n\t.id@b>", &["long.id@b"]),
            ("Your message of Tuesday <a@b> (was: <c@d>)", &["a@b", "c@d"]),
            ("<a@b", &[]),
            ("<no at sign> <a@b>", &["a@b"]),
            ("<@b> <a@> <> <a@b>", &["a@b"]),
            ("<broken <a@b>", &["a@b"]),
            ("<\"never closed@b> <c@d>", &["c@d"]),
            ("a@b", &[]),
            ("", &[]),
        ];
        for (value, expected) in table {
            assert_eq!(shown(value), *expected, "{value}");
        }
        let many: String = (0..MOST + 2).map(|n| format!("<{n}@x>")).collect();
        assert_eq!((shown(&many).len(), shown(&many)[0].as_str()), (MOST, "2@x"));
        assert_eq!(first_id(many.as_bytes()), Some(b"0@x".to_vec()));
    }

    proptest! {
        #[test]
        fn anything_is_read(value in proptest::collection::vec(proptest::sample::select(b"<>@\"\\ ab\r".to_vec()), 0..40)) {
            for id in ids(&value) {
                prop_assert!(id.len() >= 3 && id.contains(&b'@'));
            }
        }
    }
}
