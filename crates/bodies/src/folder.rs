//! One Maildir (Maildir++ layout: the home is INBOX, `.Sent.2024` beside its `cur/` a subfolder).

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::location::valid_component;
use crate::name::split_info;
use crate::work::{File, Job};
use crate::{Bodies, Error, FileName, Home, Name, Placement, Reader, Source};

/// Rights of directories: nobody else's business.
const DIRECTORY_MODE: u32 = 0o700;

/// The empty file that tells other programs that a directory is a folder of the Maildir above it.
const MARKER: &str = "maildirfolder";

/// A folder on disk, whether or not it exists yet. Cheap to clone.
#[derive(Clone)]
pub struct Folder {
    bodies: Bodies,
    home: Home,
    dir: Arc<str>,
    path: Arc<Path>,
}

impl Folder {
    pub(crate) fn new(bodies: &Bodies, home: &Home, dir: &str) -> Result<Folder, Error> {
        if !dir.is_empty() {
            valid_component("the folder's directory", dir)?;
            if !dir.starts_with('.') {
                return Err(Error::BadName { what: "the folder's directory", value: dir.into(), why: "a subfolder begins with a dot" });
            }
        }
        let path = if dir.is_empty() { home.0.clone() } else { home.0.join(dir).into() };
        Ok(Folder { bodies: bodies.clone(), home: home.clone(), dir: dir.into(), path })
    }

    /// The account's home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Its directory's name in the home: empty for INBOX.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// Where it is, for messages to the operator and `mailbox list --json` only.
    pub fn display(&self) -> impl fmt::Display + '_ {
        self.path.display()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A message's file in it, for [`Job`]s.
    pub fn file(&self, base: &str, letters: &str) -> File {
        File { folder: self.clone(), base: base.into(), letters: letters.into() }
    }

    /// Makes the folder (and the home), mode 0700, with `tmp new cur` and, in a subfolder, `maildirfolder`.
    pub async fn ensure(&self) -> Result<(), Error> {
        let folder = self.clone();
        self.bodies.write_work(move || folder.ensure_now()).await
    }

