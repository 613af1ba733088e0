//! Edits of a main.cf as text, so that comments, order and everything else of the file stay as they are.

use crate::source::{self, Physical};

/// What to do with which entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// `-e`: writes `name = value` where the entry stands, at the end if there is none.
    Set(Vec<(String, String)>),
    /// `-X`: takes the entries out.
    Remove(Vec<String>),
    /// `-#`: turns every line of the entries into a comment.
    Comment(Vec<String>),
}

/// The new text, and the names that stood in it more than once (all of their entries were edited).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    pub multiple: Vec<String>,
}

/// Applies `edit` to `text`. Comments and empty lines between the lines of an entry stay.
pub fn apply(text: &str, edit: &Edit) -> Edited {
    let mut out = String::with_capacity(text.len() + 64);
    let mut met: Vec<String> = Vec::new();
    let mut multiple: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let kind = source::kind(line.trim_end_matches('\n'));
        if kind == Physical::Start {
            let name = name_of(line);
            inside = edit.touches(name);
            if inside {
                let known = met.iter().any(|n| n == name);
                if known && !multiple.iter().any(|n| n == name) {
                    multiple.push(name.to_owned());
                }
                if !known {
                    met.push(name.to_owned());
                }
            }
        }
        match (inside && kind != Physical::Comment, edit) {
            (false, _) => out.push_str(line),
            (true, Edit::Set(values)) if kind == Physical::Start => set(&mut out, values, name_of(line)),
            (true, Edit::Set(_) | Edit::Remove(_)) => {}
            (true, Edit::Comment(_)) => {
                out.push('#');
                out.push_str(line);
            }
        }
    }
    if let Edit::Set(values) = edit {
        let repeated = |at: usize, name: &String| values.iter().skip(at + 1).any(|(later, _)| later == name);
        for (at, (name, value)) in values.iter().enumerate() {
            if met.contains(name) || repeated(at, name) {
                continue;
            }
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&format!("{name} = {value}\n"));
        }
    }
    Edited { text: out, multiple }
}

impl Edit {
    fn touches(&self, name: &str) -> bool {
        match self {
            Edit::Set(values) => values.iter().any(|(n, _)| n == name),
            Edit::Remove(names) | Edit::Comment(names) => names.iter().any(|n| n == name),
        }
    }
}

/// The last request for a name counts.
fn set(out: &mut String, values: &[(String, String)], name: &str) {
    if let Some((name, value)) = values.iter().rev().find(|(n, _)| n == name) {
        out.push_str(&format!("{name} = {value}\n"));
    }
}

fn name_of(line: &str) -> &str {
    let end = line.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(line.len());
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use proptest::prelude::*;

    fn set(pairs: &[(&str, &str)]) -> Edit {
        Edit::Set(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    const LONG: &str = "myorigin = x\n# c1\n y\n\n# c2\n# c3\n z\n\n# after\nmydomain = q\n# end\n";

    /// Each pair was seen with Postfix 3.7.11.
    #[test]
    fn edits_as_postfix_does() {
        let cases = [
            (LONG, set(&[("myorigin", "w"), ("mydomain", "r"), ("zeta", "1"), ("alpha", "2")]),
                "myorigin = w\n# c1\n\n# c2\n# c3\n\n# after\nmydomain = r\n# end\nzeta = 1\nalpha = 2\n"),
            (LONG, Edit::Remove(names(&["myorigin", "nosuch"])), "# c1\n\n# c2\n# c3\n\n# after\nmydomain = q\n# end\n"),
            (LONG, Edit::Comment(names(&["myorigin", "nosuch"])),
                "#myorigin = x\n# c1\n# y\n\n# c2\n# c3\n# z\n\n# after\nmydomain = q\n# end\n"),
            ("a = 1\n  2\n# x\n  3\nmyorigin = q\n", Edit::Comment(names(&["a"])), "#a = 1\n#  2\n# x\n#  3\nmyorigin = q\n"),
            ("myorigin = a\nmydomain = x\nmyorigin = b\n # c\n d\n", set(&[("myorigin", "z")]),
                "myorigin = z\nmydomain = x\nmyorigin = z\n # c\n"),
            ("relayhost =\n", set(&[("relayhost", "")]), "relayhost = \n"),
            ("noequals\nmyorigin = x\n", set(&[("myorigin", "y")]), "noequals\nmyorigin = y\n"),
            ("", set(&[("a", "1")]), "a = 1\n"),
        ];
        for (text, edit, want) in cases {
            assert_eq!(apply(text, &edit).text, want, "{text:?} {edit:?}");
        }
    }

    #[test]
    fn a_last_line_without_its_end_is_not_glued_to_the_next() {
        // Postfix 3.7.11 makes `myorigin=xrelayhost = q` of this.
        assert_eq!(apply("myorigin=x", &set(&[("relayhost", "q")])).text, "myorigin=x\nrelayhost = q\n");
    }

    #[test]
    fn names_met_twice_are_told_once() {
        let edited = apply("a = 1\na = 2\na = 3\nb = 1\n", &Edit::Remove(names(&["a", "b"])));
        assert_eq!(edited, Edited { text: String::new(), multiple: names(&["a"]) });
        assert_eq!(apply("a = 1\n", &set(&[("a", "2"), ("a", "3")])).text, "a = 3\n");
        assert_eq!(apply("", &set(&[("a", "2"), ("a", "3")])).text, "a = 3\n");
    }

    proptest! {
        #[test]
        fn what_was_set_is_read_and_the_rest_stays(text in "([ab] ?= ?[x#]?|[ #]+[xy]?|)(\n([abc] ?= ?[xy]{0,2}|[ #]+[xy=]?|)){0,8}", value in "[a-z$]{0,5}") {
            let before = Source::parse("f", &text);
            let after = Source::parse("f", &apply(&text, &set(&[("a", &value)])).text);
            prop_assert_eq!(after.get("a").map(|e| e.value.clone()), Some(value.clone()));
            let others = |s: &Source| s.entries.iter().filter(|e| e.name != "a").map(|e| (e.name.clone(), e.value.clone())).collect::<Vec<_>>();
            prop_assert_eq!(others(&after), others(&before));
            let removed = Source::parse("f", &apply(&text, &Edit::Remove(names(&["a"]))).text);
            prop_assert_eq!(removed.get("a"), None);
            let commented = Source::parse("f", &apply(&text, &Edit::Comment(names(&["a"]))).text);
            prop_assert_eq!(others(&commented), others(&removed));
        }
    }
}
