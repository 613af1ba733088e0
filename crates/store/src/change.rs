//! The log's `what`: which messages of a mailbox came, changed and went in one transaction, packed.
//!
//! A version byte, then items: a tag byte and LEB128 numbers. Added: uid, message id, modseq, flags. Flagged: uid, modseq,
//! flags. Vanished: first uid, count. UIDs of one kind ascend and are written as differences.

use mail::{Flags, ModSeq, Uid};

use crate::{MessageId, Row};

/// Messages one transaction can have removed: what says more is damaged, and would cost its memory.
const MOST: usize = 1 << 25;

const VERSION: u8 = 1;
const ADDED: u8 = 1;
const FLAGGED: u8 = 2;
const VANISHED: u8 = 3;

/// One transaction's changes of one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// New messages.
    pub(crate) added: Vec<Row>,
    /// Messages whose flags changed.
    pub(crate) flagged: Vec<Row>,
    /// Messages that are gone, ascending.
    pub(crate) vanished: Vec<Uid>,
}

impl Log {
    /// Messages it is about.
    pub(crate) fn len(&self) -> usize {
        self.added.len() + self.flagged.len() + self.vanished.len()
    }

    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for (tag, rows) in [(ADDED, &self.added), (FLAGGED, &self.flagged)] {
            for row in rows {
                out.push(tag);
                for number in [u64::from(row.uid.get()), row.id.get() as u64, row.modseq.get(), row.flags.bits()] {
                    put(&mut out, number);
                }
            }
        }
        for (first, count) in runs(self.vanished.iter().copied()) {
            out.push(VANISHED);
            put(&mut out, first.into());
            put(&mut out, count.into());
        }
        out
    }

    /// None when the bytes are not a log of a known version: the reader then loads the mailbox anew.
    pub(crate) fn unpack(mut bytes: &[u8]) -> Option<Log> {
        let mut log = Log::default();
        if take_byte(&mut bytes)? != VERSION {
            return None;
        }
        while !bytes.is_empty() {
            match take_byte(&mut bytes)? {
                ADDED => log.added.push(row(&mut bytes)?),
                FLAGGED => log.flagged.push(row(&mut bytes)?),
                VANISHED => {
                    let first = u32::try_from(take(&mut bytes)?).ok()?;
                    let count = u32::try_from(take(&mut bytes)?).ok()?;
                    let last = first.checked_add(count.checked_sub(1)?)?;
                    if log.vanished.len() + count as usize > MOST {
                        return None;
                    }
                    log.vanished.extend((first..=last).filter_map(Uid::new));
                }
                _ => return None,
            }
        }
        Some(log)
    }
}

fn row(bytes: &mut &[u8]) -> Option<Row> {
    let uid = Uid::new(u32::try_from(take(bytes)?).ok()?)?;
    let id = MessageId::new(i64::try_from(take(bytes)?).ok()?);
    let modseq = ModSeq::new(take(bytes)?);
    let flags = Flags::from_bits(take(bytes)?);
    Some(Row { uid, id, flags, modseq })
}

/// Runs of consecutive UIDs: first and count.
pub(crate) fn runs(uids: impl IntoIterator<Item = Uid>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for uid in uids.into_iter().map(Uid::get) {
        match runs.last_mut() {
            Some((first, count)) if uid.checked_sub(*first) == Some(*count) => *count += 1,
            _ => runs.push((uid, 1)),
        }
    }
    runs
}

/// [`runs`] as rows of a statement: first and last.
pub(crate) fn ranges(uids: &[Uid]) -> Vec<[db::Value; 2]> {
    let range = |(first, count): (u32, u32)| [first.into(), (i64::from(first) + i64::from(count) - 1).into()];
    runs(uids.iter().copied()).into_iter().map(range).collect()
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(bytes)?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (1..u32::MAX, 0..i64::MAX, 0..u64::MAX, 0..u64::MAX >> 1).prop_map(|(uid, id, modseq, flags)| Row {
            uid: Uid::new(uid).unwrap(),
            id: MessageId::new(id),
            flags: Flags::from_bits(flags),
            modseq: ModSeq::new(modseq),
        });
        proptest::collection::vec(row, 0..9)
    }

    proptest! {
        #[test]
        fn a_log_reads_back(added in rows(), flagged in rows(), gone in proptest::collection::btree_set(1..99u32, 0..40)) {
            let vanished = gone.into_iter().filter_map(Uid::new).collect();
            let log = Log { added, flagged, vanished };
            prop_assert_eq!(Log::unpack(&log.pack()), Some(log));
        }

        #[test]
        fn garbage_is_no_log_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Log::unpack(&bytes);
        }
    }

    #[test]
    fn a_damaged_run_costs_no_memory() {
        let mut packed = vec![VERSION, VANISHED];
        put(&mut packed, 1);
        put(&mut packed, u64::from(u32::MAX - 1));
        assert_eq!(Log::unpack(&packed), None);
    }

    #[test]
    fn consecutive_uids_are_one_run() {
        let uids: Vec<Uid> = [1, 2, 3, 7, 9, 10].into_iter().filter_map(Uid::new).collect();
        assert_eq!(runs(uids), [(1, 3), (7, 1), (9, 2)]);
    }
}
