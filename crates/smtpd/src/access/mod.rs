//! Whether a client may send to a recipient: the lists of `smtpd_…_restrictions`, evaluated as Postfix evaluates them, in its words.
//!
//! ```text
//! client ─► helo ─► sender ─► relay ─► recipient        at RCPT (smtpd_delay_reject = no: the first three at MAIL)
//! data                                                  at DATA
//! end of data                                           when the message is whole
//! ```
//!
//! A list ends at its first permit or refusal; one that ends undecided lets pass. Whatever they say, a stranger never relays (see [`Trust`]).
//! Client, helo, sender, data and end-of-data lists are the `smtp` service's: who submits has logged in.

mod codes;
mod policy;
mod rbl;
mod rules;
mod table;

use std::net::IpAddr;
use std::time::Duration;

use auth::Identity;
use config::restrictions::{Restriction, Subject};
use mail::{Address, ReversePath, Status};
use net::dns::{Missing, Resolver};
use route::{Class, Route, Router};
use smtp::Reply;

pub(crate) use codes::Codes;
pub use rules::Rules;

use crate::peer::{Named, PeerName};
use crate::visit::plain;

/// Lists within lists: what a table gives may be a list again.
const DEPTH: usize = 100;

/// Where a session stands, as access tables and policy servers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Mail,
    Rcpt,
    Data,
    End,
}

impl Stage {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Stage::Mail => "MAIL",
            Stage::Rcpt => "RCPT",
            Stage::Data => "DATA",
            Stage::End => "END-OF-MESSAGE",
        }
    }
}

/// What is known when a list is asked.
#[derive(Clone)]
pub(crate) struct Facts<'v> {
    pub stage: Stage,
    pub peer: &'v PeerName,
    /// It is in `mynetworks`.
    pub trusted: bool,
    pub identity: Option<&'v Identity>,
    pub mechanism: Option<&'v str>,
    pub tls: Option<&'v net::TlsInfo>,
    /// `SMTP` or `ESMTP`
    pub protocol: &'v str,
    /// Empty: it said none.
    pub helo: &'v str,
    pub sender: &'v ReversePath,
    /// None where there are several.
    pub recipient: Option<&'v Address>,
    pub recipients: usize,
    pub size: u64,
    pub id: String,
}

/// What a permit stands on. Only what the client cannot make up for itself lets it relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// Nothing, or something that the client said.
    None,
    /// Its address or its verified name.
    Client,
}

/// What a rule or a list says.
#[derive(Debug)]
pub(crate) enum Verdict {
    Undecided,
    Permit(Trust),
    Refused(Reply),
}

/// What is to be done with a message that is let pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// Fields that go on top.
    pub prepend: Vec<String>,
    /// It is answered with 250 and thrown away.
    pub discard: bool,
}

/// One evaluation: of all lists of a stage.
pub(crate) struct Checks<'v> {
    pub facts: Facts<'v>,
    rules: &'v Rules,
    router: &'v Router,
    resolver: Option<&'v Resolver>,
    /// Whom the recipient's domain belongs to, if there is a recipient.
    class: Option<Class>,
    defer_if_permit: Option<Reply>,
    defer_if_reject: Option<Reply>,
    /// The rule only warns.
    warns: bool,
    depth: usize,
    pub effects: Effects,
    /// For the log: `reject_warning` and its kin, and what would have been said.
    pub noted: Vec<(&'static str, String)>,
}

/// What a reply calls the thing that is refused, and its kind.
#[derive(Clone)]
struct Thing {
    name: String,
    kind: &'static str,
}

const CLIENT: &str = "Client host";
const REVERSE: &str = "Unverified Client host";
const HELO: &str = "Helo command";
const SENDER: &str = "Sender address";
const RECIPIENT: &str = "Recipient address";
const DATA: &str = "Data command";
const END: &str = "End-of-data";

