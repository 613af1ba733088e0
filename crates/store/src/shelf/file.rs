//! A shelf's file: what was computed of the messages of one mailbox, in blocks that are only ever appended.
//!
//! ```text
//! head   MAGIC, version of the kind, account, mailbox, UIDVALIDITY, checksum
//! block  count, octets of data, the mark; UIDs (32 bits, ascending), lengths (32 bits); checksum of all that; data; its checksum
//! ```
//!
//! Numbers are little-endian. Nothing is synced: what a crash leaves of the last block has no right checksum, and the file is begun
//! anew. What stands in it is found by its heads alone; data is checked when it is read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use mail::Uid;

use crate::snapshot::{Mark, checksum};

const MAGIC: &[u8; 8] = b"PHshelf1";
/// Octets of the file's head, and of a block's head before its columns.
const HEAD: usize = 40;
const BLOCK: usize = 32;
const SUM: usize = 8;

/// Entries of one block at most: it is read in one go.
pub(super) const ENTRIES: usize = 512;
/// Octets of one block at most, for the same reason.
pub(super) const OCTETS: usize = 4 << 20;
/// Octets of one file at most. A mailbox of a million messages with two kilobytes on each fits twice.
const LARGEST: u64 = 4 << 30;

/// Whose file it is: written in its head, and what is written of another is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) version: u32,
    pub(super) account: i64,
    pub(super) mailbox: i64,
    pub(super) uidvalidity: u32,
}

impl Owner {
    fn head(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.account.to_le_bytes());
        out.extend_from_slice(&self.mailbox.to_le_bytes());
        out.extend_from_slice(&self.uidvalidity.to_le_bytes());
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        out
    }
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    uid: u32,
    block: u32,
    /// Octets from the beginning of the block's data.
    from: u32,
    length: u32,
}

/// The data of a block in the file.
#[derive(Clone, Copy, Debug)]
struct Block {
    at: u64,
    length: u32,
}

/// An open file and what stands in it. Memory: 16 octets an entry.
#[derive(Debug)]
pub(super) struct ShelfFile {
    file: Arc<File>,
    path: PathBuf,
    /// By UID; the first of those written twice counts.
    places: Vec<Place>,
    blocks: Vec<Block>,
    /// Where what was read ends, and others may have gone on.
    end: u64,
    /// The mark of the last block.
    mark: Option<Mark>,
}

/// Entries to be read: of one block, with their places in the answer.
pub(super) struct Wanted {
    file: Arc<File>,
    block: Block,
    number: usize,
    entries: Vec<(usize, Range<usize>)>,
}

impl ShelfFile {
    /// The file of `owner`; None when there is none, or none that can be believed.
    pub(super) fn open(path: &Path, owner: Owner) -> Option<ShelfFile> {
        let file = OpenOptions::new().read(true).append(true).open(path).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        if head[..] != owner.head() || file.metadata().ok()?.len() > LARGEST {
            return None;
        }
        let mut opened = ShelfFile { file: Arc::new(file), path: path.into(), places: Vec::new(), blocks: Vec::new(), end: HEAD as u64, mark: None };
        opened.catch_up().then_some(opened)
    }

