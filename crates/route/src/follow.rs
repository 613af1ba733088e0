//! All steps of the way of an address: what the recipient of an envelope comes to in the end. Nobody else follows aliases.

use std::collections::{HashSet, VecDeque};
use std::future::Future;

use mail::{Address, Status};
use store::AccountId;

use crate::explain::Trace;
use crate::router::{Alias, Class, Next, Table};
use crate::settings::Limits;

/// What has been done to an address already: tables that are not asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Applied {
    /// `virtual_alias_maps`
    pub virtual_aliases: bool,
    /// `alias_maps`
    pub aliases: bool,
}

impl Applied {
    /// All tables: what is left is whose domain it is and who has the name.
    pub const ALL: Applied = Applied { virtual_aliases: true, aliases: true };
}

/// Where one of the ways of an address ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The last address of that way, with its detail.
    pub address: Address,
    pub to: To,
    /// The owner of the list on that way: the sender of what goes there (aliases(5), `owner-NAME`).
    pub owner: Option<Address>,
}

/// What is at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// A mailbox here. `address` is the account's own, `detail` what followed the delimiter.
    Mailbox { account: AccountId, address: Address, detail: Option<String> },
    /// Another host, by this next hop (empty: the MX of its domain). `class` is [`Class::Relay`] or [`Class::Rest`].
    Remote { hop: String, class: Class },
    /// Ours, taken in, and nobody's (or nobody's yet): the queue will tell.
    Lost,
}

/// Where an address leads in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To these, each of them once; at least one.
    Ends(Vec<End>),
    /// It is ours, and nobody has it.
    Unknown(Table),
    /// It is ours and must wait.
    Later(&'static str),
    /// A table says that it can't be, or says nothing that can be understood.
    Refused(Status, String),
    /// Its aliases lead back to themselves only, or to too many addresses.
    Endless,
}

/// Tells one step of the way of an address. A trait, so that deliveries can be tested with a table of addresses.
pub trait Steps: Sync {
    /// An error means that the directory can't be asked now.
    fn step(&self, address: &Address, applied: Applied) -> impl Future<Output = Result<Next, db::Error>> + Send;
}

/// Follows `start` to its ends. Each address is followed once, so that circles end.
pub async fn follow(steps: &impl Steps, start: &Address, applied: Applied, limits: Limits) -> Result<Route, db::Error> {
    follow_told(steps, start, applied, limits, &Trace::default()).await
}

/// An address that waits to be followed.
struct Ahead {
    address: Address,
    applied: Applied,
    owner: Option<Address>,
    /// Aliases before it.
    depth: usize,
}

impl Ahead {
    /// What an alias gives, at most `most`.
    fn behind(self, alias: Alias, most: usize) -> impl Iterator<Item = Ahead> {
        let Ahead { address, owner, depth, .. } = self;
        let owner = alias.owner.or(owner);
        let own = alias.own;
        let targets = alias.targets.into_iter().map(move |target| {
            let applied = if target.is_same(&address) { own } else { Applied::default() };
            (target, applied)
        });
        let users = alias.users.into_iter().map(|user| (user, Applied::ALL));
        targets.chain(users).take(most).map(move |(address, applied)| Ahead { address, applied, owner: owner.clone(), depth: depth + 1 })
    }
}

