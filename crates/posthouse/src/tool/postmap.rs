//! `postmap`, `postalias`, `newaliases`: looks into tables and checks them.
//!
//! A table here is its text: nothing is built, so after a change nothing has to be. Called without `-q` or `-s` they read the text, warn of what is
//! wrong in it, and end well if it can be read, as scripts expect; `-d` and `-i`, which change Postfix's database and not the text, are refused.

use std::io::BufRead;
use std::path::Path;

use config::maps::text::{self, Row};
use config::maps::{TEXT_TYPES, Table, aliases, split};
use config::{Problem, file};

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
        Fatal::new(1, format!("usage: {} [-fnNoprsuUvw] [-c config_dir] [-q key] [map_type:]file...", self.name()))
    }

    fn rows(self, file: &str, text: &str, fold: bool) -> (Vec<Row>, Vec<Problem>) {
        match self {
            Form::Map => text::parse_with(file, text, fold),
            Form::Alias => aliases::parse(file, text, fold),
        }
    }
}

/// What is asked for.
struct Asked {
    directory: String,
    fold: bool,
    list: bool,
    key: Option<String>,
    tables: Vec<String>,
}

/// `postmap` or `postalias`. False if a key was not found.
pub(super) fn run(form: Form, arguments: &[String]) -> Result<bool, Fatal> {
    let asked = read(form, arguments)?;
    let kind = super::parameter(&asked.directory, "default_database_type").unwrap_or_else(|_| "hash".into());
    let named = |table: &String| if split(table).is_some() { table.clone() } else { format!("{kind}:{table}") };
    let tables: Vec<String> = asked.tables.iter().map(named).collect();
    match (&asked.key, asked.list) {
        (Some(key), false) => query(form, &tables, key, asked.fold),
        (None, true) => list(form, &tables, asked.fold).map(|()| true),
        (None, false) => {
            for table in &tables {
                check(form, table, asked.fold)?;
            }
            Ok(true)
        }
        (Some(_), true) => Err(form.usage()),
    }
}

/// `newaliases`: checks the tables of `alias_database`.
pub(super) fn newaliases(arguments: &[String]) -> Result<(), Fatal> {
    let (given, _) = options::read(arguments, "c:v").map_err(|_| Fatal::new(64, "usage: newaliases [-c config_dir]"))?;
    let directory = given.into_iter().find(|(letter, _)| *letter == 'c').map_or_else(super::directory, |(_, value)| value);
    let tables = super::parameter(&directory, "alias_database").map_err(|error| Fatal::new(1, error))?;
    let tables = config::value::list(&tables).map_err(|error| Fatal::new(1, error))?;
    tables.iter().try_for_each(|table| check(Form::Alias, table, true))
}

fn read(form: Form, arguments: &[String]) -> Result<Asked, Fatal> {
    let (given, tables) = options::read(arguments, "bc:d:fFhimnNopq:rsuUvw").map_err(|_| form.usage())?;
    let mut asked = Asked { directory: super::directory(), fold: true, list: false, key: None, tables };
    for (letter, value) in given {
        match letter {
            'c' => asked.directory = value,
            'f' => asked.fold = false,
            's' => asked.list = true,
            'q' => asked.key = Some(value),
            'd' | 'i' => return Err(Fatal::new(1, format!("-{letter}: a table is its text here; change the text, and nothing has to be built"))),
            'b' | 'h' | 'm' | 'F' => return Err(Fatal::new(1, format!("-{letter} is not supported here"))),
            // How a database is built: none is.
            _ => {}
        }
    }
    if asked.tables.is_empty() {
        return Err(form.usage());
    }
    Ok(asked)
}

/// Opens a table and warns of what is wrong in it.
fn open(form: Form, table: &str, fold: bool) -> Result<Table, Fatal> {
    let fatal = |error: &dyn std::fmt::Display| Fatal::new(1, error);
    let (table, problems) = match split(table) {
        // Aliases have a syntax of their own in text, and in no other type.
        Some((kind, name)) if form == Form::Alias && TEXT_TYPES.contains(&kind) => {
            let text = file::read_table(Path::new(name)).map_err(|error| fatal(&format!("open {name}: {error}")))?;
            let (rows, problems) = form.rows(name, &text, fold);
            (Table::of_rows(rows, fold), problems)
        }
        _ => Table::open_with(table, fold, &file::read_table).map_err(|error| fatal(&error))?,
    };
    for problem in problems {
        eprintln!("{}: warning: {problem}", form.name());
    }
    Ok(table)
}

fn check(form: Form, table: &str, fold: bool) -> Result<(), Fatal> {
    match split(table) {
        Some((kind, _)) if !TEXT_TYPES.contains(&kind) && config::maps::TYPES.contains(&kind) => {
            Err(Fatal::new(1, format!("{table} map requires O_RDONLY access mode")))
        }
        _ => open(form, table, fold).map(drop),
    }
}

/// The first table that has the key; `-` takes keys from standard input.
fn query(form: Form, tables: &[String], key: &str, fold: bool) -> Result<bool, Fatal> {
    let tables = tables.iter().map(|table| open(form, table, fold)).collect::<Result<Vec<_>, _>>()?;
    let get = |key: &str| tables.iter().find_map(|table| table.get(key));
    if key.is_empty() {
        return Err(Fatal::new(1, "empty lookup key value is not allowed"));
    }
    if key != "-" {
        let Some(value) = get(key) else { return Ok(false) };
        put(format!("{value}\n").as_bytes())?;
        return Ok(true);
    }
    let mut found = false;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Fatal::new(1, format!("read stdin: {error}")))?;
        if let Some(value) = get(&line) {
            found = true;
            put(format!("{line}\t{value}\n").as_bytes())?;
        }
    }
    Ok(found)
}

/// All rows, in the order of the text; keys with white space in quotes.
fn list(form: Form, tables: &[String], fold: bool) -> Result<(), Fatal> {
    let colon = if form == Form::Alias { ":" } else { "" };
    for spec in tables {
        let table = open(form, spec, fold)?;
        let rows = table.rows().ok_or_else(|| Fatal::new(1, format!("table {spec}: sequence operation is not supported")))?;
        for Row { key, value, .. } in rows {
            let key = if key.contains(|c: char| c.is_ascii_whitespace()) { format!("\"{key}\"") } else { key.clone() };
            put(format!("{key}{colon}\t{value}\n").as_bytes())?;
        }
    }
    Ok(())
}
