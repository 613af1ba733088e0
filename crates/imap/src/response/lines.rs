//! FETCH lines of many messages in one piece, written as they are made: a list of a hundred thousand messages is made of no value a
//! line. What stands in it comes from this crate's own writing, so it is as grammatical as any other answer.

use super::{FetchItem, Label, wire};
use crate::flags::FlagNames;
use bytes::{Bytes, BytesMut};
use mail::{Flags, Uid};

/// Whole FETCH lines, as they go on the wire.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FetchLines(BytesMut);

/// An item, or the name of one, as it stands in a line. Its octets may be kept and made a `Written` again.
#[derive(Clone, PartialEq, Debug)]
pub struct Written(Bytes);

impl Written {
    pub fn item(item: &FetchItem) -> Written {
        let mut out = BytesMut::new();
        item.write(&mut out, false);
        Written(out.freeze())
    }

    pub fn label(label: &Label) -> Written {
        let mut out = BytesMut::new();
        label.write(&mut out);
        Written(out.freeze())
    }

    /// From what [`Written::octets`] gave; anything else would break the line.
    pub fn again(octets: Bytes) -> Written {
        Written(octets)
    }

    pub fn octets(&self) -> &Bytes {
        &self.0
    }
}

impl FetchLines {
    /// Begins the line of a message; [`Line::end`] ends it.
    pub fn line(&mut self, seq: u32) -> Line<'_> {
        self.0.extend_from_slice(b"* ");
        wire::number(&mut self.0, u64::from(seq));
        self.0.extend_from_slice(b" FETCH (");
        Line { out: &mut self.0, first: true }
    }

    /// Octets so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// A line that is being written.
#[must_use = "a line that is not ended is none"]
pub struct Line<'l> {
    out: &'l mut BytesMut,
    first: bool,
}

impl Line<'_> {
    fn space(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.extend_from_slice(b" ");
        }
    }

    pub fn item(&mut self, item: &FetchItem) {
        self.space();
        item.write(self.out, false);
    }

    pub fn written(&mut self, item: &Written) {
        self.space();
        self.out.extend_from_slice(&item.0);
    }

    pub fn uid(&mut self, uid: Uid) {
        self.space();
        self.out.extend_from_slice(b"UID ");
        wire::number(self.out, u64::from(uid.get()));
    }

    pub fn flags(&mut self, flags: Flags, recent: bool, names: &FlagNames) {
        self.space();
        self.out.extend_from_slice(b"FLAGS (");
        let mut first = true;
        for name in names.of(flags).chain(recent.then_some("\\Recent")) {
            if !std::mem::take(&mut first) {
                self.out.extend_from_slice(b" ");
            }
            self.out.extend_from_slice(name.as_bytes());
        }
        self.out.extend_from_slice(b")");
    }

    /// Octets of a message under the name that [`Written::label`] made.
    pub fn octets(&mut self, label: &Written, octets: &[u8]) {
        self.written(label);
        self.out.extend_from_slice(b" ");
        wire::literal(self.out, octets);
    }

    pub fn end(self) {
        self.out.extend_from_slice(b")\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fetch::{Section, SectionText};
    use crate::response::{FetchLine, FlagList, Response};

    /// The same octets as a line made of values.
    #[test]
    fn lines_are_written_as_any_other_answer() {
        let uid = Uid::new(7).unwrap();
        let label = Label::Body { section: Section { part: vec![], text: SectionText::HeaderFields(vec!["From".into()]) }, origin: None };
        let names = FlagNames::well_known();
        for (flags, recent) in [(Flags::EMPTY, false), (Flags::SEEN | Flags::FLAGGED, true)] {
            let items = vec![
                FetchItem::Uid(uid),
                FetchItem::Flags(FlagList { flags, recent, names: names.clone() }),
                FetchItem::Size(12),
                FetchItem::Octets(label.clone(), Some(Bytes::from_static(b"From: a\r\n\r\n"))),
            ];
            let mut lines = FetchLines::default();
            assert!(lines.is_empty());
            let mut line = lines.line(3);
            line.uid(uid);
            line.flags(flags, recent, &names);
            line.written(&Written::again(Written::item(&items[2]).octets().clone()));
            line.octets(&Written::label(&label), b"From: a\r\n\r\n");
            line.end();
            let mut line = lines.line(4);
            line.item(&items[0]);
            line.end();
            let mut out = BytesMut::new();
            Response::Batch(vec![Response::Fetch(FetchLine { seq: 3, items: items.clone() }), Response::Fetch(FetchLine { seq: 4, items: vec![items[0].clone()] })])
                .write(None, &mut out);
            assert_eq!(lines.octets(), &out[..], "{}", String::from_utf8_lossy(lines.octets()));
        }
    }
}