    /// A file with nothing in it, in place of what is there.
    pub(super) fn begin(path: &Path, owner: Owner) -> io::Result<ShelfFile> {
        if let Some(directory) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let temporary = path.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
        let write = || {
            let mut file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&owner.head())?;
            fs::rename(&temporary, path)?;
            Ok(file)
        };
        let file = write().inspect_err(|_: &io::Error| drop(fs::remove_file(&temporary)))?;
        Ok(ShelfFile { file: Arc::new(file), path: path.into(), places: Vec::new(), blocks: Vec::new(), end: HEAD as u64, mark: None })
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether another file took this one's place, or it is gone.
    pub(super) fn is_replaced(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let id = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()));
        id(self.file.metadata()) != id(fs::metadata(&self.path))
    }

    /// Reads the heads of blocks that were appended since; false when one can't be believed.
    pub(super) fn catch_up(&mut self) -> bool {
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else { return false };
        let known = self.places.len();
        while self.end < length {
            if !self.next_block(length) {
                return false;
            }
        }
        if self.places.len() > known {
            self.places.sort_by_key(|place| place.uid); // stable: what was first stays first
            self.places.dedup_by_key(|place| place.uid);
        }
        true
    }

    fn next_block(&mut self, length: u64) -> bool {
        let Some((head, count)) = self.block_head() else { return false };
        let data = number(&head, 4);
        let sums = (head.len() + 2 * SUM) as u64;
        if data as usize > OCTETS || self.end + sums + u64::from(data) > length {
            return false;
        }
        let block = self.blocks.len() as u32;
        let mut from = 0u32;
        for entry in 0..count {
            let (uid, length) = (number(&head, BLOCK + 4 * entry), number(&head, BLOCK + 4 * (count + entry)));
            match from.checked_add(length) {
                Some(after) if after <= data => self.places.push(Place { uid, block, from, length }),
                _ => return false,
            }
            from += length;
        }
        self.blocks.push(Block { at: self.end + (head.len() + SUM) as u64, length: data });
        self.end += sums + u64::from(data);
        let wide = |at: usize| head.get(at..at + 8).and_then(|octets| octets.try_into().ok()).map_or(0, i64::from_le_bytes);
        self.mark = Some(Mark { seq: wide(8), mailbox: wide(16), at: wide(24) });
        true
    }

    /// The head of the block at the end, with its columns, when its checksum is right; and how many entries it has.
    fn block_head(&self) -> Option<(Vec<u8>, usize)> {
        let mut count = [0; 4];
        self.file.read_exact_at(&mut count, self.end).ok()?;
        let count = u32::from_le_bytes(count) as usize;
        if count > ENTRIES {
            return None;
        }
        let mut head = vec![0; BLOCK + 8 * count + SUM];
        self.file.read_exact_at(&mut head, self.end).ok()?;
        let sum = head.split_off(head.len() - SUM);
        (checksum(&head).to_le_bytes()[..] == sum[..]).then_some((head, count))
    }

    /// Which of `uids` (ascending) are not there.
    pub(super) fn missing(&self, uids: &[Uid]) -> Vec<Uid> {
        uids.iter().copied().filter(|uid| self.place(*uid).is_none()).collect()
    }

    fn place(&self, uid: Uid) -> Option<&Place> {
        let at = self.places.binary_search_by_key(&uid.get(), |place| place.uid).ok()?;
        self.places.get(at)
    }

    /// What is to be read for `uids` (ascending), a block after the other.
    pub(super) fn wanted(&self, uids: &[Uid]) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for (index, place) in uids.iter().enumerate().filter_map(|(index, uid)| Some((index, self.place(*uid)?))) {
            let number = place.block as usize;
            let entry = (index, place.from as usize..(place.from + place.length) as usize);
            match wanted.last_mut() {
                Some(last) if last.number == number => last.entries.push(entry),
                _ => {
                    let Some(&block) = self.blocks.get(number) else { continue };
                    wanted.push(Wanted { file: self.file.clone(), block, number, entries: vec![entry] });
                }
            }
        }
        wanted
    }

    /// Appends a block. Entries come by ascending UID, at most [`ENTRIES`] and [`OCTETS`].
    pub(super) fn append(&mut self, mark: Mark, entries: &[(Uid, Bytes)]) -> io::Result<()> {
        let data: usize = entries.iter().map(|(_, data)| data.len()).sum();
        let mut out = Vec::with_capacity(BLOCK + 8 * entries.len() + 2 * SUM + data);
        out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
        out.extend_from_slice(&(data as u32).to_le_bytes());
        for number in [mark.seq, mark.mailbox, mark.at] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        entries.iter().for_each(|(uid, _)| out.extend_from_slice(&uid.get().to_le_bytes()));
        entries.iter().for_each(|(_, data)| out.extend_from_slice(&(data.len() as u32).to_le_bytes()));
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        let start = out.len();
        entries.iter().for_each(|(_, data)| out.extend_from_slice(data));
        out.extend_from_slice(&checksum(&out[start..]).to_le_bytes());
        if self.end + out.len() as u64 > LARGEST {
            return Err(io::Error::other("the file would become too large"));
        }
        // One call, so that blocks of two processes do not mingle.
        (&*self.file).write_all(&out)
    }
}

impl Wanted {
    /// Which block it is, for whoever kept the last one.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The block's data; None when it is not what was written.
    pub(super) fn read(&self) -> Option<Bytes> {
        let mut data = vec![0; self.block.length as usize + SUM];
        self.file.read_exact_at(&mut data, self.block.at).ok()?;
        let sum = data.split_off(data.len() - SUM);
        (checksum(&data).to_le_bytes()[..] == sum[..]).then(|| data.into())
    }

    /// The entries in the block's data, each with its place in the answer.
    pub(super) fn entries(&self, data: &Bytes) -> impl Iterator<Item = (usize, Bytes)> {
        self.entries.iter().filter(|(_, range)| range.end <= data.len()).map(|(index, range)| (*index, data.slice(range.clone())))
    }
}

fn number(octets: &[u8], at: usize) -> u32 {
    octets.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_le_bytes)
}
