//! Lookup tables, `TYPE:NAME` as Postfix writes them: what a key leads to.
//!
//! | types                                             | what is read                                             |
//! |---------------------------------------------------|----------------------------------------------------------|
//! | `hash btree cdb dbm lmdb sdbm texthash`           | the text file itself ([`text`]); no database is made     |
//! | `regexp pcre`                                     | patterns in their order ([`regexp`])                     |
//! | `cidr`                                            | networks in their order ([`cidr`])                       |
//! | `inline:{ k = v, … }`, `static:v`                 | what stands there                                        |
//! | `unionmap:{ a, b }`, `pipemap:{ a, b }`           | all results, by commas; each result is the next one's key |
//! | `proxy:TYPE:NAME`                                 | the same as TYPE:NAME                                    |
//!
//! Only exact lookups: whether `user@domain` is also looked for as `@domain` is the business of who asks. Not here: `mysql pgsql sqlite ldap
//! unix tcp socketmap memcache nis`.

pub mod aliases;
pub mod cidr;
mod list;
pub mod regexp;
pub mod text;

pub(crate) use list::Library;
pub use list::Maps;
pub use text::{Row, parse};

use crate::problem::{Problem, Severity};
use crate::value;
use std::collections::HashMap;
use std::path::Path;

/// Types of table that can be opened, as `postconf -m` lists them.
pub const TYPES: [&str; 15] = [
    "btree", "cdb", "cidr", "dbm", "hash", "inline", "lmdb", "pcre", "pipemap", "proxy", "regexp", "sdbm", "static", "texthash", "unionmap",
];

/// Those that are made from a text of keys and values.
pub const TEXT_TYPES: [&str; 7] = ["btree", "cdb", "dbm", "hash", "lmdb", "sdbm", "texthash"];

/// Octets of a table: a quarter of a million rows; more belongs into the directory.
pub const TABLE_LIMIT: usize = 16 * 1024 * 1024;

/// Tables within tables (`unionmap`, `pipemap`, `proxy`): each costs stack, and nobody nests more than two.
const DEPTH_LIMIT: usize = 8;

/// Reads the text of a table.
pub type Read<'a> = &'a dyn Fn(&Path) -> Result<String, String>;

/// Why a table can't be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("unsupported dictionary type: {0}")]
    Unsupported(String),
    #[error("open {name}: {error}")]
    Open { name: String, error: String },
    #[error("bad syntax: {0}")]
    Needs(String),
    #[error("bad {0} map: {1}")]
    Syntax(&'static str, String),
}

/// A table that was read.
#[derive(Clone, Debug)]
pub struct Table(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Text { rows: Vec<text::Row>, places: HashMap<String, usize>, fold: bool },
    Cidr(cidr::Rules),
    Regexp(regexp::Rules),
    Static(String),
    Union(Vec<Table>),
    Pipe(Vec<Table>),
}

/// `TYPE:NAME` → the two; none if there is no type.
pub fn split(spec: &str) -> Option<(&str, &str)> {
    spec.split_once(':').filter(|(kind, _)| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric()))
}

impl Table {
    /// Opens `TYPE:NAME`; what is wrong with single rows and rules is warned of, and those are left out.
    pub fn open(spec: &str, read: Read<'_>) -> Result<(Table, Vec<Problem>), TableError> {
        Table::open_with(spec, true, read)
    }

    /// As [`Table::open`]; with `fold` keys of text tables are looked up in lower case.
    pub fn open_with(spec: &str, fold: bool, read: Read<'_>) -> Result<(Table, Vec<Problem>), TableError> {
        let mut problems = Vec::new();
        let table = open(spec, fold, read, &mut problems, 0)?;
        Ok((table, problems))
    }

    /// As [`Table::open`], of a text in the form of aliases(5), `name: value`; other types are the same as ever.
    pub fn open_aliases(spec: &str, read: Read<'_>) -> Result<(Table, Vec<Problem>), TableError> {
        let spec = spec.strip_prefix("proxy:").unwrap_or(spec);
        match split(spec) {
            Some((kind, name)) if TEXT_TYPES.contains(&kind) => {
                let (rows, problems) = aliases::parse(name, &source(name, read)?, true);
                Ok((Table::of_rows(rows, true), problems))
            }
            _ => Table::open(spec, read),
        }
    }

