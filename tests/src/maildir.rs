//! A Maildir as any program sees it.

use std::io::Result;
use std::path::Path;

/// A file of a Maildir.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Its text.
    pub text: String,
    /// The letters after `:2,`.
    pub letters: String,
    /// Whether it still lies in `new`.
    pub new: bool,
}

/// All messages of a Maildir folder. A file renamed between the listing and the reading is looked for again.
pub fn read(folder: &Path) -> Result<Vec<File>> {
    'again: loop {
        let mut files = Vec::new();
        for sub in ["new", "cur"] {
            for entry in std::fs::read_dir(folder.join(sub))? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let text = match std::fs::read(&path) {
                    Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue 'again,
                    Err(error) => return Err(error),
                };
                let letters = name.rsplit_once(":2,").map(|(_, letters)| letters.to_owned()).unwrap_or_default();
                files.push(File { text, letters, new: sub == "new" });
            }
        }
        return Ok(files);
    }
}
