//! SEARCH, UID SEARCH — RFC 3501 §6.4.4; RETURN — RFC 4731 and 5182; OLDER, YOUNGER — RFC 5032; MODSEQ — RFC 7162 §3.1.5.
//!
//! ```text
//! search         = "SEARCH" [SP "RETURN" SP "(" [return-opt *(SP return-opt)] ")"] SP search-program
//! return-opt     = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE"
//! search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
//! ```
//!
//! Keys come out in a small language of their own: UNSEEN is `Not(Flag(SEEN))`, NEW is `And[Recent, Not(Flag(SEEN))]`,
//! and all strings are UTF-8, whatever their charset was.

use super::CommandBody;
use crate::SequenceSet;
use crate::cursor::{Bad, Cursor};
use crate::flags::keyword;
use encoding_rs::Encoding;
use mail::{Flags, Keyword, ModSeq};
use std::num::NonZeroU32;

#[derive(Clone, PartialEq, Debug)]
pub struct Search {
    pub uid: bool,
    /// `None`: the result is told as `* SEARCH`.
    pub returns: Option<Returns>,
    /// Several keys at the top are one [`Key::And`].
    pub key: Key,
}

/// What is wanted of a result: RFC 4731 §3.1, 5182 §2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Returns {
    pub min: bool,
    pub max: bool,
    pub count: bool,
    pub all: bool,
    /// It becomes `$`.
    pub save: bool,
}

impl Returns {
    /// What `RETURN ()` means.
    pub const ALL: Returns = Returns { min: false, max: false, count: false, all: true, save: false };

    /// Whether an ESEARCH line answers: SAVE alone asks for none.
    pub fn wants_line(self) -> bool {
        Returns { save: false, ..self } != Returns::default()
    }

    /// What becomes `$` of these: with MIN and MAX alone, those two (RFC 5182 §2.4).
    pub fn saved(self, found: &[u32]) -> Vec<u32> {
        if self.all || self.count || !(self.min || self.max) {
            return found.to_vec();
        }
        let (first, last) = (found.first().filter(|_| self.min), found.last().filter(|_| self.max));
        first.into_iter().chain(last).copied().collect()
    }
}

/// A calendar day, without time or zone (Q-03).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day {
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, and no more than the month has.
    pub day: u8,
}

/// Nests at most `Limits::depth` deep.
#[derive(Clone, PartialEq, Debug)]
pub enum Key {
    All,
    And(Vec<Key>),
    Or(Box<Key>, Box<Key>),
    Not(Box<Key>),
    /// By sequence number.
    Set(SequenceSet),
    Uid(SequenceSet),
    /// Has this flag (one bit).
    Flag(Flags),
    /// Has this keyword; one the account doesn't know matches nothing and is not created (Q-04).
    Keyword(Keyword),
    Recent,
    /// INTERNALDATE's day.
    Before(Day),
    On(Day),
    Since(Day),
    /// The Date field's own day.
    SentBefore(Day),
    SentOn(Day),
    SentSince(Day),
    /// INTERNALDATE at least so many seconds ago.
    Older(NonZeroU32),
    /// At most so many.
    Younger(NonZeroU32),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// The field holds the string; an empty string: the field exists. BCC, CC, FROM, SUBJECT and TO come out as this.
    Header { field: String, value: String },
    Body(String),
    /// Header or body.
    Text(String),
    /// Changed at this MODSEQ or after it.
    ModSeq(ModSeq),
}

impl Key {
    /// Whether it, or one that it is made of, is such.
    pub fn any(&self, is: &impl Fn(&Key) -> bool) -> bool {
        is(self)
            || match self {
                Key::And(keys) => keys.iter().any(|key| key.any(is)),
                Key::Or(a, b) => a.any(is) || b.any(is),
                Key::Not(key) => key.any(is),
                _ => false,
            }
    }
}

pub(crate) fn parse(cursor: &mut Cursor, uid: bool) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let returns = returns(cursor)?;
    let mut charset = encoding_rs::UTF_8; // without CHARSET it is US-ASCII; UTF-8 is taken silently (Q-01)
    if cursor.peek_atom().eq_ignore_ascii_case(b"CHARSET") {
        cursor.skip_atom();
        cursor.sp()?;
        charset = charset_of(cursor, returns)?;
        cursor.sp()?;
    }
    let key = keys(cursor, charset)?;
    Ok(CommandBody::Search(Search { uid, returns, key }))
}

