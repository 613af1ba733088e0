//! SORT, UID SORT — RFC 5256 §3; DISPLAYFROM, DISPLAYTO — RFC 5957; its extended results — RFC 5267 §3.

use std::cmp::{Ordering, Reverse};

use imap::command::Sort;
use imap::command::search::Returns;
use imap::command::sort::{By, Criterion};
use imap::response::Esearch;
use imap::{Response, Tagged};
use mail::ModSeq;
use store::keys::InOrder;

use crate::halt::Outcome;
use crate::search::{self, Keyed, Patience, Query};
use crate::session::Reader;

pub(super) async fn sort(reader: &mut Reader, sort: &Sort) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let mut patience = Patience::new(reader.imapd.settings().still_searching);
    let (selected, talk) = reader.selected()?;
    let query = Query::new(&sort.key, selected)?;
    let saves = sort.returns.filter(|returns| returns.save);
    if saves.is_some() {
        selected.view.save(&[]); // as in SEARCH
    }
    let found = search::find(query, &store, account, selected, talk, &mut patience).await?;
    let keyed = search::keyed(&found, &store, account, selected, talk, &mut patience).await?;
    let mut sorted = sorted(&keyed, &sort.criteria);
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

/// Sequence numbers in the order of the criteria. Stable, so that what is alike stays by number.
fn sorted(keyed: &Keyed, criteria: &[Criterion]) -> Vec<u32> {
    let mut indexes: Vec<u32> = keyed.indexes().collect();
    match criteria {
        // What nearly all ask for: numbers alone.
        [Criterion { by: By::Date, reverse: false }] => indexes.sort_by_cached_key(|index| keyed.sent(*index)),
        [Criterion { by: By::Date, reverse: true }] => indexes.sort_by_cached_key(|index| Reverse(keyed.sent(*index))),
        criteria => indexes.sort_by(|a, b| compare(keyed, criteria, *a, *b)),
    }
    indexes.into_iter().map(|index| keyed.seq(index)).collect()
}

fn compare(keyed: &Keyed, criteria: &[Criterion], a: u32, b: u32) -> Ordering {
    let mut orders = criteria.iter().map(|criterion| {
        let order = by(keyed, criterion.by, a, b);
        if criterion.reverse { order.reverse() } else { order }
    });
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn by(keyed: &Keyed, by: By, a: u32, b: u32) -> Ordering {
    let text = |key| keyed.text(a, key).cmp(keyed.text(b, key));
    match by {
        By::Arrival => keyed.head(a).arrived.unix.cmp(&keyed.head(b).arrived.unix),
        By::Date => keyed.sent(a).cmp(&keyed.sent(b)),
        By::Size => keyed.head(a).size.cmp(&keyed.head(b).size),
        By::Subject => text(InOrder::Subject),
        By::From => text(InOrder::From),
        By::To => text(InOrder::To),
        By::Cc => text(InOrder::Cc),
        By::DisplayFrom => text(InOrder::DisplayFrom),
        By::DisplayTo => text(InOrder::DisplayTo),
    }
}
