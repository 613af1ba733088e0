//! CLOSE — RFC 3501 §6.4.2: expunges without a word, but not in EXAMINE (E-10). UNSELECT — RFC 3691 — doesn't expunge.

use imap::Tagged;

use super::expunge::deleted;
use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn close(reader: &mut Reader) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    reader.selected()?;
    let Some(mut selected) = reader.selected.take() else { return Ok(Tagged::ok("CLOSE completed")) };
    if !selected.read_only {
        selected.catch_up(&store, account).await?;
        let all = selected.view.all();
        let uids = deleted(&selected, &all);
        if !uids.is_empty() {
            store.expunge(account, selected.id, uids, true).await?;
        }
    }
    Ok(Tagged::ok("CLOSE completed"))
}

pub(super) fn unselect(reader: &mut Reader) -> Outcome {
    reader.selected()?;
    reader.selected = None;
    Ok(Tagged::ok("UNSELECT completed"))
}
