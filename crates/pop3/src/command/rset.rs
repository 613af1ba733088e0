//! RSET — RFC 1939 §5: takes all marks away.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.alone(Command::Rset)
}
