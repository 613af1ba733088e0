//! ID — RFC 2971 §3.1.
//!
//! ```text
//! id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)
//! ```

use super::CommandBody;
use crate::cursor::{Bad, Cursor};

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let mut pairs = Vec::new();
    if !cursor.take(b'(') {
        if cursor.nstring()?.is_some() {
            return Err(Bad::syntax("ID takes a list or NIL"));
        }
        cursor.trailing_spaces();
        return Ok(CommandBody::Id(pairs));
    }
    while !cursor.take(b')') {
        if !pairs.is_empty() {
            cursor.sp()?;
        }
        if pairs.len() >= cursor.limits.id_pairs {
            return Err(Bad::limit("Too many ID fields"));
        }
        pairs.push(pair(cursor)?);
    }
    cursor.trailing_spaces();
    Ok(CommandBody::Id(pairs))
}

fn pair(cursor: &mut Cursor) -> Result<(String, Option<String>), Bad> {
    let field = cursor.string()?;
    cursor.sp()?;
    let value = cursor.nstring()?;
    if field.len() > cursor.limits.id_field || value.as_ref().is_some_and(|value| value.len() > cursor.limits.id_value) {
        return Err(Bad::limit("ID field too long"));
    }
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Ok((text(&field), value.map(|value| text(&value))))
}
