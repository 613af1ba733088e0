//! SEARCH, UID SEARCH — RFC 3501 §6.4.4. What it looks at is in `crate::search`; here messages go through it in chunks.

use std::time::Duration;

use imap::command::Search;
use imap::view::Message;
use imap::{Code, Condition, Response, Tagged};
use mail::Uid;
use tokio::time::Instant;

use super::fetch::ROWS;
use crate::halt::{Halt, Outcome};
use crate::search::{Facts, Header, Query};
use crate::selected::Selected;
use crate::session::Reader;
use crate::talk::Talk;

/// How often a client that waits hears something: it sees that we are there, and we see whether it still is.
const STILL_SEARCHING: Duration = Duration::from_secs(10);

pub(super) async fn search(reader: &mut Reader, search: &Search) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let (selected, talk) = reader.selected()?;
    let query = Query::new(&search.key, selected)?;
    let mut found = Vec::new();
    let mut last_said = Instant::now();
    let all = selected.view.all();
    let mut messages = selected.view.messages(&all);
    loop {
        let some: Vec<(u32, &Message)> = messages.by_ref().take(ROWS).collect();
        if some.is_empty() {
            break;
        }
        let mut verdicts: Vec<Option<bool>> = some.iter().map(|(seq, message)| query.judge(&Facts::of(*seq, message))).collect();
        let open: Vec<Uid> = undecided(&some, &verdicts).collect();
        if !open.is_empty() {
            let rows = store.messages(account, selected.id, &open, query.wants_structure()).await?;
            for (verdict, (seq, message)) in verdicts.iter_mut().zip(&some).filter(|(verdict, _)| verdict.is_none()) {
                let row = rows.binary_search_by_key(&message.uid, |row| row.row.uid).ok().and_then(|index| rows.get(index));
                // One that is gone matches nothing that must be looked up.
                let Some(row) = row else { continue };
                still_searching(talk, &mut last_said).await?;
                *verdict = match look(&query, &store, account, selected, *seq, message, row).await {
                    Ok(verdict) => Some(verdict),
                    Err(error @ (Halt::Body(_) | Halt::Store(db::Error::Engine(_)))) => {
                        // One broken file shall not end the search of all others.
                        tracing::error!(uid = %message.uid, %error, "a message can't be searched");
                        Some(false)
                    }
                    Err(halt) => return Err(halt),
                };
            }
        }
        let number = |(seq, message): &(u32, &Message)| if search.uid { message.uid.get() } else { *seq };
        found.extend(some.iter().zip(verdicts).filter(|(_, verdict)| *verdict == Some(true)).map(|(message, _)| number(message)));
    }
    talk.say(Response::Search(found)).await?;
    Ok(Tagged::ok("SEARCH completed"))
}

fn undecided<'m>(some: &'m [(u32, &Message)], verdicts: &'m [Option<bool>]) -> impl Iterator<Item = Uid> + 'm {
    some.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_none()).map(|((_, message), _)| message.uid)
}

/// Cheap things first: the row, then the header, then the body, each only while the verdict is open.
async fn look(
    query: &Query,
    store: &store::Store,
    account: store::AccountId,
    selected: &Selected,
    seq: u32,
    message: &Message,
    row: &store::Message,
) -> Result<bool, Halt> {
    let mut facts = Facts::of(seq, message);
    facts.row = Some(row);
    if let Some(verdict) = query.judge(&facts) {
        return Ok(verdict);
    }
    let Some(mut reader) = store.read(account, selected.id, message.uid).await? else { return Ok(false) };
    let header = Header::read(&mut reader).await?;
    facts.header = Some(&header);
    if let Some(verdict) = query.judge(&facts) {
        return Ok(verdict);
    }
    let Some(structure) = store.structure(account, selected.id, row).await? else { return Ok(false) };
    let bodies = query.search_body(&mut reader, &structure).await?;
    facts.bodies = Some(&bodies);
    Ok(query.judge(&facts).unwrap_or(false))
}

async fn still_searching(talk: &mut Talk, last_said: &mut Instant) -> Result<(), Halt> {
    if talk.is_stopping() {
        return Err(Tagged::no("The server is stopping").code(Code::Unavailable).into());
    }
    if last_said.elapsed() >= STILL_SEARCHING {
        talk.say(Condition::ok(None, "Still searching")).await?;
        *last_said = Instant::now();
    }
    Ok(())
}
