//! `smtpd_client_restrictions` … `smtpd_end_of_data_restrictions`: lists of rules, tried in order until one decides — access(5) and postconf(5) of
//! Postfix.
//!
//! A word that is not known makes the configuration unsound, since skipping a rule of access is the one thing a mail server must not do. No list
//! can turn the server into an open relay: see [`is_open`].

use crate::maps::{Table, split};
use crate::value;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Whose name or address a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Client,
    ReverseClient,
    Helo,
    Sender,
    Recipient,
    /// Who has logged in.
    Login,
}

/// One rule.
#[derive(Clone, Debug)]
pub enum Restriction {
    /// Whoever it is.
    Permit,
    /// A client in `mynetworks`.
    PermitMynetworks,
    /// A client on this machine.
    PermitInetInterfaces,
    /// A client that has authenticated.
    PermitSaslAuthenticated,
    /// A recipient in a domain of ours, or in `relay_domains`.
    PermitAuthDestination,
    /// Refuses for good all that `PermitAuthDestination` would not permit.
    RejectUnauthDestination,
    /// The same, for now (4xx).
    DeferUnauthDestination,
    /// Refuses for good.
    Reject,
    /// Refuses for now.
    Defer,
    /// What is permitted in the end is refused for now.
    DeferIfPermit,
    /// What is refused for good in the end is refused for now.
    DeferIfReject,
    /// The next rule only warns.
    WarnIfReject,
    /// Waits for so many seconds.
    Sleep(u64),
    /// `reject_unknown_…`: no such name in the DNS.
    Unknown(Subject),
    /// `reject_non_fqdn_…`
    NonFqdn(Subject),
    /// `reject_invalid_helo_hostname`
    InvalidHelo,
    /// `reject_unlisted_sender`
    UnlistedSender,
    /// `reject_plaintext_session`
    PlaintextSession,
    /// `reject_multi_recipient_bounce`
    MultiRecipientBounce,
    /// `reject_authenticated_sender_login_mismatch`; with `true` an address that `smtpd_sender_login_maps` has not passes
    /// (`reject_known_sender_login_mismatch`).
    NotOwned { unknown_passes: bool },
    /// `reject_unauthenticated_sender_login_mismatch`
    NotLoggedIn,
    /// `check_…_access`
    Access(Subject, Access),
    /// `reject_rbl_client`, `reject_rhsbl_…`
    Blocked(Subject, DnsList),
    /// `permit_dnswl_client`, `permit_rhswl_client` (by its name)
    Welcome { by_name: bool, list: DnsList },
    /// `check_policy_service`
    Policy(Policy),
    /// One of `smtpd_restriction_classes`.
    Class(Arc<[Restriction]>),
}

/// A table of actions.
#[derive(Clone, Debug)]
pub struct Access {
    /// `TYPE:NAME`, for the log.
    pub spec: String,
    pub table: Arc<Table>,
}

/// `domain[=d.d.d.d]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsList {
    pub domain: String,
    /// What the answer must be; empty: anything.
    filter: Vec<Vec<(u8, u8)>>,
    /// As it is written, for `rbl_reply_maps`.
    pub written: String,
}

/// A policy server, SMTPD_POLICY_README.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `inet:HOST:PORT` or `unix:PATH`
    pub server: String,
    /// `{ inet:…, timeout=10s }`
    pub timeout: Option<std::time::Duration>,
    /// `{ inet:…, default_action=DUNNO }`
    pub default_action: Option<String>,
}

use Restriction as R;
use Subject as S;

