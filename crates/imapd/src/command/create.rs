//! CREATE — RFC 3501 §6.3.3: with the mailboxes above it that are not there.

use imap::{Code, Tagged};
use mail::MailboxName;

use crate::halt::{Halt, Outcome};
use crate::session::Reader;

pub(super) async fn create(reader: &mut Reader, name: &MailboxName) -> Outcome {
    nameable(name)?;
    reader.store().create_mailbox(reader.account(), name, None).await?;
    Ok(Tagged::ok("CREATE completed"))
}

/// A new mailbox can't have every name: `*` and `%` would make it one that LIST can't ask for, and on disk all elements
/// share one name of a directory (N-04).
pub(super) fn nameable(name: &MailboxName) -> Result<(), Halt> {
    let why = if name.as_str().contains(['*', '%']) {
        "A mailbox name can't have * or %"
    } else if !name.fits_maildir() {
        "The mailbox name is too long"
    } else {
        return Ok(());
    };
    Err(Tagged::no(why).code(Code::Cannot).into())
}
