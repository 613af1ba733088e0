//! FETCH, UID FETCH — RFC 3501 §6.4.5; MODSEQ, CHANGEDSINCE, VANISHED — RFC 7162 §3.1.4, §3.2.6; BINARY — RFC 3516 §4.2; and two items
//! of RFC 1730 that old clients still ask for.
//!
//! ```text
//! fetch     = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
//!             [SP "(" fetch-modifier *(SP fetch-modifier) ")"]
//! fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"
//! fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] / "UID" / "MODSEQ"
//!           / "BODY" ["STRUCTURE"] / "BODY" [".PEEK"] section ["<" number64 "." nz-number64 ">"]
//!           / "RFC822.PEEK" / "RFC822.TEXT.PEEK"
//!           / "BINARY" [".PEEK"] part ["<" number64 "." nz-number64 ">"] / "BINARY.SIZE" part
//! part      = "[" [nz-number *("." nz-number)] "]"
//! section   = "[" [section-msgtext / (nz-number *("." nz-number) ["." (section-msgtext / "MIME")])] "]"
//! ```

use super::CommandBody;
use crate::SequenceSet;
use crate::cursor::{Bad, Cursor};
use crate::response::Label;
use mail::ModSeq;

#[derive(Clone, PartialEq, Debug)]
pub struct Fetch {
    pub uid: bool,
    pub set: SequenceSet,
    /// Macros expanded; each item once (B-09), in the order asked. UID FETCH doesn't imply [`Item::Uid`] here: see [`Fetch::wants_uid`].
    pub items: Vec<Item>,
    /// Only messages that changed after this; [`Item::ModSeq`] is among the items then.
    pub changed_since: Option<ModSeq>,
    /// First those of the set that were expunged after it. Only in UID FETCH with `changed_since`; `BAD` unless QRESYNC was
    /// enabled, which is the handler's to know.
    pub vanished: bool,
}

impl Fetch {
    /// S-09: UID is always in the answers to UID FETCH.
    pub fn wants_uid(&self) -> bool {
        self.uid || self.items.contains(&Item::Uid)
    }

    /// Whether the answer sets `\Seen` (F-05).
    pub fn sets_seen(&self) -> bool {
        self.items.iter().any(Item::sets_seen)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    Envelope,
    Flags,
    InternalDate,
    Size,
    /// `BODY`: the structure without extension data.
    Body,
    BodyStructure,
    Uid,
    ModSeq,
    /// `RFC822`; `RFC822.PEEK`, which Thunderbird asks for where it finds no `IMAP4rev1`, and Outlook was seen to.
    Rfc822 { peek: bool },
    Rfc822Header,
    /// `RFC822.TEXT`, `RFC822.TEXT.PEEK`.
    Rfc822Text { peek: bool },
    /// A part with its transfer encoding undone; the message itself, which has none, if `part` is empty.
    Binary { part: Vec<u32>, peek: bool, partial: Option<Partial> },
    /// How many octets that would be.
    BinarySize { part: Vec<u32> },
    Section { section: Section, peek: bool, partial: Option<Partial> },
}

impl Item {
    pub fn sets_seen(&self) -> bool {
        use Item::{Binary, Rfc822, Rfc822Text, Section};
        matches!(self, Rfc822 { peek: false } | Rfc822Text { peek: false } | Section { peek: false, .. } | Binary { peek: false, .. })
    }

    /// How the answer calls these octets; `None` when the item isn't octets of the message.
    pub fn label(&self) -> Option<Label> {
        match self {
            Item::Rfc822 { .. } => Some(Label::Rfc822),
            Item::Rfc822Header => Some(Label::Rfc822Header),
            Item::Rfc822Text { .. } => Some(Label::Rfc822Text),
            Item::Section { section, partial, .. } => {
                Some(Label::Body { section: section.clone(), origin: partial.map(|partial| partial.origin) })
            }
            _ => None,
        }
    }

