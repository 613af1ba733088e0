//! What routing takes from main.cf.

use std::net::IpAddr;

use config::Config;
use config::domains::Domains;
use config::maps::Maps;
use mail::Address;

use crate::rewrite::{Canonical, Masquerade};

/// The parameters that say how addresses are written and where mail goes.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `myhostname`
    pub hostname: String,
    /// `mydomain`
    pub domain: String,
    /// `myorigin`
    pub origin: String,
    /// The addresses of this machine: `user@[192.0.2.1]` is of the local class.
    pub addresses: Vec<IpAddr>,
    /// `mydestination`
    pub local: Domains,
    /// `virtual_alias_domains`
    pub aliased: Domains,
    /// `relay_domains`
    pub relay: Domains,
    /// `recipient_delimiter`: a set of characters; empty: no details.
    pub delimiter: String,
    /// `relayhost`, elements separated by commas; empty: the domain's own MX.
    pub relayhost: String,
    /// `default_transport`
    pub transport: String,
    /// `transport_maps`
    pub transports: Maps,
    /// `parent_domain_matches_subdomains` has them.
    pub transports_match_subdomains: bool,
    /// `sender_canonical_maps`, `recipient_canonical_maps`, `canonical_maps`
    pub sender_canonical: Canonical,
    pub recipient_canonical: Canonical,
    pub canonical: Canonical,
    /// `masquerade_domains`
    pub masquerade: Masquerade,
    /// `virtual_alias_maps`
    pub virtual_aliases: Maps,
    /// `virtual_alias_address_length_limit`, `virtual_alias_expansion_limit`, `virtual_alias_recursion_limit`
    pub limits: Limits,
    /// `alias_maps`
    pub aliases: Maps,
    /// `smtp_generic_maps`
    pub generic_maps: Maps,
    /// `propagate_unmatched_extensions`
    pub propagates: Propagates,
    /// `local_recipient_maps`
    pub local_recipients: LocalRecipients,
    /// `relay_recipient_maps`; empty: everybody.
    pub relay_recipients: Maps,
    /// `postmaster`: who gets mail to postmaster@ and abuse@; none: the first account.
    pub postmaster: Option<Address>,
    /// `append_at_myorigin`
    pub append_origin: bool,
    /// `append_dot_mydomain`
    pub append_domain: bool,
}

/// What one address may stand for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of an address.
    pub length: usize,
    /// Addresses in all.
    pub expansion: usize,
    /// Aliases one behind another.
    pub recursion: usize,
}

impl Default for Limits {
    /// Postfix's.
    fn default() -> Limits {
        Limits { length: 1000, expansion: 1000, recursion: 1000 }
    }
}

/// Which tables pass an extension on that their keys have not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Propagates {
    pub canonical: bool,
    pub virtual_alias: bool,
    pub alias: bool,
    pub generic: bool,
}

/// Who exists in the local class.
#[derive(Clone, Debug, Default)]
pub enum LocalRecipients {
    /// Every name is taken in; one that nobody has goes back to its sender later.
    All,
    /// Aliases, and the directory's accounts and aliases.
    #[default]
    Directory,
    /// Whoever has an entry in these tables, and with `true` the directory's too.
    Listed(Maps, bool),
}

impl Settings {
    /// Takes them from a sound configuration. A `postmaster` that is no address, not even with `@$myorigin`, counts as none.
    pub fn of(config: &Config) -> Settings {
        let canonical = |maps: &str, classes: &str| Canonical { maps: config.maps(maps), classes: config.list(classes) };
        let propagates = config.list("propagate_unmatched_extensions");
        let propagates = |table: &str| propagates.iter().any(|name| name == table);
        let lower = |name: &str| config.text(name).to_ascii_lowercase();
        let mut settings = Settings {
            hostname: lower("myhostname"),
            domain: lower("mydomain"),
            origin: lower("myorigin"),
            addresses: config.addresses().to_vec(),
            local: config.mydestination().clone(),
            aliased: config.domains("virtual_alias_domains"),
            relay: config.relay_domains().clone(),
            delimiter: config.text("recipient_delimiter").to_owned(),
            relayhost: config.list("relayhost").join(", "),
            transport: config.text("default_transport").to_owned(),
            transports: config.maps("transport_maps"),
            transports_match_subdomains: config.matches_subdomains("transport_maps"),
            sender_canonical: canonical("sender_canonical_maps", "sender_canonical_classes"),
            recipient_canonical: canonical("recipient_canonical_maps", "recipient_canonical_classes"),
            canonical: canonical("canonical_maps", "canonical_classes"),
            masquerade: Masquerade {
                domains: config.list("masquerade_domains").iter().map(|domain| domain.to_ascii_lowercase()).collect(),
                classes: config.list("masquerade_classes"),
                exceptions: config.domains("masquerade_exceptions"),
            },
            virtual_aliases: config.maps("virtual_alias_maps"),
            limits: Limits {
                length: config.count("virtual_alias_address_length_limit"),
                expansion: config.count("virtual_alias_expansion_limit"),
                recursion: config.count("virtual_alias_recursion_limit"),
            },
            aliases: config.maps("alias_maps"),
            generic_maps: config.maps("smtp_generic_maps"),
            propagates: Propagates {
                canonical: propagates("canonical"),
                virtual_alias: propagates("virtual"),
                alias: propagates("alias"),
                generic: propagates("generic"),
            },
            local_recipients: local_recipients(config),
            relay_recipients: config.maps("relay_recipient_maps"),
            postmaster: None,
            append_origin: config.bool("append_at_myorigin"),
            append_domain: config.bool("append_dot_mydomain"),
        };
        let postmaster = config.text("postmaster");
        settings.postmaster = if postmaster.is_empty() { None } else { settings.complete(postmaster).ok() };
        settings
    }

