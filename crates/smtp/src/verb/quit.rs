//! QUIT — RFC 5321 §4.1.1.10. An argument is no reason to keep a client that wants to go.

use super::Verb;
use crate::{Reply, Settings};

pub(super) fn parse(_: &[u8], _: &Settings) -> Result<Verb, Reply> {
    Ok(Verb::Quit)
}
