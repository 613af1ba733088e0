//! APPEND — RFC 3501 §6.3.11. The message follows as `Body` events, once the handler said `Go`.
//!
//! ```text
//! append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal
//! ```

use super::CommandBody;
use crate::cursor::{Bad, Cursor};
use crate::flags::FlagArguments;
use mail::{Date, MailboxName};

#[derive(Clone, PartialEq, Debug)]
pub struct Append {
    pub mailbox: MailboxName,
    pub flags: FlagArguments,
    /// The INTERNALDATE asked for; else it is now.
    pub date: Option<Date>,
    /// Octets of the literal: not limited here, refuse what is too much before `Go`.
    pub size: u64,
    /// `{n}`: the client waits for `+`. Else (`{n+}`) the message is already on its way.
    pub waits: bool,
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let mailbox = cursor.mailbox()?;
    cursor.sp()?;
    let mut flags = FlagArguments::none();
    if cursor.peek() == Some(b'(') {
        flags = FlagArguments::parse(cursor)?;
        cursor.sp()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        date = Some(cursor.date_time()?);
        cursor.sp()?;
    }
    let (size, waits) = cursor.literal_header()?;
    Ok(CommandBody::Append(Append { mailbox, flags, date, size, waits }))
}
