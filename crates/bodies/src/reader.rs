//! Reading a message, always in CRLF form, in pieces that fit a connection's buffers.

use std::fs::File as OsFile;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use mail::line_ending::FromDisk;

use crate::name::Hints;
use crate::work::{File, Finder};
use crate::{Bodies, Error, Source};

/// Largest piece that [`Reader::chunk`] gives.
pub const CHUNK_SIZE: usize = 64 * 1024;

/// Read from a file in one go, so that a hop to a worker pays; a smaller message is read whole when opened.
const READ_SIZE: usize = 128 * 1024;

/// Largest range that [`Reader::read`] holds in memory: a header, a small part, a message to be searched.
pub const READ_LIMIT: u64 = 16 * 1024 * 1024;

/// A message being read. Holds at most about [`READ_SIZE`] twice, and a descriptor while a large file is read.
pub struct Reader {
    bodies: Option<Bodies>,
    /// What stands before the file's content, or the whole message.
    head: Bytes,
    tail: Option<Tail>,
    /// Where the next chunk begins, in CRLF octets.
    position: u64,
    end: u64,
}

impl Reader {
    /// Reads bytes that are here already, in CRLF form.
    pub fn inline(bytes: Bytes) -> Reader {
        Reader { bodies: None, head: bytes, tail: None, position: 0, end: u64::MAX }
    }

    pub(crate) fn open_source(bodies: &Bodies, source: Source) -> Result<Reader, Error> {
        let (name, prefix) = match source {
            Source::Inline(bytes) => return Ok(Reader::inline(bytes)),
            Source::Spooled { name, prefix } => (name, prefix),
        };
        let path = bodies.spool_path(name);
        let file = OsFile::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Vanished { folder: path.parent().unwrap_or(&path).into(), base: name.to_string() },
            _ => Error::io("read the body", &path, source),
        })?;
        let length = file.metadata().map_err(|source| Error::io("look at the body", &path, source))?.len();
        let tail = Tail::new(file, path, length, None);
        Reader { bodies: Some(bodies.clone()), head: Bytes::copy_from_slice(prefix.as_bytes()), tail: Some(tail), position: 0, end: u64::MAX }.warm()
    }

    pub(crate) fn open_file(bodies: &Bodies, finder: &mut Finder, file: &File) -> Result<Reader, Error> {
        let (open, path) = finder.with(file, |path| Ok((OsFile::open(path)?, path.to_path_buf())))?;
        let length = open.metadata().map_err(|source| Error::io("look at the message", &path, source))?.len();
        let hints = Hints::of(&file.base);
        // stored in CRLF form and untouched since: then octets on disk are octets on the wire
        let as_it_is = hints.size == Some(length) && hints.wire == Some(length);
        let tail = Tail::new(open, path, length, (!as_it_is).then(FromDisk::new));
        Reader { bodies: Some(bodies.clone()), head: Bytes::new(), tail: Some(tail), position: 0, end: u64::MAX }.warm()
    }

    /// Reads the first piece; a message that ends there is kept whole and its file closed.
    fn warm(mut self) -> Result<Reader, Error> {
        if let Some(mut tail) = self.tail.take() {
            tail.fill()?;
            if tail.ended {
                self.head = if self.head.is_empty() { tail.ready } else { [&self.head[..], &tail.ready].concat().into() };
            } else {
                self.tail = Some(tail);
            }
        }
        Ok(self)
    }

    /// From now on gives `len` octets from `offset` on (or what there is of them), in CRLF octets. Going backwards
    /// in a large file stored with LF reads it again from the beginning.
    pub fn range(&mut self, offset: u64, len: u64) {
        self.position = offset;
        self.end = offset.saturating_add(len);
    }

    /// The next piece, at most [`CHUNK_SIZE`]; `None` at the end of the range or the message. A file that another
    /// program has cut ends early: whoever announced a size must check.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if self.position >= self.end {
                return Ok(None);
            }
            let head = self.head.len() as u64;
            let available = if self.position < head {
                self.head.slice(self.position as usize..) // below a length in memory, so it fits
            } else {
                match &self.tail {
                    None => return Ok(None),
                    Some(tail) => match tail.from(self.position - head) {
                        Some(bytes) => bytes,
                        None if tail.ended && tail.start <= self.position - head => return Ok(None),
                        None => {
                            self.refill(self.position - head).await?;
                            continue;
                        }
                    },
                }
            };
            let wanted = (self.end - self.position).min(CHUNK_SIZE as u64) as usize;
            let piece = available.slice(..available.len().min(wanted));
            self.position += piece.len() as u64;
            return Ok(Some(piece));
        }
    }

    /// The octets of a range in one piece, fewer if the message ends before. Refuses more than [`READ_LIMIT`].
    pub async fn read(&mut self, range: Range<u64>) -> Result<Bytes, Error> {
        let asked = range.end.saturating_sub(range.start);
        if asked > READ_LIMIT {
            return Err(Error::TooLarge { asked, limit: READ_LIMIT });
        }
        self.range(range.start, asked);
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut all = [first, second].concat();
        while let Some(next) = self.chunk().await? {
            all.extend_from_slice(&next);
        }
        Ok(all.into())
    }

    /// The header with the empty line that ends it, or its first `limit` octets.
    pub async fn header(&mut self, limit: u64) -> Result<Bytes, Error> {
        let mut read = BytesMut::new();
        self.range(0, limit);
        while let Some(piece) = self.chunk().await? {
            // Only the seam can end the header in pieces seen before.
            let from = read.len().saturating_sub(3);
            read.extend_from_slice(&piece);
            if memchr::memmem::find(read.get(from..).unwrap_or_default(), b"\r\n\r\n").is_some() {
                break;
            }
        }
        let end = mail::header::end_of_header(&read);
        read.truncate(end);
        Ok(read.freeze())
    }

    /// Lets a worker read on until the tail holds `offset`, or its end.
    async fn refill(&mut self, offset: u64) -> Result<(), Error> {
        let (Some(bodies), Some(mut tail)) = (&self.bodies, self.tail.take()) else { return Ok(()) };
        let tail = bodies
            .read_work(move || {
                tail.seek(offset)?;
                Ok(tail)
            })
            .await?;
        self.tail = Some(tail);
        Ok(())
    }
}

