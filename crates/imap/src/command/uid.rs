//! UID — RFC 3501 §6.4.8, RFC 4315 §2.1 and RFC 6851 §3.2: the commands that name messages by UID.

use super::{CommandBody, copy, fetch, search, sort, store, thread};
use crate::SequenceSet;
use crate::cursor::{Bad, Cursor};

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let name = cursor.atom()?.to_ascii_uppercase();
    match name.as_slice() {
        b"FETCH" => fetch::parse(cursor, true),
        b"STORE" => store::parse(cursor, true),
        b"COPY" => copy::parse(cursor, true).map(CommandBody::Copy),
        b"MOVE" => copy::parse(cursor, true).map(CommandBody::Move),
        b"SEARCH" => search::parse(cursor, true),
        b"SORT" => sort::parse(cursor, true),
        b"THREAD" => thread::parse(cursor, true),
        b"EXPUNGE" => {
            cursor.sp()?;
            Ok(CommandBody::Expunge(Some(SequenceSet::parse(cursor)?)))
        }
        _ => Err(Bad::syntax("Unknown UID command")),
    }
}
