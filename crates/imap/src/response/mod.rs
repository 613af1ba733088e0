//! What a server can say, and how it is written — RFC 3501 §7.
//!
//! The wire is written here and nowhere else; every string goes through [`wire`], so no octet of a message or a name can
//! break a line or end a literal early.

pub mod code;
pub mod esearch;
pub mod fetch;
pub mod lines;
pub mod structure;
mod thread;
pub mod wire;

pub use code::Code;
pub use esearch::Esearch;
pub use fetch::{FetchItem, FetchLine, FlagList, Label};
pub use lines::FetchLines;

use crate::Names;
use crate::command::{StatusItem, Tag};
use bytes::BytesMut;
use mail::thread::Forest;
use mail::{MailboxName, ModSeq};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Text and names that are mostly constants.
pub type Text = Cow<'static, str>;

#[derive(Clone, PartialEq, Debug)]
pub enum Response {
    /// The last answer of a command: `a OK …`. The session writes the tag.
    Tagged(Tagged),
    /// `* OK [CODE] text`; also the greeting.
    Condition(Condition),
    /// `* BYE [CODE] text`.
    Bye(Option<Code>, Text),
    /// `* CAPABILITY …`; see [`code::capabilities`].
    Capability(Vec<Text>),
    /// `* ENABLED …`: what this command switched on (RFC 5161 §3.2).
    Enabled(Vec<Text>),
    List(ListLine),
    Lsub(ListLine),
    Xlist(ListLine),
    Status { mailbox: MailboxName, items: Vec<(StatusItem, u64)> },
    /// What an account uses of each resource that is limited, and how much it may.
    Quota { root: Text, resources: Vec<(Resource, u64, u64)> },
    /// The quota roots of a mailbox.
    QuotaRoot { mailbox: MailboxName, roots: Vec<Text> },
    /// `* FLAGS (…)`: every flag the mailbox knows.
    Flags(FlagList),
    Exists(u32),
    Recent(u32),
    /// The sequence number, at the moment this line is read.
    Expunge(u32),
    /// `* VANISHED [(EARLIER)] uids` (RFC 7162 §3.2.10): ascending ranges, at least one.
    Vanished { earlier: bool, uids: Vec<RangeInclusive<u32>> },
    /// A whole FETCH line.
    Fetch(FetchLine),
    /// Many of them, written already.
    FetchLines(FetchLines),
    /// `* n FETCH (` and items, left open for literals.
    FetchBegin(FetchLine),
    /// More items of the open line.
    FetchItems(Vec<FetchItem>),
    /// The name and size of octets that follow as `Answer::Chunk`, exactly so many.
    FetchLiteral { label: Label, length: u64 },
    /// `)`: ends the open line.
    FetchEnd,
    /// Sequence numbers or UIDs. Sent even if empty. With the highest MODSEQ of those found, where one was searched for
    /// (RFC 7162 §3.1.6).
    Search(Vec<u32>, Option<ModSeq>),
    Esearch(Esearch),
    /// The same in the order asked for.
    Sort(Vec<u32>, Option<ModSeq>),
    /// Threads of messages, each told by its number.
    Thread(Forest, Vec<u32>),
    Namespace(Namespaces),
    /// `None` values are NIL; an empty list is `* ID NIL`.
    Id(Vec<(Text, Option<Text>)>),
    /// `+ text`, with `Answer::Go`.
    Continue(Text),
    /// `+ base64`, with `Answer::Go`: a SASL challenge, perhaps empty.
    Challenge(Vec<u8>),
    /// Several at once, in this order. A `Tagged` or a `FetchLiteral` may only be the last.
    Batch(Vec<Response>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Ok,
    No,
    Bad,
}

/// What is said with a tag.
#[derive(Clone, PartialEq, Debug)]
pub struct Tagged {
    pub kind: Kind,
    pub code: Option<Code>,
    pub text: Text,
    pub entering: Option<Entering>,
}

/// What a tagged OK tells the session itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entering {
    /// LOGIN or AUTHENTICATE succeeded.
    LoggedIn,
    /// IMAP4rev2 was enabled.
    Rev2,
}

