//! A body while it arrives ([`Draft`]) and once its bytes may be named by a row ([`Sealed`]).
//!
//! Up to [`INLINE_LIMIT`] it stays in memory and becomes part of the commit itself (one fsync in all); above, it goes
//! to a spool file that is durable before the commit. Dropping either is the rollback.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::place::valid_prefix;
use crate::{Bodies, Error, FileName, Name, Place, Prefix, Reader, Source};

/// Bodies up to this size travel inside the commit: measured 3 to 10 times faster to acknowledge than a file first,
/// at the price of writing them twice.
pub const INLINE_LIMIT: usize = 64 * 1024;

/// Bytes collected before a spilled draft writes: one hop to a file worker each.
const WRITE_SIZE: usize = 64 * 1024;

/// A body that is being received, in CRLF form. Memory stays under `INLINE_LIMIT + WRITE_SIZE`.
pub struct Draft {
    bodies: Bodies,
    name: Name,
    measure: Measure,
    state: State,
}

enum State {
    Memory(Vec<u8>),
    /// `file` is `None` until the first write made it.
    Spilled { file: Option<File>, pending: Vec<u8>, guard: Arc<Guard> },
    /// A write failed or was cancelled while a worker had the file.
    Broken,
}

impl Draft {
    pub(crate) fn new(bodies: Bodies) -> Draft {
        Draft { bodies, name: Name::random(), measure: Measure::default(), state: State::Memory(Vec::new()) }
    }

    /// Octets written so far.
    pub fn size(&self) -> u64 {
        self.measure.size
    }

    /// Adds bytes, cut anywhere. After an error, or if the future was dropped half-way, the draft is useless.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.measure.feed(bytes);
        for part in bytes.chunks(WRITE_SIZE) {
            match &mut self.state {
                State::Memory(held) if held.len() + part.len() <= INLINE_LIMIT => held.extend_from_slice(part),
                State::Memory(held) => {
                    let guard = Arc::new(Guard::new(self.bodies.spool_path(self.name)));
                    let mut pending = std::mem::take(held);
                    pending.extend_from_slice(part);
                    self.state = State::Spilled { file: None, pending, guard };
                    self.flush().await?;
                }
                State::Spilled { pending, .. } => {
                    pending.extend_from_slice(part);
                    if pending.len() >= WRITE_SIZE {
                        self.flush().await?;
                    }
                }
                State::Broken => return Err(Error::Broken { path: self.bodies.spool_path(self.name) }),
            }
        }
        Ok(())
    }

    /// Ends the body. When this returns, a row may name it: a spilled one is durable, file and directory.
    pub async fn sealed(mut self) -> Result<Sealed, Error> {
        if self.measure.bare_lf {
            return Err(Error::NotCanonical { path: self.bodies.spool_path(self.name) });
        }
        let (kind, guard) = match std::mem::replace(&mut self.state, State::Broken) {
            State::Memory(held) => (Kind::Inline(held.into()), None),
            State::Spilled { file, pending, guard } => {
                let (spool, keep) = (self.bodies.clone(), guard.clone());
                self.bodies
                    .write_work(move || {
                        let file = append(file, &keep.path, &pending)?;
                        file.sync_data().map_err(|source| Error::io("make the body durable", &keep.path, source))?;
                        spool.sync_spool()
                    })
                    .await?;
                (Kind::Spooled(self.name), Some(guard))
            }
            State::Broken => return Err(Error::Broken { path: self.bodies.spool_path(self.name) }),
        };
        let Measure { size, crlf, has_cr_cr_lf, .. } = self.measure;
        Ok(Sealed {
            size,
            disk_size: if has_cr_cr_lf { size } else { size - crlf },
            has_cr_cr_lf,
            kind,
            name: self.name,
            prefix: "".into(),
            bodies: self.bodies,
            guard,
        })
    }

    /// Lets a worker write what is pending. While it does the state is `Broken`, so that a cancelled call cannot
    /// leave a hole unnoticed.
    async fn flush(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Spilled { file, mut pending, guard } => {
                let keep = guard.clone(); // a file made after the draft was dropped is removed by the worker's copy
                let (file, pending) = self
                    .bodies
                    .write_work(move || {
                        let file = append(file, &keep.path, &pending)?;
                        pending.clear();
                        Ok((file, pending))
                    })
                    .await?;
                self.state = State::Spilled { file: Some(file), pending, guard };
            }
            other => self.state = other,
        }
        Ok(())
    }
}

