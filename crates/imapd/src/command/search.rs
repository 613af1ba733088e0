//! SEARCH, UID SEARCH — RFC 3501 §6.4.4; its extended results — RFC 4731; `$` — RFC 5182; the MODSEQ of what was found — RFC 7162
//! §3.1.5. What it looks at is in `crate::search`.

use imap::command::search::Returns;
use imap::command::Search;
use imap::response::Esearch;
use imap::{Response, Tagged};
use mail::ModSeq;

use crate::halt::Outcome;
use crate::search::{self, Patience, Query};
use crate::session::Reader;

pub(super) async fn search(reader: &mut Reader, search: &Search) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    // IMAP4rev2 knows ESEARCH alone (RFC 9051 §6.4.4).
    let returns = search.returns.or(reader.enabled.rev2().then_some(Returns::ALL));
    let mut patience = Patience::new(reader.imapd.settings().still_searching);
    let (selected, talk) = reader.selected()?;
    let query = Query::new(&search.key, selected)?;
    let saves = returns.filter(|returns| returns.save);
    if saves.is_some() {
        selected.view.save(&[]); // so it stays if this fails (RFC 5182 §2.1); the query knows what was
    }
    let mut found = search::find(query, &store, account, selected, talk, &mut patience).await?;
    if let Some(returns) = saves {
        selected.view.save(&returns.saved(&found));
    }
    let modseq = search::highest(&search.key, returns, selected, &found);
    if search.uid {
        found = selected.view.uids_of(found);
    }
    if let Some(response) = result(returns, search.uid, found, modseq) {
        talk.say(response).await?;
    }
    Ok(Tagged::ok("SEARCH completed"))
}

/// The line that tells a result, if one was asked for.
fn result(returns: Option<Returns>, uid: bool, found: Vec<u32>, modseq: Option<ModSeq>) -> Option<Response> {
    match returns {
        None => Some(Response::Search(found, modseq)),
        Some(returns) if returns.wants_line() => Some(Response::Esearch(Esearch::new(returns, uid, found).modseq(modseq))),
        Some(_) => None,
    }
}
