//! One step of the way of an address.

use std::fmt;
use std::sync::Arc;

use mail::{Address, Status};
use store::directory::Lookup;
use store::{Account, AccountId, Store};

use crate::explain::{Step, Trace};
use crate::follow::{Applied, End, Route, Steps, To, follow_told};
use crate::rewrite::Place;
use crate::settings::{LocalRecipients, Settings};

/// Hosted domains looked through for a name of the local class: a name in `mydestination` is for one machine's users; who
/// hosts more domains than this writes addresses with their domain.
pub const LOCAL_DOMAINS_LIMIT: usize = 100;

/// The class of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `posthouse domain add`
    Hosted,
    /// `mydestination`, and the addresses of this machine.
    Local,
    /// `virtual_alias_domains`
    Alias,
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
            Class::Alias => "alias",
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
    VirtualAlias,
    LocalRecipient,
    RelayRecipient,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Table::VirtualMailbox => "virtual mailbox table",
            Table::VirtualAlias => "virtual alias table",
            Table::RelayRecipient => "relay recipient table",
            Table::LocalRecipient => "local recipient table",
        })
    }
}

/// Where one step leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A mailbox here. `address` is the account's own, `detail` what followed the delimiter.
    Mailbox { account: AccountId, address: Address, detail: Option<String> },
    /// It stands for others.
    Alias(Alias),
    /// It leaves this machine by this next hop (empty: the MX of its domain). `class` is [`Class::Relay`] or [`Class::Rest`].
    Remote { hop: String, class: Class },
    /// Ours, but it can't be told yet where it goes.
    Later(&'static str),
    /// Ours, and nobody has it.
    Unknown(Table),
    /// Nobody has it, but `local_recipient_maps` says to take it in.
    Missing,
    /// A table says that it can't be, or says nothing that can be understood.
    Refused(Status, String),
}

/// What an address stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alias {
    pub targets: Vec<Address>,
    /// `\user` of aliases(5): no table is asked for them any more.
    pub users: Vec<Address>,
    /// Who sends what goes on from here.
    pub owner: Option<Address>,
    /// Tables that are not asked again for a target that is the address itself.
    pub own: Applied,
}

impl Alias {
    fn of(targets: Vec<Address>) -> Alias {
        Alias { targets, ..Alias::default() }
    }
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

    /// The same, to be kept.
    pub fn shared_settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    /// The class of the domain of `address`.
    pub async fn class(&self, address: &Address) -> Result<Class, db::Error> {
        self.class_told(address, &Trace::default()).await
    }

    /// Follows the recipient of a message that comes in: rewritten, its aliases followed to their ends.
    pub async fn route(&self, address: &Address) -> Result<Route, db::Error> {
        self.route_told(address, &Trace::default()).await
    }

    /// The same of one that was accepted before: whose it is and who has the name, by the tables of this moment that are not rewriting's.
    pub async fn route_again(&self, address: &Address) -> Result<Route, db::Error> {
        self.follow(address, Applied::ALL, &Trace::default()).await
    }

    /// [`Router::route`] with every step told.
    pub async fn explain(&self, address: &Address) -> Result<(Route, Vec<Step>), db::Error> {
        let trace = Trace::on();
        let route = self.route_told(address, &trace).await?;
        Ok((route, trace.into_steps()))
    }

    async fn route_told(&self, address: &Address, trace: &Trace) -> Result<Route, db::Error> {
        let start = self.settings.rewrite_told(address, Place::EnvelopeRecipient, trace);
        let route = self.follow(&start, Applied::default(), trace).await?;
        // `postmaster: root` of a machine without a root here must not lose what RFC 5321 §4.5.1 says is read
        let nobody = matches!(&route, Route::Ends(ends) if ends.iter().all(|end| end.to == To::Lost));
        if !nobody || !is_role(&start) {
            return Ok(route);
        }
        Ok(match self.postmaster(&start, trace).await? {
            Next::Mailbox { account, address, detail } => Route::Ends(vec![End { address: start, to: To::Mailbox { account, address, detail }, owner: None }]),
            Next::Alias(alias) => match alias.targets.first() {
                Some(named) => self.follow(named, Applied::default(), trace).await?,
                None => route,
            },
            Next::Later(why) => Route::Later(why),
            _ => route,
        })
    }

    async fn follow(&self, address: &Address, applied: Applied, trace: &Trace) -> Result<Route, db::Error> {
        follow_told(&Way { router: self, trace }, address, applied, self.settings.limits, trace).await
    }

