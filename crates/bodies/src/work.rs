//! File work in groups: a worker takes a list of [`Job`]s for any number of folders and does one after the other.
//! Nothing here is synced; see [`crate::Bodies::sync`]. Every job may be done again.

use std::collections::HashMap;
use std::fs::{self, File as OsFile, FileTimes, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mail::line_ending::ToDisk;

use crate::name::{merge_info, split_info};
use crate::{Bodies, Error, FileName, Folder, Source};

/// Bytes read from the spool at a time.
const COPY_SIZE: usize = 64 * 1024;

/// How often a folder is listed for one group: a file may move while we look, but not for ever.
const LISTINGS: u32 = 8;

/// A message's file as it was last seen. The base is what counts; the letters say where to look first.
#[derive(Clone, Debug)]
pub struct File {
    pub folder: Folder,
    pub base: String,
    /// The Maildir flags it had, in ASCII order.
    pub letters: String,
}

/// A message to be put in a folder.
#[derive(Clone, Debug)]
pub struct Placement {
    pub folder: Folder,
    pub source: Source,
    pub name: FileName,
    /// Maildir flags in ASCII order; none puts it in `new/`.
    pub letters: String,
    /// Unix seconds; becomes the file's time of modification, where others look for it.
    pub internaldate: i64,
    /// It may stand there already (recovery): look for it first, and write it anew where it is.
    pub again: bool,
}

/// One piece of work on files. All are idempotent.
#[derive(Clone, Debug)]
pub enum Job {
    /// Writes a message's file in `tmp/` and moves it to `new/` or `cur/`, making the folder if it is not there.
    Place(Placement),
    /// Makes the name say these flags; letters that are not ours stay. A file in `new/` stays there without flags.
    Letters { file: File, letters: String },
    /// Removes the file; fine if it is gone.
    Remove(File),
    /// Gives the same bytes a second name, in any folder: a hard link, or a copy where that is impossible.
    Link { file: File, to: Folder, name: FileName, letters: String },
}

impl Job {
    fn run(&self, bodies: &Bodies, finder: &mut Finder) -> Result<(), Error> {
        match self {
            Job::Place(placement) => place(bodies, placement, finder),
            Job::Letters { file, letters } => relabel(file, letters, finder),
            Job::Remove(file) => match finder.with(file, |path| fs::remove_file(path)) {
                Err(error) if !error.is_vanished() => Err(error),
                _ => Ok(()),
            },
            Job::Link { file, to, name, letters } => link(file, to, name, letters, finder),
        }
    }
}

/// Does the jobs in order; the answers stand in the same order.
pub(crate) fn run(bodies: &Bodies, jobs: &[Job]) -> Vec<Result<(), Error>> {
    let mut finder = Finder::default();
    jobs.iter().map(|job| job.run(bodies, &mut finder)).collect()
}

fn place(bodies: &Bodies, placement: &Placement, finder: &mut Finder) -> Result<(), Error> {
    let Placement { folder, source, name, letters, again, .. } = placement;
    let base = name.to_string();
    let standing = match again {
        true => finder.path(&File { folder: folder.clone(), base: base.clone(), letters: letters.clone() })?,
        false => None,
    };
    if let (Some(path), Source::Spooled { name: spooled, .. }) = (&standing, source)
        && !bodies.spool_path(*spooled).exists()
        && fs::metadata(path).is_ok_and(|file| file.len() == name.size)
    {
        return Ok(()); // its spool file is discarded only after a sync: placed and durable
    }
    let temporary = folder.path().join("tmp").join(&base);
    let target = standing.unwrap_or_else(|| folder.path().join(sub_name(&base, letters)));
    let written = write_temporary(bodies, placement, &temporary).and_then(|()| {
        fs::rename(&temporary, &target).map_err(|source| Error::io("move the message into its folder", &target, source))
    });
    match &written {
        Ok(()) => finder.made(folder, &base, target),
        Err(_) => drop(fs::remove_file(&temporary)), // what cannot be removed now is swept later
    }
    written
}

/// `new/<base>` or `cur/<base>:2,<letters>`.
fn sub_name(base: &str, letters: &str) -> PathBuf {
    match letters {
        "" => Path::new("new").join(base),
        _ => Path::new("cur").join(format!("{base}:2,{letters}")),
    }
}

/// Writes the disk form to `tmp/`. Checks that the size is the one the name promises.
fn write_temporary(bodies: &Bodies, placement: &Placement, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::io("write the message", path, source);
    let mut file = match create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            placement.folder.ensure_now()?;
            create(path)
        }
        other => other,
    }
    .map_err(failed)?;
    let mut out = DiskWriter::new(&placement.name);
    match &placement.source {
        Source::Inline(bytes) => out.write(&mut file, bytes).map_err(failed)?,
        Source::Spooled { name, prefix } => {
            out.write(&mut file, prefix.as_bytes()).map_err(failed)?;
            let spool = bodies.spool_path(*name);
            let unreadable = |source| Error::io("read the body", &spool, source);
            let mut from = match OsFile::open(&spool) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Error::Damaged { path: spool, why: "a row names this spool file and it is not there" });
                }
                other => other.map_err(unreadable)?,
            };
            let mut buffer = vec![0; COPY_SIZE];
            loop {
                match from.read(&mut buffer).map_err(unreadable)? {
                    0 => break,
                    n => out.write(&mut file, &buffer[..n]).map_err(failed)?,
                }
            }
        }
    }
    let size = out.finish(&mut file).map_err(failed)?;
    if size != placement.name.size {
        return Err(Error::Damaged { path: path.into(), why: "the body has not the size its row says" });
    }
    let at = time(placement.internaldate);
    file.set_times(FileTimes::new().set_modified(at).set_accessed(at)).map_err(failed)
}

