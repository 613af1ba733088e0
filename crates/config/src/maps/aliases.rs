//! aliases(5): `name: value, value…`, a logical line as in main.cf. Only the syntax.

use super::text::{Row, rows};
use crate::problem::Problem;

/// Reads a file of aliases. Names in quotes lose them, and all are lower case unless `fold` is off. Of two rows with one name the first counts.
pub fn parse(file: &str, text: &str, fold: bool) -> (Vec<Row>, Vec<Problem>) {
    rows(file, text, fold, |line, warn| {
        let pair = split(line).filter(|(name, value)| !name.is_empty() && !value.is_empty());
        if pair.is_none() {
            warn("need name:value pair".to_owned());
        }
        pair
    })
}

/// At the first colon outside of quotes.
fn split(line: &str) -> Option<(String, String)> {
    let mut name = String::new();
    let mut quoted = false;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => name.extend(chars.next().map(|(_, c)| c)),
            ':' if !quoted => return Some((name.trim_ascii().to_owned(), line[at + 1..].trim_ascii().to_owned())),
            c => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_values() {
        let text = "# /etc/aliases\nPostmaster:    root\nroot: alice,\n  bob@example.test\n\"two words\": \"|/usr/bin/cat -\"\nnoval\nroot: x\n";
        let (rows, problems) = parse("a", text, true);
        let rows: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.value.as_str())).collect();
        assert_eq!(rows, [("postmaster", "root"), ("root", "alice,  bob@example.test"), ("two words", "\"|/usr/bin/cat -\"")]);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, ["a, line 6: need name:value pair", "a, line 7: duplicate entry: \"root\""]);
    }
}