impl<'v> Checks<'v> {
    pub fn new(facts: Facts<'v>, rules: &'v Rules, router: &'v Router, resolver: Option<&'v Resolver>, class: Option<Class>) -> Checks<'v> {
        Checks {
            facts,
            rules,
            router,
            resolver,
            class,
            defer_if_permit: None,
            defer_if_reject: None,
            warns: false,
            depth: 0,
            effects: Effects::default(),
            noted: Vec::new(),
        }
    }

    /// Client, helo and sender.
    pub async fn envelope(&mut self) -> Result<(), Reply> {
        let rules = self.rules;
        let client = Thing { name: self.facts.peer.to_string(), kind: CLIENT };
        self.list(&rules.client, &client).await?;
        let helo = Thing { name: plain(self.facts.helo), kind: HELO };
        self.list(&rules.helo, &helo).await?;
        let sender = Thing { name: self.facts.sender.to_string(), kind: SENDER };
        self.list(&rules.sender, &sender).await?;
        if rules.unlisted_sender && let Verdict::Refused(reply) = self.unlisted_sender().await {
            return Err(reply);
        }
        Ok(())
    }

    /// Relaying and the recipient: each list must let it pass.
    pub async fn recipient(&mut self) -> Result<(), Reply> {
        let rules = self.rules;
        let recipient = self.recipient_name();
        let lists = if rules.relay_first { [&rules.relay, &rules.recipient] } else { [&rules.recipient, &rules.relay] };
        let mut trust = Trust::None;
        for list in lists {
            trust = trust.max(self.list(list, &recipient).await?);
        }
        self.deferred()?;
        let stranger = !self.facts.trusted && self.facts.identity.is_none() && trust == Trust::None;
        match self.is_ours() || !stranger {
            true => Ok(()),
            false => Err(self.relay_denied(rules.codes.relay, 5)),
        }
    }

    /// DATA, or the end of a message.
    pub async fn message(&mut self) -> Result<(), Reply> {
        let rules = self.rules;
        let (list, name) = match self.facts.stage {
            Stage::Data => (&rules.data, Thing { name: "DATA".into(), kind: DATA }),
            _ => (&rules.end_of_data, Thing { name: "END-OF-MESSAGE".into(), kind: END }),
        };
        self.list(list, &name).await?;
        self.deferred()
    }

    /// What was to be permitted is not, if something said so before.
    fn deferred(&mut self) -> Result<(), Reply> {
        match self.defer_if_permit.take() {
            Some(reply) => Err(reply),
            None => Ok(()),
        }
    }

    async fn list(&mut self, list: &[Restriction], name: &Thing) -> Result<Trust, Reply> {
        (self.depth, self.warns, self.defer_if_reject) = (0, false, None);
        match self.rules(list, name).await {
            Verdict::Undecided => Ok(Trust::None),
            Verdict::Permit(trust) => Ok(trust),
            Verdict::Refused(reply) => Err(reply),
        }
    }

    async fn rules(&mut self, list: &[Restriction], name: &Thing) -> Verdict {
        if self.depth > DEPTH {
            tracing::error!("restrictions within restrictions: more than {DEPTH}");
            return self.server_error();
        }
        self.depth += 1;
        let warned = self.warns;
        for rule in list {
            if matches!(rule, Restriction::WarnIfReject) {
                self.warns = true;
                continue;
            }
            let verdict = Box::pin(self.rule(rule, name)).await;
            self.warns = warned;
            if self.effects.discard {
                return Verdict::Permit(Trust::None);
            }
            if !matches!(verdict, Verdict::Undecided) {
                self.depth -= 1;
                return verdict;
            }
        }
        self.depth -= 1;
        Verdict::Undecided
    }

    async fn rule(&mut self, rule: &Restriction, name: &Thing) -> Verdict {
        use Restriction as R;
        let rules = self.rules;
        let facts = self.facts.clone();
        let permit_if = |yes: bool, trust: Trust| if yes { Verdict::Permit(trust) } else { Verdict::Undecided };
        match rule {
            R::Permit => Verdict::Permit(Trust::None),
            R::PermitMynetworks => permit_if(facts.trusted, Trust::Client),
            R::PermitInetInterfaces => permit_if(rules.is_here(facts.peer.address), Trust::None),
            R::PermitSaslAuthenticated => permit_if(facts.identity.is_some(), Trust::Client),
            R::PermitAuthDestination => permit_if(self.is_ours(), Trust::None),
            R::RejectUnauthDestination if self.is_ours() => Verdict::Undecided,
            R::RejectUnauthDestination => {
                let code = rules.codes.relay;
                self.refuse(code, Status(5, 7, 1), format!("<{}>: Relay access denied", self.recipient_name().name))
            }
            R::DeferUnauthDestination if self.is_ours() => Verdict::Undecided,
            R::DeferUnauthDestination => {
                let code = rules.codes.relay.saturating_sub(100).max(400);
                self.refuse(code, Status(4, 7, 1), format!("<{}>: Relay access denied", self.recipient_name().name))
            }
            R::Reject => self.refuse(rules.codes.reject, Status(5, 7, 1), rejected(name, "Access denied")),
            R::Defer => self.refuse(rules.codes.defer, Status(4, 3, 2), rejected(name, "Try again later")),
            R::DeferIfPermit => self.maybe(Status(4, 7, 0), rejected(name, "defer_if_permit requested")),
            R::DeferIfReject => {
                self.defer_if_reject.get_or_insert(Reply::new(450, Status(4, 7, 0), rejected(name, "defer_if_reject requested")));
                Verdict::Undecided
            }
            R::WarnIfReject => Verdict::Undecided,
            R::Sleep(seconds) => {
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
                Verdict::Undecided
            }
            R::Unknown(subject) => self.unknown(*subject).await,
            R::NonFqdn(subject) => self.non_fqdn(*subject),
            R::InvalidHelo => self.invalid_helo(),
            R::UnlistedSender => self.unlisted_sender().await,
            R::PlaintextSession if facts.tls.is_none() => self.refuse(rules.codes.plaintext, Status(4, 7, 1), "Session encryption is required".to_owned()),
            R::MultiRecipientBounce if facts.sender.is_null() && facts.recipients > 1 && matches!(facts.stage, Stage::Data | Stage::End) => {
                self.refuse(rules.codes.multi_recipient_bounce, Status(5, 5, 3), rejected(name, "Multi-recipient bounce"))
            }
            R::PlaintextSession | R::MultiRecipientBounce => Verdict::Undecided,
            R::NotOwned { unknown_passes } => self.not_owned(*unknown_passes),
            R::NotLoggedIn => self.not_logged_in(),
            R::Access(subject, access) => self.access(*subject, access, name).await,
            R::Blocked(subject, list) => self.blocked(*subject, list).await,
            R::Welcome { by_name, list } => self.welcome(*by_name, list).await,
            R::Policy(policy) => self.policy(policy, name).await,
            R::Class(list) => self.rules(list, name).await,
        }
    }

    /// A refusal: of the reply, of a warning only, or of what an earlier uncertainty makes of it.
    fn refuse(&mut self, code: u16, status: Status, text: String) -> Verdict {
        let first = if code >= 500 { 5 } else { 4 };
        let text: String = plain(&text).chars().take(500).collect();
        let reply = Reply::new(code, Status(first, status.1, status.2), text);
        if self.warns {
            self.noted.push(("reject_warning", reply.to_string()));
            return Verdict::Undecided;
        }
        match self.defer_if_reject.take() {
            Some(earlier) if first == 5 => Verdict::Refused(earlier),
            _ => Verdict::Refused(reply),
        }
    }

    /// A refusal for now, unless something else refuses for good.
    fn maybe(&mut self, status: Status, text: String) -> Verdict {
        if self.warns {
            return self.refuse(450, status, text);
        }
        self.defer_if_permit.get_or_insert_with(|| Reply::new(450, status, plain(&text)));
        Verdict::Undecided
    }

    /// A table or rule that can't be followed: nobody passes by it.
    fn server_error(&mut self) -> Verdict {
        self.warns = false;
        self.refuse(451, Status(4, 3, 5), "Server configuration error".to_owned())
    }

    fn relay_denied(&self, code: u16, first: u8) -> Reply {
        Reply::new(code, Status(first, 7, 1), format!("<{}>: Relay access denied", self.recipient_name().name))
    }

    fn is_ours(&self) -> bool {
        self.class.is_none_or(Class::is_ours)
    }

    fn recipient_name(&self) -> Thing {
        Thing { name: self.facts.recipient.map(Address::to_string).unwrap_or_default(), kind: RECIPIENT }
    }

    /// What a rule about `subject` calls it.
    fn named(&self, subject: Subject) -> Thing {
        match subject {
            Subject::Client | Subject::Login => Thing { name: self.facts.peer.to_string(), kind: CLIENT },
            Subject::ReverseClient => Thing { name: self.facts.peer.reverse.name().unwrap_or("unknown").to_owned(), kind: REVERSE },
            Subject::Helo => Thing { name: plain(self.facts.helo), kind: HELO },
            Subject::Sender => Thing { name: self.facts.sender.to_string(), kind: SENDER },
            Subject::Recipient => self.recipient_name(),
        }
    }

    fn address(&self, subject: Subject) -> Option<&'v Address> {
        match subject {
            Subject::Sender => self.facts.sender.address(),
            _ => self.facts.recipient,
        }
    }

    /// `reject_unknown_…`
    async fn unknown(&mut self, subject: Subject) -> Verdict {
        let ip = self.facts.peer.address;
        let client = |named: &Named| match named {
            Named::Is(_) => None,
            Named::Unknown => Some(450),
            Named::No => Some(self.rules.codes.unknown_client),
        };
        match subject {
            Subject::Client | Subject::Login => match client(&self.facts.peer.verified) {
                Some(code) => self.refuse(code, Status(4, 7, 25), format!("Client host rejected: cannot find your hostname, [{ip}]")),
                None => Verdict::Undecided,
            },
            Subject::ReverseClient => match client(&self.facts.peer.reverse) {
                Some(code) => self.refuse(code, Status(4, 7, 1), format!("Client host rejected: cannot find your reverse hostname, [{ip}]")),
                None => Verdict::Undecided,
            },
            Subject::Helo => self.unknown_helo().await,
            Subject::Sender | Subject::Recipient => self.unknown_domain(subject).await,
        }
    }

    async fn unknown_helo(&mut self) -> Verdict {
        let name = self.named(Subject::Helo);
        if self.facts.helo.is_empty() {
            return Verdict::Undecided;
        }
        if self.facts.helo.starts_with('[') {
            return self.invalid_helo();
        }
        let host = self.facts.helo;
        let found = match self.addresses(host).await {
            Ok(()) => Ok(()),
            Err(why) => self.exchangers(host).await.map(drop).map_err(|also| worst(why, also)),
        };
        match found {
            Ok(()) => Verdict::Undecided,
            Err(Missing::Unknown) => self.maybe(Status(4, 7, 1), rejected(&name, "Host not found")),
            Err(_) => self.refuse(self.rules.codes.unknown_hostname, Status(4, 7, 1), rejected(&name, "Host not found")),
        }
    }

    /// The domain of an address elsewhere has no MX and no address, or a null MX (RFC 7505).
    async fn unknown_domain(&mut self, subject: Subject) -> Verdict {
        let Some(address) = self.address(subject) else { return Verdict::Undecided };
        let (name, domain) = (self.named(subject), address.domain());
        let sender = subject == Subject::Sender;
        match self.router.class(address).await {
            Ok(Class::Hosted | Class::Local | Class::Alias) => return Verdict::Undecided,
            Ok(Class::Relay | Class::Rest) => {}
            Err(error) => return self.lookup_failure(address, &error),
        }
        if address.literal().is_some() {
            return Verdict::Undecided;
        }
        let found = match self.exchangers(domain).await {
            Ok(exchangers) if exchangers.iter().all(String::is_empty) => {
                let text = rejected(&name, &format!("Domain {domain} does not accept mail (nullMX)"));
                return if sender { self.refuse(550, Status(5, 7, 27), text) } else { self.refuse(556, Status(5, 1, 10), text) };
            }
            Ok(_) => Ok(()),
            Err(why) => self.addresses(domain).await.map_err(|also| worst(why, also)),
        };
        let status = if sender { Status(4, 1, 8) } else { Status(4, 1, 2) };
        match found {
            Ok(()) => Verdict::Undecided,
            Err(Missing::Unknown) => self.maybe(status, rejected(&name, "Domain not found")),
            Err(_) => self.refuse(self.rules.codes.unknown_address, status, rejected(&name, "Domain not found")),
        }
    }

    async fn addresses(&self, host: &str) -> Result<(), Missing> {
        match self.resolver {
            Some(resolver) => resolver.addresses(host).await.map(drop),
            None => Err(Missing::Unknown),
        }
    }

    async fn exchangers(&self, domain: &str) -> Result<Vec<String>, Missing> {
        match self.resolver {
            Some(resolver) => resolver.mx(domain).await.map(|all| all.into_iter().map(|(_, name)| name).collect()),
            None => Err(Missing::Unknown),
        }
    }

    fn non_fqdn(&mut self, subject: Subject) -> Verdict {
        let (name, code) = (self.named(subject), self.rules.codes.non_fqdn);
        if subject == Subject::Helo {
            return match self.facts.helo {
                "" => Verdict::Undecided,
                literal if literal.starts_with('[') => self.invalid_helo(),
                host if is_hostname(host) && host.trim_end_matches('.').contains('.') => Verdict::Undecided,
                _ => self.refuse(code, Status(5, 5, 2), rejected(&name, "need fully-qualified hostname")),
            };
        }
        match self.address(subject) {
            Some(address) if address.literal().is_none() && !address.domain().contains('.') => {
                self.refuse(code, Status(5, 5, 2), rejected(&name, "need fully-qualified address"))
            }
            _ => Verdict::Undecided,
        }
    }

    fn invalid_helo(&mut self) -> Verdict {
        let (name, code) = (self.named(Subject::Helo), self.rules.codes.invalid_hostname);
        let helo = self.facts.helo;
        match helo.strip_prefix('[') {
            _ if helo.is_empty() => Verdict::Undecided,
            Some(_) if mail::address::literal(&helo.to_ascii_lowercase()).is_some() => Verdict::Undecided,
            Some(_) => self.refuse(code, Status(5, 5, 2), rejected(&name, "invalid ip address")),
            None if is_hostname(helo) || helo.parse::<IpAddr>().is_ok() => Verdict::Undecided,
            None => self.refuse(code, Status(5, 5, 2), rejected(&name, "Invalid name")),
        }
    }

    /// A sender in a domain of ours whom nobody is.
    async fn unlisted_sender(&mut self) -> Verdict {
        let Some(sender) = self.facts.sender.address() else { return Verdict::Undecided };
        let name = self.named(Subject::Sender);
        match self.router.route(sender).await {
            Ok(Route::Unknown(table)) => self.refuse(550, Status(5, 1, 0), rejected(&name, &format!("User unknown in {table}"))),
            Ok(_) => Verdict::Undecided,
            Err(error) => self.lookup_failure(sender, &error),
        }
    }

    fn lookup_failure(&mut self, address: &Address, error: &db::Error) -> Verdict {
        tracing::error!("{address} can't be looked up: {error}");
        self.warns = false;
        self.refuse(451, Status(4, 3, 0), format!("<{address}>: Temporary lookup failure"))
    }

    /// The logins that may send as the sender, by `smtpd_sender_login_maps`.
    fn owners(&self) -> Option<(String, &'v Address)> {
        let sender = self.facts.sender.address()?;
        let found = self.router.settings().find(&self.rules.logins, sender);
        Some((found.map(|found| found.value).unwrap_or_default(), sender))
    }

    fn not_owned(&mut self, unknown_passes: bool) -> Verdict {
        let (Some(identity), Some((owners, sender))) = (self.facts.identity, self.owners()) else { return Verdict::Undecided };
        let login = identity.login.to_string();
        let mut names = owners.split([',', ' ', '\t']).filter(|name| !name.is_empty());
        let known = !owners.is_empty();
        if self.rules.logins.is_empty() || (unknown_passes && !known) || names.any(|name| name.eq_ignore_ascii_case(&login)) {
            return Verdict::Undecided;
        }
        self.refuse(553, Status(5, 7, 1), format!("<{sender}>: Sender address rejected: not owned by user {login}"))
    }

    fn not_logged_in(&mut self) -> Verdict {
        match (self.facts.identity, self.owners()) {
            (None, Some((owners, sender))) if !owners.is_empty() => {
                self.refuse(553, Status(5, 7, 1), format!("<{sender}>: Sender address rejected: not logged in"))
            }
            _ => Verdict::Undecided,
        }
    }
}

/// `<name>: Kind rejected: why`
fn rejected(name: &Thing, why: &str) -> String {
    format!("<{}>: {} rejected: {why}", name.name, name.kind)
}

/// Of two reasons the one that says less.
fn worst(one: Missing, other: Missing) -> Missing {
    if one == Missing::Unknown || other == Missing::Unknown { Missing::Unknown } else { other }
}

/// Labels of letters, digits, hyphens and `_`, not all of them figures (valid_hostname of Postfix).
fn is_hostname(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    name.len() <= 255 && name.split('.').all(label) && !name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}
