//! The text that `hash:`, `texthash:`, `lmdb:` … tables are made from: `key white-space value`, a logical line as in main.cf.
//!
//! Only the syntax; looking things up is [`super::Table`].

use super::{TABLE_LIMIT, logical};
use crate::problem::{Problem, Severity};

/// One line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Lower case, as postmap folds it unless it is told not to.
    pub key: String,
    pub value: String,
    pub line: u32,
}

/// Reads a table. Keys with white space stand in double quotes. Of two rows with one key the first counts, as postmap keeps
/// it, and a warning is given; a row without a value is a warning too and is left out.
pub fn parse(file: &str, text: &str) -> (Vec<Row>, Vec<Problem>) {
    parse_with(file, text, true)
}

/// As [`parse`]; without `fold` keys stay as they are written (`postmap -f`).
pub fn parse_with(file: &str, text: &str, fold: bool) -> (Vec<Row>, Vec<Problem>) {
    rows(file, text, fold, |line, warn| {
        let Some((key, value)) = split(line) else {
            warn(format!("unbalanced '\"' in '{line}' -- ignoring this line"));
            return None;
        };
        if key.is_empty() || value.is_empty() {
            warn("expected format: key whitespace value".to_owned());
            return None;
        }
        if key.ends_with(':') {
            warn("record is in \"key: value\" format; is this an alias file?".to_owned());
        }
        Some((key, value))
    })
}

/// The rows of a table, whose lines `pair` splits into key and value; it says itself what is wrong with a line that is none.
pub(super) fn rows(
    file: &str,
    text: &str,
    fold: bool,
    pair: impl Fn(&str, &mut dyn FnMut(String)) -> Option<(String, String)>,
) -> (Vec<Row>, Vec<Problem>) {
    let mut rows: Vec<Row> = Vec::new();
    let mut problems = Vec::new();
    let mut seen = std::collections::HashSet::new();
    if text.len() > TABLE_LIMIT {
        let text = format!("the table has more than {TABLE_LIMIT} octets");
        return (rows, vec![Problem::new(Severity::Error, "syntax", "", text).at(file, 0)]);
    }
    for (line, logical) in logical(text) {
        let mut warn = |text: String| problems.push(Problem::new(Severity::Warning, "syntax", "", text).at(file, line));
        let Some((key, value)) = pair(&logical, &mut warn) else { continue };
        let key = if fold { key.to_lowercase() } else { key };
        if !seen.insert(key.clone()) {
            warn(format!("duplicate entry: \"{key}\""));
            continue;
        }
        rows.push(Row { key, value, line });
    }
    (rows, problems)
}

/// `"a b" c d` → `a b`, `c d`; none if a quote is never closed.
fn split(line: &str) -> Option<(String, String)> {
    let mut key = String::new();
    let mut quoted = false;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => key.extend(chars.next().map(|(_, c)| c)),
            c if c.is_ascii_whitespace() && !quoted => {
                return Some((key, line[at..].trim_ascii().to_owned()));
            }
            c => key.push(c),
        }
    }
    (!quoted).then(|| (key, String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_are_key_and_value() {
        let text = "# comment\nUser@Example.test  other@example.test,\n   third@example.test\n\n\"a b\"\tc d\nempty\nuser@example.test again\nx: y\n";
        let (rows, problems) = parse("t", text);
        let rows: Vec<_> = rows.iter().map(|r| (r.key.as_str(), r.value.as_str(), r.line)).collect();
        assert_eq!(rows, [("user@example.test", "other@example.test,   third@example.test", 2), ("a b", "c d", 5), ("x:", "y", 8)]);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [
            "t, line 6: expected format: key whitespace value",
            "t, line 7: duplicate entry: \"user@example.test\"",
            "t, line 8: record is in \"key: value\" format; is this an alias file?",
        ]);
        assert_eq!(parse("t", "\"a b c\n").1[0].text, "unbalanced '\"' in '\"a b c' -- ignoring this line");
        assert_eq!(parse("t", "Foo  bar\n  cont\n").0[0].value, "bar  cont");
        assert_eq!(parse_with("t", "Foo bar", false).0[0].key, "Foo");
    }

    proptest! {
        #[test]
        fn nothing_panics_and_lines_grow(text in "[ab\"\\\\é# \n]{0,60}") {
            let (rows, _) = parse("t", &text);
            prop_assert!(rows.is_sorted_by_key(|row| row.line));
        }
    }
}
