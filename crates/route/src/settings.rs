//! What routing takes from main.cf.

use config::Config;
use config::domains::Domains;
use mail::Address;
use mail::address::BadAddress;

/// The parameters that say where mail goes.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `myhostname`
    pub hostname: String,
    /// `mydomain`
    pub domain: String,
    /// `myorigin`
    pub origin: String,
    /// `mydestination`
    pub local: Domains,
    /// `relay_domains`
    pub relay: Domains,
    /// `recipient_delimiter`: a set of characters; empty: no details.
    pub delimiter: String,
    /// `relayhost`, elements separated by commas; empty: the domain's own MX.
    pub relayhost: String,
    /// `default_transport`
    pub transport: String,
    /// `postmaster`: who gets mail to postmaster@ and abuse@; none: the first account.
    pub postmaster: Option<Address>,
    /// `append_at_myorigin`
    pub append_origin: bool,
    /// `append_dot_mydomain`
    pub append_domain: bool,
}

impl Settings {
    /// Takes them from a sound configuration. A `postmaster` that is no address, not even with `@$myorigin`, counts as none.
    pub fn of(config: &Config) -> Settings {
        let mut settings = Settings {
            hostname: config.hostname().to_ascii_lowercase(),
            domain: config.text("mydomain").to_ascii_lowercase(),
            origin: config.text("myorigin").to_ascii_lowercase(),
            local: config.mydestination().clone(),
            relay: config.relay_domains().clone(),
            delimiter: config.text("recipient_delimiter").to_owned(),
            relayhost: config.list("relayhost").join(", "),
            transport: config.text("default_transport").to_owned(),
            postmaster: None,
            append_origin: config.bool("append_at_myorigin"),
            append_domain: config.bool("append_dot_mydomain"),
        };
        let postmaster = config.text("postmaster");
        settings.postmaster = if postmaster.is_empty() { None } else { settings.complete(postmaster).ok() };
        settings
    }

    /// The next hop of an address elsewhere: hosts to be tried in their order; empty, the MX of its domain; or `error:TEXT`, `retry:TEXT`
    /// where there is no way.
    pub fn hop(&self, _address: &Address) -> String {
        let (transport, hop) = self.transport.split_once(':').unwrap_or((&self.transport, ""));
        match transport {
            "" | "smtp" | "relay" if hop.is_empty() => self.relayhost.clone(),
            "" | "smtp" | "relay" => hop.to_owned(),
            "error" | "retry" => self.transport.clone(),
            _ => format!("retry:4.3.0 mail transport unavailable: {transport}"),
        }
    }

    /// An address as a local submission may write it: `user` gets `@$myorigin`, `user@host` gets `.$mydomain`, each if its
    /// parameter says so. Postfix's "standard form".
    pub fn complete(&self, text: &str) -> Result<Address, BadAddress> {
        let whole = match text.rsplit_once('@') {
            None if self.append_origin => Address::parse(&format!("{text}@{}", self.origin))?,
            _ => Address::parse(text)?,
        };
        let short = !whole.domain().contains('.') && whole.literal().is_none() && whole.domain() != "localhost";
        if self.append_domain && short {
            return Address::new(whole.local(), &format!("{}.{}", whole.domain(), self.domain));
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Outside;
    use std::path::Path;

    fn settings(text: &str) -> Settings {
        let text = format!("myhostname = mail.example.test\nmyorigin = $mydomain\n{text}");
        Settings::of(&Config::new(Path::new("/c"), &text, &Outside::nothing("vm")).unwrap())
    }

    #[test]
    fn bare_addresses_are_completed() {
        let old = settings("");
        let new = settings("compatibility_level = 3.7");
        for (text, with_old, with_new) in [
            ("root", "root@example.test", "root@example.test"),
            ("root@www", "root@www.example.test", "root@www"),
            ("root@localhost", "root@localhost", "root@localhost"),
            ("root@other.test", "root@other.test", "root@other.test"),
            ("root@[127.0.0.1]", "root@[127.0.0.1]", "root@[127.0.0.1]"),
        ] {
            assert_eq!(old.complete(text).unwrap().to_string(), with_old, "{text}");
            assert_eq!(new.complete(text).unwrap().to_string(), with_new, "{text}");
        }
        assert!(settings("append_at_myorigin = no").complete("root").is_err());
        assert!(new.complete("").is_err());
    }

    #[test]
    fn postmaster_may_be_a_bare_name() {
        assert_eq!(settings("postmaster = alice").postmaster.unwrap().to_string(), "alice@example.test");
        assert_eq!(settings("").postmaster, None);
        assert_eq!(settings("relayhost = [a.test]:587 b.test").relayhost, "[a.test]:587, b.test");
    }
}
