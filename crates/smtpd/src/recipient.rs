//! RCPT: who may be a recipient. Judged here and now, so that nothing is taken in that must be bounced.
//!
//! In this order: where does the address lead; may this client send there (`smtpd_relay_restrictions`, then
//! `smtpd_recipient_restrictions`); is there somebody. Whatever the lists say, a stranger's mail for somebody who is
//! not ours is refused: no configuration makes an open relay.

use crate::sender::UNKNOWN_NOW;
use crate::settings::Settings;
use crate::visit::Visit;
use config::restrictions::Restriction;
use mail::{Address, ForwardPath, Status};
use mda::{Delivery, Destination, Expanded};
use smtp::Reply;

/// Places one message may go to in all; each costs a row in one commit. More recipients are told to come again.
pub const PLACES: usize = 10_000;

/// One who will get the message, and where that leads.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub address: Address,
    pub deliveries: Vec<Delivery>,
}

/// Judges a recipient when `places` are taken already.
pub(crate) async fn judge(visit: &Visit, to: &ForwardPath, places: usize) -> Result<Recipient, Reply> {
    let settings = &visit.service().settings;
    let address = match to {
        ForwardPath::Postmaster => Address::new("postmaster", &settings.smtp.host).map_err(|_| UNKNOWN_NOW)?,
        ForwardPath::Address(address) => address.clone(),
    };
    let asked = mda::Recipient::new(address.clone());
    let expanded = visit.service().expand(asked.clone()).await.map_err(|error| {
        tracing::error!("{address} can't be looked up: {error}");
        Reply::new(451, Status(4, 3, 0), format!("<{address}>: Temporary lookup failure"))
    })?;
    let client = Client {
        trusted: settings.mynetworks.contains(visit.peer().address),
        known: visit.identity().is_some(),
        destination: if leaves(&expanded, &address) { Destined::elsewhere(settings, &address) } else { Destined::Here },
    };
    for list in [&settings.relay_restrictions, &settings.recipient_restrictions] {
        client.passes(list, &address)?;
    }
    client.is_no_stranger(&address)?;
    let deliveries = deliveries(expanded, asked, settings)?;
    if places.saturating_add(deliveries.len()) > PLACES {
        return Err(Reply::fixed(452, Status(4, 5, 3), "Error: too many recipients"));
    }
    Ok(Recipient { address, deliveries })
}

/// The address itself (not an alias of ours) is somebody else's.
fn leaves(expanded: &Expanded, address: &Address) -> bool {
    matches!(expanded, Expanded::Deliveries(all) if all.iter().any(|one| matches!(&one.to, Destination::Remote { address: to, .. } if to.is_same(address))))
}

fn deliveries(expanded: Expanded, recipient: mda::Recipient, settings: &Settings) -> Result<Vec<Delivery>, Reply> {
    let address = recipient.address.clone();
    let rejected = |code, status, why: &str| Err(Reply::new(code, status, format!("<{address}>: Recipient address rejected: {why}")));
    match expanded {
        Expanded::Deliveries(all) if !settings.outbound && all.iter().any(|one| matches!(one.to, Destination::Remote { .. })) => {
            rejected(550, Status(5, 3, 2), "this server does not send mail to other hosts yet")
        }
        Expanded::Deliveries(all) => Ok(all),
        // postmaster before there is an account: kept until there is one
        Expanded::Later(_) => Ok(vec![Delivery { to: Destination::Later { address: address.clone() }, recipient }]),
        Expanded::Unknown => {
            let table = if settings.local_domains.contains(address.domain()) { "local recipient table" } else { "virtual mailbox table" };
            rejected(550, Status(5, 1, 1), &format!("User unknown in {table}"))
        }
        Expanded::Endless => {
            tracing::error!("{address} stands for itself or for too many; see: posthouse explain {address}");
            rejected(451, Status(4, 3, 5), "Server configuration error")
        }
    }
}

/// Who asks, and for whom.
struct Client {
    /// In `mynetworks`.
    trusted: bool,
    /// Logged in.
    known: bool,
    destination: Destined,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Destined {
    /// A domain of ours.
    Here,
    /// `relay_domains`: we pass it on.
    Passed,
    /// Everybody else's.
    Away,
}

impl Destined {
    fn elsewhere(settings: &Settings, address: &Address) -> Destined {
        if settings.relay_domains.contains(address.domain()) { Destined::Passed } else { Destined::Away }
    }
}

impl Client {
    /// Tries the rules of one list in order; the first that decides counts, and a list that does not lets pass.
    fn passes(&self, list: &[Restriction], address: &Address) -> Result<(), Reply> {
        let away = self.destination == Destined::Away;
        for rule in list {
            match rule {
                Restriction::Permit => return Ok(()),
                Restriction::PermitMynetworks if self.trusted => return Ok(()),
                Restriction::PermitSaslAuthenticated if self.known => return Ok(()),
                Restriction::PermitAuthDestination if !away => return Ok(()),
                Restriction::RejectUnauthDestination if away => return Err(denied(554, Status(5, 7, 1), address)),
                Restriction::DeferUnauthDestination if away => return Err(denied(454, Status(4, 7, 1), address)),
                Restriction::Reject => return Err(Reply::new(554, Status(5, 7, 1), format!("<{address}>: Recipient address rejected: Access denied"))),
                Restriction::Defer => return Err(Reply::new(450, Status(4, 7, 1), format!("<{address}>: Recipient address rejected: Access denied"))),
                Restriction::PermitMynetworks | Restriction::PermitSaslAuthenticated | Restriction::PermitAuthDestination => {}
                Restriction::RejectUnauthDestination | Restriction::DeferUnauthDestination => {}
            }
        }
        Ok(())
    }

    fn is_no_stranger(&self, address: &Address) -> Result<(), Reply> {
        if self.destination == Destined::Away && !self.trusted && !self.known {
            return Err(denied(554, Status(5, 7, 1), address));
        }
        Ok(())
    }
}

fn denied(code: u16, status: Status, address: &Address) -> Reply {
    Reply::new(code, status, format!("<{address}>: Relay access denied"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::restrictions::parse;

    #[test]
    fn lists_decide_in_order_and_never_for_a_stranger() {
        let address = Address::parse("a@far.test").expect("an address");
        let usual = "permit_mynetworks permit_sasl_authenticated defer_unauth_destination";
        for (list, trusted, known, destination, code) in [
            (usual, false, false, Destined::Here, 250),
            (usual, false, false, Destined::Passed, 250),
            (usual, false, false, Destined::Away, 454),
            (usual, true, false, Destined::Away, 250),
            (usual, false, true, Destined::Away, 250),
            ("reject_unauth_destination", true, true, Destined::Away, 554),
            ("permit_auth_destination reject", false, false, Destined::Here, 250),
            ("permit_auth_destination reject", true, true, Destined::Away, 554),
            ("defer", true, true, Destined::Here, 450),
            ("", false, false, Destined::Here, 250),
            ("", false, false, Destined::Away, 554),
            ("permit", false, false, Destined::Away, 554),
            ("permit", true, false, Destined::Away, 250),
        ] {
            let client = Client { trusted, known, destination };
            let judged = client.passes(&parse(list).expect("a list"), &address).and_then(|()| client.is_no_stranger(&address));
            assert_eq!(judged.err().map_or(250, |reply| reply.code()), code, "{list} {trusted} {known}");
        }
    }
}
