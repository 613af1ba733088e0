//! Addresses within a header field, put otherwise where they stand: names, comments, blanks and folding stay byte for byte.
//!
//! ```text
//! address = [ phrase ] "<" [ route ":" ] addr-spec ">"  /  addr-spec
//! group   = phrase ":" [ address *( "," address ) ] ";"
//! ```
//! An addr-spec that is in several words (`a . b @ c`), or in none, is left alone, and so is all that cannot be read: nobody's text is guessed at.

use std::ops::Range;

/// Fields whose addresses are those of people and places (RFC 5322 §3.6.2, §3.6.3, §3.6.6, and those of their kin that Postfix looks at).
pub const FIELDS: [&str; 17] = [
    "Apparently-To", "Bcc", "Cc", "Disposition-Notification-To", "Errors-To", "From", "Reply-To", "Resent-Bcc", "Resent-Cc", "Resent-From",
    "Resent-Reply-To", "Resent-Sender", "Resent-To", "Return-Path", "Return-Receipt-To", "Sender", "To",
];

/// The value of an address field with each addr-spec put as `with` puts it; `None`: nothing changes.
pub fn addresses(value: &[u8], mut with: impl FnMut(&str) -> Option<String>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut done = 0;
    for span in specs(value) {
        let Some(put) = value.get(span.clone()).and_then(|spec| std::str::from_utf8(spec).ok()).and_then(&mut with) else { continue };
        out.extend_from_slice(value.get(done..span.start)?);
        out.extend_from_slice(put.as_bytes());
        done = span.end;
    }
    (done > 0).then(|| {
        out.extend_from_slice(value.get(done..).unwrap_or_default());
        out
    })
}

/// Where each addr-spec lies.
fn specs(value: &[u8]) -> Vec<Range<usize>> {
    let mut specs = Vec::new();
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut angle: Option<Range<usize>> = None;
    let mut at = 0;
    while at < value.len() {
        match value[at] {
            b',' | b';' => {
                specs.extend(angle.take().or_else(|| only(&words)));
                words.clear();
            }
            b':' => words.clear(), // what stood here is the name of a group
            b'<' if angle.is_none() => {
                let end = closing(value, at);
                angle = Some(inside(value, at + 1..end));
                at = end;
            }
            b'(' => at = comment(value, at),
            blank if blank.is_ascii_whitespace() => {}
            _ => {
                let end = word(value, at);
                words.push(at..end);
                at = end;
                continue;
            }
        }
        at += 1;
    }
    specs.extend(angle.or_else(|| only(&words)));
    specs.retain(|span| !span.is_empty() && !value[span.clone()].starts_with(b"=?"));
    specs
}

/// A single word is an addr-spec; several are a phrase, or one that nobody writes.
fn only(words: &[Range<usize>]) -> Option<Range<usize>> {
    match words {
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// What is between the brackets, without a route and blanks; empty if it is in several words.
fn inside(value: &[u8], span: Range<usize>) -> Range<usize> {
    let text = &value[span.clone()];
    let route = if text.trim_ascii_start().starts_with(b"@") { text.iter().position(|byte| *byte == b':').map_or(text.len(), |at| at + 1) } else { 0 };
    let spec = &text[route..];
    let start = span.start + route + (spec.len() - spec.trim_ascii_start().len());
    let end = start + spec.trim_ascii().len();
    if word(value, start).min(end) == end { start..end } else { start..start }
}

/// The end of a run of atoms, quoted strings and literals without blanks between.
fn word(value: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = value.get(at) {
        match byte {
            b'"' => at = skip(value, at, b'"'),
            b'[' => at = skip(value, at, b']'),
            b',' | b';' | b':' | b'<' | b'>' | b'(' => break,
            blank if blank.is_ascii_whitespace() => break,
            _ => {}
        }
        at += 1;
    }
    at.min(value.len()).max(start + usize::from(start < value.len()))
}

/// Where a quoted string or literal that begins at `start` ends, or the end of all.
fn skip(value: &[u8], start: usize, close: u8) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = value.get(at) {
        match byte {
            b'\\' => at += 1,
            byte if byte == close => return at,
            _ => {}
        }
        at += 1;
    }
    value.len()
}

/// The `>` to the `<` at `start`, or the end of all.
fn closing(value: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = value.get(at) {
        match byte {
            b'"' => at = skip(value, at, b'"'),
            b'>' => return at,
            _ => {}
        }
        at += 1;
    }
    value.len()
}

/// The last octet of the comment that begins at `start`; comments nest.
fn comment(value: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(&byte) = value.get(at) {
        match byte {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth == 1 => return at,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An addr-spec without a domain, with that domain; `None`: it has one.
    fn qualified(spec: &str, domain: &str) -> Option<String> {
        let local = spec.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"'));
        let bare = match local {
            // a quoted string that ends where the spec ends
            Some(inner) => !inner.replace("\\\\", "").replace("\\\"", "").contains('"'),
            None => !spec.contains(['@', '"']),
        };
        (bare && !spec.is_empty()).then(|| format!("{spec}@{domain}"))
    }

    #[test]
    fn what_has_no_domain_gets_one_and_nothing_else_changes() {
        for (given, want) in [
            (" root", " root@x.test"),
            (" root (The Root)\r\n", " root@x.test (The Root)\r\n"),
            (" Charlie Root <root>, bob@y.test,\r\n alice", " Charlie Root <root@x.test>, bob@y.test,\r\n alice@x.test"),
            (" \"Doe, John\" < joe >", " \"Doe, John\" < joe@x.test >"),
            (" <\"a b\">, \"a b\"", " <\"a b\"@x.test>, \"a b\"@x.test"),
            (" friends: a, B <b>; c", " friends: a@x.test, B <b@x.test>; c@x.test"),
            (" <@relay:bob>", " <@relay:bob@x.test>"),
            (" undisclosed-recipients:;", " undisclosed-recipients:;"),
            (" a@b.test, \"x@y\"@z.test, c@[192.0.2.1]", " a@b.test, \"x@y\"@z.test, c@[192.0.2.1]"),
            (" John Doe, <>, ,", " John Doe, <>, ,"),
            (" =?utf-8?q?x?=", " =?utf-8?q?x?="),
            (" (a, b) c (d", " (a, b) c@x.test (d"),
            (" a . b @ c", " a . b @ c"),
            (" \"open, root", " \"open, root"),
            ("", ""),
        ] {
            let got = addresses(given.as_bytes(), |spec| qualified(spec, "x.test")).unwrap_or_else(|| given.as_bytes().to_vec());
            assert_eq!(String::from_utf8_lossy(&got), want, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_read_and_what_is_put_alike_is_alike(value in "[ab@.,;:<>()\"\\\\ \\[\\]\r\n=?\u{e9}]{0,40}") {
            prop_assert_eq!(addresses(value.as_bytes(), |spec| Some(spec.to_owned())).unwrap_or_else(|| value.clone().into_bytes()), value.as_bytes());
            prop_assert_eq!(addresses(value.as_bytes(), |_| None), None);
        }
    }
}
