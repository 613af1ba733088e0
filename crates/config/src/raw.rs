//! Values before they are checked: what the file says, else the default. `postconf` and [`crate::Config`] both stand on it.

use crate::expand::{self, Expanded, MacroError, Names};
use crate::machine::Machine;
use crate::networks;
use crate::source::Source;
use crate::table;
use std::net::IpAddr;

/// A main.cf over the table of defaults.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The configuration directory as it was named; the value of `config_directory`.
    pub directory: String,
    pub source: Source,
    /// From the command line; stronger than the file.
    pub overrides: Vec<(String, String)>,
    pub machine: Machine,
}

impl Raw {
    /// Only defaults, as `postconf -d` shows them.
    pub fn defaults(machine: Machine) -> Raw {
        let directory = table::parameter("config_directory").map_or("", |p| p.default).to_owned();
        Raw { directory, source: Source::default(), overrides: Vec::new(), machine }
    }

    /// What was set, by the command line or the file; unexpanded.
    pub fn set(&self, name: &str) -> Option<&str> {
        let over = self.overrides.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        over.or_else(|| self.source.get(name).map(|entry| entry.value.as_str()))
    }

    /// The names that were set, each once, sorted.
    pub fn names_set(&self) -> Vec<&str> {
        let file = self.source.entries.iter().map(|entry| entry.name.as_str());
        let mut names: Vec<_> = file.chain(self.overrides.iter().map(|(name, _)| name.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The default, unexpanded; none if there is no such parameter.
    pub fn default(&self, name: &str) -> Option<String> {
        let computed = match name {
            "config_directory" => self.directory.clone(),
            "myhostname" => self.default_hostname(),
            "mydomain" => self.default_domain(),
            "mynetworks" => self.default_networks(),
            "process_id" => self.machine.process_id.to_string(),
            "process_name" => "postconf".to_owned(),
            _ => return table::parameter(name).map(|parameter| parameter.default.to_owned()),
        };
        Some(computed)
    }

    /// What counts, expanded.
    pub fn expanded(&self, name: &str) -> Result<Expanded, MacroError> {
        match self.value(name) {
            Some(value) => expand::expand(&value, self),
            None => Ok(Expanded::default()),
        }
    }

    /// The line of `name` in the file, if it stands there.
    pub fn line(&self, name: &str) -> Option<u32> {
        self.source.get(name).map(|entry| entry.line)
    }

    /// A name of the kernel without a domain gets `mydomain` if that is set, else `localdomain`, as in Postfix.
    fn default_hostname(&self) -> String {
        let host = &self.machine.hostname;
        if host.contains('.') { host.clone() } else { format!("{host}.{}", self.set("mydomain").unwrap_or("localdomain")) }
    }

    /// `myhostname` without its first label.
    fn default_domain(&self) -> String {
        let host = match self.set("myhostname") {
            Some(host) => self.without("mydomain", host),
            None => self.default_hostname(),
        };
        match host.split_once('.') {
            Some((_, domain)) if !domain.is_empty() => domain.to_owned(),
            _ => "localdomain".to_owned(),
        }
    }

    /// The own addresses by `mynetworks_style`. Addresses that `inet_interfaces` leaves out are not trusted; a host name
    /// there is not looked up for this, so its address must be listed in `mynetworks` to be trusted.
    fn default_networks(&self) -> String {
        let value = |name: &str| self.without("mynetworks", &self.value(name).unwrap_or_default());
        let interfaces = crate::value::list(&value("inet_interfaces")).unwrap_or_default();
        let protocols = value("inet_protocols");
        let all = interfaces.iter().any(|element| element.eq_ignore_ascii_case("all"));
        let listed = |address: &IpAddr| {
            interfaces.iter().any(|element| element.trim_matches(['[', ']']).parse() == Ok(*address))
        };
        let spoken = |address: &IpAddr| {
            let wanted = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            protocols.contains("all") || protocols.contains(wanted)
        };
        let trusted = |(address, _): &&(IpAddr, u8)| (all || address.is_loopback() || listed(address)) && spoken(address);
        let addresses: Vec<_> = self.machine.addresses.iter().filter(trusted).copied().collect();
        networks::own(&addresses, &value("mynetworks_style"))
    }

    /// Expands `text` as if `name` were empty: what a computed default needs must not need that default.
    fn without(&self, name: &str, text: &str) -> String {
        let names = |other: &str| if other == name { Some(String::new()) } else { self.value(other) };
        expand::expand(text, &names).map(|expanded| expanded.text).unwrap_or_default()
    }
}

/// Set, else the default, else empty for the old names that defaults still mention.
impl Names for Raw {
    fn value(&self, name: &str) -> Option<String> {
        let set = self.set(name).map(str::to_owned);
        set.or_else(|| self.default(name)).or_else(|| table::LEGACY.contains(&name).then(String::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        let mut machine = Machine::loopback("vm");
        machine.addresses.extend([("192.0.2.2", 24), ("fd00::2", 64)].map(|(a, n)| (a.parse().unwrap(), n)));
        Raw { directory: "c".into(), source: Source::parse("c/main.cf", text), overrides: vec![], machine }
    }

    #[test]
    fn computed_defaults_are_those_of_postfix() {
        let cases = [
            ("", "myhostname", "vm.localdomain"),
            ("", "mydomain", "localdomain"),
            ("myhostname = a.b.c", "mydomain", "b.c"),
            ("myhostname = abc", "mydomain", "localdomain"),
            ("mydomain = b.c", "myhostname", "vm.b.c"),
            ("myhostname = h.$mydomain\nmydomain = b.c", "myhostname", "h.b.c"),
            ("myhostname = h.$mydomain", "mydomain", "localdomain"),
            ("", "mynetworks", "127.0.0.0/8 192.0.2.0/24 [::1]/128 [fd00::]/64"),
            ("compatibility_level = 3.6", "mynetworks", "127.0.0.1/32 192.0.2.2/32 [::1]/128 [fd00::2]/128"),
            ("compatibility_level = 2\ninet_protocols = ipv4", "mynetworks", "127.0.0.1/32 192.0.2.2/32"),
            ("compatibility_level = 2\ninet_interfaces = loopback-only", "mynetworks", "127.0.0.1/32 [::1]/128"),
            ("compatibility_level = 2\ninet_interfaces = 192.0.2.2", "mynetworks", "127.0.0.1/32 192.0.2.2/32 [::1]/128"),
            ("inet_interfaces = $mynetworks", "mynetworks", "127.0.0.0/8 [::1]/128"),
            ("", "config_directory", "c"),
            ("compatibility_level = 3.6", "append_dot_mydomain", "no"),
            ("", "append_dot_mydomain", "yes"),
            ("", "mydestination", "vm.localdomain, localhost.localdomain, localhost"),
            ("", "syslog_name", "postfix"),
            ("", "smtpd_timeout", "300s"),
            ("", "virtual_alias_maps", ""),
        ];
        for (text, name, want) in cases {
            assert_eq!(raw(text).expanded(name).unwrap(), Expanded { text: want.into(), undefined: vec![] }, "{text:?} {name}");
        }
    }

    #[test]
    fn the_command_line_is_stronger_than_the_file() {
        let mut raw = raw("myorigin = a\nrelayhost = r");
        raw.overrides = vec![("myorigin".into(), "b".into()), ("myorigin".into(), "c".into())];
        assert_eq!(raw.set("myorigin"), Some("c"));
        assert_eq!(raw.names_set(), ["myorigin", "relayhost"]);
        assert_eq!(raw.value("nosuch"), None);
    }
}
