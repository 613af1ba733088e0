//! The syntax of main.cf: logical lines with the place they came from.
//!
//! A logical line starts in column 1; lines that start with white space continue it, joined by one blank; empty lines
//! and lines whose first visible character is `#` are skipped, also between the lines of one value.
//! `name = value`, white space around `=` optional. The last entry of a name wins.

use crate::problem::{Problem, Severity};
use std::collections::HashMap;

/// A file larger than this is not a main.cf but a mistake (or an attack on whoever may write it); Postfix has no limit.
pub const FILE_LIMIT: usize = 1024 * 1024;

/// `name = value` as it was written, continuation lines joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// Unexpanded, runs of white space made one blank.
    pub value: String,
    /// As Postfix says it in messages: its white space kept.
    pub written: String,
    /// First line of it, from 1.
    pub line: u32,
}

/// A main.cf, read but not yet understood.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// As it is called in messages.
    pub file: String,
    /// In the order of the file, without those overridden.
    pub entries: Vec<Entry>,
    /// Warnings (overridden, stray white space) and errors (no `=`, no name).
    pub problems: Vec<Problem>,
    /// Name → index in `entries`.
    places: HashMap<String, usize>,
}

impl Source {
    /// Reads all of `text`; never fails, the faults are in `problems`.
    pub fn parse(file: &str, text: &str) -> Source {
        let mut source = Source { file: file.to_owned(), ..Source::default() };
        if text.len() > FILE_LIMIT {
            let text = format!("the file has more than {FILE_LIMIT} octets");
            source.problems.push(Problem::new(Severity::Error, "syntax", "", text).at(file, 0));
            return source;
        }
        for line in logical_lines(text) {
            match line {
                Logical::Stray { line, text } => source.stray(line, text),
                Logical::Entry { line, text } => match split(&text) {
                    Ok((name, value)) => {
                        let entry = Entry { name: name.to_owned(), value: squeeze(value), written: printable(value), line };
                        source.add(entry);
                    }
                    Err(what) => {
                        let problem = Problem::new(Severity::Error, "syntax", "", format!("{what}: \"{text}\""));
                        source.problems.push(problem.at(file, line));
                    }
                },
            }
        }
        source
    }

    /// The entry that counts.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.places.get(name).and_then(|at| self.entries.get(*at))
    }

    fn stray(&mut self, line: u32, text: &str) {
        let text = format!("logical line must not start with whitespace: \"{text}\"");
        self.problems.push(Problem::new(Severity::Warning, "stray", "", text).at(self.file.clone(), line));
    }

    fn add(&mut self, entry: Entry) {
        match self.places.get(&entry.name) {
            Some(&at) => {
                let old = &self.entries[at];
                let text = format!("overriding earlier entry: {}={}", old.name, old.written);
                self.problems.push(Problem::new(Severity::Warning, "duplicate", "", text).at(self.file.clone(), entry.line));
                self.entries[at] = entry;
            }
            None => {
                self.places.insert(entry.name.clone(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }
}

/// `name = value` → the two, trimmed; else what is missing, in Postfix's words.
pub fn split(text: &str) -> Result<(&str, &str), &'static str> {
    let text = text.trim_ascii();
    let end = text.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_ascii_start();
    if name.is_empty() && rest.starts_with('=') {
        return Err("missing attribute name");
    }
    match rest.strip_prefix('=') {
        Some(value) => Ok((name, value.trim_ascii())),
        None => Err("missing '=' after attribute name"),
    }
}

/// Runs of white space become one blank, as postconf prints them.
pub fn squeeze(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for word in value.split_ascii_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Control characters as messages of Postfix show them.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_ascii_control(), "?")
}

/// What a physical line is by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Physical {
    /// Empty or a comment: belongs to nobody.
    Comment,
    /// Starts with white space.
    Continuation,
    /// Starts in column 1.
    Start,
}

