//! One step of the way of an address.

use std::fmt;
use std::sync::Arc;

use mail::Address;
use store::directory::Lookup;
use store::{Account, AccountId, Store};

use crate::explain::Trace;
use crate::settings::Settings;

/// Hosted domains looked through for a name of the local class: a name in `mydestination` is for one machine's users; who
/// hosts more domains than this writes addresses with their domain.
pub const LOCAL_DOMAINS_LIMIT: usize = 100;

/// The class of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `posthouse domain add`
    Hosted,
    /// `mydestination`
    Local,
    /// `relay_domains`
    Relay,
    /// Another's.
    Rest,
}

impl Class {
    /// As `domain list --json` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Hosted => "hosted",
            Class::Local => "local",
            Class::Relay => "relay",
            Class::Rest => "remote",
        }
    }

    /// True if mail for it is taken from strangers.
    pub fn is_ours(self) -> bool {
        self != Class::Rest
    }
}

/// The table in which a recipient was not found, in Postfix's words: `User unknown in virtual mailbox table`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    VirtualMailbox,
    LocalRecipient,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Table::VirtualMailbox => "virtual mailbox table",
            Table::LocalRecipient => "local recipient table",
        })
    }
}

/// Where one step leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A mailbox here. `address` is the account's own, `detail` what followed the delimiter.
    Mailbox { account: AccountId, address: Address, detail: Option<String> },
    /// It stands for these.
    Alias(Vec<Address>),
    /// It leaves this machine by this next hop (empty: the MX of its domain). `class` is [`Class::Relay`] or [`Class::Rest`].
    Remote { hop: String, class: Class },
    /// Ours, but it can't be told yet where it goes.
    Later(&'static str),
    /// Ours, and nobody has it.
    Unknown(Table),
}

/// Why postmaster's mail waits.
const NO_ACCOUNT_YET: &str = "there is no account yet that could be postmaster";

/// Tells where addresses lead. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    store: Store,
    settings: Arc<Settings>,
}

impl Router {
    /// Over the directory of `store`.
    pub fn new(store: Store, settings: Settings) -> Router {
        Router { store, settings: Arc::new(settings) }
    }

    /// What it goes by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The class of the domain of `address`.
    pub async fn class(&self, address: &Address) -> Result<Class, db::Error> {
        self.class_told(address, &mut Trace::default()).await
    }

    /// One step. An error means that the directory can't be asked now.
    pub async fn next(&self, address: &Address) -> Result<Next, db::Error> {
        self.next_told(address, &mut Trace::default()).await
    }

    pub(crate) async fn next_told(&self, address: &Address, trace: &mut Trace) -> Result<Next, db::Error> {
        match self.class_told(address, trace).await? {
            Class::Hosted => self.hosted(address, trace).await,
            Class::Local => self.local(address, trace).await,
            class @ (Class::Relay | Class::Rest) => {
                let hop = self.settings.hop(address);
                trace.tell("remote", address, || match hop.is_empty() {
                    true => (format!("the MX of {}", address.domain()), "relayhost is empty".to_owned()),
                    false => (hop.clone(), "transport_maps, relayhost or default_transport names it".to_owned()),
                });
                Ok(Next::Remote { hop, class })
            }
        }
    }

    async fn class_told(&self, address: &Address, trace: &mut Trace) -> Result<Class, db::Error> {
        let domain = address.domain();
        let own_postmaster = domain == self.settings.hostname && is_role(address);
        let (class, because) = if self.store.is_hosted(domain).await? {
            (Class::Hosted, "a hosted domain of the directory")
        } else if self.settings.local.contains(domain) {
            (Class::Local, "mydestination lists it")
        } else if own_postmaster {
            (Class::Local, "it is $myhostname, which has a postmaster always (RFC 5321 §4.5.1)")
        } else if self.settings.relay.contains(domain) {
            (Class::Relay, "relay_domains lists it")
        } else {
            (Class::Rest, "it is neither hosted nor in mydestination nor in relay_domains")
        };
        trace.tell("class", address, || (class.as_str().to_owned(), format!("{domain}: {because}")));
        Ok(class)
    }

    async fn hosted(&self, address: &Address, trace: &mut Trace) -> Result<Next, db::Error> {
        if let Some(next) = self.named(address, true, trace).await? {
            return Ok(next);
        }
        if is_role(&address.split_delimiter(&self.settings.delimiter).0) {
            return self.postmaster(address, trace).await;
        }
        if let Lookup::Alias(targets) = self.store.catch_all(address.domain()).await? {
            trace.tell("catch-all", address, || (list(&targets), format!("alias @{}", address.domain())));
            return Ok(Next::Alias(targets));
        }
        Ok(unknown(address, Table::VirtualMailbox, "no account, alias or catch-all has it".to_owned(), trace))
    }