/// Words that stand alone. Commands sent too early are refused always, and so are recipients nobody has: those two are no rules any more.
pub(crate) const WORDS: [(&str, Option<Restriction>); 36] = [
    ("permit", Some(R::Permit)),
    ("permit_mynetworks", Some(R::PermitMynetworks)),
    ("permit_inet_interfaces", Some(R::PermitInetInterfaces)),
    ("permit_sasl_authenticated", Some(R::PermitSaslAuthenticated)),
    ("permit_auth_destination", Some(R::PermitAuthDestination)),
    ("reject_unauth_destination", Some(R::RejectUnauthDestination)),
    ("defer_unauth_destination", Some(R::DeferUnauthDestination)),
    ("reject", Some(R::Reject)),
    ("defer", Some(R::Defer)),
    ("defer_if_permit", Some(R::DeferIfPermit)),
    ("defer_if_reject", Some(R::DeferIfReject)),
    ("warn_if_reject", Some(R::WarnIfReject)),
    ("reject_unknown_client_hostname", Some(R::Unknown(S::Client))),
    ("reject_unknown_client", Some(R::Unknown(S::Client))),
    ("reject_unknown_reverse_client_hostname", Some(R::Unknown(S::ReverseClient))),
    ("reject_unknown_helo_hostname", Some(R::Unknown(S::Helo))),
    ("reject_unknown_hostname", Some(R::Unknown(S::Helo))),
    ("reject_unknown_sender_domain", Some(R::Unknown(S::Sender))),
    ("reject_unknown_recipient_domain", Some(R::Unknown(S::Recipient))),
    ("reject_non_fqdn_helo_hostname", Some(R::NonFqdn(S::Helo))),
    ("reject_non_fqdn_hostname", Some(R::NonFqdn(S::Helo))),
    ("reject_non_fqdn_sender", Some(R::NonFqdn(S::Sender))),
    ("reject_non_fqdn_recipient", Some(R::NonFqdn(S::Recipient))),
    ("reject_invalid_helo_hostname", Some(R::InvalidHelo)),
    ("reject_invalid_hostname", Some(R::InvalidHelo)),
    ("reject_unlisted_sender", Some(R::UnlistedSender)),
    ("reject_plaintext_session", Some(R::PlaintextSession)),
    ("reject_multi_recipient_bounce", Some(R::MultiRecipientBounce)),
    ("reject_authenticated_sender_login_mismatch", Some(R::NotOwned { unknown_passes: false })),
    ("reject_known_sender_login_mismatch", Some(R::NotOwned { unknown_passes: true })),
    ("reject_unauthenticated_sender_login_mismatch", Some(R::NotLoggedIn)),
    ("reject_unauth_pipelining", None),
    ("reject_unlisted_recipient", None),
    ("reject_unknown_address", Some(R::Unknown(S::Sender))),
    ("check_recipient_maps", None),
    ("reject_sender_login_mismatch", None), // two rules: see `Reader::word`
];

/// Words that take an argument.
pub(crate) const TAKING: [&str; 17] = [
    "check_address_map",
    "check_client_access",
    "check_helo_access",
    "check_policy_service",
    "check_recipient_access",
    "check_reverse_client_hostname_access",
    "check_sasl_access",
    "check_sender_access",
    "permit_dnswl_client",
    "permit_rhswl_client",
    "reject_rbl_client",
    "reject_rhsbl_client",
    "reject_rhsbl_helo",
    "reject_rhsbl_recipient",
    "reject_rhsbl_reverse_client",
    "reject_rhsbl_sender",
    "sleep",
];

/// Classes within classes, and actions of tables that are lists again.
const DEPTH: usize = 20;

/// Longest `sleep`: a client waits for no answer any longer.
const LONGEST_SLEEP: u64 = 300;

/// What is wrong with a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    #[error("\"{0}\" is not supported, and it may restrict access")]
    Unknown(String),
    #[error("{0}")]
    Other(String),
}

/// One of `smtpd_restriction_classes`.
#[derive(Clone, Debug)]
pub enum Class {
    /// As it is written.
    Written(String),
    /// Read before.
    Read(Arc<[Restriction]>),
}

