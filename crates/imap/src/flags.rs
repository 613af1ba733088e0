//! Flags on the wire — RFC 3501 §2.3.2: as a client names them in a command, and as a session lists them.

use crate::cursor::{Bad, Cursor};
use mail::{Flags, Keyword};
use std::sync::Arc;

/// What a client named in STORE or APPEND. Well-known keywords (`$Forwarded`) are in `flags`; the others are still
/// names, since only the account's dictionary gives them a bit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlagArguments {
    pub flags: Flags,
    pub keywords: Vec<Keyword>,
}

impl FlagArguments {
    pub fn none() -> Self {
        FlagArguments { flags: Flags::EMPTY, keywords: Vec::new() }
    }

    /// `flag-list`, with its parentheses.
    pub(crate) fn parse(cursor: &mut Cursor) -> Result<Self, Bad> {
        cursor.expect(b'(')?;
        let mut arguments = Self::none();
        if cursor.take(b')') {
            return Ok(arguments);
        }
        for _ in 0..cursor.limits.flags {
            arguments.one(cursor)?;
            if cursor.take(b')') {
                return Ok(arguments);
            }
            cursor.sp()?;
        }
        Err(Bad::limit("Too many flags"))
    }

    /// `flag *(SP flag)` without parentheses, to the end of the command: STORE allows it.
    pub(crate) fn parse_bare(cursor: &mut Cursor) -> Result<Self, Bad> {
        let mut arguments = Self::none();
        for _ in 0..cursor.limits.flags {
            arguments.one(cursor)?;
            if cursor.at_end() {
                return Ok(arguments);
            }
            cursor.sp()?;
        }
        Err(Bad::limit("Too many flags"))
    }

    fn one(&mut self, cursor: &mut Cursor) -> Result<(), Bad> {
        let backslash = cursor.take(b'\\');
        let atom = cursor.atom()?;
        let name = std::str::from_utf8(atom).map_err(|_| Bad::syntax("Invalid flag"))?;
        if backslash {
            // \Recent is the server's alone, and an unknown \Flag is no keyword (F-01).
            let flag = Flags::of_name(&format!("\\{name}")).ok_or(Bad::syntax("Unknown system flag"))?;
            self.flags |= flag;
        } else {
            match Flags::of_name(name) {
                Some(flag) => self.flags |= flag,
                None => self.keyword(name)?,
            }
        }
        Ok(())
    }

    fn keyword(&mut self, name: &str) -> Result<(), Bad> {
        let keyword = keyword(name)?;
        if !self.keywords.contains(&keyword) {
            self.keywords.push(keyword);
        }
        Ok(())
    }
}

/// A keyword from an atom already read.
pub(crate) fn keyword(name: &str) -> Result<Keyword, Bad> {
    Keyword::new(name).map_err(|_| Bad::no(crate::Code::Limit, "Keyword too long"))
}

/// Bits 0 to 63 → names: the well-known ones, and an account's keywords.
const BITS: u32 = 64;

/// The names of an account's flags, shared by every line that shows them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlagNames([Option<Box<str>>; BITS as usize]);

impl FlagNames {
    /// `keyword(bit)` names the account's keyword behind a bit 16..64; the well-known ones are known here.
    pub fn new(mut keyword: impl FnMut(u32) -> Option<String>) -> Arc<Self> {
        Arc::new(FlagNames(std::array::from_fn(|bit| match Flags::from_bits(1 << bit).names().next() {
            Some(name) => Some(Box::from(name)),
            None => keyword(bit as u32).map(String::into_boxed_str),
        })))
    }

    /// Only the well-known flags.
    pub fn well_known() -> Arc<Self> {
        Self::new(|_| None)
    }

    /// Names of the flags set, in the order of their bits; a bit without a name is not shown.
    pub fn of(&self, flags: Flags) -> impl Iterator<Item = &str> {
        let mut left = flags.bits();
        let lowest = std::iter::from_fn(move || {
            let bit = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (bit < BITS).then_some(bit)
        });
        lowest.filter_map(|bit| self.0.get(bit as usize)?.as_deref())
    }

    /// Every name there is.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|name| name.as_deref())
    }
}
