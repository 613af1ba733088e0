//! `postconf -e`, `-X`, `-#`.

use super::Fatal;
use super::args::Change;
use crate::edit;
use crate::edit::Edit;
use crate::file;
use crate::slip;
use crate::source::Source;
use std::io::Write;
use std::path::Path;

pub(super) fn change(change: &Change, err: &mut dyn Write) -> Result<(), Fatal> {
    let path = Path::new(&change.directory).join("main.cf");
    let (multiple, hints) = file::edit(&path, |text| {
        let edited = edit::apply(text, &change.edit);
        let hints = hints(&path.display().to_string(), &edited.text, &change.edit);
        (edited.text, (edited.multiple, hints))
    })?;
    for name in multiple {
        writeln!(err, "postconf: warning: {}: multiple entries for \"{name}\"", path.display())?;
    }
    for hint in hints {
        writeln!(err, "postconf: hint: {hint}")?;
    }
    Ok(())
}

/// What was written and was probably not meant, with its place. Ours; Postfix says nothing.
fn hints(file: &str, text: &str, edit: &Edit) -> Vec<String> {
    let Edit::Set(values) = edit else { return Vec::new() };
    let written = Source::parse(file, text);
    let hint = |(name, value): &(String, String)| {
        let eaten = slip::eaten(name, value).map(|hint| format!("{name}: {hint}"));
        let misspelt = || slip::misspelt(name);
        let reference = || crate::expand::references(value).iter().find_map(|other| slip::misspelt(other)).map(|hint| format!("{name}: {hint}"));
        let hint = eaten.or_else(misspelt).or_else(reference)?;
        let line = written.get(name).map_or(0, |entry| entry.line);
        Some(format!("{file}, line {line}: {hint}"))
    };
    values.iter().filter_map(hint).collect()
}
