//! The next hop of an address elsewhere — transport(5).

use mail::Address;

use crate::settings::Settings;

impl Settings {
    /// The next hop of an address elsewhere: hosts to be tried in their order; empty, the MX of its domain; or `error:TEXT`, `retry:TEXT`
    /// where there is no way. As transport(5) of Postfix says: what a table leaves out is filled in from `default_transport` and `relayhost`.
    pub fn hop(&self, address: &Address) -> String {
        let (usual, usual_hop) = self.transport.split_once(':').unwrap_or((&self.transport, ""));
        let way = self.find_way(&self.transports, address);
        let way = way.as_deref().map(str::trim);
        let (transport, hop) = match way.map(|value| value.split_once(':').unwrap_or((value, ""))) {
            None | Some(("", "")) if usual_hop.is_empty() && matches!(usual, "" | "smtp" | "relay") => (usual, self.relayhost.as_str()),
            None | Some(("", "")) => (usual, usual_hop),
            Some(("", hop)) => (usual, hop),
            Some(way) => way,
        };
        match (transport, hop) {
            ("" | "smtp" | "relay", hop) => hop.to_owned(),
            ("error" | "retry", "") => format!("{transport}:Address is undeliverable"),
            ("error" | "retry", text) => format!("{transport}:{text}"),
            _ => format!("retry:4.3.0 mail transport unavailable: {transport}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Config, Outside};
    use std::path::Path;

    #[test]
    fn tables_say_where_mail_goes() {
        let table = "special@a.test smtp:[one.test]\na.test smtp:[two.test]:2525\n.a.test relay:[three.test]\nmx.test smtp:\nback.test :\n\
                     via.test :[four.test]\nno.test error:5.1.2 not here: never\nlater.test retry:\nodd.test uucp:x\n";
        let read = |path: &Path| match path.to_str() {
            Some("/t") => Ok(table.to_owned()),
            Some("/r") => Ok("/^abuse@.*/ smtp:[abuse.test]\n/^x@b\\./ smtp:[b.test]\n".to_owned()),
            _ => Err("no such file".to_owned()),
        };
        let outside = Outside { read: &read, ..Outside::nothing("vm") };
        let settings = |text: &str| {
            let text = format!("myhostname = mail.example.test\nrecipient_delimiter = +\nrelayhost = [relay.test]\ntransport_maps = hash:/t regexp:/r\n{text}");
            Settings::of(&Config::new(Path::new("/c"), &text, &outside).unwrap())
        };
        for (address, hop) in [
            ("special@a.test", "[one.test]"),
            ("Special+x@A.test", "[one.test]"),
            ("other@a.test", "[two.test]:2525"),
            ("x@b.a.test", "[b.test]"),
            ("y@b.a.test", "[three.test]"),
            ("y@c.b.a.test", "[three.test]"),
            ("abuse@anywhere.test", "[abuse.test]"),
            ("abuse+x@anywhere.test", "[relay.test]"),
            ("x@mx.test", ""),
            ("x@back.test", "[relay.test]"),
            ("x@via.test", "[four.test]"),
            ("x@no.test", "error:5.1.2 not here: never"),
            ("x@later.test", "retry:Address is undeliverable"),
            ("x@odd.test", "retry:4.3.0 mail transport unavailable: uucp"),
            ("x@else.test", "[relay.test]"),
        ] {
            assert_eq!(settings("").hop(&Address::parse(address).unwrap()), hop, "{address}");
        }
        let error = settings("default_transport = error:5.3.2 no way");
        assert_eq!(error.hop(&Address::parse("x@else.test").unwrap()), "error:5.3.2 no way");
        assert_eq!(error.hop(&Address::parse("x@a.test").unwrap()), "[two.test]:2525");
        let below = settings("parent_domain_matches_subdomains = transport_maps");
        assert_eq!(below.hop(&Address::parse("y@w.mx.test").unwrap()), "");
        assert!(Config::new(Path::new("/c"), "transport_maps = hash:/missing", &outside).is_err());
        assert!(Config::new(Path::new("/c"), "transport_maps = ldap:/t", &outside).is_err());
    }
}