pub(crate) async fn follow_told(steps: &impl Steps, start: &Address, applied: Applied, limits: Limits, trace: &Trace) -> Result<Route, db::Error> {
    let mut ahead = VecDeque::from([Ahead { address: start.clone(), applied, owner: None, depth: 0 }]);
    let mut seen = HashSet::new();
    let mut ends: Vec<End> = Vec::new();
    while let Some(now) = ahead.pop_front() {
        let address = now.address.clone();
        if !seen.insert((address.folded(), now.applied)) {
            trace.tell("again", &address, || ("ends here".to_owned(), "it was met before".to_owned()));
            continue;
        }
        if seen.len() + ahead.len() > limits.expansion || now.depth > limits.recursion {
            trace.tell("endless", start, || ("refused".to_owned(), format!("it stands for more than {} addresses", limits.expansion)));
            return Ok(Route::Endless);
        }
        let first = now.depth == 0;
        let to = match steps.step(&address, now.applied).await? {
            Next::Alias(alias) => {
                ahead.extend(now.behind(alias, limits.expansion + 1));
                continue;
            }
            Next::Refused(status, text) => return Ok(Route::Refused(status, text)),
            Next::Unknown(table) if first => return Ok(Route::Unknown(table)),
            Next::Later(why) if first => return Ok(Route::Later(why)),
            Next::Mailbox { account, address, detail } => To::Mailbox { account, address, detail },
            Next::Remote { hop, class } => To::Remote { hop, class },
            Next::Unknown(_) | Next::Later(_) | Next::Missing => To::Lost,
        };
        let known = ends.iter().any(|end| end.to == to && matches!(to, To::Mailbox { .. }));
        if let To::Mailbox { address: own, .. } = &to {
            trace.tell("deliver", &address, || match known {
                true => ("nothing more".to_owned(), "a copy is delivered there already".to_owned()),
                false => (format!("the mailbox of {own}"), "it has a mailbox here".to_owned()),
            });
        }
        if !known {
            ends.push(End { address, to, owner: now.owner });
        }
    }
    if ends.is_empty() {
        trace.tell("endless", start, || ("refused".to_owned(), "its aliases lead back to themselves only".to_owned()));
        return Ok(Route::Endless);
    }
    Ok(Route::Ends(ends))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A directory: `a: b c` is an alias, `=a b` one that may name itself, `7` an account, `mx` a next hop, `?` later, `!` refused.
    struct Table(HashMap<String, String>);

    impl Table {
        fn new(lines: &[(&str, &str)]) -> Table {
            Table(lines.iter().map(|(name, to)| (format!("{name}@x"), to.to_string())).collect())
        }
    }

    impl Steps for Table {
        async fn step(&self, address: &Address, applied: Applied) -> Result<Next, db::Error> {
            let own = Applied { virtual_aliases: true, aliases: false };
            let Some(to) = self.0.get(&address.to_string()) else { return Ok(Next::Unknown(crate::Table::VirtualMailbox)) };
            Ok(match to.parse::<i64>() {
                Ok(id) => Next::Mailbox { account: AccountId::new(id), address: address.clone(), detail: None },
                Err(_) if to == "?" => Next::Later("not yet"),
                Err(_) if to == "!" => Next::Refused(Status(5, 3, 3), "no".into()),
                Err(_) if to == "mx" => Next::Remote { hop: "mx".into(), class: Class::Rest },
                Err(_) if to.starts_with('=') && applied == own => Next::Mailbox { account: AccountId::new(99), address: address.clone(), detail: None },
                Err(_) => Next::Alias(Alias { targets: to.trim_start_matches('=').split(' ').map(at_x).collect(), own: if to.starts_with('=') { own } else { Applied::default() }, ..Alias::default() }),
            })
        }
    }

    fn at_x(name: &str) -> Address {
        Address::parse(&format!("{name}@x")).expect("an address")
    }

    async fn told(table: &Table, name: &str) -> String {
        match follow(table, &at_x(name), Applied::default(), Limits::default()).await.expect("followed") {
            Route::Ends(ends) => {
                let one = |end: &End| match &end.to {
                    To::Mailbox { account, .. } => format!("{}={account}", end.address.local()),
                    To::Remote { hop, .. } => format!("{}={hop}", end.address.local()),
                    To::Lost => format!("{}=lost", end.address.local()),
                };
                ends.iter().map(one).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn addresses_are_followed() {
        let table = Table::new(&[
            ("alice", "1"),
            ("bob", "2"),
            ("far", "mx"),
            ("post", "?"),
            ("all", "alice bob far"),
            ("both", "alice all"),
            ("self", "self alice"),
            ("own", "=own bob"),
            ("loop", "pool"),
            ("pool", "loop"),
            ("some", "nobody post alice"),
            ("bad", "alice worse"),
            ("worse", "!"),
        ]);
        for (name, expected) in [
            ("alice", "alice=1"),
            ("far", "far=mx"),
            ("all", "alice=1 bob=2 far=mx"),
            ("both", "alice=1 bob=2 far=mx"),
            ("self", "alice=1"),
            ("own", "own=99 bob=2"),
            ("loop", "Endless"),
            ("nobody", "Unknown(VirtualMailbox)"),
            ("post", "Later(\"not yet\")"),
            ("some", "nobody=lost post=lost alice=1"),
            ("bad", "Refused(Status(5, 3, 3), \"no\")"),
        ] {
            assert_eq!(told(&table, name).await, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn a_list_may_be_long_but_not_endless() {
        let most = Limits::default().expansion;
        let long = |n: usize| (0..n).map(|n| format!("u{n}")).collect::<Vec<_>>().join(" ");
        let (fits, over) = (long(most - 1), long(most + 5));
        let table = Table::new(&[("fits", &fits), ("over", &over)]);
        assert_eq!(told(&table, "fits").await.split(' ').count(), most - 1);
        assert_eq!(told(&table, "over").await, "Endless");
    }
}