/// Tells the three kinds of physical line apart.
pub(crate) fn kind(line: &str) -> Physical {
    let visible = line.trim_ascii_start();
    if visible.is_empty() || visible.starts_with('#') {
        Physical::Comment
    } else if line.len() != visible.len() {
        Physical::Continuation
    } else {
        Physical::Start
    }
}

enum Logical<'t> {
    Entry { line: u32, text: String },
    Stray { line: u32, text: &'t str },
}

fn logical_lines(text: &str) -> Vec<Logical<'_>> {
    let mut lines: Vec<Logical<'_>> = Vec::new();
    let mut number: u32 = 0;
    for physical in text.split('\n') {
        number = number.saturating_add(1);
        match kind(physical) {
            Physical::Comment => {}
            Physical::Start => lines.push(Logical::Entry { line: number, text: physical.trim_ascii_end().to_owned() }),
            Physical::Continuation => match lines.last_mut() {
                Some(Logical::Entry { text, .. }) => {
                    text.push_str(physical.trim_ascii_end());
                }
                _ => lines.push(Logical::Stray { line: number, text: physical.trim_ascii_end() }),
            },
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        Source::parse("main.cf", text).entries.into_iter().map(|e| (e.name, e.value)).collect()
    }

    #[test]
    fn continuation_lines_are_joined_and_comments_do_not_end_a_value() {
        let cases = [
            ("a = 1", vec![("a", "1")]),
            ("a=1\nb\t=\t2", vec![("a", "1"), ("b", "2")]),
            ("a = x,\n   b\n# comment\n\tc\n   # another\n", vec![("a", "x, b c")]),
            ("a = x\n# c1\n y\n\n# c2\n z\n\nb = q\n", vec![("a", "x y z"), ("b", "q")]),
            ("a = x   y\t\tz\n     d   e\n", vec![("a", "x y z d e")]),
            ("a =\n", vec![("a", "")]),
            ("a = 1 \r\nb = 2\r\n", vec![("a", "1"), ("b", "2")]),
            ("a = b=c", vec![("a", "b=c")]),
            ("a\t=\tb\n a=z\n", vec![("a", "b a=z")]),
            ("", vec![]),
        ];
        for (text, want) in cases {
            let want: Vec<_> = want.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            assert_eq!(pairs(text), want, "{text:?}");
        }
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let cases = [
            ("a = 1\nnoequals\n", "main.cf, line 2: missing '=' after attribute name: \"noequals\"", true),
            ("= x\n", "main.cf, line 1: missing attribute name: \"= x\"", true),
            ("my origin = x\n", "main.cf, line 1: missing '=' after attribute name: \"my origin = x\"", true),
            ("\n x\na = 1\n", "main.cf, line 2: logical line must not start with whitespace: \" x\"", false),
            ("a = 1\nb = 2\na = 3\n # c\n d\n", "main.cf, line 3: overriding earlier entry: a=1", false),
        ];
        for (text, want, error) in cases {
            let problems = Source::parse("main.cf", text).problems;
            assert_eq!(problems.len(), 1, "{text:?}");
            assert_eq!(problems[0].to_string(), want);
            assert_eq!(problems[0].is_error(), error);
        }
    }

    #[test]
    fn the_last_entry_wins_at_its_own_line() {
        let source = Source::parse("main.cf", "a = 1\nb = 2\na = 3\n");
        assert_eq!(source.get("a"), Some(&Entry { name: "a".into(), value: "3".into(), written: "3".into(), line: 3 }));
        assert_eq!(source.entries.len(), 2);
        assert_eq!(source.get("nosuch"), None);
    }

    proptest! {
        #[test]
        fn anything_is_read_and_what_was_read_reads_back(text in "[ab=# \t\n\r]{0,60}|.{0,40}") {
            let once = Source::parse("f", &text).entries;
            let printed: String = once.iter().map(|e| format!("{} = {}\n", e.name, e.value)).collect();
            let twice = Source::parse("f", &printed).entries;
            let plain = |entries: &[Entry]| entries.iter().map(|e| (e.name.clone(), e.value.clone())).collect::<Vec<_>>();
            prop_assert_eq!(plain(&once), plain(&twice));
        }
    }
}