    pub(crate) fn ensure_now(&self) -> Result<(), Error> {
        for sub in ["tmp", "new", "cur"] {
            let path = self.path.join(sub);
            DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&path).map_err(|source| Error::io("make the folder", &path, source))?;
        }
        if !self.dir.is_empty() {
            let marker = self.path.join(MARKER);
            OpenOptions::new().append(true).create(true).mode(0o600).open(&marker).map_err(|source| Error::io("mark the folder", &marker, source))?;
        }
        Ok(())
    }

    /// [`Job::Place`] for one message.
    pub async fn place(&self, source: Source, name: FileName, letters: &str, internaldate: i64) -> Result<(), Error> {
        let letters = letters.to_string();
        self.one(Job::Place(Placement { folder: self.clone(), source, name, letters, internaldate, again: false })).await
    }

    /// [`Job::Letters`] for one message.
    pub async fn rename_flags(&self, base: &str, old: &str, new: &str) -> Result<(), Error> {
        self.one(Job::Letters { file: self.file(base, old), letters: new.into() }).await
    }

    /// [`Job::Remove`] for one message.
    pub async fn remove(&self, base: &str) -> Result<(), Error> {
        self.one(Job::Remove(self.file(base, ""))).await
    }

    /// [`Job::Link`] for one message.
    pub async fn link(&self, base: &str, old: &str, to: &Folder, name: FileName, letters: &str) -> Result<(), Error> {
        self.one(Job::Link { file: self.file(base, old), to: to.clone(), name, letters: letters.into() }).await
    }

    async fn one(&self, job: Job) -> Result<(), Error> {
        let mut done = self.bodies.work(vec![job]).await?;
        done.pop().unwrap_or_else(|| Err(Error::Stopped { path: self.path.to_path_buf() }))
    }

    /// Opens a message; `letters` are the flags it had when last seen.
    pub async fn open(&self, base: &str, letters: &str) -> Result<Reader, Error> {
        self.bodies.open_file(self.file(base, letters)).await
    }

    /// Removes the folder with everything in it; fine if it is gone. It disappears for others at once.
    /// INBOX is the home itself and is not removed this way (see [`Bodies::remove_home`]).
    pub async fn remove_folder(&self) -> Result<(), Error> {
        if self.dir.is_empty() {
            return Err(Error::BadName { what: "the folder's directory", value: String::new(), why: "INBOX is removed with its home only" });
        }
        let folder = self.clone();
        self.bodies
            .write_work(move || {
                let inbox = Folder::new(&folder.bodies, &folder.home, "")?;
                inbox.ensure_now()?;
                let aside = inbox.path.join("tmp").join(format!("{}.removed", Name::random()));
                match fs::rename(&folder.path, &aside) {
                    Ok(()) => remove_tree(&aside),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    Err(error) => Err(Error::io("remove the folder", &folder.path, error)),
                }
            })
            .await
    }

    /// Gives the folder another directory name in the same home; fine if that was done before.
    pub async fn rename_folder(&self, to: &Folder) -> Result<(), Error> {
        if self.dir.is_empty() || to.dir.is_empty() {
            return Err(Error::BadName { what: "the folder's directory", value: String::new(), why: "INBOX keeps its place" });
        }
        let (from, to) = (self.clone(), to.clone());
        self.bodies
            .write_work(move || match fs::rename(&from.path, &to.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => to.ensure_now(),
                other => other.map_err(|source| Error::io("rename the folder", &from.path, source)),
            })
            .await
    }

    /// A value that changes whenever a file is added to, removed from or renamed in `new/` or `cur/` (by times of
    /// modification, so a change within the clock tick of the last look may be missed: look again after 2 s).
    pub async fn stamp(&self) -> Result<String, Error> {
        let folder = self.clone();
        self.bodies.read_work(move || folder.stamp_now()).await
    }

    fn stamp_now(&self) -> Result<String, Error> {
        let mut parts = Vec::new();
        for sub in ["new", "cur"] {
            let path = self.path.join(sub);
            match fs::metadata(&path) {
                Ok(meta) => parts.push(format!("{}.{:09}", meta.mtime(), meta.mtime_nsec())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => parts.push("-".into()),
                Err(error) => return Err(Error::io("look at the folder", &path, error)),
            }
        }
        Ok(parts.join("/"))
    }

    /// Everything in `new/` and `cur/`. A file that moves while we look may be missing: look twice before believing it.
    pub async fn scan(&self) -> Result<Scan, Error> {
        let folder = self.clone();
        self.bodies.read_work(move || folder.scan_now()).await
    }

    fn scan_now(&self) -> Result<Scan, Error> {
        let stamp = self.stamp_now()?;
        let mut entries: HashMap<String, Entry> = HashMap::new();
        for sub in ["new", "cur"] {
            let directory = self.path.join(sub);
            let failed = |source| Error::io("list the folder", &directory, source);
            let listing = match fs::read_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(failed)?,
            };
            for item in listing {
                let item = item.map_err(failed)?;
                let name = item.file_name();
                let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
                match item.metadata() {
                    Ok(meta) if meta.is_file() => {
                        let entry = Entry::new(name, sub == "new", &meta);
                        entries.insert(entry.base.clone(), entry); // moved meanwhile: `cur/` was looked at later
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        let mut entries: Vec<Entry> = entries.into_values().collect();
        entries.sort_by(|a, b| a.base.cmp(&b.base));
        Ok(Scan { entries, stamp })
    }
}

impl PartialEq for Folder {
    fn eq(&self, other: &Folder) -> bool {
        self.path == other.path
    }
}

impl Eq for Folder {}

impl fmt::Debug for Folder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Folder({})", self.path.display())
    }
}

/// What [`Folder::scan`] saw.
#[derive(Clone, Debug)]
pub struct Scan {
    /// In the order of their base names.
    pub entries: Vec<Entry>,
    /// [`Folder::stamp`] from before the directories were read: if it differs later, something may have been missed.
    pub stamp: String,
}

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name before `:2,`.
    pub base: String,
    /// What follows `:2,`, unknown letters included.
    pub letters: String,
    /// No program has looked at it yet.
    pub in_new: bool,
    /// Octets on disk.
    pub size: u64,
    /// Unix seconds: the INTERNALDATE of a file whose row is lost.
    pub mtime: i64,
    /// The file's number: the same base name with another one is another message (procmail reuses names).
    pub inode: u64,
}

impl Entry {
    fn new(name: &str, in_new: bool, meta: &Metadata) -> Entry {
        let (base, info) = split_info(name);
        Entry {
            base: base.into(),
            letters: info.unwrap_or_default().into(),
            in_new,
            size: meta.len(),
            mtime: meta.mtime(),
            inode: meta.ino(),
        }
    }
}

/// Removes a directory that nobody else uses any more.
pub(crate) fn remove_tree(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove the folder", path, error)),
        _ => Ok(()),
    }
}
