//! All steps of the way of an address: what the recipient of an envelope comes to in the end.

use std::collections::{HashSet, VecDeque};

use mail::Address;
use store::AccountId;

use crate::explain::{Step, Trace};
use crate::router::{Class, Next, Router, Table};

/// Addresses that one may stand for, in all: Postfix's `virtual_alias_expansion_limit`.
pub const EXPANSION_LIMIT: usize = 1000;

/// A mailbox reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub account: AccountId,
    /// The account's own address.
    pub address: Address,
    /// What followed the delimiter.
    pub detail: Option<String>,
}

/// An address elsewhere that an alias leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub address: Address,
    /// Empty: the MX of its domain.
    pub hop: String,
}

/// Where an address leads in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// It is ours. Each mailbox and each address stands here once; `lost` are targets of aliases that do not exist (or not
    /// yet).
    Local { deliveries: Vec<Delivery>, forwards: Vec<Forward>, lost: Vec<Address> },
    /// Its domain is one of `relay_domains`.
    Remote { hop: String },
    /// Its domain is another's; who may send there is not said here.
    NotOurs { hop: String },
    /// It is ours, and nobody has it.
    NoSuchUser { table: Table },
    /// It is ours and must wait.
    Later { why: &'static str },
    /// Its aliases lead back to themselves only, or to more than [`EXPANSION_LIMIT`] addresses.
    Endless,
}

impl Router {
    /// Follows `address` to its end. Each address is followed once, so that circles end.
    pub async fn route(&self, address: &Address) -> Result<Route, db::Error> {
        self.route_told(address, &mut Trace::default()).await
    }

    /// The same, with every step told.
    pub async fn explain(&self, address: &Address) -> Result<(Route, Vec<Step>), db::Error> {
        let mut trace = Trace::on();
        let route = self.route_told(address, &mut trace).await?;
        Ok((route, trace.into_steps()))
    }

    async fn route_told(&self, start: &Address, trace: &mut Trace) -> Result<Route, db::Error> {
        let mut ahead = VecDeque::from([start.clone()]);
        let mut seen = HashSet::new();
        let (mut deliveries, mut forwards, mut lost) = (Vec::<Delivery>::new(), Vec::new(), Vec::new());
        while let Some(address) = ahead.pop_front() {
            if !seen.insert(address.folded()) {
                trace.tell("again", &address, || ("ends here".to_owned(), "it was met before".to_owned()));
                continue;
            }
            if seen.len() + ahead.len() > EXPANSION_LIMIT {
                trace.tell("endless", start, || ("refused".to_owned(), format!("it stands for more than {EXPANSION_LIMIT} addresses")));
                return Ok(Route::Endless);
            }
            let first = seen.len() == 1;
            match self.next_told(&address, trace).await? {
                Next::Alias(targets) => ahead.extend(targets.into_iter().take(EXPANSION_LIMIT + 1)),
                Next::Mailbox { account, address: own, detail } => {
                    let delivery = Delivery { account, address: own, detail };
                    let known = deliveries.contains(&delivery);
                    trace.tell("deliver", &address, || {
                        let because = if known { "a copy is delivered there already" } else { "it has a mailbox here" };
                        (if known { "nothing more".to_owned() } else { format!("the mailbox of {}", delivery.address) }, because.to_owned())
                    });
                    if !known {
                        deliveries.push(delivery);
                    }
                }
                Next::Remote { hop, class: Class::Relay } if first => return Ok(Route::Remote { hop }),
                Next::Remote { hop, .. } if first => return Ok(Route::NotOurs { hop }),
                Next::Remote { hop, .. } => forwards.push(Forward { address, hop }),
                Next::Unknown(table) if first => return Ok(Route::NoSuchUser { table }),
                Next::Later(why) if first => return Ok(Route::Later { why }),
                Next::Unknown(_) | Next::Later(_) => lost.push(address),
            }
        }
        if deliveries.is_empty() && forwards.is_empty() && lost.is_empty() {
            trace.tell("endless", start, || ("refused".to_owned(), "its aliases lead back to themselves only".to_owned()));
            return Ok(Route::Endless);
        }
        Ok(Route::Local { deliveries, forwards, lost })
    }
}