impl Tagged {
    fn new(kind: Kind, text: impl Into<Text>) -> Self {
        Tagged { kind, code: None, text: text.into(), entering: None }
    }

    pub fn ok(text: impl Into<Text>) -> Self {
        Self::new(Kind::Ok, text)
    }

    pub fn no(text: impl Into<Text>) -> Self {
        Self::new(Kind::No, text)
    }

    pub fn bad(text: impl Into<Text>) -> Self {
        Self::new(Kind::Bad, text)
    }

    pub fn code(self, code: Code) -> Self {
        Tagged { code: Some(code), ..self }
    }

    pub fn entering(self, state: Entering) -> Self {
        Tagged { entering: Some(state), ..self }
    }
}

impl From<Tagged> for Response {
    fn from(tagged: Tagged) -> Self {
        Response::Tagged(tagged)
    }
}

/// An untagged `OK`, `NO` or `BAD`.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    pub kind: Kind,
    pub code: Option<Code>,
    pub text: Text,
}

impl Condition {
    pub fn ok(code: Option<Code>, text: impl Into<Text>) -> Self {
        Condition { kind: Kind::Ok, code, text: text.into() }
    }

    pub fn no(code: Option<Code>, text: impl Into<Text>) -> Self {
        Condition { kind: Kind::No, code, text: text.into() }
    }
}

impl From<Condition> for Response {
    fn from(condition: Condition) -> Self {
        Response::Condition(condition)
    }
}

/// One line of LIST or LSUB.
#[derive(Clone, PartialEq, Debug)]
pub struct ListLine {
    pub attributes: Vec<Attribute>,
    /// `None`: the empty name, root of the hierarchy.
    pub mailbox: Option<MailboxName>,
    /// CHILDINFO: criteria that a name below it meets. Only for RECURSIVEMATCH (RFC 5258 §3.5).
    pub child_info: Vec<Criterion>,
}

/// A selection option as CHILDINFO repeats it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Criterion {
    Subscribed,
    SpecialUse,
}

impl Criterion {
    fn name(self) -> &'static str {
        match self {
            Criterion::Subscribed => "SUBSCRIBED",
            Criterion::SpecialUse => "SPECIAL-USE",
        }
    }
}

impl ListLine {
    /// The answer to `LIST "" ""`: only the separator (N-07).
    pub fn separator() -> Self {
        ListLine { attributes: vec![Attribute::NoSelect], mailbox: None, child_info: Vec::new() }
    }

    pub fn new(mailbox: MailboxName, attributes: Vec<Attribute>) -> Self {
        ListLine { attributes, mailbox: Some(mailbox), child_info: Vec::new() }
    }
}

/// RFC 3501 §7.2.2, 3348, 5258 §3, 6154 §2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attribute {
    NoInferiors,
    NoSelect,
    NonExistent,
    Marked,
    Unmarked,
    HasChildren,
    HasNoChildren,
    Subscribed,
    Special(mail::SpecialUse),
}

impl Attribute {
    fn name(self) -> &'static str {
        match self {
            Attribute::NoInferiors => "\\Noinferiors",
            Attribute::NoSelect => "\\Noselect",
            Attribute::NonExistent => "\\NonExistent",
            Attribute::Marked => "\\Marked",
            Attribute::Unmarked => "\\Unmarked",
            Attribute::HasChildren => "\\HasChildren",
            Attribute::HasNoChildren => "\\HasNoChildren",
            Attribute::Subscribed => "\\Subscribed",
            Attribute::Special(special) => special.flag(),
        }
    }
}

/// What a quota limits — RFC 9208 §5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// Units of 1024 octets.
    Storage,
    Message,
}

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Resource::Storage => "STORAGE",
            Resource::Message => "MESSAGE",
        }
    }
}

/// RFC 2342: prefixes, each with the separator `/`. An empty kind is NIL.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Namespaces {
    pub personal: Vec<Text>,
    pub others: Vec<Text>,
    pub shared: Vec<Text>,
}

impl Namespaces {
    /// One personal namespace without a prefix.
    pub fn personal_only() -> Self {
        Namespaces { personal: vec!["".into()], ..Self::default() }
    }
}

