//! DELETE — RFC 3501 §6.3.4: mailboxes below it stay, and so do subscriptions (N-05).

use imap::Tagged;
use mail::MailboxName;

use crate::halt::Outcome;
use crate::no;
use crate::session::Reader;

pub(super) async fn delete(reader: &mut Reader, name: &MailboxName) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let Some(mailbox) = store.mailbox(account, name).await? else { return Ok(no::no_such_mailbox()) };
    store.delete_mailbox(account, name).await?;
    // Who deletes what it has selected has nothing selected then; others are told with BYE (E-11).
    reader.selected.take_if(|selected| selected.id == mailbox.id);
    Ok(Tagged::ok("DELETE completed"))
}
