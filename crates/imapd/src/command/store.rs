//! STORE, UID STORE — RFC 3501 §6.4.6.

use imap::command::Store;
use imap::command::store::Change;
use mail::Flags;

use crate::halt::Outcome;
use crate::no;
use crate::session::Reader;

pub(super) async fn store(reader: &mut Reader, command: Store) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
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
    let stored = store.set_flags(account, selected.id, uids, change, None).await?;
    let rows: Vec<_> = stored.rows.iter().map(|row| (row.uid, row.flags)).collect();
    selected.view.stored(&rows, |flags| change.apply(flags), command.silent);
    // The rest was applied (E-08); by UID, those that are not there are passed by.
    if !command.uid && rows.len() < chosen.len() {
        return Ok(no::expunged());
    }
    Ok(imap::Tagged::ok("STORE completed"))
}
