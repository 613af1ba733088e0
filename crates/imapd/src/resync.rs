//! What happened to a mailbox while a client was away — RFC 7162 §3.2.5, §3.2.6: what was expunged, as VANISHED (EARLIER).

use imap::command::Known;
use imap::response::{FetchItem, FetchLine, FlagList};
use imap::view::{Chosen, Message};
use imap::{Response, SequenceSet};
use mail::ModSeq;
use store::view::Since;
use store::{AccountId, Store};

use crate::halt::Halt;
use crate::selected::Selected;
use crate::talk::Talk;

/// FETCH lines made at a time.
const LINES: usize = 500;

/// Those of a set of UIDs that were expunged after `since`; `heard`: up to which UID the client knows of that.
///
/// The log has them, at the cost of what changed. Where it does not reach back so far they are all that are missing, which is
/// more than was asked for, and loses nothing (M-11).
pub(crate) async fn vanished(store: &Store, account: AccountId, selected: &Selected, set: &SequenceSet, since: ModSeq, heard: u32) -> Result<Vec<Response>, Halt> {
    if since >= selected.told() {
        return Ok(Vec::new());
    }
    let bounds = selected.uids();
    Ok(match store.changes(account, selected.id, since).await? {
        Since::Changes(changes) => selected.view.expunged(set, heard, &changes.vanished),
        Since::Forgotten => selected.view.missing(set, heard.saturating_add(1)..=*bounds.end()),
        // It is told when this command is answered.
        Since::Gone => Vec::new(),
    })
}

/// Brings a client that has just selected up to date (§3.2.5): what it knew and is gone, then what has changed.
pub(crate) async fn resync(talk: &mut Talk, store: &Store, account: AccountId, selected: &Selected, known: &Known) -> Result<(), Halt> {
    let heard = known.matches.as_ref().map_or(0, |matches| selected.view.heard_up_to(matches));
    let all = SequenceSet::all();
    let uids = known.uids.as_ref().unwrap_or(&all);
    talk.say_all(vanished(store, account, selected, uids, known.modseq, heard).await?).await?;
    let chosen = selected.view.resolve(uids, true)?;
    let changed = selected.view.changed_since(&chosen, known.modseq);
    states(talk, selected, &changed).await
}

/// UID, flags and MODSEQ of messages.
async fn states(talk: &mut Talk, selected: &Selected, chosen: &Chosen) -> Result<(), Halt> {
    let names = selected.view.names();
    let line = |(seq, message): (u32, &Message)| {
        let flags = FlagList { flags: message.flags, recent: message.recent, names: names.clone() };
        let items = vec![FetchItem::Uid(message.uid), FetchItem::Flags(flags), FetchItem::ModSeq(message.modseq)];
        Response::Fetch(FetchLine { seq, items })
    };
    let mut lines = selected.view.messages(chosen).map(line);
    loop {
        let some: Vec<Response> = lines.by_ref().take(LINES).collect();
        if some.is_empty() {
            return Ok(());
        }
        talk.say_all(some).await?;
    }
}