/// `RETURN (…)` with the space behind it, if it is there.
pub(super) fn returns(cursor: &mut Cursor) -> Result<Option<Returns>, Bad> {
    if !cursor.peek_atom().eq_ignore_ascii_case(b"RETURN") {
        return Ok(None);
    }
    cursor.skip_atom();
    cursor.sp()?;
    cursor.expect(b'(')?;
    let mut returns = Returns::default();
    while cursor.peek() != Some(b')') {
        if returns != Returns::default() {
            cursor.sp()?;
        }
        match cursor.atom()?.to_ascii_uppercase().as_slice() {
            b"MIN" => returns.min = true,
            b"MAX" => returns.max = true,
            b"COUNT" => returns.count = true,
            b"ALL" => returns.all = true,
            b"SAVE" => returns.save = true,
            _ => return Err(Bad::syntax("Unknown RETURN option")),
        }
    }
    cursor.expect(b')')?;
    cursor.sp()?;
    Ok(Some(if returns == Returns::default() { Returns::ALL } else { returns }))
}

/// `charset`: an astring.
pub(super) fn charset_of(cursor: &mut Cursor, returns: Option<Returns>) -> Result<&'static Encoding, Bad> {
    let label = cursor.astring()?;
    if label.eq_ignore_ascii_case(b"US-ASCII") {
        return Ok(encoding_rs::UTF_8);
    }
    let saves = returns.is_some_and(|returns| returns.save);
    Encoding::for_label_no_replacement(&label).ok_or(Bad::Charset { saves })
}

/// `search-key *(SP search-key)`, to the end.
pub(super) fn keys(cursor: &mut Cursor, charset: &'static Encoding) -> Result<Key, Bad> {
    Keys { charset, left: cursor.limits.search_keys }.several(cursor, 0)
}

struct Keys {
    charset: &'static Encoding,
    /// How many more keys this command may have.
    left: usize,
}

