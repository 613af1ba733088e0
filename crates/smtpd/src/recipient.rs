//! RCPT: who may be a recipient. Judged here and now, so that nothing is taken in that must be bounced.
//!
//! In this order: whose domain is it; may this client send there (`access.rs`); is there somebody; has the mailbox room, for what
//! SIZE= said (RFC 1870) or for anything. What fills it later, before the end of the message, is no reason to send that back: it
//! waits in the queue (LMTP: is refused then).

use crate::sender::UNKNOWN_NOW;
use crate::settings::Role;
use crate::visit::Visit;
use mail::{Address, ForwardPath, Status};
use mda::{Delivery, Destination, Expanded};
use crate::access::{Checks, Effects, Stage};
use crate::anvil::Event as Counted;
use crate::transaction::{Noted, Transaction};
use queue::Notify;
use route::Class;
use smtp::{Rcpt, Reply};

/// Places one message may go to in all; each costs a row in one commit. More recipients are told to come again.
pub const PLACES: usize = 10_000;

/// One who will get the message, and where that leads.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub address: Address,
    pub deliveries: Vec<Delivery>,
}

/// Judges a further recipient of a transaction; `noted` gets what restrictions only warn of.
pub(crate) async fn judge(visit: &Visit, transaction: &Transaction, rcpt: &Rcpt, noted: &mut Noted) -> Result<(Recipient, Effects), Reply> {
    let service = visit.service();
    let address = match &rcpt.to {
        ForwardPath::Postmaster => Address::new("postmaster", &service.settings.smtp.host).map_err(|_| UNKNOWN_NOW)?,
        ForwardPath::Address(address) => address.clone(),
    };
    let failed = |error| {
        tracing::error!("{address} can't be looked up: {error}");
        Reply::new(451, Status(4, 3, 0), format!("<{address}>: Temporary lookup failure"))
    };
    if visit.role() != Role::Lmtp && visit.counted(Counted::Recipient).is_err() {
        return Err(Reply::new(450, Status(4, 7, 1), format!("Error: too many recipients from {}", visit.peer().address)));
    }
    let class = service.router().class(&address).await.map_err(failed)?;
    let effects = match &rcpt.to {
        // RFC 5321 §4.5.1: taken from everybody
        ForwardPath::Postmaster => Effects::default(),
        ForwardPath::Address(_) => may_send(visit, transaction, class, &address, noted).await?,
    };
    let notify = rcpt.notify.map(wish).unwrap_or_default();
    let asked = mda::Recipient { orcpt: rcpt.orcpt.clone(), notify, ..mda::Recipient::new(address.clone()) };
    if effects.discard {
        return Ok((Recipient { address, deliveries: Vec::new() }, effects));
    }
    let expanded = mda::expand(service.router(), &asked).await.map_err(failed)?;
    let deliveries = deliveries(expanded, asked)?;
    if transaction.places().saturating_add(deliveries.len()) > PLACES {
        return Err(Reply::fixed(452, Status(4, 5, 3), "Error: too many recipients"));
    }
    if let Some(full) = full(&service.store, &deliveries, transaction.size.unwrap_or(1)).await.map_err(failed)? {
        return Err(full.reply(&address));
    }
    Ok((Recipient { address, deliveries }, effects))
}

/// NOTIFY as the queue has it.
fn wish(notify: smtp::dsn::Notify) -> Notify {
    let of = |asked: bool, bit: Notify| if asked { bit.0 } else { 0 };
    Notify(of(notify.success, Notify::SUCCESS) | of(notify.failure, Notify::FAILURE) | of(notify.delay, Notify::DELAY))
}

/// Why a message finds no room.
enum Full {
    /// The owner can make room.
    Now,
    /// It is larger than the mailbox may ever be.
    Always,
}

impl Full {
    fn reply(&self, address: &Address) -> Reply {
        let (code, status, why) = match self {
            Full::Now => (452, Status(4, 2, 2), "Mailbox is full"),
            Full::Always => (552, Status(5, 2, 2), "Message is larger than the mailbox may be"),
        };
        Reply::new(code, status, format!("<{address}>: Recipient address rejected: {why}"))
    }
}

/// Whether no place at all has room: of several, one that is full does not stop the others, and waits in the queue.
async fn full(store: &store::Store, deliveries: &[Delivery], size: u64) -> Result<Option<Full>, db::Error> {
    let mut full = None;
    for delivery in deliveries {
        let Destination::Mailbox { account, .. } = &delivery.to else { return Ok(None) };
        let Some(account) = store.account(*account).await? else { return Ok(None) };
        if account.has_room_for(1, size) {
            return Ok(None);
        }
        full = if account.could_hold(size) { Some(Full::Now) } else { full.or(Some(Full::Always)) };
    }
    Ok(full)
}

/// Whether this client may send to that class of domain.
async fn may_send(visit: &Visit, transaction: &Transaction, class: Class, address: &Address, noted: &mut Noted) -> Result<Effects, Reply> {
    if visit.role() == Role::Lmtp {
        let denied = || Reply::new(554, Status(5, 7, 1), format!("<{address}>: Relay access denied"));
        return if matches!(class, Class::Hosted | Class::Local | Class::Alias) { Ok(Effects::default()) } else { Err(denied()) };
    }
    let service = visit.service();
    let facts = visit.facts(transaction, Stage::Rcpt, Some(address));
    let mut checks = Checks::new(facts, &service.settings.rules, service.router(), service.resolver(), Some(class));
    let judged = async {
        if service.settings.rules.delay {
            checks.envelope().await?;
        }
        checks.recipient().await
    };
    let judged = judged.await;
    noted.append(&mut checks.noted);
    judged.map(|()| checks.effects)
}

/// A place that routes say nobody can be sent to (`error:5.3.2 TEXT`).
fn no_way(delivery: &Delivery) -> Option<(Status, String)> {
    let Destination::Remote { hop, .. } = &delivery.to else { return None };
    let text = hop.strip_prefix("error:")?;
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match Status::parse(first).filter(|status| status.is_permanent()) {
        Some(status) => (status, rest.to_owned()),
        None => (Status(5, 0, 0), text.to_owned()),
    })
}

fn deliveries(expanded: Expanded, recipient: mda::Recipient) -> Result<Vec<Delivery>, Reply> {
    let address = recipient.address.clone();
    let rejected = |code, status, why: &str| Err(Reply::new(code, status, format!("<{address}>: Recipient address rejected: {why}")));
    match expanded {
        Expanded::Deliveries(all) => match all.iter().find_map(no_way) {
            Some((status, why)) => rejected(550, status, &why),
            None => Ok(all),
        },
        // postmaster before there is an account: kept until there is one
        Expanded::Later(_) => Ok(vec![Delivery { to: Destination::Later { address }, recipient, owner: None }]),
        Expanded::Unknown(table) => rejected(550, Status(5, 1, 1), &format!("User unknown in {table}")),
        Expanded::Refused(status, text) => rejected(if status.is_permanent() { 550 } else { 451 }, status, &text),
        Expanded::Endless => {
            tracing::error!("{address} stands for itself or for too many; see: posthouse explain {address}");
            rejected(451, Status(4, 3, 5), "Server configuration error")
        }
    }
}
