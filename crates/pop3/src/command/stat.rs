//! STAT — RFC 1939 §5: messages and octets, without those marked deleted.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.alone(Command::Stat)
}
