//! Removing what crashes left behind: bytes that no row names and nobody was told of.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::folder::remove_tree;
use crate::{Bodies, Error, Folder, Name};

/// Age from which a file that no row names is garbage: 36 hours, as every Maildir program does for `tmp/`. Far above
/// the time a message takes to arrive and a lost commit to be found out.
pub const SWEEP_AGE: Duration = Duration::from_secs(36 * 60 * 60);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files (or removed folders) that are gone now.
    pub removed: u64,
    /// Files that stay: young, or named by a row.
    pub kept: u64,
}

impl Bodies {
    /// Removes spool files older than [`SWEEP_AGE`] that are not in `named`. The set must have been read from the
    /// database after `now`: whatever is committed later is younger than that anyway. Files with other names are
    /// not ours and stay.
    pub async fn sweep(&self, named: HashSet<Name>, now: SystemTime) -> Result<Swept, Error> {
        let bodies = self.clone();
        self.write_work(move || {
            sweep_directory(bodies.spool(), now, |file| Name::parse(file).is_some_and(|name| !named.contains(&name)))
        })
        .await
    }

    /// Removes what deliveries broken off more than [`SWEEP_AGE`] ago left in a folder's `tmp/`.
    pub async fn sweep_tmp(&self, folder: &Folder, now: SystemTime) -> Result<Swept, Error> {
        let tmp = folder.path().join("tmp");
        self.write_work(move || sweep_directory(&tmp, now, |_| true)).await
    }
}

fn sweep_directory(directory: &Path, now: SystemTime, garbage: impl Fn(&str) -> bool) -> Result<Swept, Error> {
    let failed = |source| Error::io("sweep", directory, source);
    let mut swept = Swept::default();
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(swept),
        other => other.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let meta = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // its owner was done with it
            other => other.map_err(failed)?,
        };
        // by the time of the last change of its names: a second name given to an old body makes it young, so that the
        // commit which will name it has its time; what was changed in the future (a clock was wrong) is young too
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(meta.ctime().unsigned_abs());
        let old = now.duration_since(changed).is_ok_and(|age| age > SWEEP_AGE);
        let name = entry.file_name();
        if !old || !name.to_str().is_some_and(&garbage) {
            swept.kept += 1;
            continue;
        }
        match meta.is_dir() {
            true => remove_tree(&entry.path())?,
            false => remove_file(&entry.path())?,
        }
        swept.removed += 1;
    }
    Ok(swept)
}

/// Removes a file; fine if it is gone.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
