//! EXPUNGE — RFC 3501 §6.4.3; UID EXPUNGE — RFC 4315 §2.1: only of these UIDs those with \Deleted.

use imap::view::Chosen;
use imap::{SequenceSet, Tagged};
use mail::{Flags, Uid};

use crate::halt::Outcome;
use crate::selected::Selected;
use crate::session::Reader;

pub(super) async fn expunge(reader: &mut Reader, set: Option<&SequenceSet>) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let (selected, _) = reader.selected()?;
    selected.writable()?;
    // What another session marked meanwhile goes too.
    selected.catch_up(&store, account).await?;
    let chosen = match set {
        Some(set) => selected.view.resolve(set, true)?,
        None => selected.view.all(),
    };
    let uids = deleted(selected, &chosen);
    if !uids.is_empty() {
        store.expunge(account, selected.id, uids, true).await?;
    }
    Ok(Tagged::ok("EXPUNGE completed"))
}

/// Those that the client knows and that have \Deleted, ascending.
pub(super) fn deleted(selected: &Selected, chosen: &Chosen) -> Vec<Uid> {
    let messages = selected.view.messages(chosen).map(|(_, message)| message);
    messages.filter(|message| !message.is_gone() && message.flags.contains(Flags::DELETED)).map(|message| message.uid).collect()
}
