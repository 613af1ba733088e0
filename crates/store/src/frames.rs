//! Derived files that grow at their end: a head that says whose they are, then frames, each with its length and checksum.
//!
//! Not synced, and never the truth: a file of another mailbox is none, and of a torn one what is whole counts. Where two processes
//! append, the one that finds the file longer than it left it stops writing: what it has it keeps in memory.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::snapshot::checksum;
use crate::{AccountId, MailboxId};

/// Octets of a frame at most: what is read at once from a file that nobody vouches for.
pub(crate) const FRAME: usize = 32 << 20;

const HEAD: usize = 32;
/// Length and checksum.
const FRONT: usize = 12;

#[derive(Clone, Debug)]
pub(crate) struct Frames {
    path: PathBuf,
    head: [u8; HEAD],
}

/// Where a file ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Behind its last whole frame.
    whole: u64,
    length: u64,
}

impl End {
    /// Where the octets of the next frame will be.
    pub(crate) fn next(self) -> u64 {
        self.whole.max(HEAD as u64) + FRONT as u64
    }
}

impl Frames {
    pub(crate) fn new(path: PathBuf, magic: &[u8; 8], account: AccountId, mailbox: MailboxId, uidvalidity: u32) -> Frames {
        let mut head = [0; HEAD];
        let parts: [&[u8]; 4] = [magic, &account.get().to_le_bytes(), &mailbox.get().to_le_bytes(), &u64::from(uidvalidity).to_le_bytes()];
        head.copy_from_slice(&parts.concat());
        Frames { path, head }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives each whole frame with its place in the file, in order, as long as `take` takes them.
    pub(crate) fn read(&self, mut take: impl FnMut(u64, &[u8]) -> bool) -> std::io::Result<End> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(End::default()),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let mut file = BufReader::new(file);
        let mut head = [0; HEAD];
        if file.read_exact(&mut head).is_err() || head != self.head {
            return Ok(End::default());
        }
        let mut whole = HEAD as u64;
        let (mut front, mut frame) = ([0; FRONT], Vec::new());
        while file.read_exact(&mut front).is_ok() {
            let (size, sum) = front.split_at(4);
            let size = u32::from_le_bytes(size.try_into().unwrap_or_default()) as usize;
            if size > FRAME {
                break;
            }
            frame.resize(size, 0);
            if file.read_exact(&mut frame).is_err() || checksum(&frame).to_le_bytes() != *sum || !take(whole + FRONT as u64, &frame) {
                break;
            }
            whole += (FRONT + size) as u64;
        }
        Ok(End { whole, length })
    }

    /// Appends frames behind `end`, or begins the file. `None`: it has grown meanwhile, by somebody else.
    pub(crate) fn append(&self, end: End, frames: &[Vec<u8>]) -> std::io::Result<Option<End>> {
        let octets: Vec<u8> = frames.iter().flat_map(|frame| [&(frame.len() as u32).to_le_bytes()[..], &checksum(frame).to_le_bytes(), frame].concat()).collect();
        if end.whole == 0 {
            return self.begin(&octets).map(Some);
        }
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        file.lock()?;
        if file.metadata()?.len() != end.length {
            return Ok(None);
        }
        file.set_len(end.whole)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(&octets)?;
        let whole = end.whole + octets.len() as u64;
        Ok(Some(End { whole, length: whole }))
    }

    /// Over whatever is there; its readers go on with what they opened.
    fn begin(&self, octets: &[u8]) -> std::io::Result<End> {
        if let Some(directory) = self.path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let temporary = self.path.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&self.head)?;
            file.write_all(octets)?;
            std::fs::rename(&temporary, &self.path)
        };
        write().inspect_err(|_| drop(std::fs::remove_file(&temporary)))?;
        let whole = (HEAD + octets.len()) as u64;
        Ok(End { whole, length: whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(directory: &std::path::Path, mailbox: i64) -> Frames {
        Frames::new(directory.join("a/7"), b"PHtest1\n", AccountId::new(1), MailboxId::new(mailbox), 3)
    }

    fn all(frames: &Frames) -> (Vec<Vec<u8>>, End) {
        let mut all = Vec::new();
        let end = frames.read(|_, frame| { all.push(frame.to_vec()); true }).unwrap();
        (all, end)
    }

    #[test]
    fn what_is_whole_counts_wherever_the_file_is_torn() {
        let directory = tempfile::tempdir().unwrap();
        let ours = frames(directory.path(), 7);
        assert_eq!(all(&ours), (vec![], End::default()));
        let one = ours.append(End::default(), &[b"one".to_vec(), vec![]]).unwrap().unwrap();
        let place = one.next() as usize;
        let two = ours.append(one, &[b"three".to_vec()]).unwrap().unwrap();
        assert_eq!(all(&ours), (vec![b"one".to_vec(), vec![], b"three".to_vec()], two));
        assert_eq!(all(&frames(directory.path(), 8)), (vec![], End::default()), "another's");
        let whole = std::fs::read(directory.path().join("a/7")).unwrap();
        assert_eq!((&whole[place..], End::default().next()), (&b"three"[..], (HEAD + FRONT) as u64));
        for cut in 0..whole.len() {
            std::fs::write(directory.path().join("a/7"), &whole[..cut]).unwrap();
            let (kept, end) = all(&ours);
            assert!(kept.len() < 3 && end.length == if end.whole == 0 { 0 } else { cut as u64 }, "cut at {cut}");
            // It is mended by what comes next.
            ours.append(end, &[b"new".to_vec()]).unwrap().unwrap();
            let (mended, _) = all(&ours);
            assert_eq!((mended.len(), mended.last().unwrap().as_slice()), (kept.len() + 1, &b"new"[..]), "cut at {cut}");
        }
        for at in HEAD..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            std::fs::write(directory.path().join("a/7"), &changed).unwrap();
            assert!(all(&ours).0.len() < 3, "changed at {at}");
        }
        assert_eq!(ours.append(one, &[vec![]]).unwrap(), None, "it has grown");
    }
}
