//! NOOP — RFC 1939 §5.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.alone(Command::Noop)
}