/// A finished body that a row may name. Clones are cheap and share the file.
///
/// When the last clone is dropped a spool file is removed, unless one of them was told that a row may name it:
/// [`submitted`](Sealed::submitted), [`committed`](Sealed::committed), [`abandon_to_sweeper`](Sealed::abandon_to_sweeper).
/// A commit runs to its end even if its caller is dropped, so say `submitted` *before* it and `refused` if it did not happen.
#[derive(Clone)]
pub struct Sealed {
    /// Octets in CRLF form, prefix included.
    pub size: u64,
    /// Octets as a file in a Maildir, prefix included.
    pub disk_size: u64,
    /// Keeps CRLF form on disk: it holds `\r\r\n`, which LF would not give back.
    pub has_cr_cr_lf: bool,
    /// Where the bytes are.
    pub kind: Kind,
    name: Name,
    prefix: Prefix,
    bodies: Bodies,
    guard: Option<Arc<Guard>>,
}

/// Where the bytes of a [`Sealed`] are.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Here, prefix included; the commit takes them into the database.
    Inline(Bytes),
    /// In the spool; the prefix, if any, is part of [`Sealed::place`].
    Spooled(Name),
}

impl Sealed {
    /// The text for the column `place`.
    pub fn place(&self) -> Place {
        match self.kind {
            Kind::Inline(_) => Place::Inline,
            Kind::Spooled(name) => Place::Spooled { name, prefix: self.prefix.clone() },
        }
    }

    /// The bytes for the database, when they go there.
    pub fn inline(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Inline(bytes) => Some(bytes),
            Kind::Spooled(_) => None,
        }
    }

    /// What a file in a folder is made from.
    pub fn source(&self) -> Source {
        match &self.kind {
            Kind::Inline(bytes) => Source::Inline(bytes.clone()),
            Kind::Spooled(name) => Source::Spooled { name: *name, prefix: self.prefix.clone() },
        }
    }

    /// The random name it got before its first byte.
    pub fn name(&self) -> Name {
        self.name
    }

    /// Its file name in a mailbox, once the commit knows the UID. Depends on nothing else, so a commit that runs
    /// again gives the same name.
    pub fn file_name(&self, sec: u64, uid: u32) -> FileName {
        FileName { sec, random: self.name, host: self.bodies.host(), size: self.disk_size, wire: self.size, uid }
    }

    /// This body with whole CRLF header lines before it, for one recipient. A spooled body is shared, not copied;
    /// an inline one is copied once, into the bytes that the database takes.
    pub fn with_prefix(&self, prefix: &str) -> Result<Sealed, Error> {
        let whole = format!("{prefix}{}", self.prefix);
        valid_prefix(&whole)?;
        let lines = prefix.matches("\r\n").count() as u64;
        let added = prefix.len() as u64;
        let mut sealed = self.clone();
        sealed.size += added;
        sealed.disk_size += if self.has_cr_cr_lf { added } else { added - lines };
        match &self.kind {
            Kind::Inline(bytes) => sealed.kind = Kind::Inline([prefix.as_bytes(), bytes].concat().into()),
            Kind::Spooled(_) => sealed.prefix = whole.into(),
        }
        Ok(sealed)
    }

    /// `count` bodies with the same bytes and names of their own, so that each row that names one can be done with it
    /// by itself. Spool files are hard-linked and durable when this returns.
    pub async fn others(&self, count: usize) -> Result<Vec<Sealed>, Error> {
        let mut others: Vec<Sealed> = (0..count).map(|_| Sealed { name: Name::random(), ..self.clone() }).collect();
        let Some(guard) = self.guard.clone() else { return Ok(others) };
        for other in &mut others {
            other.kind = Kind::Spooled(other.name);
            other.guard = Some(Arc::new(Guard::new(self.bodies.spool_path(other.name))));
        }
        let links: Vec<Arc<Guard>> = others.iter().filter_map(|other| other.guard.clone()).collect();
        let spool = self.bodies.clone();
        self.bodies
            .write_work(move || {
                for link in links {
                    std::fs::hard_link(&guard.path, &link.path).map_err(|source| Error::io("link the body to a second name", &link.path, source))?;
                }
                spool.sync_spool()
            })
            .await?;
        Ok(others)
    }

    /// A body that a row names already, under a name of its own again, so that another row can be done with it by
    /// itself. `size` and `disk_size` are those of the first [`Sealed`].
    pub(crate) async fn again(bodies: &Bodies, source: Source, size: u64, disk_size: u64) -> Result<Sealed, Error> {
        let (kind, name, prefix) = match source {
            Source::Inline(bytes) => (Kind::Inline(bytes), Name::random(), "".into()),
            Source::Spooled { name, prefix } => (Kind::Spooled(name), name, prefix),
        };
        // not armed: the file under this name belongs to the row
        let guard = matches!(kind, Kind::Spooled(_)).then(|| Arc::new(Guard { path: bodies.spool_path(name), armed: AtomicBool::new(false) }));
        let has_cr_cr_lf = size == disk_size;
        let first = Sealed { size, disk_size, has_cr_cr_lf, kind, name, prefix, bodies: bodies.clone(), guard };
        first.others(1).await?.pop().ok_or(Error::Broken { path: bodies.spool_path(name) })
    }

    /// Reads it from the beginning.
    pub async fn reader(&self) -> Result<Reader, Error> {
        self.bodies.reader(self.source()).await
    }

    /// Call before a commit that names the bytes: from now on they stay, even if the caller is dropped while the
    /// writer goes on and commits.
    pub fn submitted(&self) {
        self.keep();
    }

    /// The commit certainly did not happen: the bytes go with the last clone again.
    pub fn refused(&self) {
        if let Some(guard) = &self.guard {
            guard.armed.store(true, Ordering::Release);
        }
    }

    /// A committed row names the bytes: they stay.
    pub fn committed(&self) {
        self.keep();
    }

    /// Nobody knows whether a row names the bytes (the commit's outcome was lost): they stay until the sweeper has
    /// seen for [`crate::SWEEP_AGE`] that none does.
    pub fn abandon_to_sweeper(&self) {
        self.keep();
    }

    fn keep(&self) {
        if let Some(guard) = &self.guard {
            guard.armed.store(false, Ordering::Release);
        }
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Sealed({}, {} octets, {})", self.name, self.size, if self.guard.is_some() { "spooled" } else { "inline" })
    }
}

