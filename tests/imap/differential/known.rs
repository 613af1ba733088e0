//! Differences that are known, each with its reason.
//!
//! A line of the table is `message | question | why`; `*` stands for any text. A line beginning with `#` is a comment.

use std::path::Path;

use super::Difference;

struct Known {
    line: usize,
    message: String,
    question: String,
}

/// Panics with every difference that is not in the table, and with every line of it that nothing matches any more.
pub fn judge(table: &Path, found: &[Difference]) {
    let text = std::fs::read_to_string(table).unwrap_or_else(|error| panic!("{}: {error}", table.display()));
    let known = read(&text);
    let is_known = |difference: &Difference| known.iter().any(|known| known.is(difference));
    let unknown: Vec<_> = found.iter().filter(|difference| !is_known(difference)).collect();
    for Difference { message, question, ours, theirs } in &unknown {
        eprintln!("{message} | {question}\n    ours   {ours}\n    theirs {theirs}");
    }
    let past: Vec<_> = known.iter().filter(|known| !found.iter().any(|difference| known.is(difference))).map(|known| known.line).collect();
    assert!(unknown.is_empty(), "{} differences that are not in {}", unknown.len(), table.display());
    assert!(past.is_empty(), "{}: what these lines say does not occur any more: {past:?}", table.display());
}

fn read(text: &str) -> Vec<Known> {
    let mut all = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&str> = line.splitn(3, " | ").map(str::trim).collect();
        let [message, question, why] = fields[..] else { panic!("line {}: not `message | question | why`", n + 1) };
        assert!(!why.is_empty(), "line {}: no reason", n + 1);
        all.push(Known { line: n + 1, message: message.to_owned(), question: question.to_owned() });
    }
    all
}

impl Known {
    fn is(&self, difference: &Difference) -> bool {
        matches(self.message.as_bytes(), difference.message.as_bytes()) && matches(self.question.as_bytes(), difference.question.as_bytes())
    }
}

/// `*` stands for any text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| matches(rest, &text[at..])),
        Some((first, rest)) => text.split_first().is_some_and(|(octet, text)| octet == first && matches(rest, text)),
    }
}

#[test]
fn stars_stand_for_any_text() {
    assert!(matches(b"multi*-end", b"multipart-no-end") && matches(b"*", b"") && matches(b"SEARCH * x", b"SEARCH a b x"));
    assert!(!matches(b"multi*-end", b"multipart-end-first") && !matches(b"a", b"ab"));
}

#[test]
#[should_panic(expected = "1 differences that are not in")]
fn a_difference_that_is_not_known_is_found() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let difference = |question: &str| Difference { message: "plain".into(), question: question.into(), ours: "1".into(), theirs: "2".into() };
    std::fs::write(file.path(), "plain | ENVELOPE | because\n").expect("a file");
    judge(file.path(), &[difference("ENVELOPE"), difference("BODY")]);
}

#[test]
#[should_panic(expected = "does not occur any more: [2]")]
fn a_line_that_nothing_matches_is_found() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "# why\nplain | ENVELOPE | because\n").expect("a file");
    judge(file.path(), &[]);
}