    /// Whether names without a domain may be meant by one with this: `myorigin` and the local class.
    pub fn is_machine(&self, domain: &str) -> bool {
        domain == self.origin || self.is_local(domain)
    }

    /// Whether a domain is of the local class.
    pub(crate) fn is_local(&self, domain: &str) -> bool {
        let literal = || mail::address::literal(domain).is_some_and(|address| self.addresses.contains(&address));
        self.local.contains(domain) || literal()
    }
}

fn local_recipients(config: &Config) -> LocalRecipients {
    let written = config.list("local_recipient_maps");
    if written.is_empty() {
        return LocalRecipients::All;
    }
    let aliases = config.list("alias_maps");
    let accounts = config.accounts_are_recipients();
    match written.iter().all(|spec| aliases.contains(spec) || spec.ends_with(config::ACCOUNTS)) && accounts {
        true => LocalRecipients::Directory,
        false => LocalRecipients::Listed(config.maps("local_recipient_maps"), accounts),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use config::Outside;
    use std::path::Path;
    use std::sync::Arc;

    pub(crate) fn settings(text: &str) -> Settings {
        let mut lines = vec!["myhostname = mail.example.test", "myorigin = $mydomain"];
        lines.retain(|line| !text.contains(&line[..10]));
        let text = format!("{}\n{text}", lines.join("\n"));
        Settings::of(&Config::new(Path::new("/c"), &text, &Outside::nothing("vm")).unwrap())
    }

    /// A table of these rows.
    pub(crate) fn maps(rows: &str) -> Maps {
        let rows = config::maps::parse("t", rows).0;
        Maps::new(vec![Arc::new(config::maps::Table::of_rows(rows, true))])
    }

    #[test]
    fn postmaster_may_be_a_bare_name() {
        assert_eq!(settings("postmaster = alice").postmaster.unwrap().to_string(), "alice@example.test");
        assert_eq!(settings("").postmaster, None);
        assert_eq!(settings("relayhost = [a.test]:587 b.test").relayhost, "[a.test]:587, b.test");
    }

    #[test]
    fn addresses_of_this_machine_are_local() {
        let settings = settings("mydestination = localhost");
        for (domain, local, machine) in [("localhost", true, true), ("[127.0.0.1]", true, true), ("[ipv6:::1]", true, true), ("example.test", false, true), ("[192.0.2.1]", false, false)] {
            assert_eq!((settings.is_local(domain), settings.is_machine(domain)), (local, machine), "{domain}");
        }
    }

    #[test]
    fn who_exists_here_is_told_by_tables() {
        let kind = |text: &str| match settings(text).local_recipients {
            LocalRecipients::All => "all",
            LocalRecipients::Directory => "directory",
            LocalRecipients::Listed(_, true) => "listed, directory",
            LocalRecipients::Listed(_, false) => "listed",
        };
        for (text, want) in [
            ("", "directory"),
            ("local_recipient_maps =", "all"),
            ("local_recipient_maps = proxy:unix:passwd.byname inline:{a=b}", "listed, directory"),
            ("local_recipient_maps = inline:{a=b}", "listed"),
            ("alias_maps = inline:{a=b}\nlocal_recipient_maps = unix:passwd.byname $alias_maps", "directory"),
        ] {
            assert_eq!(kind(text), want, "{text}");
        }
    }
}
