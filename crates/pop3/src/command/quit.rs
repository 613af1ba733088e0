//! QUIT — RFC 1939 §4 before the login, §6 after it: the only way into UPDATE.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.alone(Command::Quit)
}
