//! `postconf -e`, `-X`, `-#`.

use super::Fatal;
use super::args::Change;
use crate::edit;
use crate::file;
use std::io::Write;
use std::path::Path;

pub(super) fn change(change: &Change, err: &mut dyn Write) -> Result<(), Fatal> {
    let path = Path::new(&change.directory).join("main.cf");
    let multiple = file::edit(&path, |text| {
        let edited = edit::apply(text, &change.edit);
        (edited.text, edited.multiple)
    })?;
    for name in multiple {
        writeln!(err, "postconf: warning: {}: multiple entries for \"{name}\"", path.display())?;
    }
    Ok(())
}