    /// The same octets as a section: `RFC822` is `BODY[]`, `RFC822.HEADER` is `BODY.PEEK[HEADER]`; of BINARY those to decode.
    pub fn octets(&self) -> Option<(Section, Option<Partial>)> {
        let whole = |text| Some((Section { part: Vec::new(), text }, None));
        match self {
            Item::Rfc822 { .. } => whole(SectionText::All),
            Item::Rfc822Header => whole(SectionText::Header),
            Item::Rfc822Text { .. } => whole(SectionText::Text),
            Item::Binary { part, partial, .. } => Some((Section { part: part.clone(), text: SectionText::All }, *partial)),
            Item::BinarySize { part } => Some((Section { part: part.clone(), text: SectionText::All }, None)),
            Item::Section { section, partial, .. } => Some((section.clone(), *partial)),
            _ => None,
        }
    }
}

/// `<origin.length>`; length is not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partial {
    pub origin: u64,
    pub length: u64,
}

/// What stands between the brackets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// `1.2.3`; empty for the message itself. No 0 in it.
    pub part: Vec<u32>,
    pub text: SectionText,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SectionText {
    /// Nothing: all of the message, or the body of the part.
    All,
    Header,
    /// Names as sent; match them without regard to case.
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    /// Only behind a part number.
    Mime,
}

pub(crate) fn parse(cursor: &mut Cursor, uid: bool) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.sp()?;
    let items = match macro_items(cursor) {
        Some(items) => items,
        None => items_of(cursor)?,
    };
    let mut fetch = Fetch { uid, set, items, changed_since: None, vanished: false };
    if !cursor.at_end() {
        modifiers(cursor, &mut fetch)?;
    }
    Ok(CommandBody::Fetch(fetch))
}

fn modifiers(cursor: &mut Cursor, fetch: &mut Fetch) -> Result<(), Bad> {
    cursor.sp()?;
    cursor.expect(b'(')?;
    loop {
        match cursor.atom()?.to_ascii_uppercase().as_slice() {
            b"CHANGEDSINCE" if fetch.changed_since.is_none() => {
                cursor.sp()?;
                fetch.changed_since = Some(cursor.modseq()?);
            }
            b"VANISHED" if fetch.uid && !fetch.vanished => fetch.vanished = true,
            _ => return Err(Bad::syntax("Unknown FETCH modifier")),
        }
        if cursor.take(b')') {
            break;
        }
        cursor.sp()?;
    }
    if fetch.vanished && fetch.changed_since.is_none() {
        return Err(Bad::syntax("VANISHED goes with CHANGEDSINCE"));
    }
    if !fetch.items.contains(&Item::ModSeq) {
        fetch.items.push(Item::ModSeq);
    }
    Ok(())
}

/// ALL, FAST, FULL: only alone.
fn macro_items(cursor: &mut Cursor) -> Option<Vec<Item>> {
    let mut items = vec![Item::Flags, Item::InternalDate, Item::Size];
    match cursor.peek_atom().to_ascii_uppercase().as_slice() {
        b"FAST" => {}
        b"ALL" => items.push(Item::Envelope),
        b"FULL" => items.extend([Item::Envelope, Item::Body]),
        _ => return None,
    }
    cursor.skip_atom();
    Some(items)
}

fn items_of(cursor: &mut Cursor) -> Result<Vec<Item>, Bad> {
    if !cursor.take(b'(') {
        return Ok(vec![item(cursor)?]);
    }
    let mut items = Vec::new();
    for _ in 0..cursor.limits.list {
        let item = item(cursor)?;
        if !items.contains(&item) {
            items.push(item);
        }
        if cursor.take(b')') {
            return Ok(items);
        }
        cursor.sp()?;
    }
    Err(Bad::limit("Too many FETCH items"))
}

