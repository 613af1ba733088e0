//! COPY, UID COPY — RFC 3501 §6.4.7: all or nothing; COPYUID — RFC 4315 §3.

use imap::command::Copy;
use imap::{Code, Tagged};

use crate::halt::Outcome;
use crate::no;
use crate::session::Reader;

pub(super) async fn copy(reader: &mut Reader, copy: &Copy) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let (selected, _) = reader.selected()?;
    // Before it begins: a copy to the same mailbox must not copy its copies.
    let chosen = selected.view.resolve(&copy.set, copy.uid)?;
    let uids = selected.living(&chosen);
    if !copy.uid && uids.len() < chosen.len() {
        return Ok(no::expunged());
    }
    if uids.is_empty() {
        return Ok(Tagged::ok("COPY completed, no messages found"));
    }
    let copied = store.copy(account, selected.id, uids, &copy.to).await.map_err(|error| no::target(&error))?;
    let ok = Tagged::ok("COPY completed");
    Ok(match copied.pairs.is_empty() {
        true => ok,
        false => ok.code(Code::CopyUid(copied.uidvalidity, copied.pairs)),
    })
}