/// Reads lists.
pub struct Reader<'r> {
    /// A class by its name; none if there is no such class.
    pub class: &'r dyn Fn(&str) -> Option<Class>,
    /// Opens a table.
    pub open: &'r mut dyn FnMut(&str) -> Result<Arc<Table>, String>,
}

impl Reader<'_> {
    /// A list; a table without a word before it is meant for `default`.
    pub fn list(&mut self, text: &str, default: Option<Subject>) -> Result<Vec<Restriction>, BadList> {
        self.list_at(text, default, 0)
    }

    fn list_at(&mut self, text: &str, default: Option<Subject>, depth: usize) -> Result<Vec<Restriction>, BadList> {
        if depth > DEPTH {
            return Err(BadList::Other(format!("more than {DEPTH} restriction classes within one another")));
        }
        let words = value::list(text).map_err(BadList::Other)?;
        let mut words = words.iter();
        let mut list = Vec::new();
        while let Some(word) = words.next() {
            let lower = word.to_ascii_lowercase();
            if TAKING.contains(&lower.as_str()) {
                let argument = words.next().ok_or_else(|| BadList::Other(format!("\"{word}\" needs an argument")))?;
                list.push(self.taking(&lower, argument)?);
            } else if let Some((_, rule)) = WORDS.iter().find(|(name, _)| *name == lower) {
                list.extend(rule.clone());
                if lower == "reject_sender_login_mismatch" {
                    list.extend([R::NotOwned { unknown_passes: false }, R::NotLoggedIn]);
                }
            } else if let Some(class) = (self.class)(word) {
                list.push(R::Class(match class {
                    Class::Written(text) => self.list_at(&text, default, depth + 1)?.into(),
                    Class::Read(list) => list,
                }));
            } else {
                match (default, split(word)) {
                    (Some(subject), Some(_)) => list.push(R::Access(subject, self.access(word)?)),
                    _ => return Err(BadList::Unknown(word.clone())),
                }
            }
        }
        Ok(list)
    }

    fn taking(&mut self, word: &str, argument: &str) -> Result<Restriction, BadList> {
        let dns = || DnsList::parse(argument).map_err(BadList::Other);
        Ok(match word {
            "check_client_access" | "check_address_map" => R::Access(S::Client, self.access(argument)?),
            "check_reverse_client_hostname_access" => R::Access(S::ReverseClient, self.access(argument)?),
            "check_helo_access" => R::Access(S::Helo, self.access(argument)?),
            "check_sender_access" => R::Access(S::Sender, self.access(argument)?),
            "check_recipient_access" => R::Access(S::Recipient, self.access(argument)?),
            "check_sasl_access" => R::Access(S::Login, self.access(argument)?),
            "reject_rbl_client" => R::Blocked(S::Client, dns()?),
            "reject_rhsbl_client" => R::Blocked(S::Login, dns()?),
            "reject_rhsbl_reverse_client" => R::Blocked(S::ReverseClient, dns()?),
            "reject_rhsbl_helo" => R::Blocked(S::Helo, dns()?),
            "reject_rhsbl_sender" => R::Blocked(S::Sender, dns()?),
            "reject_rhsbl_recipient" => R::Blocked(S::Recipient, dns()?),
            "permit_dnswl_client" => R::Welcome { by_name: false, list: dns()? },
            "permit_rhswl_client" => R::Welcome { by_name: true, list: dns()? },
            "check_policy_service" => R::Policy(Policy::parse(argument).map_err(BadList::Other)?),
            _ => R::Sleep(argument.parse().ok().filter(|seconds| *seconds <= LONGEST_SLEEP).ok_or_else(|| BadList::Other(format!("sleep {argument}: not a number up to {LONGEST_SLEEP}")))?),
        })
    }

    fn access(&mut self, spec: &str) -> Result<Access, BadList> {
        if split(spec).is_none() {
            return Err(BadList::Other(format!("bad argument \"{spec}\": need maptype:mapname")));
        }
        Ok(Access { spec: spec.to_owned(), table: (self.open)(spec).map_err(BadList::Other)? })
    }
}

