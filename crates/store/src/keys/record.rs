//! What is kept of one message, made from its row and its header.
//!
//! In little-endian numbers: arrival, size, sent date, the zones of both dates (no zone: no date), flags; then its texts and
//! Message-IDs, each behind its length.

use bytes::Bytes;
use mail::sorting::SortKeys;
use mail::{Date, fold, header};

use super::{IN_ORDER, SOUGHT, TEXTS};
use crate::Message;

/// Octets kept of one text: more than any real field has. Of a longer one the message's header must be looked at.
const TEXT: usize = 4_000;

/// Message-IDs kept of one References field, the last ones. The chain of a thread is known by its other messages too.
const REFERENCES: usize = 200;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(super) arrived: Date,
    pub(super) size: u64,
    pub(super) sent: Option<Date>,
    pub(super) is_reply: bool,
    /// All of its texts are whole.
    pub(super) is_whole: bool,
    pub(super) texts: [Vec<u8>; TEXTS],
    pub(super) id: Vec<u8>,
    pub(super) references: Vec<Vec<u8>>,
}

const NO_ZONE: i16 = i16::MIN;
const IS_REPLY: u8 = 1;
const IS_WHOLE: u8 = 2;

impl Record {
    pub(crate) fn new(row: &Message, octets: &[u8]) -> Record {
        let keys = SortKeys::of_header(octets);
        let (mut texts, mut is_whole): ([Vec<u8>; TEXTS], bool) = (Default::default(), true);
        for field in header::fields(octets) {
            let Some(index) = SOUGHT.iter().position(|name| field.is(name)) else { continue };
            let Some(text) = texts.get_mut(index) else { continue };
            text.push(0); // a field is there; and no string is found across two
            text.extend_from_slice(fold::fold(&header::decode_text(field.value)).as_bytes());
        }
        let in_order: [String; IN_ORDER] = [keys.subject, keys.from, keys.to, keys.cc, keys.display_from, keys.display_to];
        for (text, key) in texts.iter_mut().skip(SOUGHT.len()).zip(in_order) {
            *text = key.into_bytes();
        }
        for text in &mut texts {
            is_whole &= text.len() <= TEXT;
            text.truncate(TEXT);
        }
        let mut references = keys.references;
        references.drain(..references.len().saturating_sub(REFERENCES));
        Record {
            arrived: row.internaldate,
            size: row.size,
            sent: keys.sent,
            is_reply: keys.is_reply,
            is_whole,
            texts,
            id: keys.id.unwrap_or_default(),
            references,
        }
    }

    /// Of a message whose header is not known.
    pub(crate) fn unread(row: &Message) -> Record {
        Record { is_whole: false, ..Record::new(row, b"") }
    }

    pub(crate) fn pack(&self) -> Bytes {
        let mut octets = Vec::new();
        let out = &mut octets;
        let sent = self.sent.unwrap_or(Date { unix: 0, offset_minutes: NO_ZONE });
        for number in [self.arrived.unix, self.size as i64, sent.unix] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for zone in [self.arrived.offset_minutes, sent.offset_minutes] {
            out.extend_from_slice(&zone.to_le_bytes());
        }
        let flags = if self.is_reply { IS_REPLY } else { 0 } | if self.is_whole { IS_WHOLE } else { 0 };
        out.push(flags);
        for text in self.texts.iter().chain([&self.id]) {
            pack_text(out, text);
        }
        out.extend_from_slice(&(self.references.len() as u32).to_le_bytes());
        for id in &self.references {
            pack_text(out, id);
        }
        octets.into()
    }

    /// None for anything but what [`Record::pack`] gave.
    pub(super) fn unpack(mut octets: &[u8]) -> Option<Record> {
        let octets = &mut octets;
        let mut number = || array(octets).map(i64::from_le_bytes);
        let (arrived, size, sent) = (number()?, number()?, number()?);
        let mut zone = || array(octets).map(i16::from_le_bytes);
        let (came_zone, sent_zone) = (zone()?, zone()?);
        let [flags] = array(octets)?;
        let mut texts: [Vec<u8>; TEXTS] = Default::default();
        for text in &mut texts {
            *text = unpack_text(octets)?;
        }
        let id = unpack_text(octets)?;
        let count = u32::from_le_bytes(array(octets)?) as usize;
        let references = (0..count.min(REFERENCES)).map(|_| unpack_text(octets)).collect::<Option<_>>()?;
        octets.is_empty().then_some(Record {
            arrived: Date { unix: arrived, offset_minutes: came_zone },
            size: size as u64,
            sent: (sent_zone != NO_ZONE).then_some(Date { unix: sent, offset_minutes: sent_zone }),
            is_reply: flags & IS_REPLY > 0,
            is_whole: flags & IS_WHOLE > 0,
            texts,
            id,
            references,
        })
    }
}

fn pack_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}

fn unpack_text(octets: &mut &[u8]) -> Option<Vec<u8>> {
    let length = u32::from_le_bytes(array(octets)?) as usize;
    let (text, rest) = octets.split_at_checked(length)?;
    *octets = rest;
    Some(text.to_vec())
}

fn array<const N: usize>(octets: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = octets.split_first_chunk()?;
    *octets = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MessageId, Row};
    use mail::{Flags, ModSeq, Uid};
    use proptest::prelude::*;

    fn row() -> Message {
        let row = Row { uid: Uid::new(7).unwrap(), id: MessageId::new(70), flags: Flags::EMPTY, modseq: ModSeq::new(1) };
        Message { row, size: 5_000_000_000, internaldate: Date::new(-5, -480), savedate: 99, structure: None, uidl: None }
    }

    proptest! {
        #[test]
        fn a_record_reads_back_and_no_cut_one_does(header in "(Subject: [A-Zü ]{0,9}\r\n|Date: 1 Feb 2024 10:00 [+]0100\r\n|From: a@b\r\n|References: <a@b> <c@d>\r\n|X\r\n){0,6}") {
            let record = Record::new(&row(), header.as_bytes());
            let packed = record.pack();
            for cut in 0..packed.len() {
                prop_assert_eq!(Record::unpack(&packed[..cut]), None);
            }
            prop_assert_eq!(Record::unpack(&[&packed[..], &[1]].concat()), None);
            prop_assert_eq!(Record::unpack(&packed), Some(record));
        }

        #[test]
        fn garbage_is_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Record::unpack(&octets);
        }
    }

    #[test]
    fn a_text_too_long_is_cut_and_said_to_be() {
        let long = Record::new(&row(), format!("Subject: {}\r\n", "x".repeat(2 * TEXT)).as_bytes());
        assert!(!long.is_whole && long.texts[0].len() == TEXT);
        assert!(Record::new(&row(), b"To: a\r\nTo: B\r\n").is_whole);
        assert_eq!(Record::new(&row(), b"To: a\r\nTo: B\r\n").texts[2], b"\0a\0b");
    }
}
