//! From a recipient to the deliveries that it comes to; where addresses lead is `route`'s.

use mail::{Address, MailboxName, Status};
use queue::Notify;
use route::{End, Route, Table, To};
use store::AccountId;

use crate::routes::Routes;

/// A recipient as its sender named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub address: Address,
    /// ORCPT of RFC 3461, as it came.
    pub orcpt: Option<String>,
    pub notify: Notify,
    /// The mailbox that `deliver -m` asked for; INBOX if it is not there.
    pub mailbox: Option<MailboxName>,
}

impl Recipient {
    /// A recipient about whom nothing special was said.
    pub fn new(address: Address) -> Recipient {
        Recipient { address, orcpt: None, notify: Notify::default(), mailbox: None }
    }
}

/// Where a copy of the message goes, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The recipient this came from.
    pub recipient: Recipient,
    pub to: Destination,
    /// The owner of the list that it goes through: its sender instead of the message's.
    pub owner: Option<Address>,
}

/// The end of an address's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A mailbox of an account whose own address this is. `via` is the address that led to it, with its detail.
    Mailbox { account: AccountId, address: Address, mailbox: MailboxName, via: Address },
    /// Ours, to be told by the queue's runner: unknown behind an alias, or not yet known.
    Later { address: Address },
    /// Leaves this machine by this next hop.
    Remote { address: Address, hop: String },
}

impl Destination {
    /// The final address.
    pub fn address(&self) -> &Address {
        match self {
            Destination::Mailbox { address, .. } | Destination::Later { address } | Destination::Remote { address, .. } => address,
        }
    }
}

/// What a recipient stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expanded {
    /// These, at least one.
    Deliveries(Vec<Delivery>),
    /// The recipient itself is unknown here, by this table.
    Unknown(Table),
    /// The recipient itself cannot be told yet.
    Later(&'static str),
    /// A table says that it can't be.
    Refused(Status, String),
    /// Its aliases lead back to themselves only, or to too many addresses.
    Endless,
}

/// The deliveries for a recipient that comes in. What is not known behind an alias goes to the queue by itself and does not stop the others.
pub async fn expand(routes: &impl Routes, recipient: &Recipient) -> Result<Expanded, db::Error> {
    Ok(expanded(recipient, routes.route(&recipient.address).await?))
}

/// The same for one that the queue has.
pub async fn expand_again(routes: &impl Routes, recipient: &Recipient) -> Result<Expanded, db::Error> {
    Ok(expanded(recipient, routes.route_again(&recipient.address).await?))
}

fn expanded(recipient: &Recipient, route: Route) -> Expanded {
    let delivery = |end: End| {
        let to = match end.to {
            To::Mailbox { account, address, detail } => {
                let mailbox = recipient.mailbox.clone().or_else(|| MailboxName::new(detail.as_deref()?).ok());
                Destination::Mailbox { account, address, mailbox: mailbox.unwrap_or_else(MailboxName::inbox), via: end.address }
            }
            To::Remote { hop, .. } => Destination::Remote { address: end.address, hop },
            To::Lost => Destination::Later { address: end.address },
        };
        Delivery { recipient: recipient.clone(), to, owner: end.owner }
    };
    match route {
        Route::Ends(ends) => Expanded::Deliveries(ends.into_iter().map(delivery).collect()),
        Route::Unknown(table) => Expanded::Unknown(table),
        Route::Later(why) => Expanded::Later(why),
        Route::Refused(status, text) => Expanded::Refused(status, text),
        Route::Endless => Expanded::Endless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_become_deliveries() {
        let at = |text: &str| Address::parse(text).expect("an address");
        let mailbox = |detail: Option<&str>| To::Mailbox { account: AccountId::new(7), address: at("a@x"), detail: detail.map(str::to_owned) };
        let end = |to| End { address: at("a+Work@x"), to, owner: Some(at("owner@x")) };
        let told = |recipient: &Recipient, to| match expanded(recipient, Route::Ends(vec![end(to)])) {
            Expanded::Deliveries(deliveries) => {
                assert_eq!(deliveries[0].owner, Some(at("owner@x")));
                match &deliveries[0].to {
                    Destination::Mailbox { account, address, mailbox, via } => format!("{account} {address} {mailbox} {via}"),
                    Destination::Later { address } => format!("later {address}"),
                    Destination::Remote { address, hop } => format!("{hop} {address}"),
                }
            }
            other => panic!("{other:?}"),
        };
        let plain = Recipient::new(at("list@x"));
        assert_eq!(told(&plain, mailbox(None)), "7 a@x INBOX a+Work@x");
        assert_eq!(told(&plain, mailbox(Some("Work"))), "7 a@x Work a+Work@x");
        let asked = Recipient { mailbox: MailboxName::new("Other").ok(), ..plain.clone() };
        assert_eq!(told(&asked, mailbox(Some("Work"))), "7 a@x Other a+Work@x");
        assert_eq!(told(&plain, To::Remote { hop: "mx".into(), class: route::Class::Rest }), "mx a+Work@x");
        assert_eq!(told(&plain, To::Lost), "later a+Work@x");
    }
}