/// Removes a spool file when nobody is left who could commit it.
struct Guard {
    path: PathBuf,
    armed: AtomicBool,
}

impl Guard {
    fn new(path: PathBuf) -> Guard {
        Guard { path, armed: AtomicBool::new(true) }
    }
}

impl Drop for Guard {
    /// One unlink on whatever thread we are on: rare (a refused or broken-off message), and sure to happen.
    fn drop(&mut self) {
        if self.armed.load(Ordering::Acquire)
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the file of a message that was not accepted; the sweeper will");
        }
    }
}

/// Writes at the end of the spool file, which is made on the first call.
fn append(file: Option<File>, path: &Path, bytes: &[u8]) -> Result<File, Error> {
    let what = "write the body";
    let mut file = match file {
        Some(file) => file,
        None => OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map_err(|source| Error::io(what, path, source))?,
    };
    file.write_all(bytes).map_err(|source| Error::io(what, path, source))?;
    Ok(file)
}

/// What must be known of a body's bytes before it gets its name. Any cut gives the same.
#[derive(Default)]
struct Measure {
    size: u64,
    crlf: u64,
    has_cr_cr_lf: bool,
    bare_lf: bool,
    /// The last two bytes so far; zero before the beginning.
    last: [u8; 2],
}

impl Measure {
    fn feed(&mut self, bytes: &[u8]) {
        let before = |at: usize, back: usize| match at.checked_sub(back) {
            Some(index) => bytes[index],
            None => self.last.get(2 + at - back).copied().unwrap_or_default(),
        };
        for at in memchr::memchr_iter(b'\n', bytes) {
            if before(at, 1) != b'\r' {
                self.bare_lf = true;
                continue;
            }
            self.crlf += 1;
            self.has_cr_cr_lf |= before(at, 2) == b'\r';
        }
        self.size += bytes.len() as u64;
        self.last = match *bytes {
            [] => self.last,
            [only] => [self.last[1], only],
            [.., second, first] => [second, first],
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn measured(parts: &[&[u8]]) -> (u64, u64, bool, bool) {
        let mut measure = Measure::default();
        for part in parts {
            measure.feed(part);
        }
        (measure.size, measure.crlf, measure.has_cr_cr_lf, measure.bare_lf)
    }

    #[test]
    fn a_body_is_measured() {
        for (bytes, expected) in [
            (&b""[..], (0, 0, false, false)),
            (b"\n", (1, 0, false, true)),
            (b"\r\n", (2, 1, false, false)),
            (b"\r\r\n", (3, 1, true, false)),
            (b"a\r\nb\rc\r\n\r\n", (11 - 1, 3, false, false)),
            (b"a\r\n\nb", (5, 1, false, true)),
        ] {
            assert_eq!(measured(&[bytes]), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn measuring_does_not_depend_on_the_cut(bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..12)) {
            let whole = measured(&[&bytes]);
            for cut in 0..=bytes.len() {
                prop_assert_eq!(measured(&[&bytes[..cut], &bytes[cut..]]), whole);
            }
            let singles: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(measured(&singles), whole);
        }
    }
}
