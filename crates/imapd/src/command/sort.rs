//! SORT, UID SORT — RFC 5256 §3; DISPLAYFROM, DISPLAYTO — RFC 5957; its extended results — RFC 5267 §3.

use std::cmp::Ordering;

use imap::command::Sort;
use imap::command::search::Returns;
use imap::command::sort::{By, Criterion};
use imap::response::Esearch;
use imap::{Response, Tagged};
use mail::ModSeq;

use crate::halt::Outcome;
use crate::search::{self, Keyed, Query};
use crate::session::Reader;

pub(super) async fn sort(reader: &mut Reader, sort: &Sort) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let (selected, talk) = reader.selected()?;
    let query = Query::new(&sort.key, selected)?;
    let saves = sort.returns.filter(|returns| returns.save);
    if saves.is_some() {
        selected.view.save(&[]); // as in SEARCH
    }
    let found = search::find(query, &store, account, selected, talk).await?;
    let mut keyed = search::keyed(&found, &store, account, selected, talk).await?;
    // A stable sort: what is alike stays by number.
    keyed.sort_by(|a, b| compare(&sort.criteria, a, b));
    let mut sorted: Vec<u32> = keyed.iter().map(|message| message.seq).collect();
    if let Some(returns) = saves {
        selected.view.save(&returns.saved(&sorted));
    }
    let modseq = search::highest(&sort.key, sort.returns, selected, &sorted);
    if sort.uid {
        sorted = selected.view.uids_of(sorted);
    }
    if let Some(response) = result(sort.returns, sort.uid, sorted, modseq) {
        talk.say(response).await?;
    }
    Ok(Tagged::ok("SORT completed"))
}

/// The line that tells a result, if one was asked for.
fn result(returns: Option<Returns>, uid: bool, sorted: Vec<u32>, modseq: Option<ModSeq>) -> Option<Response> {
    match returns {
        None => Some(Response::Sort(sorted, modseq)),
        Some(returns) if returns.wants_line() => Some(Response::Esearch(Esearch::new(returns, uid, sorted).modseq(modseq))),
        Some(_) => None,
    }
}

fn compare(criteria: &[Criterion], a: &Keyed, b: &Keyed) -> Ordering {
    let mut orders = criteria.iter().map(|criterion| {
        let order = by(criterion.by, a, b);
        if criterion.reverse { order.reverse() } else { order }
    });
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn by(by: By, a: &Keyed, b: &Keyed) -> Ordering {
    match by {
        By::Arrival => a.arrived.unix.cmp(&b.arrived.unix),
        By::Date => a.sent().cmp(&b.sent()),
        By::Size => a.size.cmp(&b.size),
        By::Subject => a.header.subject.cmp(&b.header.subject),
        By::From => a.header.from.cmp(&b.header.from),
        By::To => a.header.to.cmp(&b.header.to),
        By::Cc => a.header.cc.cmp(&b.header.cc),
        By::DisplayFrom => a.header.display_from.cmp(&b.header.display_from),
        By::DisplayTo => a.header.display_to.cmp(&b.header.display_to),
    }
}
