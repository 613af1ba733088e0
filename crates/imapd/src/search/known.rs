//! What the store keeps ready of headers, for one search.

use std::sync::Arc;

use mail::Uid;
use memchr::memmem::Finder;
use store::keys::{Head, Sought};
use store::{AccountId, Keys, Store};

use super::find::Patience;
use crate::halt::Halt;
use crate::selected::Selected;
use crate::talk::Talk;

/// Messages whose headers are read as they are: for more it pays to make the mailbox's keys.
pub(super) const FEW: usize = 100;

/// Of one message.
#[derive(Clone, Copy)]
pub(crate) struct Known<'k> {
    pub(crate) head: &'k Head,
    keys: &'k Keys,
    index: usize,
}

impl<'k> Known<'k> {
    pub(super) fn of(keys: &'k Keys, uid: Uid) -> Option<Known<'k>> {
        let index = keys.index(uid)?;
        Some(Known { head: keys.heads().get(index)?, keys, index })
    }

    /// Whether the fields hold the string; `None` if they are longer than what is kept.
    pub(super) fn holds(&self, field: Sought, value: &Finder<'_>) -> Option<bool> {
        let text = self.keys.sought(self.index, field);
        // An empty string asks whether there is a field.
        let found = if value.needle().is_empty() { !text.is_empty() } else { value.find(text).is_some() };
        (found || self.head.is_whole).then_some(found)
    }
}

/// The keys of all messages of the mailbox. Making them at the first time may take long: the client is kept company.
pub(super) async fn all(store: &Store, account: AccountId, selected: &Selected, talk: &mut Talk, patience: &mut Patience) -> Result<Arc<Keys>, Halt> {
    let uids = selected.living(&selected.view.all());
    let (store, mailbox, uidvalidity) = (store.clone(), selected.id, selected.uidvalidity);
    let making = async move { store.keys(account, mailbox, uidvalidity, &uids).await };
    Ok(patience.during(talk, making).await??)
}