impl DnsList {
    fn parse(text: &str) -> Result<DnsList, String> {
        let (domain, filter) = text.split_once('=').map_or((text, None), |(domain, filter)| (domain, Some(filter)));
        if domain.is_empty() || domain.contains(':') {
            return Err(format!("\"{text}\" is no domain of a DNS list"));
        }
        let filter = match filter {
            None => Vec::new(),
            Some(filter) => octets(filter).ok_or_else(|| format!("\"{text}\": the answer wanted must look like 127.0.0.2 or 127.0.0.[2..9;11]"))?,
        };
        Ok(DnsList { domain: domain.to_ascii_lowercase(), filter, written: text.to_owned() })
    }

    /// Whether an answer counts.
    pub fn wants(&self, answer: Ipv4Addr) -> bool {
        self.filter.is_empty() || answer.octets().iter().zip(&self.filter).all(|(octet, ranges)| ranges.iter().any(|(from, to)| (from..=to).contains(&octet)))
    }
}

/// `127.0.0.[2..9;11]`: four octets, each a number or ranges in brackets.
fn octets(text: &str) -> Option<Vec<Vec<(u8, u8)>>> {
    let mut rest = text;
    let mut all = Vec::new();
    for place in 0..4 {
        if place > 0 {
            rest = rest.strip_prefix('.')?;
        }
        let (one, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        rest = after;
        let range = |text: &str| match text.split_once("..") {
            Some((from, to)) => Some((from.parse().ok()?, to.parse().ok()?)),
            None => text.parse().ok().map(|octet| (octet, octet)),
        };
        all.push(one.split(';').map(range).collect::<Option<Vec<_>>>()?);
    }
    rest.is_empty().then_some(all)
}

impl Policy {
    fn parse(text: &str) -> Result<Policy, String> {
        let words = value::list(text)?;
        let (server, attributes) = words.split_first().ok_or("check_policy_service needs a server")?;
        if !["inet:", "unix:"].iter().any(|kind| server.strip_prefix(kind).is_some_and(|rest| !rest.is_empty())) {
            return Err(format!("check_policy_service {server}: need inet:host:port or unix:path"));
        }
        let mut policy = Policy { server: server.clone(), timeout: None, default_action: None };
        for attribute in attributes {
            let (name, value) = attribute.split_once('=').map(|(name, value)| (name.trim_ascii(), value.trim_ascii())).unwrap_or_default();
            match name {
                "timeout" => policy.timeout = Some(value::time(value, 's')?),
                "default_action" => policy.default_action = Some(value.to_owned()),
                "max_idle" | "max_ttl" | "request_limit" | "retry_delay" | "try_limit" | "policy_context" => {}
                _ => return Err(format!("check_policy_service: \"{attribute}\" is no attribute")),
            }
        }
        Ok(policy)
    }
}

/// True if a stranger's mail for another's domain passes `list` undecided or permitted: then nothing in it stops relaying.
pub fn is_open(list: &[Restriction]) -> bool {
    decided(list) != Some(false)
}

/// Whether a list lets such mail pass for sure, or stops it for sure.
fn decided(list: &[Restriction]) -> Option<bool> {
    let mut warns = false;
    for rule in list {
        let only_warns = std::mem::take(&mut warns);
        let told = match rule {
            R::Permit => Some(true),
            R::Access(_, access) if access.table.is_always_permit() => Some(true),
            R::RejectUnauthDestination | R::DeferUnauthDestination | R::Reject | R::Defer | R::DeferIfPermit => Some(false),
            R::Class(inner) => decided(inner),
            R::WarnIfReject => {
                warns = true;
                None
            }
            _ => None,
        };
        if told.is_some() && !(only_warns && told == Some(false)) {
            return told;
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Restriction>, String> {
        let class = |name: &str| match name {
            "strict" => Some("reject_non_fqdn_sender, reject"),
            "round" => Some("round"),
            "loose" => Some("permit"),
            _ => None,
        };
        let class = |name: &str| class(name).map(|text| Class::Written(text.to_owned()));
        let mut open = |spec: &str| Table::open(spec, &|_| Err("no such file".to_owned())).map(|(table, _)| Arc::new(table)).map_err(|error| error.to_string());
        Reader { class: &class, open: &mut open }.list(text, Some(Subject::Client)).map_err(|bad| bad.to_string())
    }

    #[test]
    fn known_rules_are_read_and_unknown_ones_named() {
        let list = parse("permit_mynetworks, PERMIT_sasl_authenticated\n reject_unauth_destination").unwrap();
        assert!(matches!(list[..], [R::PermitMynetworks, R::PermitSaslAuthenticated, R::RejectUnauthDestination]));
        assert!(parse("").unwrap().is_empty());
        assert!(matches!(parse("reject_unauth_pipelining, permit, reject_unlisted_recipient").unwrap()[..], [R::Permit]));
        assert!(matches!(parse("reject_sender_login_mismatch").unwrap()[..], [R::NotOwned { unknown_passes: false }, R::NotLoggedIn]));
        assert!(matches!(&parse("check_sender_access inline:{a=OK} inline:{b=OK}").unwrap()[..], [R::Access(S::Sender, _), R::Access(S::Client, _)]));
        assert!(matches!(&parse("strict").unwrap()[..], [R::Class(inner)] if inner.len() == 2));
        assert!(matches!(&parse("check_policy_service { inet:127.0.0.1:10023, timeout=5s, { default_action = DUNNO } }").unwrap()[..], [R::Policy(policy)] if policy.default_action.as_deref() == Some("DUNNO")));
        for (text, error) in [
            ("permit_mynetworks nonsense", "\"nonsense\" is not supported, and it may restrict access"),
            ("reject_rbl_client", "\"reject_rbl_client\" needs an argument"),
            ("check_client_access /x", "bad argument \"/x\": need maptype:mapname"),
            ("check_client_access hash:/x", "open /x: no such file"),
            ("check_policy_service x", "check_policy_service x: need inet:host:port or unix:path"),
            ("reject_rbl_client a.test=127.0.0", "\"a.test=127.0.0\": the answer wanted must look like 127.0.0.2 or 127.0.0.[2..9;11]"),
            ("sleep x", "sleep x: not a number up to 300"),
            ("round", "more than 20 restriction classes within one another"),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn answers_of_lists_are_chosen() {
        for (text, answer, counts) in [
            ("a.test", "127.0.0.9", true),
            ("a.test=127.0.0.2", "127.0.0.2", true),
            ("a.test=127.0.0.2", "127.0.0.3", false),
            ("a.test=127.0.[0..255].[2..9;11]", "127.0.7.11", true),
            ("a.test=127.0.[0..255].[2..9;11]", "127.0.7.10", false),
        ] {
            assert_eq!(DnsList::parse(text).unwrap().wants(answer.parse().unwrap()), counts, "{text} {answer}");
        }
    }

    #[test]
    fn open_lists_are_seen() {
        for (text, open) in [
            ("", true),
            ("permit", true),
            ("permit_mynetworks", true),
            ("permit_mynetworks permit reject", true),
            ("permit_mynetworks reject_unauth_destination", false),
            ("defer_unauth_destination permit", false),
            ("permit_auth_destination reject", false),
            ("defer", false),
            ("warn_if_reject reject_unauth_destination", true),
            ("check_client_access static:OK reject", true),
            ("check_client_access inline:{a=OK} reject", false),
            ("strict", false),
            ("loose reject", true),
            ("defer_if_permit", false),
        ] {
            assert_eq!(is_open(&parse(text).unwrap()), open, "{text}");
        }
    }
}
