//! COPY, UID COPY — RFC 3501 §6.4.7; MOVE, UID MOVE — RFC 6851 §3 — with the same arguments.

use crate::SequenceSet;
use crate::cursor::{Bad, Cursor};
use mail::MailboxName;

#[derive(Clone, PartialEq, Debug)]
pub struct Copy {
    pub uid: bool,
    pub set: SequenceSet,
    pub to: MailboxName,
}

pub(crate) fn parse(cursor: &mut Cursor, uid: bool) -> Result<Copy, Bad> {
    cursor.sp()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.sp()?;
    Ok(Copy { uid, set, to: cursor.mailbox()? })
}
