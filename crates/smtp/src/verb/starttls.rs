//! STARTTLS — RFC 3207 §4.

use super::{Verb, bare};
use crate::{Reply, Settings};

pub(super) fn parse(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    if !settings.starttls {
        return Err(Reply::NOT_IMPLEMENTED);
    }
    bare(argument, Verb::StartTls, "Syntax: STARTTLS")
}
