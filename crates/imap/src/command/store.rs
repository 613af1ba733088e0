//! STORE, UID STORE — RFC 3501 §6.4.6; UNCHANGEDSINCE — RFC 7162 §3.1.3.
//!
//! ```text
//! store = "STORE" SP sequence-set [SP "(UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
//! ```

use super::CommandBody;
use crate::SequenceSet;
use crate::cursor::{Bad, Cursor};
use crate::flags::FlagArguments;
use mail::ModSeq;

#[derive(Clone, PartialEq, Debug)]
pub struct Store {
    pub uid: bool,
    pub set: SequenceSet,
    /// Only messages that have not changed after this.
    pub unchanged_since: Option<ModSeq>,
    pub change: Change,
    /// `.SILENT`: the client doesn't want its own change told.
    pub silent: bool,
    pub flags: FlagArguments,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Replace,
    Add,
    Remove,
}

pub(crate) fn parse(cursor: &mut Cursor, uid: bool) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.sp()?;
    let mut unchanged_since = None;
    if cursor.take(b'(') {
        if !cursor.atom()?.eq_ignore_ascii_case(b"UNCHANGEDSINCE") {
            return Err(Bad::syntax("Unknown STORE modifier"));
        }
        cursor.sp()?;
        unchanged_since = Some(cursor.modseq()?);
        cursor.expect(b')')?;
        cursor.sp()?;
    }
    let change = if cursor.take(b'+') {
        Change::Add
    } else if cursor.take(b'-') {
        Change::Remove
    } else {
        Change::Replace
    };
    let silent = match cursor.atom()?.to_ascii_uppercase().as_slice() {
        b"FLAGS" => false,
        b"FLAGS.SILENT" => true,
        _ => return Err(Bad::syntax("STORE changes FLAGS")),
    };
    cursor.sp()?;
    let flags =
        if cursor.peek() == Some(b'(') { FlagArguments::parse(cursor)? } else { FlagArguments::parse_bare(cursor)? };
    Ok(CommandBody::Store(Store { uid, set, unchanged_since, change, silent, flags }))
}
