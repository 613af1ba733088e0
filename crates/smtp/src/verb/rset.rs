//! RSET — RFC 5321 §4.1.1.5: forgets the transaction, keeps the greeting and who is logged in.

use super::{Verb, bare};
use crate::{Reply, Settings};

pub(super) fn parse(argument: &[u8], _: &Settings) -> Result<Verb, Reply> {
    bare(argument, Verb::Rset, "Syntax: RSET")
}
