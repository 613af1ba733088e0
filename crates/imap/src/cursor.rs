//! Reading the terminals of RFC 3501 §9 from a command that lies whole in memory.

use crate::{Limits, Names};
use crate::response::{Code, Tagged};
use mail::{Date, MailboxName, ModSeq};
use std::borrow::Cow;
use std::num::NonZeroU32;

/// Why a command is not taken.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Bad {
    /// All was well so far, and the literal it ends in is still to come.
    NeedsLiteral,
    /// `BAD`: not the language.
    Syntax(Option<Code>, &'static str),
    /// `NO`: the language, but never possible here.
    Refused(Code, &'static str),
    /// `NO`: a search in a charset that is not known here. `saves`: its result was to be `$`, which so is empty (RFC 5182 §2.1).
    Charset { saves: bool },
}

impl Bad {
    pub fn syntax(text: &'static str) -> Self {
        Bad::Syntax(None, text)
    }

    /// More of something than [`Limits`] allows.
    pub fn limit(text: &'static str) -> Self {
        Bad::Syntax(Some(Code::Limit), text)
    }

    pub fn no(code: Code, text: &'static str) -> Self {
        Bad::Refused(code, text)
    }

    pub fn tagged(self) -> Tagged {
        match self {
            Bad::NeedsLiteral => Tagged::bad("Literal expected"),
            Bad::Syntax(None, text) => Tagged::bad(text),
            Bad::Syntax(Some(code), text) => Tagged::bad(text).code(code),
            Bad::Refused(code, text) => Tagged::no(text).code(code),
            Bad::Charset { .. } => Tagged::no("Unknown charset").code(Code::BadCharset(CHARSETS.map(Into::into).to_vec())),
        }
    }
}

/// The charsets named in a refusal; others are known too.
const CHARSETS: [&str; 2] = ["US-ASCII", "UTF-8"];

pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// Not whole: behind the text comes the literal it ends in.
    whole: bool,
    pub limits: &'a Limits,
    /// How mailbox names are written.
    pub names: Names,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a [u8], whole: bool, limits: &'a Limits) -> Self {
        Cursor { rest: text, whole, limits, names: Names::default() }
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything left, taken.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn skip(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Takes this byte if it is next.
    pub fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        if is {
            self.skip(1);
        }
        is
    }

    pub fn expect(&mut self, byte: u8) -> Result<(), Bad> {
        if self.take(byte) {
            return Ok(());
        }
        Err(Bad::syntax(match byte {
            b'(' => "( expected",
            b')' => ") expected",
            b'[' => "[ expected",
            b']' => "] expected",
            b'"' => "\" expected",
            _ => "Invalid arguments",
        }))
    }

    /// Exactly one space (C-13).
    pub fn sp(&mut self) -> Result<(), Bad> {
        if self.at_end() {
            return Err(Bad::syntax("Missing arguments"));
        }
        if self.take(b' ') { Ok(()) } else { Err(Bad::syntax("One space expected")) }
    }

    pub fn trailing_spaces(&mut self) {
        self.run(|byte| byte == b' ');
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), Bad> {
        if self.at_end() { Ok(()) } else { Err(Bad::syntax("Nothing expected after the arguments")) }
    }

    /// The longest run of such bytes, perhaps none.
    pub fn run(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = run(self.rest, is).len();
        self.skip(length)
    }

    pub fn peek_atom(&self) -> &'a [u8] {
        run(self.rest, is_atom_char)
    }

    pub fn skip_atom(&mut self) {
        self.run(is_atom_char);
    }

    /// `atom = 1*ATOM-CHAR`
    pub fn atom(&mut self) -> Result<&'a [u8], Bad> {
        let atom = self.run(is_atom_char);
        if atom.is_empty() { Err(Bad::syntax("Invalid arguments")) } else { Ok(atom) }
    }

    /// `number`, 32 bits.
    pub fn number(&mut self) -> Result<u32, Bad> {
        let number = self.number64()?;
        u32::try_from(number).map_err(|_| Bad::syntax("Number too large"))
    }

    pub fn nz_number(&mut self) -> Result<NonZeroU32, Bad> {
        let leading_zero = self.peek() == Some(b'0');
        match NonZeroU32::new(self.number()?) {
            Some(number) if !leading_zero => Ok(number),
            _ => Err(Bad::syntax("Number must not begin with 0")),
        }
    }

    /// A number of 63 bits.
    pub fn number64(&mut self) -> Result<u64, Bad> {
        let digits = self.run(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return Err(Bad::syntax("Number expected"));
        }
        number(digits).ok_or(Bad::syntax("Number too large"))
    }

    /// A number of 63 bits that is not 0.
    pub fn nz_number64(&mut self) -> Result<u64, Bad> {
        let leading_zero = self.peek() == Some(b'0');
        self.number64().and_then(|number| if leading_zero { Err(Bad::syntax("Number must not begin with 0")) } else { Ok(number) })
    }

    /// `mod-sequence-valzer` (RFC 7162 §7). Also where it should not be 0: some clients say `CHANGEDSINCE 0`.
    pub fn modseq(&mut self) -> Result<ModSeq, Bad> {
        self.number64().map(ModSeq::new)
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub fn astring(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        self.string_or(is_astring_char)
    }

    /// An `astring` that may hold 8-bit octets without quotes: passwords and search strings come so.
    pub fn astring_8bit(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        self.string_or(|byte| is_astring_char(byte) || byte >= 0x80)
    }

    /// `list-mailbox = 1*(ATOM-CHAR / "%" / "*" / "]") / string`
    pub fn list_mailbox(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        self.string_or(|byte| is_astring_char(byte) || matches!(byte, b'%' | b'*'))
    }

    fn string_or(&mut self, is: impl Fn(u8) -> bool) -> Result<Cow<'a, [u8]>, Bad> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return self.string();
        }
        let run = self.run(is);
        if run.is_empty() { Err(Bad::syntax("String expected")) } else { Ok(Cow::Borrowed(run)) }
    }

    /// `string = quoted / literal`
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(Bad::syntax("String expected")),
        }
    }

    pub fn nstring(&mut self) -> Result<Option<Cow<'a, [u8]>>, Bad> {
        if self.peek_atom().eq_ignore_ascii_case(b"NIL") {
            self.skip_atom();
            return Ok(None);
        }
        self.string().map(Some)
    }

    /// 8-bit octets are let through: what they mean is for the argument to say. CR, LF and NUL are not.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, Bad> {
        self.expect(b'"')?;
        let plain = self.run(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.take(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.skip(1) {
                b"\"" => return Ok(Cow::Owned(text)),
                b"\\" => match self.skip(1) {
                    [quoted @ (b'"' | b'\\')] => text.push(*quoted),
                    _ => return Err(Bad::syntax("Invalid escape in a quoted string")),
                },
                [byte] if !matches!(byte, b'\r' | b'\n' | 0) => text.push(*byte),
                _ => return Err(Bad::syntax("Unterminated quoted string")),
            }
        }
    }

    /// `literal = "{" number ["+"] "}" CRLF *CHAR8`; its octets lie in the command.
    fn literal(&mut self) -> Result<&'a [u8], Bad> {
        let (size, _) = self.literal_header()?;
        if self.at_end() && !self.whole {
            return Err(Bad::NeedsLiteral);
        }
        let octets = usize::try_from(size).ok().and_then(|size| self.rest.get(..size));
        let octets = octets.ok_or(Bad::syntax("Literal cut short"))?;
        self.skip(octets.len());
        if octets.contains(&0) {
            return Err(Bad::syntax("NUL in a literal"));
        }
        Ok(octets)
    }

    /// The announcement of a literal, with its CRLF: size, and whether the client waits for `+`.
    pub fn literal_header(&mut self) -> Result<(u64, bool), Bad> {
        let invalid = || Bad::syntax("Literal expected");
        if !self.take(b'{') {
            return Err(invalid());
        }
        let size = self.number64().map_err(|_| invalid())?;
        let waits = !self.take(b'+');
        if self.take(b'}') && self.take(b'\r') && self.take(b'\n') { Ok((size, waits)) } else { Err(invalid()) }
    }

    /// `mailbox = "INBOX" / astring`
    pub fn mailbox(&mut self) -> Result<MailboxName, Bad> {
        let name = self.astring()?;
        self.names.read(&name).map_err(|_| Bad::no(Code::Cannot, "Mailbox name is not possible here"))
    }

    /// `date-time`, with its quotes.
    pub fn date_time(&mut self) -> Result<Date, Bad> {
        let text = self.quoted()?;
        let text = std::str::from_utf8(&text).ok();
        text.and_then(Date::parse_imap).ok_or(Bad::syntax("Invalid date-time"))
    }
}

/// The longest run of such bytes at the start of a text.
pub(crate) fn run(text: &[u8], is: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().position(|&byte| !is(byte)).unwrap_or(text.len());
    text.get(..length).unwrap_or_default()
}

/// Digits as a number of 63 bits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    let number = digits.iter().try_fold(0u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    })?;
    (number <= i64::MAX as u64).then_some(number)
}

/// Any character but controls, 8-bit and `( ) { SP % * " \ ]`.
pub(crate) fn is_atom_char(byte: u8) -> bool {
    (0x21..0x7f).contains(&byte) && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

pub(crate) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

/// `tag = 1*<any ASTRING-CHAR except "+">`
pub(crate) fn is_tag_char(byte: u8) -> bool {
    is_astring_char(byte) && byte != b'+'
}
