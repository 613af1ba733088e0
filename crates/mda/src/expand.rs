//! From a recipient to where it ends up: aliases, each address once.

use std::collections::{HashSet, VecDeque};

use mail::{Address, MailboxName};
use queue::Notify;
use store::AccountId;

use crate::routes::{Routed, Routes};

/// Addresses that one recipient may stand for: Postfix's `virtual_alias_expansion_limit`.
pub const EXPANSION_LIMIT: usize = 1000;

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
    /// The recipient itself is unknown here.
    Unknown,
    /// The recipient itself cannot be told yet.
    Later(&'static str),
    /// Its aliases lead back to themselves only, or to more than [`EXPANSION_LIMIT`] addresses.
    Endless,
}

/// Follows a recipient's aliases. An address met twice counts once, so a circle ends; what is not known behind an
/// alias goes to the queue by itself and does not stop the others.
pub async fn expand(routes: &impl Routes, recipient: &Recipient) -> Result<Expanded, db::Error> {
    let mut ahead = VecDeque::from([recipient.address.clone()]);
    let mut seen = HashSet::new();
    let mut deliveries = Vec::new();
    while let Some(address) = ahead.pop_front() {
        if !seen.insert(address.folded()) {
            continue;
        }
        if seen.len() + ahead.len() > EXPANSION_LIMIT {
            return Ok(Expanded::Endless);
        }
        let first = seen.len() == 1;
        let to = match routes.next(&address).await? {
            Routed::Alias(targets) => {
                ahead.extend(targets.into_iter().take(EXPANSION_LIMIT + 1));
                continue;
            }
            Routed::Mailbox { account, address: own, detail } => {
                let mailbox = recipient.mailbox.clone().or_else(|| MailboxName::new(detail.as_deref()?).ok());
                Destination::Mailbox { account, address: own, mailbox: mailbox.unwrap_or_else(MailboxName::inbox), via: address }
            }
            Routed::Remote(hop) => Destination::Remote { address, hop },
            Routed::Unknown if first => return Ok(Expanded::Unknown),
            Routed::Later(why) if first => return Ok(Expanded::Later(why)),
            Routed::Unknown | Routed::Later(_) => Destination::Later { address },
        };
        deliveries.push(Delivery { recipient: recipient.clone(), to });
    }
    Ok(if deliveries.is_empty() { Expanded::Endless } else { Expanded::Deliveries(deliveries) })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A directory: `a: b c` is an alias, `7` an account, `mx` a next hop, `?` later.
    struct Table(HashMap<String, String>);

    impl Table {
        fn new(lines: &[(&str, &str)]) -> Table {
            Table(lines.iter().map(|(name, to)| (format!("{name}@x"), to.to_string())).collect())
        }
    }

    impl Routes for Table {
        async fn next(&self, address: &Address) -> Result<Routed, db::Error> {
            let Some(to) = self.0.get(&address.to_string()) else { return Ok(Routed::Unknown) };
            Ok(match to.parse::<i64>() {
                Ok(id) => Routed::Mailbox { account: AccountId::new(id), address: address.clone(), detail: (id > 9).then(|| "Work".into()) },
                Err(_) if to == "?" => Routed::Later("not yet"),
                Err(_) if to == "mx" => Routed::Remote("mx".into()),
                Err(_) => Routed::Alias(to.split(' ').map(at_x).collect()),
            })
        }
    }

    fn at_x(name: &str) -> Address {
        Address::parse(&format!("{name}@x")).expect("an address")
    }

    /// `name→destination` of each delivery.
    async fn told(table: &Table, name: &str) -> String {
        match expand(table, &Recipient::new(at_x(name))).await.expect("expanded") {
            Expanded::Deliveries(deliveries) => {
                let one = |delivery: &Delivery| match &delivery.to {
                    Destination::Mailbox { account, address, mailbox, .. } => format!("{}={account}/{mailbox}", address.local()),
                    Destination::Later { address } => format!("{}=later", address.local()),
                    Destination::Remote { address, hop } => format!("{}={hop}", address.local()),
                };
                deliveries.iter().map(one).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn addresses_are_followed() {
        let table = Table::new(&[
            ("alice", "1"),
            ("bob", "2"),
            ("work", "12"),
            ("far", "mx"),
            ("post", "?"),
            ("all", "alice bob far"),
            ("both", "all alice"),
            ("self", "self alice"),
            ("loop", "pool"),
            ("pool", "loop"),
            ("some", "nobody post alice"),
        ]);
        for (name, expected) in [
            ("alice", "alice=1/INBOX"),
            ("work", "work=12/Work"),
            ("far", "far=mx"),
            ("all", "alice=1/INBOX bob=2/INBOX far=mx"),
            ("both", "alice=1/INBOX bob=2/INBOX far=mx"),
            ("self", "alice=1/INBOX"),
            ("loop", "Endless"),
            ("nobody", "Unknown"),
            ("post", "Later(\"not yet\")"),
            ("some", "nobody=later post=later alice=1/INBOX"),
        ] {
            let mut got = told(&table, name).await;
            if name == "both" {
                let mut parts: Vec<&str> = got.split(' ').collect();
                parts.sort_unstable();
                got = parts.join(" ");
            }
            assert_eq!(got, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn a_list_may_be_long_but_not_endless() {
        let long = |n: usize| (0..n).map(|n| format!("u{n}")).collect::<Vec<_>>().join(" ");
        let (fits, over) = (long(EXPANSION_LIMIT - 1), long(EXPANSION_LIMIT + 5));
        let table = Table::new(&[("fits", &fits), ("over", &over)]);
        assert_eq!(told(&table, "fits").await.split(' ').count(), EXPANSION_LIMIT - 1);
        assert_eq!(told(&table, "over").await, "Endless");
    }
}