impl Keys {
    /// `search-key *(SP search-key)`, up to the end or a closing parenthesis.
    fn several(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Key, Bad> {
        let mut keys = vec![self.one(cursor, depth)?];
        while !cursor.at_end() && cursor.peek() != Some(b')') {
            cursor.sp()?;
            keys.push(self.one(cursor, depth)?);
        }
        Ok(match keys.len() {
            1 => keys.remove(0),
            _ => Key::And(keys),
        })
    }

    fn one(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Key, Bad> {
        if depth > cursor.limits.depth {
            return Err(Bad::limit("SEARCH is nested too deep"));
        }
        self.left = self.left.checked_sub(1).ok_or(Bad::limit("Too many SEARCH keys"))?;
        match cursor.peek() {
            Some(b'(') => {
                cursor.expect(b'(')?;
                let inner = self.several(cursor, depth + 1)?;
                cursor.expect(b')')?;
                Ok(inner)
            }
            Some(b'*' | b'$' | b'0'..=b'9') => SequenceSet::parse(cursor).map(Key::Set),
            _ => self.named(cursor, depth),
        }
    }

    fn named(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Key, Bad> {
        let name = cursor.atom()?.to_ascii_uppercase();
        if let Some(key) = bare(&name) {
            return Ok(key);
        }
        match name.as_slice() {
            b"NOT" => {
                cursor.sp()?;
                Ok(not(self.one(cursor, depth + 1)?))
            }
            b"OR" => {
                cursor.sp()?;
                let first = self.one(cursor, depth + 1)?;
                cursor.sp()?;
                Ok(Key::Or(Box::new(first), Box::new(self.one(cursor, depth + 1)?)))
            }
            _ => self.with_argument(&name, cursor),
        }
    }

    fn with_argument(&mut self, name: &[u8], cursor: &mut Cursor) -> Result<Key, Bad> {
        const FIELDS: [(&[u8], &str); 5] =
            [(b"BCC", "Bcc"), (b"CC", "Cc"), (b"FROM", "From"), (b"SUBJECT", "Subject"), (b"TO", "To")];
        const KNOWN: [&[u8]; 17] = [
            b"BEFORE", b"BODY", b"HEADER", b"KEYWORD", b"LARGER", b"MODSEQ", b"OLDER", b"ON", b"SENTBEFORE", b"SENTON", b"SENTSINCE",
            b"SINCE", b"SMALLER", b"TEXT", b"UID", b"UNKEYWORD", b"YOUNGER",
        ];
        let field = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        if field.is_none() && !KNOWN.contains(&name) {
            return Err(Bad::syntax("Unknown SEARCH key"));
        }
        cursor.sp()?;
        if let Some(field) = field {
            return Ok(Key::Header { field: field.to_owned(), value: self.text(cursor)? });
        }
        Ok(match name {
            b"BEFORE" => Key::Before(day(cursor)?),
            b"ON" => Key::On(day(cursor)?),
            b"SINCE" => Key::Since(day(cursor)?),
            b"SENTBEFORE" => Key::SentBefore(day(cursor)?),
            b"SENTON" => Key::SentOn(day(cursor)?),
            b"SENTSINCE" => Key::SentSince(day(cursor)?),
            b"OLDER" => Key::Older(cursor.nz_number()?),
            b"YOUNGER" => Key::Younger(cursor.nz_number()?),
            b"BODY" => Key::Body(self.text(cursor)?),
            b"TEXT" => Key::Text(self.text(cursor)?),
            b"HEADER" => {
                let field = header_name(cursor)?;
                cursor.sp()?;
                Key::Header { field, value: self.text(cursor)? }
            }
            b"KEYWORD" => keyword_key(cursor)?,
            b"UNKEYWORD" => not(keyword_key(cursor)?),
            b"LARGER" => Key::Larger(cursor.number64()?),
            b"SMALLER" => Key::Smaller(cursor.number64()?),
            b"UID" => Key::Uid(SequenceSet::parse(cursor)?),
            b"MODSEQ" => Key::ModSeq(modseq(cursor)?),
            _ => return Err(Bad::syntax("Unknown SEARCH key")),
        })
    }

    /// An `astring` in the command's charset.
    fn text(&self, cursor: &mut Cursor) -> Result<String, Bad> {
        let octets = cursor.astring_8bit()?;
        self.charset
            .decode_without_bom_handling_and_without_replacement(&octets)
            .map(|text| text.into_owned())
            .ok_or(Bad::syntax("The string is not in its charset"))
    }
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

/// Keys without an argument.
fn bare(name: &[u8]) -> Option<Key> {
    let flag = |flag| Some(Key::Flag(flag));
    let unflag = |flag| Some(not(Key::Flag(flag)));
    match name {
        b"ALL" => Some(Key::All),
        b"ANSWERED" => flag(Flags::ANSWERED),
        b"DELETED" => flag(Flags::DELETED),
        b"DRAFT" => flag(Flags::DRAFT),
        b"FLAGGED" => flag(Flags::FLAGGED),
        b"SEEN" => flag(Flags::SEEN),
        b"UNANSWERED" => unflag(Flags::ANSWERED),
        b"UNDELETED" => unflag(Flags::DELETED),
        b"UNDRAFT" => unflag(Flags::DRAFT),
        b"UNFLAGGED" => unflag(Flags::FLAGGED),
        b"UNSEEN" => unflag(Flags::SEEN),
        b"RECENT" => Some(Key::Recent),
        b"OLD" => Some(not(Key::Recent)),
        b"NEW" => Some(Key::And(vec![Key::Recent, not(Key::Flag(Flags::SEEN))])),
        _ => None,
    }
}

fn keyword_key(cursor: &mut Cursor) -> Result<Key, Bad> {
    let atom = cursor.atom()?;
    let name = std::str::from_utf8(atom).map_err(|_| Bad::syntax("Invalid keyword"))?;
    match Flags::of_name(name) {
        Some(flag) => Ok(Key::Flag(flag)),
        None => keyword(name).map(Key::Keyword),
    }
}

/// `[entry-name SP entry-type-req SP] mod-sequence-valzer`: a message has one MODSEQ for all its flags, so which is meant makes
/// no difference.
fn modseq(cursor: &mut Cursor) -> Result<ModSeq, Bad> {
    if cursor.peek() == Some(b'"') {
        let entry = cursor.string()?;
        cursor.sp()?;
        let of = cursor.atom()?.to_ascii_lowercase();
        if !entry.starts_with(b"/flags/") || !matches!(of.as_slice(), b"priv" | b"shared" | b"all") {
            return Err(Bad::syntax("Unknown metadata item"));
        }
        cursor.sp()?;
    }
    cursor.modseq()
}

fn header_name(cursor: &mut Cursor) -> Result<String, Bad> {
    let name = cursor.astring()?;
    if name.is_empty() || !name.iter().all(|&byte| (33..127).contains(&byte)) {
        return Err(Bad::syntax("Invalid header field name"));
    }
    // Some clients write the colon with it.
    let name = name.strip_suffix(b":").unwrap_or(&name);
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// `date = date-text / DQUOTE date-text DQUOTE`, `date-text = 1*2DIGIT "-" date-month "-" 4DIGIT`
fn day(cursor: &mut Cursor) -> Result<Day, Bad> {
    let invalid = || Bad::syntax("Invalid date");
    let quoted = cursor.take(b'"');
    let text = cursor.run(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if quoted {
        cursor.expect(b'"')?;
    }
    let text = std::str::from_utf8(text).map_err(|_| invalid())?;
    day_of_text(text).ok_or_else(invalid)
}

fn day_of_text(text: &str) -> Option<Day> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut fields = text.split('-');
    let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() || !(1..=2).contains(&day.len()) || year.len() != 4 || !year.bytes().chain(day.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as u8 + 1;
    let (day, year): (u8, i32) = (day.parse().ok()?, year.parse().ok()?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=days).contains(&day).then_some(Day { year, month, day })
}