    async fn step(&self, address: &Address, applied: Applied, trace: &Trace) -> Result<Next, db::Error> {
        if !applied.virtual_aliases
            && let Some(next) = self.virtual_alias(address, trace)
        {
            return Ok(next);
        }
        match self.class_told(address, trace).await? {
            Class::Hosted => self.hosted(address, trace).await,
            Class::Local => self.local(address, applied, trace).await,
            Class::Alias => Ok(unknown(address, Table::VirtualAlias, "virtual_alias_maps has it not".to_owned(), trace)),
            Class::Relay if !self.settings.relay_recipients.is_empty() && self.settings.find(&self.settings.relay_recipients, address).is_none() => {
                Ok(unknown(address, Table::RelayRecipient, "relay_recipient_maps has it not".to_owned(), trace))
            }
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

    /// What virtual_alias_maps has for an address of any class.
    fn virtual_alias(&self, address: &Address, trace: &Trace) -> Option<Next> {
        let settings = &self.settings;
        let found = settings.find(&settings.virtual_aliases, address)?;
        let told = settings.addresses(&found, address, settings.propagates.virtual_alias).map_err(|what| what.to_string());
        let targets = told.and_then(|targets| match targets.iter().find(|target| target.to_string().len() > settings.limits.length) {
            Some(_) => Err(format!("an address has more than {} octets", settings.limits.length)),
            None => Ok(targets),
        });
        Some(match targets {
            Ok(targets) => {
                trace.tell("virtual", address, || (list(&targets), "virtual_alias_maps has it".to_owned()));
                Next::Alias(Alias { own: Applied { virtual_aliases: true, aliases: false }, ..Alias::of(targets) })
            }
            Err(what) => {
                tracing::warn!("virtual_alias_maps has \"{}\" for {address}: {what}", found.value);
                trace.tell("refused", address, || ("4.6.0 Alias expansion error".to_owned(), what));
                Next::Refused(Status(4, 6, 0), "Alias expansion error".to_owned())
            }
        })
    }

    async fn class_told(&self, address: &Address, trace: &Trace) -> Result<Class, db::Error> {
        let domain = address.domain();
        let own_postmaster = domain == self.settings.hostname && is_role(address);
        let (class, because) = if self.store.is_hosted(domain).await? {
            (Class::Hosted, "a hosted domain of the directory")
        } else if self.settings.is_local(domain) {
            (Class::Local, "mydestination lists it, or it is this machine's address")
        } else if own_postmaster {
            (Class::Local, "it is $myhostname, which has a postmaster always (RFC 5321 §4.5.1)")
        } else if self.settings.aliased.contains(domain) {
            (Class::Alias, "virtual_alias_domains lists it")
        } else if self.settings.relay.contains(domain) {
            (Class::Relay, "relay_domains lists it")
        } else {
            (Class::Rest, "it is neither hosted nor in mydestination, virtual_alias_domains or relay_domains")
        };
        trace.tell("class", address, || (class.as_str().to_owned(), format!("{domain}: {because}")));
        Ok(class)
    }

    async fn hosted(&self, address: &Address, trace: &Trace) -> Result<Next, db::Error> {
        if let Some(next) = self.named(address, true, trace).await? {
            return Ok(next);
        }
        if is_role(&address.split_delimiter(&self.settings.delimiter).0) {
            return self.postmaster(address, trace).await;
        }
        if let Lookup::Alias(targets) = self.store.catch_all(address.domain()).await? {
            trace.tell("catch-all", address, || (list(&targets), format!("alias @{}", address.domain())));
            return Ok(Next::Alias(Alias::of(targets)));
        }
        Ok(unknown(address, Table::VirtualMailbox, "no account, alias or catch-all has it".to_owned(), trace))
    }

    /// A name of this machine: an alias of `alias_maps`, else somebody of the directory, as `local_recipient_maps` lets it.
    async fn local(&self, address: &Address, applied: Applied, trace: &Trace) -> Result<Next, db::Error> {
        if !applied.aliases
            && let Some(next) = self.alias(address, trace).await
        {
            return Ok(next);
        }
        let listed = match &self.settings.local_recipients {
            LocalRecipients::Directory => false,
            LocalRecipients::All => true,
            LocalRecipients::Listed(maps, accounts) => match self.settings.find(maps, address) {
                Some(_) => true,
                None if *accounts || applied == Applied::ALL || is_role(address) => false,
                None => return Ok(unknown(address, Table::LocalRecipient, "local_recipient_maps has it not".to_owned(), trace)),
            },
        };
        match self.named_here(address, trace).await? {
            // what was taken in because a table says so is told to its sender later, by the queue
            Next::Unknown(_) if listed && applied != Applied::ALL => Ok(Next::Missing),
            next => Ok(next),
        }
    }

    /// The address of that name in the domain of `myorigin`, of `mydomain`, or in the one hosted domain that has it.
    async fn named_here(&self, address: &Address, trace: &Trace) -> Result<Next, db::Error> {
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
    async fn named(&self, address: &Address, propagates: bool, trace: &Trace) -> Result<Option<Next>, db::Error> {
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

    async fn exact(&self, address: &Address, detail: Option<String>, propagates: bool, trace: &Trace) -> Result<Option<Next>, db::Error> {
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
                Some(Next::Alias(Alias::of(targets)))
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
    async fn postmaster(&self, address: &Address, trace: &Trace) -> Result<Next, db::Error> {
        let named = self.settings.postmaster.as_ref().filter(|named| !is_role(named));
        if let Some(named) = named {
            trace.tell("postmaster", address, || (named.to_string(), "the parameter postmaster names it".to_owned()));
            return Ok(Next::Alias(Alias::of(vec![named.clone()])));
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

/// A router that tells its steps.
struct Way<'r> {
    router: &'r Router,
    trace: &'r Trace,
}

impl Steps for Way<'_> {
    async fn step(&self, address: &Address, applied: Applied) -> Result<Next, db::Error> {
        self.router.step(address, applied, self.trace).await
    }
}

fn mailbox(account: Account, detail: Option<String>, asked: &Address, trace: &Trace) -> Next {
    trace.tell("account", asked, || {
        let with = detail.as_ref().map_or_else(String::new, |detail| format!(", detail {detail}"));
        (format!("{}{with}", account.login), format!("account {} of the directory", account.id))
    });
    Next::Mailbox { account: account.id, address: account.login, detail }
}

fn unknown(address: &Address, table: Table, because: String, trace: &Trace) -> Next {
    trace.tell("unknown", address, || (format!("User unknown in {table}"), because));
    Next::Unknown(table)
}

/// Names that exist in every domain of ours (RFC 5321 §4.5.1, RFC 2142 §4).
pub(crate) fn is_role(address: &Address) -> bool {
    ["postmaster", "abuse"].iter().any(|role| address.local().eq_ignore_ascii_case(role))
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}