    /// A name of this machine: the address of that name in the domain of `myorigin`, of `mydomain`, or in the one hosted
    /// domain that has it.
    async fn local(&self, address: &Address, trace: &mut Trace) -> Result<Next, db::Error> {
        let home = [&self.settings.origin, &self.settings.domain];
        for (at, domain) in home.iter().enumerate() {
            if at > 0 && domain == &home[0] {
                continue;
            }
            if let Ok(there) = Address::new(address.local(), domain)
                && let Some(next) = self.named(&there, false, trace).await?
            {
                return Ok(next);
            }
        }
        if is_role(&address.split_delimiter(&self.settings.delimiter).0) {
            return self.postmaster(address, trace).await;
        }
        let mut found: Option<Next> = None;
        for domain in self.store.domains().await?.iter().take(LOCAL_DOMAINS_LIMIT).filter(|d| !home.contains(&&d.name)) {
            let Ok(there) = Address::new(address.local(), &domain.name) else { continue };
            match (self.named(&there, false, trace).await?, &found) {
                (Some(_), Some(_)) => {
                    let because = "several hosted domains have that name; write the address with its domain".to_owned();
                    return Ok(unknown(address, Table::LocalRecipient, because, trace));
                }
                (Some(next), None) => found = Some(next),
                (None, _) => {}
            }
        }
        let missing = || unknown(address, Table::LocalRecipient, "no account or alias of the directory has that name".to_owned(), trace);
        Ok(found.unwrap_or_else(missing))
    }

    /// The account or alias of `address`, with its detail or without.
    async fn named(&self, address: &Address, propagates: bool, trace: &mut Trace) -> Result<Option<Next>, db::Error> {
        if let Some(next) = self.exact(address, None, propagates, trace).await? {
            return Ok(Some(next));
        }
        match address.split_delimiter(&self.settings.delimiter) {
            (base, Some(detail)) => {
                trace.tell("detail", address, || (base.to_string(), format!("recipient_delimiter = {}", self.settings.delimiter)));
                self.exact(&base, Some(detail), propagates, trace).await
            }
            (_, None) => Ok(None),
        }
    }

    async fn exact(&self, address: &Address, detail: Option<String>, propagates: bool, trace: &mut Trace) -> Result<Option<Next>, db::Error> {
        Ok(match self.store.lookup(address).await? {
            Lookup::Account(account) => Some(mailbox(*account, detail, address, trace)),
            Lookup::Alias(targets) => {
                let detail = detail.filter(|_| propagates);
                let targets: Vec<Address> = match &detail {
                    Some(detail) => targets.iter().map(|target| self.extended(target, detail)).collect(),
                    None => targets,
                };
                trace.tell("alias", address, || {
                    let with = detail.as_ref().map_or("", |_| ", with its detail (propagate_unmatched_extensions)");
                    (list(&targets), format!("an alias of the directory{with}"))
                });
                Some(Next::Alias(targets))
            }
            Lookup::Nobody => None,
        })
    }

    /// `new@domain` → `new+detail@domain`; as it was if that is too long.
    fn extended(&self, target: &Address, detail: &str) -> Address {
        let Some(delimiter) = self.settings.delimiter.chars().next() else { return target.clone() };
        Address::new(&format!("{}{delimiter}{detail}", target.local()), target.domain()).unwrap_or_else(|_| target.clone())
    }

    /// Who reads the mail to postmaster and abuse. A `postmaster` that leads back to itself counts as none.
    async fn postmaster(&self, address: &Address, trace: &mut Trace) -> Result<Next, db::Error> {
        let named = self.settings.postmaster.as_ref().filter(|named| !is_role(named));
        if let Some(named) = named {
            trace.tell("postmaster", address, || (named.to_string(), "the parameter postmaster names it".to_owned()));
            return Ok(Next::Alias(vec![named.clone()]));
        }
        match self.store.first_account().await? {
            Some(account) => {
                trace.tell("postmaster", address, || (account.login.to_string(), "the first account is postmaster; postmaster = … names another".to_owned()));
                Ok(mailbox(account, None, address, trace))
            }
            None => {
                trace.tell("later", address, || ("waits in the queue".to_owned(), NO_ACCOUNT_YET.to_owned()));
                Ok(Next::Later(NO_ACCOUNT_YET))
            }
        }
    }
}

fn mailbox(account: Account, detail: Option<String>, asked: &Address, trace: &mut Trace) -> Next {
    trace.tell("account", asked, || {
        let with = detail.as_ref().map_or_else(String::new, |detail| format!(", detail {detail}"));
        (format!("{}{with}", account.login), format!("account {} of the directory", account.id))
    });
    Next::Mailbox { account: account.id, address: account.login, detail }
}

fn unknown(address: &Address, table: Table, because: String, trace: &mut Trace) -> Next {
    trace.tell("unknown", address, || (format!("User unknown in {table}"), because));
    Next::Unknown(table)
}

/// Names that exist in every domain of ours (RFC 5321 §4.5.1, RFC 2142 §4).
fn is_role(address: &Address) -> bool {
    ["postmaster", "abuse"].iter().any(|role| address.local().eq_ignore_ascii_case(role))
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}
