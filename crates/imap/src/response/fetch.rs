//! The FETCH response — RFC 3501 §7.4.2; MODSEQ — RFC 7162 §3.1.4.2.

use super::{structure, wire};
use crate::command::fetch::{Section, SectionText};
use crate::flags::FlagNames;
use bytes::{Bytes, BytesMut};
use mail::mime::Structure;
use mail::{Date, Envelope, Flags, ModSeq, Uid};
use std::sync::Arc;

/// Items of one message; `seq` is its sequence number in the view of this session.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchLine {
    pub seq: u32,
    pub items: Vec<FetchItem>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum FetchItem {
    Uid(Uid),
    ModSeq(ModSeq),
    Flags(FlagList),
    InternalDate(Date),
    /// RFC822.SIZE: octets with CRLF.
    Size(u64),
    Envelope(Box<Envelope>),
    /// Without extension data.
    Body(Arc<Structure>),
    BodyStructure(Arc<Structure>),
    /// `BINARY.SIZE[part] n`
    BinarySize(Vec<u32>, u64),
    /// Octets that are at hand; see [`super::Response::FetchLiteral`] for those that are streamed.
    /// `None`: NIL.
    Octets(Label, Option<Bytes>),
}

/// The name of octets of a message in an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Label {
    /// `BODY[…]<origin>`
    Body { section: Section, origin: Option<u64> },
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    /// `BINARY[part]<origin>`; with a NUL among the octets they are a literal8 (RFC 3516 §4.3).
    Binary { part: Vec<u32>, origin: Option<u64>, has_nul: bool },
}

/// Flags to be shown, with the names of an account's keywords.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlagList {
    pub flags: Flags,
    pub recent: bool,
    pub names: Arc<FlagNames>,
}

impl FlagList {
    pub fn new(flags: Flags, names: &Arc<FlagNames>) -> Self {
        FlagList { flags, recent: false, names: names.clone() }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        self.write_with(out, None);
    }

    /// In parentheses, with one more at the end.
    pub(super) fn write_with(&self, out: &mut BytesMut, more: Option<&str>) {
        let recent = self.recent.then_some("\\Recent");
        out.extend_from_slice(b"(");
        let mut first = true;
        for name in self.names.of(self.flags).chain(recent).chain(more) {
            if !std::mem::take(&mut first) {
                out.extend_from_slice(b" ");
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(b")");
    }
}

impl FetchLine {
    pub(super) fn begin(&self, out: &mut BytesMut) {
        out.extend_from_slice(b"* ");
        self.open(out);
    }

    pub(super) fn write_after_star(&self, out: &mut BytesMut) {
        self.open(out);
        out.extend_from_slice(b")");
    }

    fn open(&self, out: &mut BytesMut) {
        wire::number(out, u64::from(self.seq));
        out.extend_from_slice(b" FETCH (");
        for (index, item) in self.items.iter().enumerate() {
            item.write(out, index > 0);
        }
    }
}

impl FetchItem {
    pub(super) fn write(&self, out: &mut BytesMut, space: bool) {
        if space {
            out.extend_from_slice(b" ");
        }
        match self {
            FetchItem::Uid(uid) => {
                out.extend_from_slice(b"UID ");
                wire::number(out, u64::from(uid.get()));
            }
            FetchItem::ModSeq(modseq) => {
                out.extend_from_slice(b"MODSEQ (");
                wire::number(out, modseq.get());
                out.extend_from_slice(b")");
            }
            FetchItem::Flags(flags) => {
                out.extend_from_slice(b"FLAGS ");
                flags.write(out);
            }
            FetchItem::InternalDate(date) => wire::push(out, format_args!("INTERNALDATE \"{}\"", date.imap())),
            FetchItem::Size(size) => wire::push(out, format_args!("RFC822.SIZE {size}")),
            FetchItem::Envelope(envelope) => {
                out.extend_from_slice(b"ENVELOPE ");
                structure::envelope(out, envelope);
            }
            FetchItem::Body(structure) => {
                out.extend_from_slice(b"BODY ");
                structure::body(out, &structure.root, false);
            }
            FetchItem::BodyStructure(structure) => {
                out.extend_from_slice(b"BODYSTRUCTURE ");
                structure::body(out, &structure.root, true);
            }
            FetchItem::BinarySize(part, size) => {
                out.extend_from_slice(b"BINARY.SIZE");
                bracketed(part, out);
                wire::push(out, format_args!(" {size}"));
            }
            FetchItem::Octets(label, octets) => {
                label.write(out);
                out.extend_from_slice(b" ");
                out.extend_from_slice(if octets.is_some() { label.tilde() } else { b"" });
                match octets {
                    Some(octets) => wire::literal(out, octets),
                    None => out.extend_from_slice(b"NIL"),
                }
            }
        }
    }
}

impl Label {
    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Label::Rfc822 => out.extend_from_slice(b"RFC822"),
            Label::Rfc822Header => out.extend_from_slice(b"RFC822.HEADER"),
            Label::Rfc822Text => out.extend_from_slice(b"RFC822.TEXT"),
            Label::Body { section, origin } => {
                out.extend_from_slice(b"BODY");
                section.write(out);
                write_origin(*origin, out);
            }
            Label::Binary { part, origin, .. } => {
                out.extend_from_slice(b"BINARY");
                bracketed(part, out);
                write_origin(*origin, out);
            }
        }
    }

    /// What makes of a literal a literal8.
    pub(super) fn tilde(&self) -> &'static [u8] {
        if matches!(self, Label::Binary { has_nul: true, .. }) { b"~" } else { b"" }
    }
}

fn write_origin(origin: Option<u64>, out: &mut BytesMut) {
    if let Some(origin) = origin {
        wire::push(out, format_args!("<{origin}>"));
    }
}

fn bracketed(part: &[u32], out: &mut BytesMut) {
    out.extend_from_slice(b"[");
    write_part(part, out);
    out.extend_from_slice(b"]");
}

fn write_part(part: &[u32], out: &mut BytesMut) {
    for (index, number) in part.iter().enumerate() {
        let dot = if index > 0 { "." } else { "" };
        wire::push(out, format_args!("{dot}{number}"));
    }
}

impl Section {
    fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(b"[");
        write_part(&self.part, out);
        let (name, fields) = match &self.text {
            SectionText::All => ("", None),
            SectionText::Header => ("HEADER", None),
            SectionText::HeaderFields(fields) => ("HEADER.FIELDS", Some(fields)),
            SectionText::HeaderFieldsNot(fields) => ("HEADER.FIELDS.NOT", Some(fields)),
            SectionText::Text => ("TEXT", None),
            SectionText::Mime => ("MIME", None),
        };
        let dot = if self.part.is_empty() || name.is_empty() { "" } else { "." };
        wire::push(out, format_args!("{dot}{name}"));
        for (index, field) in fields.into_iter().flatten().enumerate() {
            out.extend_from_slice(if index > 0 { b" " } else { b" (" });
            // Upper case as Dovecot does, whose answers clients are used to (B-01).
            wire::astring(out, field.to_ascii_uppercase().as_bytes());
        }
        out.extend_from_slice(if fields.is_some() { b")]" } else { b"]" });
    }
}
