//! VRFY — RFC 5321 §4.1.1.6, §7.3: always 252, for to say who exists is to help who guesses.

use super::Verb;
use crate::reply::shown;
use crate::{Reply, Settings};
use mail::Status;

/// Octets of the argument that the answer repeats.
const REPEATED: usize = 320;

pub(super) fn parse(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    if settings.vrfy_disabled {
        return Err(Reply::VRFY_OFF);
    }
    if argument.is_empty() {
        return Err(Reply::fixed(501, Status(5, 5, 4), "Syntax: VRFY address"));
    }
    Ok(Verb::Vrfy(shown(argument, REPEATED)))
}

/// "Cannot verify, but will take the message and try" (§3.5.3).
pub(crate) fn perhaps(argument: String) -> Reply {
    Reply::new(252, Status(2, 0, 0), argument)
}
