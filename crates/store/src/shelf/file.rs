//! A shelf's file: what was computed of the messages of one mailbox, in blocks that are only ever appended.
//!
//! ```text
//! head   MAGIC, version of the kind, account, mailbox, UIDVALIDITY, checksum
//! block  count, octets of data; UIDs (32 bits, ascending), lengths (32 bits), identities (64 bits); checksum of all that; data; its
//!        checksum
//! ```
//!
//! Numbers are little-endian. Nothing is synced. What stands in it is found by its heads alone; data is checked when it is first read.
//! A file counts up to the first head that can't be believed; who appends, which one at a time does, cuts it there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use mail::Uid;

use crate::Identity;
use crate::snapshot::checksum;

const MAGIC: &[u8; 8] = b"PHshelf2";
/// Octets of the file's head; of a block's head before its columns, and of an entry in all of them.
const HEAD: usize = 40;
const BLOCK: usize = 8;
const COLUMNS: usize = 16;
const SUM: usize = 8;

/// Entries of one block at most: it is read in one go.
pub(super) const ENTRIES: usize = 512;
/// Octets of one block, for the same reason: they stay in a processor's cache while they are looked through. One entry may be longer.
pub(super) const OCTETS: usize = 512 << 10;
/// Octets of an entry that any kind may have.
pub(super) const LONGEST: usize = 4 << 20;
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
    of: Identity,
    block: u32,
    /// Octets from the beginning of the block's data.
    from: u32,
    length: u32,
}

/// A block in the file.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Where its head begins, and how many entries that names.
    at: u64,
    count: usize,
    /// Octets of its data.
    length: usize,
    /// Its data had the right checksum.
    is_checked: Arc<AtomicBool>,
}

/// An open file and what stands in it. Memory: 32 octets an entry.
#[derive(Debug)]
pub(super) struct ShelfFile {
    file: Arc<File>,
    path: PathBuf,
    /// By UID; the first of those written twice counts.
    places: Vec<Place>,
    blocks: Vec<Block>,
    /// Where what can be believed ends, and others may have gone on.
    end: u64,
}

/// Entries of a block, each with its place in the data.
pub(super) type Entries = Vec<(Uid, Range<usize>)>;

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
        let mut opened = ShelfFile::empty(file, path);
        opened.catch_up();
        Some(opened)
    }

    /// A file with nothing in it, in place of what is there; whoever reads that goes on with it.
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
        Ok(ShelfFile::empty(file, path))
    }

    fn empty(file: File, path: &Path) -> ShelfFile {
        ShelfFile { file: Arc::new(file), path: path.into(), places: Vec::new(), blocks: Vec::new(), end: HEAD as u64 }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The messages with the highest UIDs, ascending.
    pub(super) fn newest(&self, count: usize) -> Vec<Identity> {
        self.places.iter().skip(self.places.len().saturating_sub(count)).map(|place| place.of).collect()
    }

    /// Whether another file took this one's place, or it is gone.
    pub(super) fn is_replaced(&self) -> bool {
        let id = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()));
        id(self.file.metadata()) != id(fs::metadata(&self.path))
    }

    /// Reads the heads of blocks that were appended since.
    pub(super) fn catch_up(&mut self) {
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else { return };
        let known = self.places.len();
        while self.end < length && self.next_block(length).is_some() {}
        if self.places.len() > known {
            self.places.sort_by_key(|place| place.of.uid); // stable: what was first stays first
            self.places.dedup_by_key(|place| place.of.uid);
        }
    }

    /// Takes the block at the end in, when its head is whole and names no more than the file has.
    fn next_block(&mut self, length: u64) -> Option<()> {
        let mut front = [0; BLOCK];
        self.file.read_exact_at(&mut front, self.end).ok()?;
        let block = Block { at: self.end, count: number(&front, 0) as usize, length: number(&front, 4) as usize, is_checked: Arc::default() };
        if block.count > ENTRIES || block.length > OCTETS + LONGEST || block.end() > length {
            return None;
        }
        let mut head = vec![0; block.head() + SUM];
        self.file.read_exact_at(&mut head, self.end).ok()?;
        let head = unsealed(&head)?;
        let entries = entries(head, &block)?;
        let number = self.blocks.len() as u32;
        let place = |(of, range): (Identity, Range<usize>)| Place { of, block: number, from: range.start as u32, length: range.len() as u32 };
        self.places.extend(entries.into_iter().map(place));
        self.end = block.end();
        self.blocks.push(block);
        Some(())
    }

    /// Which of `uids` (ascending) are not there.
    pub(super) fn missing(&self, uids: &[Uid]) -> Vec<Uid> {
        uids.iter().copied().filter(|uid| self.place(*uid).is_none()).collect()
    }

    fn place(&self, uid: Uid) -> Option<&Place> {
        let at = self.places.binary_search_by_key(&uid, |place| place.of.uid).ok()?;
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
                    let Some(block) = self.blocks.get(number) else { continue };
                    wanted.push(Wanted { file: self.file.clone(), block: block.clone(), number, entries: vec![entry] });
                }
            }
        }
        wanted
    }

    /// The file and all its blocks, to be gone through without holding it.
    pub(super) fn blocks(&self) -> (Arc<File>, Vec<Block>) {
        (self.file.clone(), self.blocks.clone())
    }

    /// Appends a block behind what can be believed. Entries come by ascending UID, at most [`ENTRIES`].
    pub(super) fn append(&mut self, entries: &[(Identity, Bytes)]) -> io::Result<()> {
        let data: usize = entries.iter().map(|(_, data)| data.len()).sum();
        let mut out = Vec::with_capacity(BLOCK + COLUMNS * entries.len() + 2 * SUM + data);
        out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
        out.extend_from_slice(&(data as u32).to_le_bytes());
        entries.iter().for_each(|(of, _)| out.extend_from_slice(&of.uid.get().to_le_bytes()));
        entries.iter().for_each(|(_, data)| out.extend_from_slice(&(data.len() as u32).to_le_bytes()));
        entries.iter().for_each(|(of, _)| out.extend_from_slice(&of.sum.to_le_bytes()));
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        let start = out.len();
        entries.iter().for_each(|(_, data)| out.extend_from_slice(data));
        out.extend_from_slice(&checksum(&out[start..]).to_le_bytes());
        let file = self.file.clone();
        file.lock()?; // other processes append too; it ends with this one
        let written = self.append_alone(&out);
        file.unlock().and(written)
    }

    fn append_alone(&mut self, block: &[u8]) -> io::Result<()> {
        self.catch_up();
        if self.end + block.len() as u64 > LARGEST {
            return Err(io::Error::other("the file would become too large"));
        }
        if self.file.metadata()?.len() > self.end {
            self.file.set_len(self.end)?; // what somebody left who was killed in the middle
        }
        (&*self.file).write_all(block)?;
        self.catch_up();
        Ok(())
    }
}

