//! ```text
//! compress  = "COMPRESS" SP algorithm      RFC 4978 §5
//! algorithm = "DEFLATE"
//! ```

use super::CommandBody;
use crate::cursor::{Bad, Cursor};

pub(super) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    match cursor.atom()?.eq_ignore_ascii_case(b"DEFLATE") {
        true => Ok(CommandBody::Compress),
        false => Err(Bad::syntax("The one algorithm is DEFLATE")),
    }
}
