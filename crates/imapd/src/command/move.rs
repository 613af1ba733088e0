//! MOVE, UID MOVE — RFC 6851: each message is in one mailbox or the other, never in both and never in none.
//!
//! What is gone already was moved or expunged by another, which is what this client wants too: OK, for Apple's clients bring
//! a message back whose MOVE was refused.

use imap::command::Copy;
use imap::{Code, Condition, Tagged};

use crate::halt::Outcome;
use crate::no;
use crate::session::Reader;

pub(super) async fn r#move(reader: &mut Reader, copy: &Copy) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let (selected, talk) = reader.selected()?;
    selected.writable()?;
    // Before it begins: a move to the same mailbox must not move what it has moved.
    let chosen = selected.view.resolve(&copy.set, copy.uid)?;
    let uids = selected.living(&chosen);
    if uids.is_empty() {
        return Ok(Tagged::ok("MOVE completed, no messages found"));
    }
    let moved = store.r#move(account, selected.id, uids, &copy.to).await.map_err(|error| no::target(&error))?;
    if moved.pairs.is_empty() {
        return Ok(Tagged::ok("MOVE completed, no messages found"));
    }
    // Before the EXPUNGEs that end this command: a client that has lost a message can't make much of its new UID (§4.3).
    let code = Code::CopyUid(moved.uidvalidity, moved.pairs);
    talk.say(Condition::ok(Some(code), "Moved")).await?;
    Ok(Tagged::ok("MOVE completed"))
}
