//! SUBSCRIBE, UNSUBSCRIBE — RFC 3501 §6.3.6, §6.3.7. A subscription outlives its mailbox, but begins with one: else names
//! without end could be kept (N-10).

use imap::Tagged;
use mail::MailboxName;

use crate::halt::Outcome;
use crate::no;
use crate::session::Reader;

pub(super) async fn subscribe(reader: &mut Reader, name: &MailboxName) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    if store.mailbox(account, name).await?.is_none() {
        return Ok(no::no_such_mailbox());
    }
    store.subscribe(account, name).await?;
    Ok(Tagged::ok("SUBSCRIBE completed"))
}

pub(super) async fn unsubscribe(reader: &mut Reader, name: &MailboxName) -> Outcome {
    reader.store().unsubscribe(reader.account(), name).await?;
    Ok(Tagged::ok("UNSUBSCRIBE completed"))
}
