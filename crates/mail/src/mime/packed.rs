//! The packed form of a structure: what the store keeps so that a mailbox list needs no message.
//!
//! A version octet, then the values in the order of their declaration. Numbers are little-endian base 128; offsets are
//! told as distances. Octets have their length before them; an absent value is 0, a present one its length + 1.

use std::ops::Range;

use super::{DEPTH_MAX, Disposition, Kind, Media, Part, Structure};
use crate::envelope::{Envelope, EnvelopeAddress};

/// Raised with every change of the form, and of what the scanner finds: an older one is scanned again.
const VERSION: u8 = 1;

/// Not a packed structure of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a packed structure of version {VERSION}")]
pub struct BadStructure;

pub(super) fn to_bytes(structure: &Structure) -> Vec<u8> {
    let mut out = Writer(vec![VERSION]);
    out.number(structure.size);
    out.envelope(&structure.envelope);
    out.part(&structure.root);
    out.0
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Structure, BadStructure> {
    let mut input = Reader(bytes);
    let structure = input.structure().ok_or(BadStructure)?;
    if input.0.is_empty() { Ok(structure) } else { Err(BadStructure) }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn octets(&mut self, octets: &[u8]) {
        self.number(octets.len() as u64);
        self.0.extend_from_slice(octets);
    }

    fn optional(&mut self, octets: Option<&[u8]>) {
        match octets {
            None => self.number(0),
            Some(octets) => {
                self.number(octets.len() as u64 + 1);
                self.0.extend_from_slice(octets);
            }
        }
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Writer, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|item| each(self, item));
    }

    fn range(&mut self, range: &Range<u64>) {
        self.number(range.start);
        self.number(range.end.saturating_sub(range.start));
    }

    fn params(&mut self, params: &[(String, Vec<u8>)]) {
        self.list(params, |out, (name, value)| {
            out.octets(name.as_bytes());
            out.octets(value);
        });
    }

    fn envelope(&mut self, envelope: &Envelope) {
        for string in [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id] {
            self.optional(string.as_deref());
        }
        self.addresses(&envelope.from);
        // Mostly they are what the header has not: the same as From.
        for list in [&envelope.sender, &envelope.reply_to] {
            let same = *list == envelope.from;
            self.0.push(u8::from(same));
            if !same {
                self.addresses(list);
            }
        }
        for list in [&envelope.to, &envelope.cc, &envelope.bcc] {
            self.addresses(list);
        }
    }

    fn addresses(&mut self, list: &[EnvelopeAddress]) {
        self.list(list, |out, address| {
            for string in [&address.name, &address.adl, &address.mailbox, &address.host] {
                out.optional(string.as_deref());
            }
        });
    }

    fn part(&mut self, part: &Part) {
        self.range(&part.header);
        self.range(&part.body);
        self.number(part.lines);
        self.octets(part.media.kind.as_bytes());
        self.octets(part.media.subtype.as_bytes());
        self.params(&part.media.params);
        for string in [&part.id, &part.description, &part.md5, &part.location] {
            self.optional(string.as_deref());
        }
        self.optional(part.encoding.as_ref().map(|encoding| encoding.as_bytes()));
        self.optional(part.disposition.as_ref().map(|disposition| disposition.kind.as_bytes()));
        if let Some(disposition) = &part.disposition {
            self.params(&disposition.params);
        }
        self.list(&part.language, |out, tag| out.octets(tag));
        match &part.kind {
            Kind::Leaf => self.0.push(0),
            Kind::Multipart(parts) => {
                self.0.push(1);
                self.list(parts, Writer::part);
            }
            Kind::Message { envelope, part } => {
                self.0.push(2);
                self.envelope(envelope);
                self.part(part);
            }
        }
    }
}