/// The part of a message that is in a file.
struct Tail {
    file: OsFile,
    path: PathBuf,
    /// Octets it had when it was opened: what is read at once takes no more memory.
    length: u64,
    /// Of them not read yet.
    left: u64,
    /// `None`: the file is in CRLF form.
    convert: Option<FromDisk>,
    /// A window of the content, and where it begins, in CRLF octets.
    ready: Bytes,
    start: u64,
    /// Nothing follows `ready`.
    ended: bool,
}

impl Tail {
    fn new(file: OsFile, path: PathBuf, length: u64, convert: Option<FromDisk>) -> Tail {
        Tail { file, path, length, left: length, convert, ready: Bytes::new(), start: 0, ended: false }
    }

    /// What the window has from `offset` on.
    fn from(&self, offset: u64) -> Option<Bytes> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        (skip < self.ready.len()).then(|| self.ready.slice(skip..))
    }

    /// Moves the window until it holds `offset` or the end.
    fn seek(&mut self, offset: u64) -> Result<(), Error> {
        if self.convert.is_none() {
            self.jump(offset, offset)?;
            return self.fill();
        }
        if offset < self.start {
            self.convert = Some(FromDisk::new());
            self.jump(0, 0)?;
        }
        while !self.ended && self.from(offset).is_none() {
            self.fill()?;
        }
        Ok(())
    }

    fn jump(&mut self, on_disk: u64, start: u64) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(on_disk)).map_err(|source| Error::io("read the message", &self.path, source))?;
        self.start = start;
        self.left = self.length.saturating_sub(on_disk);
        self.ready = Bytes::new();
        self.ended = false;
        Ok(())
    }

    /// Replaces the window by what follows it.
    fn fill(&mut self) -> Result<(), Error> {
        self.start += self.ready.len() as u64;
        let size = self.left.min(READ_SIZE as u64);
        let mut raw = Vec::with_capacity(size as usize);
        (&mut self.file).take(size).read_to_end(&mut raw).map_err(|source| Error::io("read the message", &self.path, source))?;
        self.left -= size;
        self.ended = self.left == 0 || (raw.len() as u64) < size;
        self.ready = match &mut self.convert {
            None => raw.into(),
            Some(convert) => {
                let mut out = Vec::with_capacity(raw.len() + raw.len() / 32);
                convert.push(&raw, &mut out);
                out.into()
            }
        };
        Ok(())
    }
}