fn item(cursor: &mut Cursor) -> Result<Item, Bad> {
    let name = cursor.run(|byte| byte.is_ascii_alphanumeric() || byte == b'.').to_ascii_uppercase();
    Ok(match name.as_slice() {
        b"ENVELOPE" => Item::Envelope,
        b"FLAGS" => Item::Flags,
        b"INTERNALDATE" => Item::InternalDate,
        b"RFC822.SIZE" => Item::Size,
        b"BODYSTRUCTURE" => Item::BodyStructure,
        b"UID" => Item::Uid,
        b"MODSEQ" => Item::ModSeq,
        b"RFC822" => Item::Rfc822 { peek: false },
        b"RFC822.PEEK" => Item::Rfc822 { peek: true },
        b"RFC822.HEADER" => Item::Rfc822Header,
        b"RFC822.TEXT" => Item::Rfc822Text { peek: false },
        b"RFC822.TEXT.PEEK" => Item::Rfc822Text { peek: true },
        b"BINARY" => binary(cursor, false)?,
        b"BINARY.PEEK" => binary(cursor, true)?,
        b"BINARY.SIZE" => Item::BinarySize { part: bracketed_part(cursor)? },
        b"BODY" if cursor.peek() != Some(b'[') => Item::Body,
        b"BODY" => bracketed(cursor, false)?,
        b"BODY.PEEK" => bracketed(cursor, true)?,
        _ => return Err(Bad::syntax("Unknown FETCH item")),
    })
}

fn bracketed(cursor: &mut Cursor, peek: bool) -> Result<Item, Bad> {
    cursor.expect(b'[')?;
    let section = section(cursor)?;
    cursor.expect(b']')?;
    Ok(Item::Section { section, peek, partial: partial(cursor)? })
}

fn partial(cursor: &mut Cursor) -> Result<Option<Partial>, Bad> {
    if !cursor.take(b'<') {
        return Ok(None);
    }
    let origin = cursor.number64()?;
    cursor.expect(b'.')?;
    let length = cursor.nz_number64()?;
    cursor.expect(b'>')?;
    Ok(Some(Partial { origin, length }))
}

fn binary(cursor: &mut Cursor, peek: bool) -> Result<Item, Bad> {
    let part = bracketed_part(cursor)?;
    Ok(Item::Binary { part, peek, partial: partial(cursor)? })
}

/// `section-binary`: the number of a part, or nothing.
fn bracketed_part(cursor: &mut Cursor) -> Result<Vec<u32>, Bad> {
    cursor.expect(b'[')?;
    let section = section(cursor)?;
    cursor.expect(b']')?;
    match section.text {
        SectionText::All => Ok(section.part),
        _ => Err(Bad::syntax("Part number expected")),
    }
}

fn section(cursor: &mut Cursor) -> Result<Section, Bad> {
    let mut part = Vec::new();
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        if part.len() >= cursor.limits.part_depth {
            return Err(Bad::limit("Part number too deep"));
        }
        part.push(cursor.nz_number()?.get());
        if !cursor.take(b'.') {
            return Ok(Section { part, text: SectionText::All });
        }
        if cursor.peek() == Some(b']') {
            return Err(Bad::syntax("Invalid section"));
        }
    }
    if cursor.peek() == Some(b']') {
        return Ok(Section { part, text: SectionText::All });
    }
    let name = cursor.run(|byte| byte.is_ascii_alphabetic() || byte == b'.').to_ascii_uppercase();
    let text = match name.as_slice() {
        b"HEADER" => SectionText::Header,
        b"TEXT" => SectionText::Text,
        b"MIME" if !part.is_empty() => SectionText::Mime,
        b"HEADER.FIELDS" => SectionText::HeaderFields(field_names(cursor)?),
        b"HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(field_names(cursor)?),
        _ => return Err(Bad::syntax("Invalid section")),
    };
    Ok(Section { part, text })
}

fn field_names(cursor: &mut Cursor) -> Result<Vec<String>, Bad> {
    cursor.sp()?;
    cursor.expect(b'(')?;
    let mut names = Vec::new();
    for _ in 0..cursor.limits.list {
        let name = cursor.astring()?;
        // RFC 5322 §3.6.8: printable but no colon. Others can't be in a header, and would come back in our answer.
        if name.is_empty() || !name.iter().all(|&byte| (33..127).contains(&byte) && byte != b':') {
            return Err(Bad::syntax("Invalid header field name"));
        }
        names.push(String::from_utf8_lossy(&name).into_owned());
        if cursor.take(b')') {
            return Ok(names);
        }
        cursor.sp()?;
    }
    Err(Bad::limit("Too many header fields"))
}
