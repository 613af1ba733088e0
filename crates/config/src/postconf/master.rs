//! `postconf -M`, `-F`, `-P`: shows a master.cf, its fields, and the parameters that its services set.
//!
//! A master.cf has no effect here; it is shown and edited ([`super::master_edit`]) for scripts and for who comes from Postfix.

use super::Fatal;
use super::args::default_directory;
use crate::file;
use crate::maps;
use std::io::Write;
use std::path::Path;

/// Fields before the arguments, as `-F` names them; the last of them begins the command.
pub(super) const FIELDS: [&str; 8] = ["service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"];
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

/// A line of master.cf: its fields and the arguments of its command, without braces around them; `-o` and its `name=value` are two.
pub(super) struct Service {
    pub fields: Vec<String>,
    pub arguments: Vec<String>,
}

impl Service {
    /// Reads a logical line; none if fields are missing.
    pub fn parse(line: &str) -> Option<Service> {
        let mut fields = words(line);
        if fields.len() < FIELDS.len() {
            return None;
        }
        let arguments = arguments(fields.split_off(FIELDS.len()));
        Some(Service { fields, arguments })
    }

    /// How many of the arguments are options, with their values.
    pub fn options(&self) -> usize {
        let mut at = 0;
        while let Some(argument) = self.arguments.get(at).filter(|argument| argument.starts_with('-')) {
            at += if argument == "-o" { 2 } else { 1 };
        }
        at.min(self.arguments.len())
    }
}

/// Arguments as they are kept: options first, each `-o` apart from its value; braces only where they are more than a way to write blanks.
pub(super) fn arguments(words: Vec<String>) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut options = true;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        options &= word.starts_with('-');
        let value = match word.strip_prefix("-o").filter(|_| options) {
            None => {
                arguments.push(bare(&word).to_owned());
                continue;
            }
            Some("") => words.next(),
            Some(glued) => Some(glued.to_owned()),
        };
        arguments.push("-o".to_owned());
        arguments.extend(value.map(|value| match bare(&value).split_once('=') {
            Some((name, text)) if value.starts_with('{') => format!("{}={}", name.trim_ascii_end(), text.trim_ascii_start()),
            _ => value,
        }));
    }
    arguments
}

/// Without the braces around it, and the blanks within them.
fn bare(word: &str) -> &str {
    word.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).map_or(word, str::trim_ascii)
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
        services.push(Service::parse(&logical).ok_or_else(|| format!("file {name}: line {line}: bad field count"))?);
    }
    Ok(services)
}

/// At white space, what stands in braces kept together.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0usize;
    let mut apart = true;
    for c in line.chars() {
        if c.is_ascii_whitespace() && depth == 0 {
            apart = true;
            continue;
        }
        match c {
            '{' => depth += 1,
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
            let value = |at: usize| if at == 7 { command(service).into_iter().fold(service.fields[7].clone(), |text, (argument, _)| text + " " + &argument) } else { service.fields[at].clone() };
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

/// The parameters that options set.
fn overrides(service: &Service) -> impl Iterator<Item = (String, String)> + '_ {
    let options = service.arguments.get(..service.options()).unwrap_or_default();
    options.windows(2).filter(|pair| pair[0] == "-o").filter_map(|pair| pair[1].split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// The command and its arguments, blanks in braces; but those of the first that is no option, which the original forgets.
fn command(service: &Service) -> Vec<(String, bool)> {
    let options = service.options();
    let mut parts = Vec::new();
    for (at, argument) in service.arguments.iter().enumerate() {
        let value = at < options && at > 0 && service.arguments[at - 1] == "-o";
        let braces = at != options && argument.contains(|c: char| c.is_ascii_whitespace());
        let text = if braces { format!("{{{argument}}}") } else { argument.clone() };
        match parts.last_mut().filter(|_| value) {
            Some((option, valued)) => {
                *option = format!("{option} {text}");
                *valued = true;
            }
            None => parts.push((text, false)),
        }
    }
    parts
}

pub(super) fn print(service: &Service, fold: bool) -> String {
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
    let mut after_value = false;
    let turn = |text: &mut String, width: &mut usize| {
        text.push('\n');
        text.push_str(&" ".repeat(INDENT));
        *width = INDENT;
    };
    for (argument, valued) in command(service) {
        // An option with a value has a line of its own.
        if fold && width > INDENT && (valued || after_value) {
            turn(&mut text, &mut width);
        }
        after_value = valued;
        if width > INDENT {
            if fold && width + 1 + argument.len() >= LINE_WIDTH {
                turn(&mut text, &mut width);
            } else {
                text.push(' ');
                width += 1;
            }
        }
        text.push_str(&argument);
        width += argument.len();
    }
    text
}

/// `smtp/inet`, `smtp`, `*/unix`: parts that are not there are any.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = name.splitn(3, '/');
    pattern.splitn(3, '/').all(|wanted| {
        let part = parts.next();
        wanted.is_empty() || wanted == "*" || part == Some(wanted)
    })
}
