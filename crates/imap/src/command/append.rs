//! APPEND — RFC 3501 §6.3.11; several messages — RFC 3502; literal8 — RFC 3516 §4.4. Each message follows as `Body` events, once the
//! handler said `Go`.
//!
//! ```text
//! append         = "APPEND" SP mailbox 1*append-message
//! append-message = [SP flag-list] [SP date-time] SP (literal / "~" literal)
//! ```

use super::CommandBody;
use crate::cursor::{Bad, Cursor};
use crate::flags::FlagArguments;
use mail::{Date, MailboxName};

#[derive(Clone, PartialEq, Debug)]
pub struct Append {
    pub mailbox: MailboxName,
    /// The first message; others come as [`CommandBody::AppendMore`].
    pub message: Message,
}

/// What is said of a message before its octets come.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    pub flags: FlagArguments,
    /// The INTERNALDATE asked for; else it is now.
    pub date: Option<Date>,
    /// Octets of the literal: not limited here, refuse what is too much before `Go`. None at all cancel the APPEND: it is to be
    /// answered with NO (RFC 3502 §6.3.11).
    pub size: u64,
    /// `{n}`: the client waits for `+`. Else (`{n+}`) the message is already on its way.
    pub waits: bool,
    /// literal8: there may be NUL in it.
    pub binary: bool,
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let mailbox = cursor.mailbox()?;
    Ok(CommandBody::Append(Append { mailbox, message: message(cursor)? }))
}

/// What follows a message in its APPEND, up to and with the announcement of the next one.
pub(crate) fn parse_more(cursor: &mut Cursor) -> Result<Message, Bad> {
    let message = message(cursor)?;
    cursor.end()?;
    Ok(message)
}

fn message(cursor: &mut Cursor) -> Result<Message, Bad> {
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
    let binary = cursor.take(b'~');
    let (size, waits) = cursor.literal_header()?;
    Ok(Message { flags, date, size, waits, binary })
}