    /// True of patterns and networks: they are asked for whole keys only.
    pub fn is_pattern(&self) -> bool {
        match &self.0 {
            Kind::Cidr(_) | Kind::Regexp(_) => true,
            Kind::Text { .. } | Kind::Static(_) => false,
            Kind::Union(tables) | Kind::Pipe(tables) => tables.iter().any(Table::is_pattern),
        }
    }

    /// True of `static:OK` and its kin: whoever asks is permitted.
    pub fn is_always_permit(&self) -> bool {
        let permits = |value: &String| value.split_ascii_whitespace().next().is_some_and(|word| ["ok", "relay", "permit"].contains(&word.to_ascii_lowercase().as_str()) || word.bytes().all(|b| b.is_ascii_digit()));
        matches!(&self.0, Kind::Static(value) if permits(value))
    }

    /// What `key` leads to.
    pub fn get(&self, key: &str) -> Option<String> {
        match &self.0 {
            Kind::Text { rows, places, fold } => {
                let place = if *fold { places.get(&key.to_lowercase()) } else { places.get(key) };
                place.and_then(|place| rows.get(*place)).map(|row| row.value.clone())
            }
            Kind::Cidr(rules) => rules.get(key).map(str::to_owned),
            Kind::Regexp(rules) => rules.get(key),
            Kind::Static(value) => Some(value.clone()),
            Kind::Union(tables) => {
                let all: Vec<String> = tables.iter().filter_map(|table| table.get(key)).collect();
                (!all.is_empty()).then(|| all.join(","))
            }
            Kind::Pipe(tables) => tables.iter().try_fold(key.to_owned(), |key, table| table.get(&key)),
        }
    }

    /// All rows, if it is made of rows.
    pub fn rows(&self) -> Option<&[text::Row]> {
        match &self.0 {
            Kind::Text { rows, .. } => Some(rows),
            _ => None,
        }
    }

    /// A table of these rows; of two with one key the first counts.
    pub fn of_rows(rows: Vec<text::Row>, fold: bool) -> Table {
        let mut places = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            places.entry(row.key.clone()).or_insert(place);
        }
        Table(Kind::Text { rows, places, fold })
    }
}

fn open(spec: &str, fold: bool, read: Read<'_>, problems: &mut Vec<Problem>, depth: usize) -> Result<Table, TableError> {
    let (kind, name) = split(spec).ok_or_else(|| TableError::Unsupported(spec.to_owned()))?;
    if depth >= DEPTH_LIMIT {
        return Err(TableError::Syntax("nested", format!("more than {DEPTH_LIMIT} tables within one another")));
    }
    let mut said = |(rules, found): (Kind, Vec<Problem>)| {
        problems.extend(found);
        Table(rules)
    };
    match kind {
        "proxy" => open(name, fold, read, problems, depth + 1),
        "static" => Ok(Table(Kind::Static(braced(name).unwrap_or(name).to_owned()))),
        "inline" => inline(name, fold),
        "unionmap" => Ok(Table(Kind::Union(several("unionmap", name, fold, read, problems, depth)?))),
        "pipemap" => Ok(Table(Kind::Pipe(several("pipemap", name, fold, read, problems, depth)?))),
        "cidr" => {
            let (rules, found) = cidr::parse(name, &source(name, read)?);
            Ok(said((Kind::Cidr(rules), found)))
        }
        "regexp" | "pcre" => {
            let (rules, found) = regexp::parse(kind, name, &source(name, read)?);
            Ok(said((Kind::Regexp(rules), found)))
        }
        _ if TEXT_TYPES.contains(&kind) => {
            let (rows, found) = text::parse_with(name, &source(name, read)?, fold);
            problems.extend(found);
            Ok(Table::of_rows(rows, fold))
        }
        _ => Err(TableError::Unsupported(kind.to_owned())),
    }
}

