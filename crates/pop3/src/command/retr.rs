//! RETR — RFC 1939 §5: a message.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.number().map(Command::Retr)
}
