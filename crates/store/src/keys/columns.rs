//! The keys of a mailbox as they are searched: numbers in one array, each kind of text in another.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use mail::thread::Names;
use mail::{Date, Uid};

use super::record::Record;
use super::{InOrder, SOUGHT, Sought, TEXTS};

/// What is known of the headers of a mailbox's messages, ascending by UID. It may lack some, and have some that are gone.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    heads: Vec<Head>,
    texts: [Column; TEXTS],
    references: Vec<u32>,
    ids: Numbers,
    subjects: Numbers,
}

/// What the header of one message says in numbers.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub uid: Uid,
    pub arrived: Date,
    /// CRLF octets.
    pub size: u64,
    /// Its Date field, if that can be read.
    pub sent: Option<Date>,
    /// Its subject is that of a reply or a forward.
    pub is_reply: bool,
    /// A text that is not found here is not in the message's fields. Else they are too long to be kept.
    pub is_whole: bool,
    /// Its Message-ID as a number, the same for all that are equal.
    pub id: Option<u32>,
    /// The same of its base subject; `None` for an empty one.
    pub subject: Option<u32>,
    references: (u32, u32),
}

impl Keys {
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// All that are known, ascending by UID.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The index of a message.
    pub fn index(&self, uid: Uid) -> Option<usize> {
        self.heads.binary_search_by_key(&uid, |head| head.uid).ok()
    }

    /// The folded text of all fields of this name, each behind a NUL; empty if there is none.
    pub fn sought(&self, index: usize, field: Sought) -> &[u8] {
        self.texts[field as usize].get(index)
    }

    /// A key in the order of `mail::casemap`.
    pub fn in_order(&self, index: usize, key: InOrder) -> &[u8] {
        self.texts[SOUGHT.len() + key as usize].get(index)
    }

    /// Message-IDs that a message refers to, as numbers.
    pub fn references(&self, index: usize) -> &[u32] {
        let range = self.heads.get(index).map_or(0..0, |head| head.references.0 as usize..head.references.1 as usize);
        self.references.get(range).unwrap_or_default()
    }

    /// Numbers of Message-IDs and subjects are below these.
    pub fn names(&self) -> Names {
        Names { ids: self.ids.numbers.len(), subjects: self.subjects.numbers.len() }
    }

    /// Octets of memory, roughly.
    pub(super) fn octets(&self) -> usize {
        let texts: usize = self.texts.iter().map(|column| column.octets.capacity() + 4 * column.ends.capacity()).sum();
        let numbers = 40 * (self.ids.numbers.capacity() + self.subjects.numbers.capacity());
        texts + numbers + 4 * self.references.capacity() + size_of::<Head>() * self.heads.capacity()
    }

    /// Adds a record behind all others; false, and nothing is done, if its UID is not above theirs.
    pub(super) fn push(&mut self, uid: Uid, record: &Record) -> bool {
        if self.heads.last().is_some_and(|last| last.uid >= uid) {
            return false;
        }
        let from = self.references.len() as u32;
        let ids = &mut self.ids;
        self.references.extend(record.references.iter().map(|id| ids.of(id)));
        let base = record.texts.get(SOUGHT.len()).map(Vec::as_slice).unwrap_or_default();
        self.heads.push(Head {
            uid,
            arrived: record.arrived,
            size: record.size,
            sent: record.sent,
            is_reply: record.is_reply,
            is_whole: record.is_whole,
            id: (!record.id.is_empty()).then(|| self.ids.of(&record.id)),
            subject: (!base.is_empty()).then(|| self.subjects.of(base)),
            references: (from, self.references.len() as u32),
        });
        for (column, text) in self.texts.iter_mut().zip(&record.texts) {
            column.push(text);
        }
        true
    }
}

/// Texts, one behind another.
#[derive(Clone, Debug, Default)]
struct Column {
    ends: Vec<u32>,
    octets: Vec<u8>,
}

impl Column {
    fn push(&mut self, text: &[u8]) {
        self.octets.extend_from_slice(text);
        self.ends.push(self.octets.len() as u32); // `MOST` records of `TEXT` octets are below 2³²
    }

    fn get(&self, index: usize) -> &[u8] {
        let Some(&end) = self.ends.get(index) else { return &[] };
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let range: Range<usize> = start as usize..end as usize;
        self.octets.get(range).unwrap_or_default()
    }
}

/// Numbers for names. A name is known by two hashes with keys of this process: 128 bits that nobody outside can aim at.
#[derive(Clone, Debug, Default)]
struct Numbers {
    hashers: (RandomState, RandomState),
    numbers: HashMap<(u64, u64), u32>,
}

impl Numbers {
    fn of(&mut self, name: &[u8]) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry((self.hashers.0.hash_one(name), self.hashers.1.hash_one(name))).or_insert(next)
    }
}