/// What is left. `None` from any of its functions is damage.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return None;
            }
            value |= shifted;
            if octet < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn octets(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        self.octets().and_then(|octets| String::from_utf8(octets.to_vec()).ok())
    }

    fn optional(&mut self) -> Option<Option<Vec<u8>>> {
        match self.number()?.checked_sub(1) {
            None => Some(None),
            Some(length) => self.take(length).map(|octets| Some(octets.to_vec())),
        }
    }

    fn optional_text(&mut self) -> Option<Option<String>> {
        self.optional()?.map(String::from_utf8).transpose().ok()
    }

    /// Each item takes an octet at least, so a damaged count ends with the input, not with the memory.
    fn list<T>(&mut self, mut each: impl FnMut(&mut Reader<'b>) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(each(self)?);
        }
        Some(items)
    }

    fn range(&mut self) -> Option<Range<u64>> {
        let start = self.number()?;
        Some(start..start.checked_add(self.number()?)?)
    }

    fn params(&mut self) -> Option<Vec<(String, Vec<u8>)>> {
        self.list(|input| Some((input.text()?, input.octets()?.to_vec())))
    }

    fn structure(&mut self) -> Option<Structure> {
        if self.octet()? != VERSION {
            return None;
        }
        let size = self.number()?;
        Some(Structure { size, envelope: self.envelope()?, root: self.part(0)? })
    }

    fn envelope(&mut self) -> Option<Envelope> {
        let [date, subject, in_reply_to, message_id] = [self.optional()?, self.optional()?, self.optional()?, self.optional()?];
        let from = self.addresses()?;
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            *list = match self.octet()? {
                0 => self.addresses()?,
                1 => from.clone(),
                _ => return None,
            };
        }
        let [sender, reply_to] = lists;
        let [to, cc, bcc] = [self.addresses()?, self.addresses()?, self.addresses()?];
        Some(Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id })
    }

    fn addresses(&mut self) -> Option<Vec<EnvelopeAddress>> {
        self.list(|input| {
            let [name, adl, mailbox, host] = [input.optional()?, input.optional()?, input.optional()?, input.optional()?];
            Some(EnvelopeAddress { name, adl, mailbox, host })
        })
    }

    fn part(&mut self, depth: usize) -> Option<Part> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (header, body, lines) = (self.range()?, self.range()?, self.number()?);
        let media = Media { kind: self.text()?, subtype: self.text()?, params: self.params()? };
        let [id, description, md5, location] = [self.optional()?, self.optional()?, self.optional()?, self.optional()?];
        let encoding = self.optional_text()?;
        let disposition = match self.optional_text()? {
            Some(kind) => Some(Disposition { kind, params: self.params()? }),
            None => None,
        };
        let language = self.list(|input| input.octets().map(<[u8]>::to_vec))?;
        let kind = match self.octet()? {
            0 => Kind::Leaf,
            1 => Kind::Multipart(self.list(|input| input.part(depth + 1)).filter(|parts| !parts.is_empty())?),
            2 => Kind::Message { envelope: Box::new(self.envelope()?), part: Box::new(self.part(depth + 1)?) },
            _ => return None,
        };
        Some(Part { header, body, lines, kind, media, id, description, encoding, md5, disposition, language, location })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn octets() -> impl Strategy<Value = Option<Vec<u8>>> {
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4))
    }

    fn addresses() -> impl Strategy<Value = Vec<EnvelopeAddress>> {
        let one = (octets(), octets(), octets(), octets()).prop_map(|(name, adl, mailbox, host)| EnvelopeAddress { name, adl, mailbox, host });
        proptest::collection::vec(one, 0..3)
    }

    fn envelope() -> impl Strategy<Value = Envelope> {
        let strings = (octets(), octets(), octets(), octets());
        let lists = (addresses(), addresses(), any::<bool>(), addresses(), addresses(), addresses());
        (strings, lists).prop_map(|((date, subject, in_reply_to, message_id), (from, sender, same, to, cc, bcc))| {
            let reply_to = if same { from.clone() } else { sender.clone() };
            Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id }
        })
    }

    fn part() -> impl Strategy<Value = Part> {
        let params = || proptest::collection::vec((any::<String>(), proptest::collection::vec(any::<u8>(), 0..3)), 0..3);
        let media = ("[a-z]{1,3}", "[a-z]{1,3}", params()).prop_map(|(kind, subtype, params)| Media { kind, subtype, params });
        let disposition = proptest::option::of(("[a-z]{0,3}", params()).prop_map(|(kind, params)| Disposition { kind, params }));
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
        let language = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3), 0..3);
        let strings = (octets(), octets(), octets(), octets(), proptest::option::of("[a-z0-9]{1,4}"));
        let leaf = (numbers, media, disposition, language, strings).prop_map(|((a, b, c, d, lines), media, disposition, language, strings)| {
            let (id, description, md5, location, encoding) = strings;
            let (header, body) = (a.min(b)..a.max(b), c.min(d)..c.max(d));
            Part { header, body, lines, kind: Kind::Leaf, media, id, description, encoding, md5, disposition, language, location }
        });
        let leaf = leaf.boxed();
        leaf.clone().prop_recursive(4, 12, 3, move |inner| {
            let multipart = (leaf.clone(), proptest::collection::vec(inner.clone(), 1..3)).prop_map(|(part, parts)| Part { kind: Kind::Multipart(parts), ..part });
            let message = (leaf.clone(), envelope(), inner)
                .prop_map(|(part, envelope, inner)| Part { kind: Kind::Message { envelope: Box::new(envelope), part: Box::new(inner) }, ..part });
            prop_oneof![multipart, message]
        })
    }

    proptest! {
        #[test]
        fn round_trip(root in part(), size in any::<u64>(), envelope in envelope(), cut in any::<prop::sample::Index>(), damage in any::<u8>()) {
            let structure = Structure { root, size, envelope };
            let mut bytes = structure.to_bytes();
            prop_assert_eq!(Structure::from_bytes(&bytes), Ok(structure));
            let at = cut.index(bytes.len());
            prop_assert_eq!(Structure::from_bytes(&bytes[..at]), Err(BadStructure));
            bytes[at] ^= damage;
            let _ = Structure::from_bytes(&bytes);
            bytes.push(0);
            let _ = Structure::from_bytes(&bytes);
        }

        #[test]
        fn garbage_is_refused(mut bytes in proptest::collection::vec(prop_oneof![3 => 0u8..4, 1 => any::<u8>()], 0..200)) {
            let _ = Structure::from_bytes(&bytes);
            bytes.insert(0, VERSION);
            let _ = Structure::from_bytes(&bytes);
        }
    }

    #[test]
    fn a_count_without_items_and_a_depth_without_end() {
        assert_eq!(Structure::from_bytes(b""), Err(BadStructure));
        // No strings, then u64::MAX addresses.
        let mut count = vec![VERSION, 0, 0, 0, 0, 0];
        count.extend([0xff; 9]);
        count.push(1);
        assert_eq!(Structure::from_bytes(&count), Err(BadStructure));
        // Multiparts of one part each: as deep as may be, one deeper, and without end.
        let deep = |depth: usize| {
            let begin = vec![VERSION, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0];
            let leaf = [0; 16];
            [begin, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1].repeat(depth), leaf.to_vec()].concat()
        };
        assert!(Structure::from_bytes(&deep(DEPTH_MAX)).is_ok());
        assert_eq!(Structure::from_bytes(&deep(DEPTH_MAX + 1)), Err(BadStructure));
        assert_eq!(Structure::from_bytes(&deep(100_000)), Err(BadStructure));
    }
}
