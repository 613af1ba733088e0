//! `postmap`, `postalias`, `newaliases`: looks into tables and checks them.
//!
//! A table here is its text: nothing is built, so after a change nothing has to be. Called without `-q` or `-s` they read the text, warn of what is
//! wrong in it, and end well if it can be read, as scripts expect; `-d` and `-i`, which change Postfix's database and not the text, are refused.

use std::io::Read;
use std::path::Path;

use config::maps::text::{self, Row};
use config::maps::{TEXT_TYPES, Table, TableError, aliases, split};
use config::{Problem, file};
use mail::header;

use super::queued::put;
use super::{Fatal, options};

/// The two tools that read a table named on their command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `key value`
    Map,
    /// `name: value`
    Alias,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Map => "postmap",
            Form::Alias => "postalias",
        }
    }

    fn usage(self) -> Fatal {
        let flags = match self {
            Form::Map => "bfFhimnNoprsuUvw",
            Form::Alias => "Nfinoprsuvw",
        };
        Fatal::new(1, format!("usage: {} [-{flags}] [-c config_dir] [-d key] [-q key] [map_type:]file...", self.name()))
    }

    fn rows(self, file: &str, text: &str, fold: bool) -> (Vec<Row>, Vec<Problem>) {
        match self {
            Form::Map => text::parse_with(file, text, fold),
            Form::Alias => aliases::parse(file, text, fold),
        }
    }
}

/// Parts of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    header: bool,
    body: bool,
}

/// What is asked for.
struct Asked {
    directory: String,
    fold: bool,
    list: bool,
    key: Option<String>,
    /// Standard input is a message, of which these are the keys (`-h`, `-b`).
    message: Option<Parts>,
    tables: Vec<String>,
}

/// `postmap` or `postalias`. False if a key was not found.
pub(super) fn run(form: Form, arguments: &[String]) -> Result<bool, Fatal> {
    let asked = read(form, arguments)?;
    let kind = super::parameter(&asked.directory, "default_database_type").unwrap_or_else(|_| "hash".into());
    let named = |table: &String| if split(table).is_some() { table.clone() } else { format!("{kind}:{table}") };
    let tables: Vec<String> = asked.tables.iter().map(named).collect();
    match (&asked.key, asked.list) {
        (Some(key), false) => query(form, &tables, key, &asked),
        (None, true) => list(form, &tables, asked.fold).map(|()| true),
        (None, false) => {
            for table in &tables {
                check(form, table, asked.fold)?;
            }
            Ok(true)
        }
        (Some(_), true) => Err(Fatal::new(1, "specify only one of -s or -q or -d")),
    }
}

/// `newaliases`: checks the tables of `alias_database`.
pub(super) fn newaliases(directory: &str) -> Result<(), Fatal> {
    let tables = super::parameter(directory, "alias_database").map_err(|error| Fatal::new(1, error))?;
    let tables = config::value::list(&tables).map_err(|error| Fatal::new(1, error))?;
    tables.iter().try_for_each(|table| check(Form::Alias, table, true))
}

fn read(form: Form, arguments: &[String]) -> Result<Asked, Fatal> {
    let (given, tables) = options::read(form.name(), arguments, "bc:d:fFhimnNopq:rsuUvw").map_err(|_| form.usage())?;
    let mut asked = Asked { directory: super::directory(), fold: true, list: false, key: None, message: None, tables };
    for (letter, value) in given {
        match letter {
            'c' => asked.directory = value,
            'f' => asked.fold = false,
            's' => asked.list = true,
            'q' if asked.key.is_some() => return Err(Fatal::new(1, "specify only one of -s -q or -d")),
            'q' => asked.key = Some(value),
            'h' => asked.message.get_or_insert_default().header = true,
            'b' => asked.message.get_or_insert_default().body = true,
            'd' | 'i' => return Err(Fatal::new(1, format!("-{letter}: a table is its text here; change the text, and nothing has to be built"))),
            'm' | 'F' => return Err(Fatal::new(1, format!("-{letter} is not supported here"))),
            // How a database is built: none is.
            _ => {}
        }
    }
    if asked.tables.is_empty() {
        return Err(form.usage());
    }
    if asked.message.is_some() && asked.key.as_deref() != Some("-") {
        return Err(Fatal::new(1, "specify -b -h or -m only with \"-q -\""));
    }
    Ok(asked)
}

/// Why a table is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To be built: what is wrong in it is told.
    Build,
    /// To be looked into: with Postfix it was built before, so nothing is told, but of types that are never built.
    Look,
}