/// The text of a table's file.
fn source(name: &str, read: Read<'_>) -> Result<String, TableError> {
    let text = read(Path::new(name)).and_then(|text| if text.len() > TABLE_LIMIT { Err(format!("larger than {TABLE_LIMIT} octets")) } else { Ok(text) });
    text.map_err(|error| TableError::Open { name: name.to_owned(), error })
}

/// `{ k = v, { k = v w } }`
fn inline(name: &str, fold: bool) -> Result<Table, TableError> {
    let syntax = |what: String| TableError::Syntax("inline", what);
    let inner = braced(name).ok_or_else(|| TableError::Needs(format!("\"inline:{name}\"; need \"inline:{{name=value...}}\"")))?;
    // White space may stand around the sign: `k = v`.
    let mut rows = Vec::new();
    for element in value::list(&inner.replace(" = ", "=")).map_err(syntax)? {
        let (key, value) = element.split_once('=').map(|(key, value)| (key.trim_ascii(), value.trim_ascii())).unwrap_or_default();
        if key.is_empty() {
            return Err(syntax(format!("\"{element}\": no key found; expected format: key = value")));
        }
        let key = if fold { key.to_lowercase() } else { key.to_owned() };
        rows.push(text::Row { key, value: value.to_owned(), line: 0 });
    }
    if rows.is_empty() {
        return Err(syntax(format!("\"{name}\": empty")));
    }
    rows.reverse(); // here the last of two with one key counts
    Ok(Table::of_rows(rows, fold))
}

fn several(kind: &'static str, name: &str, fold: bool, read: Read<'_>, problems: &mut Vec<Problem>, depth: usize) -> Result<Vec<Table>, TableError> {
    let inner = braced(name).ok_or_else(|| TableError::Needs(format!("\"{kind}:{name}\"; need \"{kind}:{{type:name...}}\"")))?;
    let elements = value::list(inner).map_err(|what| TableError::Syntax(kind, what))?;
    if elements.is_empty() {
        return Err(TableError::Syntax(kind, format!("\"{name}\": empty")));
    }
    elements.iter().map(|element| open(element, fold, read, problems, depth + 1)).collect()
}

/// What stands within the braces that `text` begins and ends with.
fn braced(text: &str) -> Option<&str> {
    text.trim_ascii().strip_prefix('{')?.strip_suffix('}').map(str::trim_ascii)
}

/// Logical lines with the number of their first physical one: what starts with white space continues, comments and empty lines are nobody's.
/// White space within stays as it is.
pub(crate) fn logical(text: &str) -> Vec<(u32, String)> {
    use crate::source::{Physical, kind};
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut number = 0u32;
    for physical in text.split('\n') {
        number = number.saturating_add(1);
        match (kind(physical), lines.last_mut()) {
            (Physical::Comment, _) => {}
            (Physical::Continuation, Some((_, line))) => line.push_str(physical.trim_ascii_end()),
            (Physical::Continuation, None) => lines.push((number, physical.trim_ascii().to_owned())),
            (Physical::Start, _) => lines.push((number, physical.trim_ascii_end().to_owned())),
        }
    }
    lines
}

/// `regexp map FILE, line N: what`
fn ruling(kind: &str, file: &str, line: u32, what: impl Into<String>) -> Problem {
    Problem::new(Severity::Warning, "syntax", "", what).at(format!("{kind} map {file}"), line)
}

/// Rules in their order, with `if` … `endif` around some: the place of the matching `endif` is known.
#[derive(Clone, Debug)]
pub(crate) enum Rule<P, A> {
    /// Where the pattern matches, this is the result.
    Result(P, A),
    /// Where it does not, go on at this place.
    If(P, usize),
}

