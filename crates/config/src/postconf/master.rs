//! `postconf -M`, `-F`, `-P`: shows a master.cf, its fields, and the parameters that its services set.
//!
//! A master.cf has no effect here, so it is shown, for scripts and for who comes from Postfix, and not edited.

use super::Fatal;
use super::args::default_directory;
use crate::file;
use crate::maps;
use std::io::Write;
use std::path::Path;

/// Fields before the arguments, as `-F` names them; the last of them begins the command.
const FIELDS: [&str; 8] = ["service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"];
/// Where each field begins, if those before it leave room.
const COLUMNS: [usize; 8] = [0, 11, 17, 25, 33, 41, 49, 57];
/// Width of a folded line, and how far the next is moved in.
const LINE_WIDTH: usize = 80;
const INDENT: usize = 4;

/// Which part is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `-M`
    Services,
    /// `-F`
    Fields,
    /// `-P`
    Parameters,
}

/// What is asked for.
pub(super) struct Master {
    pub directory: Option<String>,
    pub part: Part,
    pub fold: bool,
    pub no_names: bool,
    pub no_values: bool,
    /// `service[/type[/name]]`, each part perhaps `*`; none: all.
    pub patterns: Vec<String>,
}

/// A line of master.cf: its fields and the arguments of its command.
struct Service {
    fields: Vec<String>,
    arguments: Vec<String>,
}

pub(super) fn show(asked: &Master, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Fatal> {
    let directory = asked.directory.clone().unwrap_or_else(default_directory);
    let services = read(&Path::new(&directory).join("master.cf"))?;
    let everything = vec![String::new()];
    let patterns = if asked.patterns.is_empty() { &everything } else { &asked.patterns };
    let mut met = vec![false; patterns.len()];
    for service in &services {
        for (name, line) in lines(asked, service) {
            let mut shown = false;
            for (pattern, met) in patterns.iter().zip(&mut met) {
                if matches(pattern, &name) {
                    (*met, shown) = (true, true);
                }
            }
            if shown {
                writeln!(out, "{line}")?;
            }
        }
    }
    for (pattern, _) in patterns.iter().zip(met).filter(|(pattern, met)| !met && !pattern.is_empty()) {
        writeln!(err, "postconf: warning: unmatched request: \"{pattern}\"")?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Service>, Fatal> {
    let name = path.display();
    let text = file::read(path).map_err(|error| format!("open {name}: {error}"))?;
    let mut services = Vec::new();
    for (line, logical) in maps::logical(&text) {
        let mut words = words(&logical);
        if words.len() < FIELDS.len() {
            return Err(format!("file {name}: line {line}: bad field count").into());
        }
        let arguments = words.split_off(FIELDS.len());
        services.push(Service { fields: words, arguments });
    }
    Ok(services)
}

/// At white space, what stands in braces kept together.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0usize;
    let mut apart = true;
    for c in line.chars() {
        if c.is_ascii_whitespace() && depth == 0 {
            apart = true;
            continue;
        }
        match c {
            '{' if apart || depth > 0 => depth += 1,
            '}' if depth > 0 => depth -= 1,
            _ => {}
        }
        match words.last_mut().filter(|_| !apart) {
            Some(word) => word.push(c),
            None => words.push(c.to_string()),
        }
        apart = false;
    }
    words
}

/// Every line that a service gives, with the name that patterns ask for.
fn lines(asked: &Master, service: &Service) -> Vec<(String, String)> {
    let base = service.fields[..2].join("/");
    let named = |name: &str, value: &str| {
        let full = format!("{base}/{name}");
        let line = match (asked.no_names, asked.no_values, value.is_empty()) {
            (true, _, _) => value.to_owned(),
            (false, true, _) => full.clone(),
            (false, false, true) => format!("{full} ="),
            (false, false, false) => format!("{full} = {value}"),
        };
        (full, line)
    };
    match asked.part {
        Part::Services => vec![(base, print(service, asked.fold))],
        Part::Fields => {
            let value = |at: usize| if at == 7 { [&service.fields[7..], &service.arguments[..]].concat().join(" ") } else { service.fields[at].clone() };
            FIELDS.iter().enumerate().map(|(at, name)| named(name, &value(at))).collect()
        }
        Part::Parameters => {
            let mut set: Vec<(String, String)> = Vec::new();
            for (name, value) in overrides(service) {
                set.retain(|(other, _)| *other != name);
                set.push((name, value));
            }
            set.sort();
            set.iter().map(|(name, value)| named(name, value)).collect()
        }
    }
}

/// The parameters of `-o name=value` and `-o { name = value }`.
fn overrides(service: &Service) -> impl Iterator<Item = (String, String)> + '_ {
    let text = |at: usize| {
        let argument = service.arguments.get(at)?.strip_prefix("-o")?;
        let text = if argument.is_empty() { service.arguments.get(at + 1)?.as_str() } else { argument };
        let bare = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
        let (name, value) = bare.split_once('=')?;
        Some((name.trim_ascii().to_owned(), value.trim_ascii().to_owned()))
    };
    (0..service.arguments.len()).filter_map(text)
}

fn print(service: &Service, fold: bool) -> String {
    let mut text = String::new();
    let mut width = 0;
    for (field, column) in service.fields.iter().zip(COLUMNS) {
        if width > 0 {
            let blanks = column.saturating_sub(width).max(1);
            text.push_str(&" ".repeat(blanks));
            width += blanks;
        }
        text.push_str(field);
        width += field.len();
    }
    let (mut options, mut after_value) = (true, false);
    let mut arguments = service.arguments.iter();
    let turn = |text: &mut String, width: &mut usize| {
        text.push('\n');
        text.push_str(&" ".repeat(INDENT));
        *width = INDENT;
    };
    while let Some(argument) = arguments.next() {
        let value = if options && argument == "-o" { arguments.next() } else { None };
        // An option with a value has a line of its own.
        if fold && width > INDENT && (value.is_some() || after_value) {
            turn(&mut text, &mut width);
        }
        after_value = value.is_some();
        options &= argument.starts_with('-');
        if width > INDENT {
            if fold && width + 1 + argument.len() >= LINE_WIDTH {
                turn(&mut text, &mut width);
            } else {
                text.push(' ');
                width += 1;
            }
        }
        text.push_str(argument);
        width += argument.len();
        if let Some(value) = value {
            text.push(' ');
            text.push_str(value);
            width += 1 + value.len();
        }
    }
    text
}

/// `smtp/inet`, `smtp`, `*/unix`: parts that are not there are any.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = name.splitn(3, '/');
    pattern.splitn(3, '/').all(|wanted| {
        let part = parts.next();
        wanted.is_empty() || wanted == "*" || part == Some(wanted)
    })
}