impl Block {
    fn head(&self) -> usize {
        BLOCK + COLUMNS * self.count
    }

    fn end(&self) -> u64 {
        self.at + (self.head() + self.length + 2 * SUM) as u64
    }

    /// Its entries' UIDs, each with its place in the data, and the data, read into `octets`. None when it is not what was written.
    pub(super) fn read<'o>(&self, file: &File, octets: &'o mut Vec<u8>) -> Option<(Entries, &'o [u8])> {
        octets.resize(self.head() + self.length + 2 * SUM, 0);
        file.read_exact_at(octets, self.at).ok()?;
        let (head, data) = octets.split_at_checked(self.head() + SUM)?;
        let entries = entries(unsealed(head)?, self)?;
        Some((entries.into_iter().map(|(of, range)| (of.uid, range)).collect(), self.checked(data)?))
    }

    /// The data without its checksum, which must be right the first time.
    fn checked<'o>(&self, data: &'o [u8]) -> Option<&'o [u8]> {
        if self.is_checked.load(Ordering::Relaxed) {
            return data.get(..self.length);
        }
        let data = unsealed(data)?;
        self.is_checked.store(true, Ordering::Relaxed);
        Some(data)
    }
}

impl Wanted {
    /// Whether the other is of the same block, for whoever kept that.
    pub(super) fn is_of_same(&self, other: &Wanted) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.number == other.number
    }

    /// The block's data; None when it is not what was written.
    pub(super) fn read(&self) -> Option<Bytes> {
        let mut data = vec![0; self.block.length + SUM];
        self.file.read_exact_at(&mut data, self.block.at + (self.block.head() + SUM) as u64).ok()?;
        let length = self.block.checked(&data)?.len();
        data.truncate(length);
        Some(data.into())
    }

    /// The entries in the block's data, each with its place in the answer.
    pub(super) fn entries(&self, data: &Bytes) -> impl Iterator<Item = (usize, Bytes)> {
        self.entries.iter().filter(|(_, range)| range.end <= data.len()).map(|(index, range)| (*index, data.slice(range.clone())))
    }
}

/// What a block's head says: whose its entries are, and where in the data. None when they don't fit it.
fn entries(head: &[u8], block: &Block) -> Option<Vec<(Identity, Range<usize>)>> {
    let columns = head.get(BLOCK..)?;
    let (uids, rest) = columns.split_at_checked(4 * block.count)?;
    let (lengths, sums) = rest.split_at_checked(4 * block.count)?;
    let columns = uids.as_chunks::<4>().0.iter().zip(lengths.as_chunks::<4>().0).zip(sums.as_chunks::<8>().0);
    let mut from = 0usize;
    let entries = columns.map(|((uid, length), sum)| {
        let range = from..from.checked_add(u32::from_le_bytes(*length) as usize)?;
        from = range.end;
        Some((Identity { uid: Uid::new(u32::from_le_bytes(*uid))?, sum: u64::from_le_bytes(*sum) }, range))
    });
    let entries: Vec<_> = entries.collect::<Option<_>>()?;
    (from == block.length && entries.len() == block.count).then_some(entries)
}

/// What stands before its checksum, when that is right.
fn unsealed(octets: &[u8]) -> Option<&[u8]> {
    let (octets, sum) = octets.split_last_chunk::<SUM>()?;
    (checksum(octets).to_le_bytes() == *sum).then_some(octets)
}

fn number(octets: &[u8], at: usize) -> u32 {
    octets.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_le_bytes)
}
