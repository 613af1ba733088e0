//! NOOP — RFC 3501 §6.1.2: does nothing, and so is the polite moment to tell what changed. CHECK — §6.4.1 — needs a mailbox,
//! and has nothing to do: what was answered is durable.

use imap::Tagged;

use crate::halt::Outcome;
use crate::session::Reader;

pub(crate) fn noop() -> Tagged {
    Tagged::ok("NOOP completed")
}

pub(crate) fn check(reader: &mut Reader) -> Outcome {
    reader.selected()?;
    Ok(Tagged::ok("CHECK completed"))
}
