//! DELE — RFC 1939 §5: marks a message; QUIT removes it.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.number().map(Command::Dele)
}
