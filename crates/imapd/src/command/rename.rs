//! RENAME — RFC 3501 §6.3.5: with all below it; UIDs and subscriptions stay (N-06). Of INBOX the messages go,
//! and it stays.

use imap::Tagged;
use imap::command::Rename;

use super::create::nameable;
use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn rename(reader: &mut Reader, rename: &Rename) -> Outcome {
    nameable(&rename.to, reader.enabled)?;
    reader.store().rename_mailbox(reader.account(), &rename.from, &rename.to).await?;
    Ok(Tagged::ok("RENAME completed"))
}
