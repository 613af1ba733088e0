//! STLS — RFC 2595 §4: only before the login; what was known before is forgotten after it.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    *reading.user = None;
    reading.alone(Command::Stls)
}
