//! What SORT and THREAD know of the messages that a search found.

use std::sync::Arc;

use imap::{Code, Tagged};
use mail::Uid;
use store::keys::{Head, InOrder};
use store::{AccountId, Keys, Store};

use super::find::Patience;
use super::known;
use crate::halt::Halt;
use crate::selected::Selected;
use crate::talk::Talk;

/// Messages found, and what they are sorted by.
pub(crate) struct Keyed {
    keys: Arc<Keys>,
    /// Sequence numbers, ascending, and where their keys are.
    messages: Vec<(u32, u32)>,
}

/// Of these messages. Those that are gone are left out.
pub(crate) async fn keyed(found: &[u32], store: &Store, account: AccountId, selected: &Selected, talk: &mut Talk, patience: &mut Patience) -> Result<Keyed, Halt> {
    let living = found.iter().filter_map(|seq| selected.view.message(*seq).map(|message| (*seq, message))).filter(|(_, message)| !message.is_gone());
    let living: Vec<(u32, Uid)> = living.map(|(seq, message)| (seq, message.uid)).collect();
    let keys = match store.keys_at_hand(account, selected.id, selected.uidvalidity).filter(|keys| living.iter().all(|(_, uid)| keys.index(*uid).is_some())) {
        Some(keys) => keys,
        None if living.len() > known::FEW => known::all(store, account, selected, talk, patience).await?,
        None => {
            let uids: Vec<Uid> = living.iter().map(|(_, uid)| *uid).collect();
            Arc::new(store.keys_of(account, selected.id, &uids).await?)
        }
    };
    if living.len() > store::keys::MOST {
        return Err(Tagged::no("Too many messages to be sorted").code(Code::Limit).into());
    }
    let messages = living.into_iter().filter_map(|(seq, uid)| keys.index(uid).map(|index| (seq, index as u32))).collect();
    Ok(Keyed { keys, messages })
}

impl Keyed {
    /// Indexes of the messages, by which the others ask.
    pub(crate) fn indexes(&self) -> std::ops::Range<u32> {
        0..self.messages.len() as u32
    }

    pub(crate) fn seq(&self, index: u32) -> u32 {
        self.messages[index as usize].0
    }

    pub(crate) fn head(&self, index: u32) -> &Head {
        &self.keys.heads()[self.messages[index as usize].1 as usize]
    }

    /// When it was sent, or else came (RFC 5256 §2.2).
    pub(crate) fn sent(&self, index: u32) -> i64 {
        let head = self.head(index);
        head.sent.unwrap_or(head.arrived).unix
    }

    pub(crate) fn text(&self, index: u32, key: InOrder) -> &[u8] {
        self.keys.in_order(self.messages[index as usize].1 as usize, key)
    }

    pub(crate) fn references(&self, index: u32) -> &[u32] {
        self.keys.references(self.messages[index as usize].1 as usize)
    }

    pub(crate) fn names(&self) -> mail::thread::Names {
        self.keys.names()
    }
}