fn open(form: Form, table: &str, fold: bool, purpose: Purpose) -> Result<Table, Fatal> {
    let fatal = |error: &dyn std::fmt::Display| Fatal::new(1, error);
    let kind = split(table).map(|(kind, _)| kind).unwrap_or_default();
    let (table, problems) = match split(table) {
        // Aliases have a syntax of their own in text, and in no other type.
        Some((kind, name)) if form == Form::Alias && TEXT_TYPES.contains(&kind) => {
            let text = file::read_table(Path::new(name)).map_err(|error| fatal(&format!("open {name}: {error}")))?;
            let (rows, problems) = form.rows(name, &text, fold);
            (Table::of_rows(rows, fold), problems)
        }
        _ => Table::open_with(table, fold, &file::read_table).map_err(|error| match error {
            TableError::Open { name, error } if purpose == Purpose::Look && TEXT_TYPES.contains(&kind) => fatal(&format!("open database {name}: {error}")),
            error => fatal(&error),
        })?,
    };
    if purpose == Purpose::Build || !is_built(kind) {
        for problem in problems {
            let left_out = if kind == "texthash" && problem.text.starts_with("expected format") { " -- ignoring this line" } else { "" };
            eprintln!("{}: warning: {problem}{left_out}", form.name());
        }
    }
    Ok(table)
}

/// True of types that Postfix makes a database of.
fn is_built(kind: &str) -> bool {
    TEXT_TYPES.contains(&kind) && kind != "texthash"
}

fn check(form: Form, table: &str, fold: bool) -> Result<(), Fatal> {
    let (kind, name) = split(table).unwrap_or(("", table));
    if config::maps::TYPES.contains(&kind) && !is_built(kind) {
        return Err(Fatal::new(1, format!("unsupported dictionary type: {kind} does not support bulk-mode creation.")));
    }
    // whatever the type is, the text is opened first
    file::read_table(Path::new(name)).map_err(|error| Fatal::new(1, format!("open {name}: {error}")))?;
    open(form, table, fold, Purpose::Build).map(drop)
}

/// The first table that has the key; `-` takes keys from standard input.
fn query(form: Form, tables: &[String], key: &str, asked: &Asked) -> Result<bool, Fatal> {
    let tables = tables.iter().map(|table| open(form, table, asked.fold, Purpose::Look)).collect::<Result<Vec<_>, _>>()?;
    let get = |key: &str| tables.iter().find_map(|table| table.get(key)).filter(|_| !key.is_empty() || asked.message.is_some());
    if key != "-" {
        let Some(value) = get(key) else { return Ok(false) };
        put(format!("{value}\n").as_bytes())?;
        return Ok(true);
    }
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input).map_err(|error| Fatal::new(1, format!("read stdin: {error}")))?;
    let mut found = false;
    for key in keys(&input, asked.message) {
        if let Some(value) = get(&key) {
            found = true;
            put(format!("{key}\t{value}\n").as_bytes())?;
        }
    }
    Ok(found)
}

/// A key a line; or of a message the fields of its header (folded as they are), the lines of its body, or both.
fn keys(input: &[u8], message: Option<Parts>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let lines = |bytes: &[u8]| text(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
    let Some(parts) = message else { return lines(input) };
    let (header, body) = input.split_at_checked(header::end_of_header(input)).unwrap_or((input, &[]));
    let mut keys = Vec::new();
    if parts.header {
        let field = |field: header::Field<'_>| text(header.get(field.span).unwrap_or_default().trim_ascii_end());
        keys.extend(header::fields(header).map(field));
    }
    if parts.body {
        // the empty line between them is the body's
        keys.extend(header.ends_with(b"\n\n").then(String::new));
        keys.extend(lines(body));
    }
    keys
}

/// All rows, in the order of the text; keys with white space in quotes.
fn list(form: Form, tables: &[String], fold: bool) -> Result<(), Fatal> {
    let colon = if form == Form::Alias { ":" } else { "" };
    for spec in tables {
        let table = open(form, spec, fold, Purpose::Look)?;
        let rows = table.rows().ok_or_else(|| Fatal::new(1, format!("table {spec}: sequence operation is not supported")))?;
        for Row { key, value, .. } in rows {
            let key = match key.contains(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\\')) {
                true => format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")),
                false => key.clone(),
            };
            put(format!("{key}{colon}\t{value}\n").as_bytes())?;
        }
    }
    Ok(())
}
