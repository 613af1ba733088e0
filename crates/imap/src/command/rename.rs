//! RENAME — RFC 3501 §6.3.5.

use super::CommandBody;
use crate::cursor::{Bad, Cursor};
use mail::MailboxName;

#[derive(Clone, PartialEq, Debug)]
pub struct Rename {
    pub from: MailboxName,
    pub to: MailboxName,
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let from = cursor.mailbox()?;
    cursor.sp()?;
    Ok(CommandBody::Rename(Rename { from, to: cursor.mailbox()? }))
}
