//! GETQUOTA, GETQUOTAROOT, SETQUOTA — RFC 9208 §4.1.
//!
//! ```text
//! getquota     = "GETQUOTA" SP astring
//! getquotaroot = "GETQUOTAROOT" SP mailbox
//! setquota     = "SETQUOTA" SP astring SP "(" [atom SP number64 *(SP atom SP number64)] ")"
//! ```

use super::CommandBody;
use crate::cursor::{Bad, Cursor};

pub(crate) fn parse_get(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    Ok(CommandBody::GetQuota(root(cursor)?))
}

/// The limits asked for are read and forgotten: nobody may set them here.
pub(crate) fn parse_set(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let root = root(cursor)?;
    cursor.sp()?;
    cursor.expect(b'(')?;
    if cursor.take(b')') {
        return Ok(CommandBody::SetQuota(root));
    }
    loop {
        cursor.atom()?;
        cursor.sp()?;
        cursor.number64()?;
        if cursor.take(b')') {
            return Ok(CommandBody::SetQuota(root));
        }
        cursor.sp()?;
    }
}

/// One that is not UTF-8 is none of ours, whatever it is read as.
fn root(cursor: &mut Cursor) -> Result<String, Bad> {
    Ok(String::from_utf8_lossy(&cursor.astring()?).into_owned())
}