fn create(path: &Path) -> io::Result<OsFile> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow).open(path)
}

/// Unix seconds as the system's time; what it cannot say becomes the epoch.
fn time(unix: i64) -> SystemTime {
    let distance = Duration::from_secs(unix.unsigned_abs());
    let at = if unix < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    at.unwrap_or(UNIX_EPOCH)
}

/// CRLF form in, disk form out.
struct DiskWriter {
    convert: ToDisk,
    buffer: Vec<u8>,
    size: u64,
}

impl DiskWriter {
    fn new(name: &FileName) -> DiskWriter {
        DiskWriter { convert: ToDisk::new(name.size == name.wire), buffer: Vec::new(), size: 0 }
    }

    /// By chunks, so that a large body in memory is not there twice.
    fn write(&mut self, file: &mut OsFile, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(COPY_SIZE) {
            self.convert.push(part, &mut self.buffer);
            self.drain(file)?;
        }
        Ok(())
    }

    fn finish(mut self, file: &mut OsFile) -> io::Result<u64> {
        let waiting = std::mem::replace(&mut self.convert, ToDisk::new(true));
        waiting.finish(&mut self.buffer);
        self.drain(file)?;
        Ok(self.size)
    }

    fn drain(&mut self, file: &mut OsFile) -> io::Result<()> {
        self.size += self.buffer.len() as u64;
        let written = file.write_all(&self.buffer);
        self.buffer.clear();
        written
    }
}

fn relabel(file: &File, letters: &str, finder: &mut Finder) -> Result<(), Error> {
    let folder = file.folder.path();
    finder.with(file, |path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (base, info) = split_info(&name);
        let info = merge_info(info.unwrap_or_default(), letters);
        // unread mail without flags belongs in new/; mutt leaves flagged mail there too, as `new/<base>:2,F`
        let in_new = path.parent().is_some_and(|parent| parent.ends_with("new"));
        let target = match in_new && info.is_empty() {
            true => folder.join("new").join(base),
            false => folder.join("cur").join(format!("{base}:2,{info}")),
        };
        match target == path {
            true => fs::symlink_metadata(path).map(drop),
            false => fs::rename(path, &target),
        }
    })
}

fn link(file: &File, to: &Folder, name: &FileName, letters: &str, finder: &mut Finder) -> Result<(), Error> {
    let target = to.path().join(sub_name(&name.to_string(), letters));
    let mut failed = None;
    let found = finder.with(file, |path| match link_once(path, &target) {
        // the source or the target's directory: only the former makes the caller look further
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => {
            let again = to.ensure_now().and_then(|()| link_once(path, &target).map_err(|source| Error::io("link the message", &target, source)));
            failed = again.err();
            Ok(())
        }
        other => other,
    });
    match failed {
        Some(error) => Err(error),
        None => found,
    }?;
    finder.made(to, &name.to_string(), target);
    Ok(())
}

