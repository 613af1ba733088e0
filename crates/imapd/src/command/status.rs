//! STATUS — RFC 3501 §6.3.10, HIGHESTMODSEQ — RFC 7162 §3.1.7: from the counters, without opening the mailbox (N-09); takes nobody's \Recent.

use imap::command::{Status, StatusItem};
use imap::{Response, Tagged};
use store::Mailbox;

use crate::halt::Outcome;
use crate::no;
use crate::session::Reader;

pub(super) async fn status(reader: &mut Reader, status: Status) -> Outcome {
    let Some(mailbox) = reader.store().mailbox(reader.account(), &status.mailbox).await? else {
        return Ok(no::no_such_mailbox());
    };
    let items = status.items.into_iter().map(|item| (item, value(item, &mailbox))).collect();
    reader.talk.say(Response::Status { mailbox: status.mailbox, items }).await?;
    Ok(Tagged::ok("STATUS completed"))
}

fn value(item: StatusItem, mailbox: &Mailbox) -> u64 {
    match item {
        StatusItem::Messages => mailbox.total,
        // Of those not announced yet some may have been expunged; never more than there are.
        StatusItem::Recent => mailbox.uidnext.saturating_sub(mailbox.recent_from).min(mailbox.total),
        StatusItem::UidNext => mailbox.uidnext,
        StatusItem::UidValidity => u64::from(mailbox.uidvalidity.get()),
        StatusItem::Unseen => mailbox.unseen,
        StatusItem::HighestModSeq => mailbox.highest.get(),
    }
}
