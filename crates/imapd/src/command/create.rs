//! CREATE — RFC 3501 §6.3.3: with the mailboxes above it that are not there; with a special use (RFC 6154 §3) that no other has.

use imap::command::Create;
use imap::{Code, Tagged};
use mail::{MailboxName, SpecialUse};

use crate::enabled::Enabled;
use crate::halt::{Halt, Outcome};
use crate::session::Reader;

pub(super) async fn create(reader: &mut Reader, create: &Create) -> Outcome {
    nameable(&create.mailbox, reader.enabled)?;
    let special = special_use(&create.uses)?;
    reader.store().create_mailbox(reader.account(), &create.mailbox, special).await?;
    Ok(Tagged::ok("CREATE completed"))
}

/// \All and \Flagged would show what lies in other mailboxes, which ours do not.
fn special_use(uses: &[SpecialUse]) -> Result<Option<SpecialUse>, Halt> {
    let why = match uses {
        [] => return Ok(None),
        [SpecialUse::All | SpecialUse::Flagged] => "There are no mailboxes of that kind here",
        [special] => return Ok(Some(*special)),
        _ => "A mailbox has one special use here",
    };
    Err(Tagged::no(why).code(Code::UseAttr).into())
}

/// A new mailbox can't have every name: `*` and `%` would make it one that LIST can't ask for, and on disk all elements
/// share one name of a directory (N-04).
pub(super) fn nameable(name: &MailboxName, enabled: Enabled) -> Result<(), Halt> {
    let why = if name.as_str().contains(['*', '%']) {
        "A mailbox name can't have * or %"
    } else if !name.fits_maildir() {
        "The mailbox name is too long"
    } else if enabled.rev2() && !name.is_composed() {
        // Names in modified UTF-7 are not asked for this: there are clients that always decompose them.
        "The mailbox name is not in Net-Unicode"
    } else {
        return Ok(());
    };
    Err(Tagged::no(why).code(Code::Cannot).into())
}
