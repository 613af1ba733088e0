//! What routing takes from main.cf.

use std::collections::HashMap;

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
    /// `transport_maps`: keys as [`Settings::hop`] asks for them.
    pub transports: HashMap<String, String>,
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
            // of two tables with one key the first counts
            transports: config.table("transport_maps").iter().rev().map(|row| (row.key.clone(), row.value.clone())).collect(),
            postmaster: None,
            append_origin: config.bool("append_at_myorigin"),
            append_domain: config.bool("append_dot_mydomain"),
        };
        let postmaster = config.text("postmaster");
        settings.postmaster = if postmaster.is_empty() { None } else { settings.complete(postmaster).ok() };
        settings
    }

    /// The next hop of an address elsewhere: hosts to be tried in their order; empty, the MX of its domain; or `error:TEXT`, `retry:TEXT`
    /// where there is no way. As transport(5) of Postfix says: what a table leaves out is filled in from `default_transport` and `relayhost`.
    pub fn hop(&self, address: &Address) -> String {
        let (usual, usual_hop) = self.transport.split_once(':').unwrap_or((&self.transport, ""));
        let (transport, hop) = match self.mapped(address).map(|value| value.split_once(':').unwrap_or((value, ""))) {
            None | Some(("", "")) if usual_hop.is_empty() && matches!(usual, "" | "smtp" | "relay") => (usual, self.relayhost.as_str()),
            None | Some(("", "")) => (usual, usual_hop),
            Some(("", hop)) => (usual, hop),
            Some(way) => way,
        };
        match transport {
            "" | "smtp" | "relay" => hop.to_owned(),
            "error" | "retry" => format!("{transport}:{hop}"),
            _ => format!("retry:4.3.0 mail transport unavailable: {transport}"),
        }
    }

    /// What the tables say: of the address, without its detail, of the domain, of those above it, of all.
    fn mapped(&self, address: &Address) -> Option<&str> {
        if self.transports.is_empty() {
            return None;
        }
        let folded = address.folded();
        let (base, _) = folded.split_delimiter(&self.delimiter);
        let domain = folded.domain();
        let above = domain.match_indices('.').map(|(at, _)| domain[at..].to_owned());
        let keys = [folded.to_string(), base.to_string(), domain.to_owned()].into_iter().chain(above).chain(["*".to_owned()]);
        keys.into_iter().find_map(|key| self.transports.get(&key)).map(|value| value.trim())
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
    fn tables_say_where_mail_goes() {
        let table = "special@a.test smtp:[one.test]\na.test smtp:[two.test]:2525\n.a.test relay:[three.test]\nmx.test smtp:\nback.test :\n\
                     via.test :[four.test]\nno.test error:5.1.2 not here: never\nlater.test retry:\nodd.test uucp:x\n";
        let read = |path: &Path| if path == Path::new("/t") { Ok(table.to_owned()) } else { Err("no such file".to_owned()) };
        let outside = Outside { read: &read, ..Outside::nothing("vm") };
        let settings = |text: &str| {
            let text = format!("myhostname = mail.example.test\nrecipient_delimiter = +\nrelayhost = [relay.test]\ntransport_maps = hash:/t\n{text}");
            Settings::of(&Config::new(Path::new("/c"), &text, &outside).unwrap())
        };
        for (address, hop) in [
            ("special@a.test", "[one.test]"),
            ("Special+x@A.test", "[one.test]"),
            ("other@a.test", "[two.test]:2525"),
            ("x@b.a.test", "[three.test]"),
            ("x@c.b.a.test", "[three.test]"),
            ("x@mx.test", ""),
            ("x@back.test", "[relay.test]"),
            ("x@via.test", "[four.test]"),
            ("x@no.test", "error:5.1.2 not here: never"),
            ("x@later.test", "retry:"),
            ("x@odd.test", "retry:4.3.0 mail transport unavailable: uucp"),
            ("x@else.test", "[relay.test]"),
        ] {
            assert_eq!(settings("").hop(&Address::parse(address).unwrap()), hop, "{address}");
        }
        let error = settings("default_transport = error:5.3.2 no way");
        assert_eq!(error.hop(&Address::parse("x@else.test").unwrap()), "error:5.3.2 no way");
        assert_eq!(error.hop(&Address::parse("x@a.test").unwrap()), "[two.test]:2525");
        assert!(Config::new(Path::new("/c"), "transport_maps = hash:/missing", &outside).is_err());
        assert!(Config::new(Path::new("/c"), "transport_maps = ldap:/t", &outside).is_err());
    }

    #[test]
    fn postmaster_may_be_a_bare_name() {
        assert_eq!(settings("postmaster = alice").postmaster.unwrap().to_string(), "alice@example.test");
        assert_eq!(settings("").postmaster, None);
        assert_eq!(settings("relayhost = [a.test]:587 b.test").relayhost, "[a.test]:587, b.test");
    }
}
