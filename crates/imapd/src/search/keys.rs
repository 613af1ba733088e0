//! What SORT and THREAD know of the messages that a search found.

use mail::sorting::SortKeys;
use mail::{Date, Uid};
use store::{AccountId, Store};

use super::Header;
use super::find::Patience;
use crate::ahead::Ahead;
use crate::command::fetch::ROWS;
use crate::halt::Halt;
use crate::selected::Selected;
use crate::talk::Talk;

/// A message found, and what it is sorted by.
pub(crate) struct Keyed {
    pub(crate) seq: u32,
    pub(crate) arrived: Date,
    pub(crate) size: u64,
    pub(crate) header: SortKeys,
}

impl Keyed {
    /// When it was sent, or else came (RFC 5256 §2.2).
    pub(crate) fn sent(&self) -> i64 {
        self.header.sent.unwrap_or(self.arrived).unix
    }
}

/// Of these messages, in this order. Those that are gone are left out; one that can't be read has only what its row says.
pub(crate) async fn keyed(found: &[u32], store: &Store, account: AccountId, selected: &Selected, talk: &mut Talk) -> Result<Vec<Keyed>, Halt> {
    let mailbox = selected.id;
    let mut patience = Patience::new();
    let mut all = Vec::with_capacity(found.len());
    for some in found.chunks(ROWS) {
        let uids: Vec<Uid> = some.iter().filter_map(|seq| selected.view.message(*seq)).map(|message| message.uid).collect();
        let rows = store.messages(account, mailbox, &uids, false).await?;
        let mut headers = Ahead::new(rows.iter().map(|row| {
            let (store, uid) = (store.clone(), row.row.uid);
            async move {
                let keys = header_keys(&store, account, mailbox, uid).await;
                keys.inspect_err(|error| tracing::error!(%uid, %error, "a message can't be sorted by its header")).unwrap_or_default()
            }
        }));
        for row in &rows {
            patience.still_there(talk).await?;
            let (Some(header), Some(seq)) = (headers.next().await, selected.view.seq_of(row.row.uid)) else { continue };
            all.push(Keyed { seq, arrived: row.internaldate, size: row.size, header });
        }
    }
    Ok(all)
}

async fn header_keys(store: &Store, account: AccountId, mailbox: store::MailboxId, uid: Uid) -> Result<SortKeys, Halt> {
    let Some(mut reader) = store.read(account, mailbox, uid).await? else { return Ok(SortKeys::default()) };
    Ok(SortKeys::of_header(&Header::read(&mut reader).await?.0))
}
