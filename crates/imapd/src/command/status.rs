//! STATUS — RFC 3501 §6.3.10: from the counters, without opening the mailbox (N-09); takes nobody's \Recent. HIGHESTMODSEQ — RFC
//! 7162 §3.1.7, SIZE — RFC 8438, DELETED and DELETED-STORAGE — RFC 9208 §4.1.4, APPENDLIMIT — RFC 7889 §4.

use std::collections::HashMap;

use imap::command::{Status, StatusItem};
use imap::{Response, Tagged};
use store::{Mailbox, MailboxId};

use crate::halt::Outcome;
use crate::no;
use crate::session::Reader;

pub(super) async fn status(reader: &mut Reader, status: &Status) -> Outcome {
    let Some(mailbox) = reader.store().mailbox(reader.account(), &status.mailbox).await? else {
        return Ok(no::no_such_mailbox());
    };
    let sums = Sums::of(reader, &status.items, Some(mailbox.id)).await?;
    reader.talk.say(sums.line(&mailbox, &status.items)).await?;
    Ok(Tagged::ok("STATUS completed"))
}

/// What the row of a mailbox does not say.
pub(super) struct Sums {
    append_limit: u64,
    /// Octets with \Deleted, if they are asked for.
    deleted: HashMap<MailboxId, u64>,
}

impl Sums {
    /// For one mailbox or for all.
    pub(super) async fn of(reader: &Reader, items: &[StatusItem], mailbox: Option<MailboxId>) -> Result<Sums, db::Error> {
        let deleted = match items.contains(&StatusItem::DeletedStorage) {
            true => reader.store().deleted_bytes(reader.account(), mailbox).await?,
            false => HashMap::new(),
        };
        Ok(Sums { append_limit: reader.imapd.settings().append_limit, deleted })
    }

    pub(super) fn line(&self, mailbox: &Mailbox, items: &[StatusItem]) -> Response {
        let items = items.iter().map(|item| (*item, self.value(*item, mailbox))).collect();
        Response::Status { mailbox: mailbox.name.clone(), items }
    }

    fn value(&self, item: StatusItem, mailbox: &Mailbox) -> u64 {
        match item {
            StatusItem::Messages => mailbox.total,
            // Of those not announced yet some may have been expunged; never more than there are.
            StatusItem::Recent => mailbox.uidnext.saturating_sub(mailbox.recent_from).min(mailbox.total),
            StatusItem::UidNext => mailbox.uidnext,
            StatusItem::UidValidity => u64::from(mailbox.uidvalidity.get()),
            StatusItem::Unseen => mailbox.unseen,
            StatusItem::HighestModSeq => mailbox.highest.get(),
            StatusItem::Deleted => mailbox.deleted,
            StatusItem::Size => mailbox.bytes,
            StatusItem::DeletedStorage => self.deleted.get(&mailbox.id).copied().unwrap_or(0),
            StatusItem::AppendLimit => self.append_limit,
        }
    }
}