/// The one hierarchy separator of this server (N-03).
pub const SEPARATOR: char = '/';

impl Response {
    /// Appends the response as it goes to the client. `tag`: of the command being answered, for [`Response::Tagged`];
    /// without one it is written `*`.
    pub fn write(&self, tag: Option<&Tag>, out: &mut BytesMut) {
        self.write_as(Names::default(), tag, out);
    }

    /// The same, with mailbox names as the client expects them.
    pub fn write_as(&self, names: Names, tag: Option<&Tag>, out: &mut BytesMut) {
        match self {
            Response::Tagged(tagged) => {
                let tag = tag.map_or("*", Tag::as_str);
                condition(tag, tagged.kind.name(), tagged.code.as_ref(), &tagged.text, out);
            }
            Response::Condition(said) => condition("*", said.kind.name(), said.code.as_ref(), &said.text, out),
            Response::Bye(code, text) => condition("*", "BYE", code.as_ref(), text, out),
            Response::Batch(responses) => responses.iter().for_each(|response| response.write_as(names, tag, out)),
            Response::Esearch(result) => result.write(tag, out),
            Response::FetchLines(lines) => out.extend_from_slice(lines.octets()),
            Response::FetchBegin(line) => line.begin(out),
            Response::FetchItems(items) => items.iter().for_each(|item| item.write(out, true)),
            Response::FetchLiteral { label, length } => {
                out.extend_from_slice(b" ");
                label.write(out);
                out.extend_from_slice(b" ");
                out.extend_from_slice(label.tilde());
                wire::push(out, format_args!("{{{length}}}\r\n"));
            }
            Response::FetchEnd => out.extend_from_slice(b")\r\n"),
            Response::Continue(text) => {
                out.extend_from_slice(b"+ ");
                wire::text(out, text);
                out.extend_from_slice(b"\r\n");
            }
            Response::Challenge(octets) => {
                out.extend_from_slice(b"+ "); // the space even if nothing follows (C-05)
                wire::base64(out, octets);
                out.extend_from_slice(b"\r\n");
            }
            data => data.write_data(names, out),
        }
    }

    /// The untagged lines that are not conditions.
    fn write_data(&self, names: Names, out: &mut BytesMut) {
        out.extend_from_slice(b"* ");
        match self {
            Response::Capability(capabilities) => {
                out.extend_from_slice(b"CAPABILITY");
                wire::spaced(out, capabilities);
            }
            Response::Enabled(capabilities) => {
                out.extend_from_slice(b"ENABLED");
                wire::spaced(out, capabilities);
            }
            Response::List(line) => line.write("LIST", names, out),
            Response::Lsub(line) => line.write("LSUB", names, out),
            Response::Xlist(line) => line.write("XLIST", names, out),
            Response::Status { mailbox, items } => write_status(mailbox, items, names, out),
            Response::Quota { root, resources } => write_quota(root, resources, out),
            Response::QuotaRoot { mailbox, roots } => {
                out.extend_from_slice(b"QUOTAROOT ");
                names.write(mailbox, out);
                for root in roots {
                    out.extend_from_slice(b" ");
                    wire::astring(out, root.as_bytes());
                }
            }
            Response::Flags(flags) => {
                out.extend_from_slice(b"FLAGS ");
                flags.write(out);
            }
            Response::Exists(count) => wire::push(out, format_args!("{count} EXISTS")),
            Response::Recent(count) => wire::push(out, format_args!("{count} RECENT")),
            Response::Expunge(number) => wire::push(out, format_args!("{number} EXPUNGE")),
            Response::Fetch(line) => line.write_after_star(out),
            Response::Vanished { earlier, uids } => {
                out.extend_from_slice(if *earlier { b"VANISHED (EARLIER) " } else { b"VANISHED " });
                wire::ranges(out, uids);
            }
            Response::Search(numbers, modseq) => write_numbers("SEARCH", numbers, *modseq, out),
            Response::Sort(numbers, modseq) => write_numbers("SORT", numbers, *modseq, out),
            Response::Thread(forest, numbers) => thread::write(forest, numbers, out),
            Response::Namespace(spaces) => spaces.write(out),
            Response::Id(pairs) => write_id(pairs, out),
            // Each of these is written by `write`.
            Response::Tagged(_) | Response::Condition(_) | Response::Bye(..) | Response::Batch(_) | Response::Esearch(_) => {}
            Response::FetchLines(_) | Response::FetchBegin(_) | Response::FetchItems(_) | Response::FetchLiteral { .. } | Response::FetchEnd => {}
            Response::Continue(_) | Response::Challenge(_) => {}
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Ok => "OK",
            Kind::No => "NO",
            Kind::Bad => "BAD",
        }
    }
}

