//! The one table of parameters. It feeds `postconf -d`, the typed getters, the checker and the manual.
//!
//! Three files: `ours` (Posthouse only), `postfix` (Postfix's, which do here what they do there), `known` (Postfix's, which
//! do not; each says what that means for whoever sets it). Names, meanings and default texts of the latter two are those of
//! Postfix 3.7.11, as its `postconf -d` prints them.

mod known;
mod ours;
mod postfix;

pub use ours::{BUILT_SERVICES, KNOWN_SERVICES};

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a value must look like once expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `yes` or `no`.
    Bool,
    /// A number within these bounds.
    Int(i64, i64),
    /// A time; the letter is the unit if none is written.
    Time(char),
    /// Octets; 0 mostly means no limit.
    Size,
    /// Elements separated by commas and blanks.
    List,
    /// One of these, or empty if "" is among them.
    Choice(&'static [&'static str]),
    /// A list of these.
    Names(&'static [&'static str]),
    /// `compatibility_level`.
    Level,
    /// A list of lookup tables, `TYPE:NAME`; see [`crate::maps`].
    Maps,
    /// A list of networks, as `mynetworks`.
    Networks,
    /// A list of restrictions, see [`crate::restrictions`].
    Restrictions,
    /// Where a service listens, see [`crate::listen`].
    Listen,
}

/// Whether a parameter does something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what its help says.
    Yes,
    /// It is read and checked, and what it does is not built yet: setting it to another value is warned of, with this reason.
    Later(&'static str),
    /// Postfix's; here it has no effect and needs none: the reason.
    Needless(&'static str),
    /// Postfix's; not supported, and mail is treated otherwise than written. `check` warns, with this advice if there is any.
    No(&'static str),
    /// Postfix's; not supported, and it restricts access or refuses mail: a server that ignored it would let in what it was
    /// told to keep out, so it does not start. The values listed restrict nothing.
    Restricts(&'static [&'static str]),
}

impl Support {
    /// Whether the value is checked and can be asked for.
    pub fn is_read(self) -> bool {
        matches!(self, Support::Yes | Support::Later(_))
    }
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    /// Unexpanded; what depends on `compatibility_level` says so itself (`${{$compatibility_level} <level {1} ? …}`).
    /// Those in [`COMPUTED`] have no text of their own.
    pub default: &'static str,
    pub support: Support,
    /// One line for the manual; empty for those not supported.
    pub help: &'static str,
}

/// Parameters whose default is a fact of the machine or the process: `Config` fills them in.
pub const COMPUTED: [&str; 5] = ["mydomain", "myhostname", "mynetworks", "process_id", "process_name"];

/// Old names that defaults still look at; empty unless set, and no mistake to use.
pub const LEGACY: [&str; 18] = [
    "authorized_verp_clients",
    "fallback_relay",
    "lmtp_per_record_deadline",
    "postscreen_blacklist_action",
    "postscreen_dnsbl_ttl",
    "postscreen_dnsbl_whitelist_threshold",
    "postscreen_whitelist_interfaces",
    "rbl_class",
    "rbl_code",
    "rbl_domain",
    "rbl_reason",
    "rbl_what",
    "smtp_per_record_deadline",
    "smtpd_client_connection_limit_exceptions",
    "smtpd_per_record_deadline",
    "tlsproxy_client_level",
    "tlsproxy_client_policy",
    "virtual_maps",
];

static TABLE: LazyLock<BTreeMap<&'static str, Parameter>> = LazyLock::new(|| {
    let all = ours::PARAMETERS.iter().copied().chain(postfix::PARAMETERS.iter().copied()).chain(known::parameters());
    let mut table = BTreeMap::new();
    for mut parameter in all {
        if let Some((_, why)) = LATER.iter().find(|(name, _)| *name == parameter.name) {
            parameter.support = Support::Later(why);
        }
        table.entry(parameter.name).or_insert(parameter);
    }
    table
});

/// Rows whose effect is not built yet, and why that matters to whoever sets one.
const LATER: &[(&str, &str)] = &[
    ("mail_owner", "the server does not change its user yet: start it as the user it is to run as"),
    ("mailbox_size_limit", "only accounts have quotas: posthouse user add --quota"),
    ("queue_run_delay", "what is due is tried when it is due"),
    ("smtp_generic_maps", "mail leaves with the addresses that it has here"),
    ("smtpd_starttls_timeout", "a handshake may take 60 seconds"),
    ("unknown_local_recipient_reject_code", "the code is 550"),
];

/// The parameter of that name.
pub fn parameter(name: &str) -> Option<&'static Parameter> {
    TABLE.get(name)
}

/// True for those that each transport has: `smtp_destination_recipient_limit` …; Postfix makes them from master.cf.
pub fn of_transport(name: &str) -> bool {
    known::of_transport(name)
}

/// All of them, sorted by name.
pub fn parameters() -> impl Iterator<Item = &'static Parameter> {
    TABLE.values()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::references;

    #[test]
    fn a_name_stands_in_one_place_only() {
        let mut names: Vec<_> = ours::PARAMETERS.iter().map(|p| p.name).collect();
        names.extend(postfix::PARAMETERS.iter().map(|p| p.name));
        names.extend(known::parameters().map(|p| p.name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn defaults_refer_to_names_that_exist() {
        // `forward_path` is expanded at delivery, with these of the recipient.
        let elsewhere = ["home", "extension"];
        for parameter in parameters() {
            for name in references(parameter.default) {
                let exists = TABLE.contains_key(name.as_str()) || LEGACY.contains(&name.as_str()) || elsewhere.contains(&name.as_str());
                assert!(exists, "{}: ${name}", parameter.name);
            }
        }
    }

    #[test]
    fn what_is_supported_is_explained() {
        for parameter in parameters().filter(|p| p.support == Support::Yes) {
            assert!(!parameter.help.is_empty(), "{}", parameter.name);
        }
        assert!(parameters().count() > 831, "all of Postfix 3.7.11 and ours");
    }
}
