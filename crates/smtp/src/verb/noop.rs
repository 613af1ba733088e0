//! NOOP — RFC 5321 §4.1.1.9: any argument is ignored.

use super::Verb;
use crate::{Reply, Settings};

pub(super) fn parse(_: &[u8], _: &Settings) -> Result<Verb, Reply> {
    Ok(Verb::Noop)
}
