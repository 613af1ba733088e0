//! DATA — RFC 5321 §4.1.1.4. What comes after 354 is `dialogue::Dots`' to read.

use super::{Verb, bare};
use crate::{Reply, Settings};

pub(super) fn parse(argument: &[u8], _: &Settings) -> Result<Verb, Reply> {
    bare(argument, Verb::Data, "Syntax: DATA")
}
