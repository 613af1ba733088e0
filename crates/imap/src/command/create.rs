//! CREATE — RFC 3501 §6.3.3; with a special use — RFC 6154 §3.
//!
//! ```text
//! create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]        RFC 4466 §2.2, 6154 §6
//! ```

use super::CommandBody;
use crate::cursor::{Bad, Cursor};
use crate::response::Code;
use mail::{MailboxName, SpecialUse};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Create {
    pub mailbox: MailboxName,
    /// What it is to be used for; each once.
    pub uses: Vec<SpecialUse>,
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let mailbox = cursor.mailbox()?;
    let mut uses = Vec::new();
    if !cursor.at_end() {
        cursor.sp()?;
        cursor.expect(b'(')?;
        if !cursor.atom()?.eq_ignore_ascii_case(b"USE") {
            return Err(Bad::syntax("Unknown CREATE parameter"));
        }
        cursor.sp()?;
        uses = use_attributes(cursor)?;
        cursor.expect(b')')?;
    }
    Ok(CommandBody::Create(Create { mailbox, uses }))
}

/// One that is not known is no fault of language (`use-attr-ext`), but can't be given.
fn use_attributes(cursor: &mut Cursor) -> Result<Vec<SpecialUse>, Bad> {
    cursor.expect(b'(')?;
    let mut uses = Vec::new();
    let mut unknown = false;
    if cursor.take(b')') {
        return Ok(uses);
    }
    loop {
        cursor.expect(b'\\')?;
        let attribute = [b"\\", cursor.atom()?].concat();
        match std::str::from_utf8(&attribute).ok().and_then(SpecialUse::of_flag) {
            Some(special) if uses.contains(&special) => {}
            Some(special) => uses.push(special),
            None => unknown = true,
        }
        if cursor.take(b')') {
            return if unknown { Err(Bad::no(Code::UseAttr, "Unknown special use")) } else { Ok(uses) };
        }
        cursor.sp()?;
    }
}
