//! UIDL — RFC 1939 §7: names that last, of one message or of all not marked deleted.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.maybe_number().map(Command::Uidl)
}
