//! The commands whose one argument is a mailbox: SELECT, EXAMINE, DELETE, SUBSCRIBE, UNSUBSCRIBE — RFC 3501 §6.3.1 to §6.3.7;
//! GETQUOTAROOT — RFC 9208.

use crate::cursor::{Bad, Cursor};
use mail::MailboxName;

pub(crate) fn parse(cursor: &mut Cursor) -> Result<MailboxName, Bad> {
    cursor.sp()?;
    cursor.mailbox()
}
