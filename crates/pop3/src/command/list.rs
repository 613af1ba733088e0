//! LIST — RFC 1939 §5: sizes, of one message or of all not marked deleted.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.maybe_number().map(Command::List)
}
