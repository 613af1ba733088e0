//! Next hops, as `relayhost` and transports name them: `host`, `host:port`, `[host]`, `[host]:port`, `[192.0.2.1]`, `[IPv6:2001:db8::1]`.

use std::fmt;
use std::net::IpAddr;

/// Hops in one list: more than anybody configures, and each costs look-ups.
const LIST: usize = 100;

/// A place to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// A name in lower case, or an address as it was written.
    pub host: String,
    /// The address, where it is one.
    pub literal: Option<IpAddr>,
    /// No MX is asked for (brackets).
    pub direct: bool,
    pub port: Option<u16>,
}

/// Not a next hop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no next hop: host, host:port, [host] or [host]:port is needed")]
pub struct BadHop(pub String);

impl Hop {
    /// The MX of a domain, or the address literal that an address has in its place.
    pub fn of_domain(domain: &str) -> Result<Hop, BadHop> {
        match domain.starts_with('[') {
            true => Hop::parse(domain),
            false => name(domain).map(|host| Hop { host, literal: None, direct: false, port: None }).ok_or_else(|| BadHop(domain.to_owned())),
        }
    }

    /// One hop.
    pub fn parse(text: &str) -> Result<Hop, BadHop> {
        let bad = || BadHop(text.to_owned());
        let (host, direct, rest) = match text.strip_prefix('[') {
            Some(inside) => {
                let (host, rest) = inside.split_once(']').ok_or_else(bad)?;
                (host, true, rest)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (host, rest) = text.split_at(end);
                (host, false, rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port_of(port).ok_or_else(bad)?),
            None if rest.is_empty() => None,
            None => return Err(bad()),
        };
        let literal = address(host).filter(|_| direct);
        let host = if literal.is_some() { Some(host.to_owned()) } else { name(host) };
        Ok(Hop { host: host.ok_or_else(bad)?, literal, direct, port })
    }

    /// Several, to be tried in their order.
    pub fn list(text: &str) -> Result<Vec<Hop>, BadHop> {
        text.split([',', ' ', '\t']).filter(|word| !word.is_empty()).take(LIST).map(Hop::parse).collect()
    }
}

/// As it is written, for the log.
impl fmt::Display for Hop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.direct { write!(out, "[{}]", self.host)? } else { out.write_str(&self.host)? }
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`, and without the tag as Postfix takes it in `relayhost`.
fn address(host: &str) -> Option<IpAddr> {
    let tagged = host.get(..5).filter(|tag| tag.eq_ignore_ascii_case("ipv6:")).and_then(|tag| host.get(tag.len()..));
    tagged.unwrap_or(host).parse().ok()
}

fn name(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.');
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (host.len() <= 253 && host.split('.').all(label)).then(|| host.to_ascii_lowercase())
}

/// A number, or one of the names that Postfix's users write.
pub(crate) fn port_of(text: &str) -> Option<u16> {
    match text {
        "smtp" => Some(25),
        "submission" => Some(587),
        "submissions" | "smtps" => Some(465),
        _ => text.parse().ok().filter(|port| *port > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read() {
        for (text, host, literal, direct, port) in [
            ("MX.test", "mx.test", false, false, None),
            ("mx.test.", "mx.test", false, false, None),
            ("mx.test:587", "mx.test", false, false, Some(587)),
            ("mx.test:submission", "mx.test", false, false, Some(587)),
            ("[mx.test]", "mx.test", false, true, None),
            ("[mx.test]:2525", "mx.test", false, true, Some(2525)),
            ("[192.0.2.1]:25", "192.0.2.1", true, true, Some(25)),
            ("[IPv6:2001:db8::1]", "IPv6:2001:db8::1", true, true, None),
            ("[2001:db8::1]:25", "2001:db8::1", true, true, Some(25)),
        ] {
            let hop = Hop::parse(text).expect(text);
            assert_eq!((hop.host.as_str(), hop.literal.is_some(), hop.direct, hop.port), (host, literal, direct, port), "{text}");
        }
        for text in ["", "[", "[]", "[mx.test", "[mx.test]x", "mx.test:", "mx.test:0", "mx.test:65536", "a b", "-%", "a..b", ":25", "[a/b]"] {
            assert_eq!(Hop::parse(text), Err(BadHop(text.into())), "{text}");
        }
        assert_eq!(Hop::list(" [a.test]:25,b.test\tc.test ").map(|hops| hops.len()), Ok(3));
        assert_eq!(Hop::list(""), Ok(Vec::new()));
    }

    #[test]
    fn a_domain_is_a_hop() {
        assert_eq!(Hop::of_domain("Example.test").map(|hop| hop.to_string()), Ok("example.test".into()));
        assert_eq!(Hop::of_domain("[192.0.2.1]").map(|hop| hop.literal), Ok("192.0.2.1".parse().ok()));
        assert!(Hop::of_domain("example.test:25").is_err());
    }
}
