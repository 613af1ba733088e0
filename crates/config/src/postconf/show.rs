//! `postconf` that prints: all, `-n`, `-d`, or the names given.

use super::Fatal;
use super::args::{Show, default_directory};
use crate::check;
use crate::expand::{self, MacroError, Names};
use crate::file;
use crate::raw::Raw;
use crate::slip;
use crate::source::{self, Source};
use crate::table;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// Width of a folded line, as in Postfix.
const LINE_WIDTH: usize = 80;

pub(super) fn show(show: &Show, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Fatal> {
    let raw = if show.defaults { Raw::defaults(file::this_machine()) } else { load(show, err)? };
    let used = check::used_names(&raw);
    if !show.defaults {
        survey(&raw, &used, err)?;
    }
    let is_user = |name: &str| show.user && used.contains(name) && table::parameter(name).is_none();
    let is_builtin = |name: &str| if table::of_transport(name) { show.service } else { show.builtin && table::parameter(name).is_some() };
    let shown = |name: &str| !show.only_set || raw.set(name).is_some() || (name == "config_directory" && show.directory.is_some());
    if show.names.is_empty() {
        let builtin = table::parameters().map(|parameter| parameter.name).filter(|name| is_builtin(name));
        let user = raw.names_set().into_iter().filter(|name| is_user(name));
        let all: BTreeSet<&str> = builtin.chain(user).filter(|name| shown(name)).collect();
        for name in all {
            print(show, &raw, name, out, err)?;
        }
    } else {
        for name in &show.names {
            // As Postfix does, whatever class was asked for.
            if table::parameter(name).is_some() || used.contains(name) {
                if shown(name) {
                    print(show, &raw, name, out, err)?;
                }
            } else {
                writeln!(err, "postconf: warning: {name}: unknown parameter")?;
                hint(&raw, slip::misspelt(name).filter(|_| raw.set(name).is_none()), 0, err)?;
            }
        }
    }
    unused(&raw, &used, err)
}

fn load(show: &Show, err: &mut dyn Write) -> Result<Raw, Fatal> {
    let directory = show.directory.clone().unwrap_or_else(default_directory);
    let path = Path::new(&directory).join("main.cf");
    let name = path.display().to_string();
    let text = file::read(&path).map_err(|error| format!("open {name}: {error}"))?;
    let source = Source::parse(&name, &text);
    for problem in &source.problems {
        if problem.is_error() {
            return Err(problem.to_string().into());
        }
        // Of this one Postfix does not say the line.
        match problem.code {
            "stray" => writeln!(err, "postconf: warning: {name}: {}", problem.text)?,
            _ => writeln!(err, "postconf: warning: {problem}")?,
        }
    }
    if let Some(entry) = source.get("config_directory").filter(|_| show.directory.is_some()) {
        writeln!(err, "postconf: warning: {name}, line {}: overriding earlier entry: config_directory={directory}", entry.line)?;
    }
    Ok(Raw { directory, source, overrides: show.overrides.clone(), machine: file::this_machine() })
}

/// Looks at all that is set, whatever is to be printed: names that nobody gives a value, and values that can't be expanded.
fn survey(raw: &Raw, used: &BTreeSet<String>, err: &mut dyn Write) -> Result<(), Fatal> {
    for name in raw.names_set() {
        let value = raw.set(name).unwrap_or_default();
        let mut named = expand::references(value);
        if name == "smtpd_restriction_classes" {
            named.extend(crate::value::list(value).unwrap_or_default());
        }
        named.dedup();
        for other in named.iter().filter(|other| raw.value(other).is_none()) {
            writeln!(err, "postconf: warning: {}: undefined parameter: {other}", raw.source.file)?;
            let misspelt = slip::misspelt(other).map(|hint| format!("{name}: {hint}"));
            hint(raw, misspelt, raw.line(name).unwrap_or_default(), err)?;
        }
    }
    for name in raw.names_set() {
        if let Err(error) = raw.expanded(name) {
            match table::parameter(name).is_some() || used.contains(name) {
                true => return Err(macro_error(&error, err)),
                false => writeln!(err, "postconf: warning: {error}")?,
            }
        }
    }
    match raw.expanded("append_dot_mydomain") {
        // The level itself: every default depends on it.
        Err(error @ MacroError::Level(_)) => Err(macro_error(&error, err)),
        _ => Ok(()),
    }
}

/// The two lines of Postfix about a value that can't be expanded.
fn macro_error(error: &MacroError, err: &mut dyn Write) -> Fatal {
    if let Err(gone) = writeln!(err, "postconf: warning: {error}") {
        return gone.into();
    }
    let met = if matches!(error, MacroError::Nesting(_)) { "dictionary mail_dict: " } else { "" };
    format!("{met}macro processing error").into()
}

/// What was probably meant, where it stands. Ours: Postfix says nothing.
fn hint(raw: &Raw, hint: Option<String>, line: u32, err: &mut dyn Write) -> Result<(), Fatal> {
    match (hint, line) {
        (None, _) => Ok(()),
        (Some(hint), 0) => writeln!(err, "postconf: hint: {hint}").map_err(Fatal::from),
        (Some(hint), line) => writeln!(err, "postconf: hint: {}, line {line}: {hint}", raw.source.file).map_err(Fatal::from),
    }
}

fn print(show: &Show, raw: &Raw, name: &str, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Fatal> {
    if show.no_values && !show.no_names {
        return writeln!(out, "{name}").map_err(Fatal::from);
    }
    let mut value = raw.value(name).unwrap_or_default();
    if show.expand {
        match expand::expand(&value, raw) {
            Ok(expanded) => value = expanded.text,
            Err(error) => return Err(macro_error(&error, err)),
        }
    }
    if show.json {
        return writeln!(out, "{{\"{name}\": \"{}\"}}", escaped(&source::squeeze(&value))).map_err(Fatal::from);
    }
    let mut line = if show.no_names { String::new() } else { format!("{name} =") };
    let value = source::squeeze(&value);
    if !show.fold {
        if !line.is_empty() && !value.is_empty() {
            line.push(' ');
        }
        line.push_str(&value);
    } else {
        fold(&mut line, &value);
    }
    writeln!(out, "{line}").map_err(Fatal::from)
}

/// As a JSON string holds it.
fn escaped(text: &str) -> String {
    let put = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(put).collect()
}

fn fold(line: &mut String, value: &str) {
    let mut width = line.len();
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if line.is_empty() {
            width = 0;
        } else if width + word.len() < LINE_WIDTH {
            line.push(' ');
            width += 1;
        } else {
            line.push_str("\n    ");
            width = 4;
        }
        line.push_str(word);
        width += word.len();
    }
}

/// Names of nobody: neither a parameter nor referred to by one.
fn unused(raw: &Raw, used: &BTreeSet<String>, err: &mut dyn Write) -> Result<(), Fatal> {
    let file = raw.source.entries.iter().map(|entry| entry.name.as_str());
    let mut told: Vec<&str> = Vec::new();
    for name in file.chain(raw.overrides.iter().map(|(name, _)| name.as_str())) {
        let known = table::parameter(name).is_some() || table::LEGACY.contains(&name) || used.contains(name);
        if !known && !told.contains(&name) {
            told.push(name);
            writeln!(err, "postconf: warning: {}: unused parameter: {name}={}", raw.source.file, raw.set(name).unwrap_or_default())?;
            hint(raw, slip::misspelt(name), raw.line(name).unwrap_or_default(), err)?;
        }
    }
    Ok(())
}
