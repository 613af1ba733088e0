//! STORE, UID STORE — RFC 3501 §6.4.6; UNCHANGEDSINCE — RFC 7162 §3.1.3.

use imap::command::Store;
use imap::command::store::Change;
use imap::view::Report;
use imap::{Code, SequenceSet, Tagged};
use mail::{Flags, Uid};
use std::num::NonZeroU32;

use crate::halt::Outcome;
use crate::no;
use crate::selected::{Selected, flagged};
use crate::session::Reader;

pub(super) async fn store(reader: &mut Reader, command: Store) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let enabled = reader.enabled;
    let (selected, _) = reader.selected()?;
    selected.writable()?;
    let chosen = selected.view.resolve(&command.set, command.uid)?;
    let uids = selected.living(&chosen);
    let keywords = match command.change {
        // What nobody named can't be taken away, and need not be named for it.
        Change::Remove => command.flags.keywords.iter().filter_map(|name| selected.keyword(name)).fold(Flags::EMPTY, |all, flag| all | flag),
        Change::Add | Change::Replace => store.keyword_flags(account, &command.flags.keywords).await?,
    };
    let flags = command.flags.flags | keywords;
    let change = match command.change {
        Change::Add => store::Change::Add(flags),
        Change::Remove => store::Change::Remove(flags),
        Change::Replace => store::Change::Replace(flags),
    };
    let stored = store.set_flags(account, selected.id, uids, change, command.unchanged_since).await?;
    let rows: Vec<_> = stored.rows.iter().map(flagged).collect();
    let report = match command.silent {
        false => Report::Flags,
        true if enabled.condstore() => Report::ModSeq,
        true => Report::Nothing,
    };
    selected.view.stored(&rows, |flags| change.apply(flags), report);
    // How those are that were left alone spares the client a question.
    selected.view.report(&stored.modified);
    // The rest was applied (E-08); by UID, those that are not there are passed by.
    let complete = command.uid || rows.len() + stored.modified.len() == chosen.len();
    let tagged = if complete { Tagged::ok("STORE completed") } else { no::expunged() };
    Ok(match modified(selected, &stored.modified, command.uid) {
        Some(set) => tagged.code(Code::Modified(set)),
        None => tagged,
    })
}

/// Messages as the client named them.
fn modified(selected: &Selected, uids: &[Uid], by_uid: bool) -> Option<SequenceSet> {
    let number = |uid: &Uid| if by_uid { Some(uid.get()) } else { selected.view.seq_of(*uid) };
    SequenceSet::of_numbers(uids.iter().filter_map(number).filter_map(NonZeroU32::new))
}