/// `tag OK [CODE] text`
fn condition(tag: &str, kind: &str, code: Option<&Code>, text: &str, out: &mut BytesMut) {
    wire::push(out, format_args!("{tag} {kind} "));
    if let Some(code) = code {
        out.extend_from_slice(b"[");
        code.write(out);
        out.extend_from_slice(b"] ");
    }
    // RFC 3501's `text` is never empty.
    wire::text(out, if text.is_empty() { kind } else { text });
    out.extend_from_slice(b"\r\n");
}

impl ListLine {
    fn write(&self, name: &str, names: Names, out: &mut BytesMut) {
        wire::push(out, format_args!("{name} ("));
        for (index, attribute) in self.attributes.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            wire::push(out, format_args!("{space}{}", attribute.name()));
        }
        wire::push(out, format_args!(") \"{SEPARATOR}\" "));
        match &self.mailbox {
            Some(mailbox) => names.write(mailbox, out),
            None => out.extend_from_slice(b"\"\""),
        }
        if !self.child_info.is_empty() {
            let criteria: Vec<_> = self.child_info.iter().map(|criterion| format!("\"{}\"", criterion.name())).collect();
            wire::push(out, format_args!(" (\"CHILDINFO\" ({}))", criteria.join(" ")));
        }
    }
}

fn write_numbers(name: &str, numbers: &[u32], modseq: Option<ModSeq>, out: &mut BytesMut) {
    out.extend_from_slice(name.as_bytes());
    for number in numbers {
        out.extend_from_slice(b" ");
        wire::number(out, u64::from(*number));
    }
    if let Some(modseq) = modseq {
        wire::push(out, format_args!(" (MODSEQ {modseq})"));
    }
}

fn write_status(mailbox: &MailboxName, items: &[(StatusItem, u64)], names: Names, out: &mut BytesMut) {
    out.extend_from_slice(b"STATUS ");
    names.write(mailbox, out);
    out.extend_from_slice(b" (");
    for (index, (item, value)) in items.iter().enumerate() {
        let space = if index > 0 { " " } else { "" };
        wire::push(out, format_args!("{space}{} {value}", item.name()));
    }
    out.extend_from_slice(b")");
}

fn write_quota(root: &str, resources: &[(Resource, u64, u64)], out: &mut BytesMut) {
    out.extend_from_slice(b"QUOTA ");
    wire::astring(out, root.as_bytes());
    let resources: Vec<_> = resources.iter().map(|(resource, usage, limit)| format!("{} {usage} {limit}", resource.name())).collect();
    wire::push(out, format_args!(" ({})", resources.join(" ")));
}

impl Namespaces {
    fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(b"NAMESPACE");
        for prefixes in [&self.personal, &self.others, &self.shared] {
            if prefixes.is_empty() {
                out.extend_from_slice(b" NIL");
                continue;
            }
            out.extend_from_slice(b" (");
            for prefix in prefixes {
                out.extend_from_slice(b"(");
                wire::string(out, prefix.as_bytes());
                wire::push(out, format_args!(" \"{SEPARATOR}\")"));
            }
            out.extend_from_slice(b")");
        }
    }
}

fn write_id(pairs: &[(Text, Option<Text>)], out: &mut BytesMut) {
    out.extend_from_slice(b"ID ");
    if pairs.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    for (index, (field, value)) in pairs.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b" " } else { b"(" });
        wire::string(out, field.as_bytes());
        out.extend_from_slice(b" ");
        wire::nstring(out, value.as_ref().map(|value| value.as_bytes()));
    }
    out.extend_from_slice(b")");
}

#[cfg(test)]
mod tests;
