//! What can go wrong with bytes on a disk, each with its path and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Everything that [`crate::Bodies`] refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{}: cannot {what}: {source}; {}", path.display(), fix(source))]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    /// The disk or the owner's share of it is used up. Nothing half-written stays.
    #[error("{}: cannot {what}: no space left; free some on this file system, or raise its owner's disk quota", path.display())]
    Full { what: &'static str, path: PathBuf },
    /// The message's file is nowhere in its folder: somebody deleted it behind our back.
    #[error("{}: the file of message {base} is gone; if it was not removed on purpose restore it from a backup, else the next scan forgets the message", folder.display())]
    Vanished { folder: PathBuf, base: String },
    /// A file that is not what its name or its row promises.
    #[error("{}: {why}; restore the file from a backup", path.display())]
    Damaged { path: PathBuf, why: &'static str },
    /// A name that must not become part of a path.
    #[error("{what} {value:?} cannot name a file: {why}; choose another name")]
    BadName { what: &'static str, value: String, why: &'static str },
    /// `mail_location` cannot be used.
    #[error("mail_location = {value}: {why}")]
    BadLocation { value: String, why: &'static str },
    /// A bare line feed was written to a draft: its sender must run `mail::line_ending::Canonical` first.
    #[error("{}: a draft holds a line feed without carriage return; the writer must bring lines to CRLF form first", path.display())]
    NotCanonical { path: PathBuf },
    /// The draft was given up earlier: a write failed, or was cancelled half-way.
    #[error("{}: an earlier write to this draft did not finish; start a new draft", path.display())]
    Broken { path: PathBuf },
    /// A range is larger than may be held in memory; stream it by chunks.
    #[error("a range of {asked} octets is over the limit of {limit}; read it by chunks")]
    TooLarge { asked: u64, limit: u64 },
    /// The process is ending, and its file workers with it.
    #[error("{}: the file workers have stopped; restart the server", path.display())]
    Stopped { path: PathBuf },
}

impl Error {
    /// Wraps what the system said while we tried to `what` at `path`.
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { what, path: path.into() },
            _ => Error::Io { what, path: path.into(), source },
        }
    }

    /// True when the message's file is gone, as opposed to unreadable just now.
    pub fn is_vanished(&self) -> bool {
        matches!(self, Error::Vanished { .. })
    }
}

/// What the operator can do about a kind of refusal.
fn fix(source: &io::Error) -> &'static str {
    use io::ErrorKind::*;
    match source.kind() {
        PermissionDenied => "give mail_owner the right to it",
        NotFound => "create it, or correct the configuration that names it",
        ReadOnlyFilesystem => "mount the file system for writing",
        NotADirectory | IsADirectory => "something else stands at that name: move it away",
        _ => match source.raw_os_error() {
            Some(5) => "the disk reports errors: look at the kernel's log",
            Some(24) | Some(23) => "raise the limit of open files",
            _ => "look at the kernel's log and the file system",
        },
    }
}
