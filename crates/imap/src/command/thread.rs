//! THREAD, UID THREAD — RFC 5256 §3.
//!
//! ```text
//! thread = "THREAD" SP ("ORDEREDSUBJECT" / "REFERENCES") SP charset 1*(SP search-key)
//! ```

use super::search::{Key, charset_of, keys};
use super::CommandBody;
use crate::cursor::{Bad, Cursor};

#[derive(Clone, PartialEq, Debug)]
pub struct Thread {
    pub uid: bool,
    pub algorithm: Algorithm,
    pub key: Key,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    OrderedSubject,
    References,
}

pub(crate) fn parse(cursor: &mut Cursor, uid: bool) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let algorithm = match cursor.atom()?.to_ascii_uppercase().as_slice() {
        b"ORDEREDSUBJECT" => Algorithm::OrderedSubject,
        b"REFERENCES" => Algorithm::References,
        _ => return Err(Bad::syntax("Unknown THREAD algorithm")),
    };
    cursor.sp()?;
    let charset = charset_of(cursor, None)?;
    cursor.sp()?;
    let key = keys(cursor, charset)?;
    Ok(CommandBody::Thread(Thread { uid, algorithm, key }))
}