fn link_once(path: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(path, target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::TooManyLinks | io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
            copy(path, target)
        }
        other => other,
    }
}

/// A copy by way of the target's `tmp/`, with the time of the original.
fn copy(path: &Path, target: &Path) -> io::Result<()> {
    let (Some(folder), Some(name)) = (target.parent().and_then(Path::parent), target.file_name()) else {
        return Err(io::Error::other("a target without a folder"));
    };
    let mut from = OsFile::open(path)?;
    let temporary = folder.join("tmp").join(name);
    let mut to = create(&temporary)?;
    io::copy(&mut from, &mut to)?;
    to.set_times(FileTimes::new().set_modified(from.metadata()?.modified()?))?;
    fs::rename(&temporary, target)
}

/// Finds files that other programs may have moved or relabelled. Lists a folder only when a guess failed, and keeps
/// the list for the rest of the group.
#[derive(Default)]
pub(crate) struct Finder {
    listed: HashMap<PathBuf, Listing>,
    /// The guess that was right last: messages of one group mostly are in the same state.
    lucky: usize,
}

#[derive(Default)]
struct Listing {
    by_base: HashMap<String, PathBuf>,
    times: u32,
}

impl Finder {
    /// Runs `act` on the file wherever it is now. `act` says `NotFound` when the path is not the file's (any more).
    pub(crate) fn with<T>(&mut self, file: &File, mut act: impl FnMut(&Path) -> io::Result<T>) -> Result<T, Error> {
        crate::location::valid_component("the file name", &file.base)?;
        crate::location::valid_component("the flags", &format!(":2,{}", file.letters))?;
        let folder = file.folder.path();
        let mut attempt = |path: &Path| match act(path) {
            Ok(done) => Some(Ok(done)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(Error::io("work on the message", path, error))),
        };
        let base = &file.base;
        let guesses = [format!("new/{base}"), format!("cur/{base}:2,{}", file.letters), format!("cur/{base}")];
        for (at, guess) in guesses.iter().enumerate().cycle().skip(self.lucky).take(guesses.len()) {
            if let Some(done) = attempt(&folder.join(guess)) {
                self.lucky = at;
                return done;
            }
        }
        let listing = self.listed.entry(folder.to_path_buf()).or_default();
        loop {
            if let Some(path) = listing.by_base.get(base)
                && let Some(done) = attempt(path)
            {
                return done;
            }
            // a file renamed while a directory is read may be missed once: two listings before it is declared gone
            let absent = !listing.by_base.contains_key(base);
            if (absent && listing.times >= 2) || listing.times >= LISTINGS {
                return Err(Error::Vanished { folder: folder.into(), base: base.clone() });
            }
            listing.times += 1;
            listing.by_base = list(folder)?;
        }
    }

    /// Notes a file that came into a folder after it was listed.
    fn made(&mut self, folder: &Folder, base: &str, path: PathBuf) {
        if let Some(listing) = self.listed.get_mut(folder.path()) {
            listing.by_base.insert(base.to_owned(), path);
        }
    }

    /// Where the file is now.
    pub(crate) fn path(&mut self, file: &File) -> Result<Option<PathBuf>, Error> {
        match self.with(file, |path| fs::symlink_metadata(path).map(|_| path.to_path_buf())) {
            Ok(path) => Ok(Some(path)),
            Err(error) if error.is_vanished() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// All files of a folder by base name; `cur/` second, since that is the way they go.
fn list(folder: &Path) -> Result<HashMap<String, PathBuf>, Error> {
    let mut by_base = HashMap::new();
    for sub in ["new", "cur"] {
        let directory = folder.join(sub);
        let failed = |source| Error::io("list the folder", &directory, source);
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if let Some(name) = entry.file_name().to_str() {
                by_base.insert(split_info(name).0.to_string(), entry.path());
            }
        }
    }
    Ok(by_base)
}