/// The first result whose pattern `matches`.
pub(crate) fn first<'r, P, A>(rules: &'r [Rule<P, A>], matches: impl Fn(&P) -> bool) -> Option<(&'r P, &'r A)> {
    let mut at = 0;
    while let Some(rule) = rules.get(at) {
        at += 1;
        match rule {
            Rule::Result(pattern, action) if matches(pattern) => return Some((pattern, action)),
            Rule::If(pattern, end) if !matches(pattern) => at = (*end).max(at),
            _ => {}
        }
    }
    None
}

/// Collects rules, and sees that each `if` has its `endif`.
pub(crate) struct Building<P, A> {
    rules: Vec<Rule<P, A>>,
    /// Places of `if`s that are open, and their lines.
    open: Vec<(usize, u32)>,
}

impl<P, A> Building<P, A> {
    pub(crate) fn new() -> Self {
        Building { rules: Vec::new(), open: Vec::new() }
    }

    pub(crate) fn add(&mut self, pattern: P, action: A) {
        self.rules.push(Rule::Result(pattern, action));
    }

    pub(crate) fn start_if(&mut self, pattern: P, line: u32) {
        self.open.push((self.rules.len(), line));
        self.rules.push(Rule::If(pattern, 0));
    }

    /// False if there is no `if` that it ends.
    pub(crate) fn end_if(&mut self) -> bool {
        let here = self.rules.len();
        match self.open.pop().and_then(|(place, _)| self.rules.get_mut(place)) {
            Some(Rule::If(_, end)) => {
                *end = here;
                true
            }
            _ => false,
        }
    }

    /// The rules, and the lines of `if`s that never end: those hold to the end of the table.
    pub(crate) fn done(mut self) -> (Vec<Rule<P, A>>, Vec<u32>) {
        let lines = self.open.iter().map(|(_, line)| *line).collect();
        while !self.open.is_empty() {
            self.end_if();
        }
        (self.rules, lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(spec: &str) -> Result<Table, TableError> {
        let read = |path: &Path| match path.to_str() {
            Some("/t") => Ok("User@Example.test  other@example.test\na 1\n1 one\n".to_owned()),
            Some("/r") => Ok("/^(.*)@old$/ $1@new\n".to_owned()),
            _ => Err("No such file or directory".to_owned()),
        };
        Table::open(spec, &read).map(|(table, _)| table)
    }

    #[test]
    fn each_type_gives_what_it_holds() {
        let cases = [
            ("hash:/t", "user@example.TEST", Some("other@example.test")),
            ("texthash:/t", "nobody", None),
            ("proxy:btree:/t", "a", Some("1")),
            ("regexp:/r", "joe@OLD", Some("joe@new")),
            ("static:OK", "anything", Some("OK")),
            ("static:{ 450 try later }", "x", Some("450 try later")),
            ("inline:{ a=1, B = 2 }", "b", Some("2")),
            ("inline:{ { a = 1 2 }, b=3 }", "a", Some("1 2")),
            ("unionmap:{ hash:/t, static:x }", "a", Some("1,x")),
            ("unionmap:{hash:/t}", "zz", None),
            ("pipemap:{ hash:/t, hash:/t }", "a", Some("one")),
            ("pipemap:{ hash:/t, inline:{9=x} }", "a", None),
        ];
        for (spec, key, want) in cases {
            assert_eq!(open(spec).unwrap_or_else(|error| panic!("{spec}: {error}")).get(key).as_deref(), want, "{spec} {key}");
        }
    }

    #[test]
    fn what_can_not_be_opened_says_why() {
        let cases = [
            ("nosuch:/t", "unsupported dictionary type: nosuch"),
            ("hash:/none", "open /none: No such file or directory"),
            ("/t", "unsupported dictionary type: /t"),
            ("inline:a=b", "bad syntax: \"inline:a=b\"; need \"inline:{name=value...}\""),
            ("inline:{x}", "bad inline map: \"x\": no key found; expected format: key = value"),
            ("unionmap:{}", "bad unionmap map: \"{}\": empty"),
        ];
        for (spec, want) in cases {
            assert_eq!(open(spec).map(drop).unwrap_err().to_string(), want, "{spec}");
        }
        assert!(open(&("proxy:".repeat(50) + "static:x")).is_err());
    }
}
