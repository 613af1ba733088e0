//! Where services listen: `SERVICE_listen` = list of
//!
//! ```text
//! element = port                      ; on the addresses of inet_interfaces; not moved by port_offset
//!         | address [":" port]        ; without a port: the standard one + port_offset
//!         | ":" port                  ; as port;  port 0 takes a free one
//!         | "all" | "loopback-only"   ; as in inet_interfaces, at the standard port + port_offset
//!         | "unix:" path
//! address = IPv4 | "[" IPv6 "]" | IPv6 | host name
//! ```
//!
//! An empty list means off. `all` is `0.0.0.0` and, where the machine has IPv6, `[::]`, as far as `inet_protocols` wants them:
//! two sockets, the second for IPv6 only.

use crate::machine::Machine;
use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// More sockets than this for one service is a mistake.
pub const LISTEN_LIMIT: usize = 256;

/// One place to listen at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listen {
    /// `[::]` is meant for IPv6 only.
    Tcp(SocketAddr),
    /// A path, absolute.
    Unix(PathBuf),
}

/// `192.0.2.1:25`, `[::]:25` or `unix:/path`, as `serve` prints it.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The standard ports of a service; empty for those without one.
pub fn standard_ports(service: &str) -> &'static [u16] {
    match service {
        "smtp" => &[25],
        "submission" => &[587],
        "submissions" => &[465],
        "imap" => &[143],
        "imaps" => &[993],
        "pop3" => &[110],
        "pop3s" => &[995],
        "sieve" => &[4190],
        "http" => &[80, 443],
        _ => &[],
    }
}

/// What the elements are read against.
pub struct Ground<'a> {
    pub service: &'a str,
    /// The elements of `inet_interfaces`.
    pub interfaces: &'a [String],
    /// Whether `inet_protocols` wants them.
    pub ipv4: bool,
    pub ipv6: bool,
    pub port_offset: u16,
    pub machine: &'a Machine,
    /// Addresses of a host name; empty if it has none.
    pub resolve: &'a dyn Fn(&str) -> Vec<IpAddr>,
}

/// Reads the elements of `SERVICE_listen`; duplicates are dropped.
pub fn parse(elements: &[String], ground: &Ground<'_>) -> Result<Vec<Listen>, String> {
    let mut found = Vec::new();
    for element in elements {
        if let Some(path) = element.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err(format!("\"{element}\": the path must start with /"));
            }
            found.push(Listen::Unix(PathBuf::from(path)));
            continue;
        }
        let (hosts, ports) = ground.element(element)?;
        for host in hosts {
            found.extend(ports.iter().map(|port| Listen::Tcp(SocketAddr::new(host, *port))));
        }
        if found.len() > LISTEN_LIMIT {
            return Err(format!("more than {LISTEN_LIMIT} sockets"));
        }
    }
    let mut seen = HashSet::new();
    found.retain(|listen| matches!(listen, Listen::Tcp(a) if a.port() == 0) || seen.insert(listen.clone()));
    Ok(found)
}

impl Ground<'_> {
    fn element(&self, element: &str) -> Result<(Vec<IpAddr>, Vec<u16>), String> {
        if let Some(port) = element.strip_prefix(':').or_else(|| number(element).then_some(element)) {
            return Ok((self.interfaces()?, vec![port_of(port)?]));
        }
        if let Ok(address) = element.parse::<SocketAddr>() {
            return Ok((vec![address.ip()], vec![address.port()]));
        }
        let bare = element.strip_prefix('[').and_then(|e| e.strip_suffix(']')).unwrap_or(element);
        match element.rsplit_once(':') {
            Some((host, port)) if bare.parse::<IpAddr>().is_err() && number(port) => {
                Ok((self.hosts(host)?, vec![port_of(port)?]))
            }
            _ => Ok((self.hosts(bare)?, self.standard()?)),
        }
    }

    fn standard(&self) -> Result<Vec<u16>, String> {
        let ports = standard_ports(self.service);
        if ports.is_empty() {
            return Err(format!("{} has no standard port; write ADDRESS:PORT or unix:PATH", self.service));
        }
        let moved = |port: &u16| port.checked_add(self.port_offset).ok_or_else(|| format!("port {port} + port_offset is too large"));
        ports.iter().map(moved).collect()
    }

    /// The addresses that `inet_interfaces` means.
    fn interfaces(&self) -> Result<Vec<IpAddr>, String> {
        let mut all = Vec::new();
        for element in self.interfaces {
            let bare = element.strip_prefix('[').and_then(|e| e.strip_suffix(']')).unwrap_or(element);
            for address in self.hosts(bare)? {
                if !all.contains(&address) {
                    all.push(address);
                }
            }
        }
        Ok(all)
    }

    fn hosts(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(if self.wanted(&address) { vec![address] } else { Vec::new() });
        }
        let (v4, v6) = match name.to_ascii_lowercase().as_str() {
            "all" => (Ipv4Addr::UNSPECIFIED, self.machine.has_ipv6().then_some(Ipv6Addr::UNSPECIFIED)),
            "loopback-only" | "localhost" => (Ipv4Addr::LOCALHOST, self.machine.has_ipv6().then_some(Ipv6Addr::LOCALHOST)),
            _ => {
                let mut found = (self.resolve)(name);
                found.retain(|address| self.wanted(address));
                return if found.is_empty() { Err(format!("host name \"{name}\" has no address")) } else { Ok(found) };
            }
        };
        let both = std::iter::once(IpAddr::V4(v4)).chain(v6.map(IpAddr::V6));
        Ok(both.filter(|address| self.wanted(address)).collect())
    }

    fn wanted(&self, address: &IpAddr) -> bool {
        if address.is_ipv4() { self.ipv4 } else { self.ipv6 }
    }
}

fn number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn port_of(text: &str) -> Result<u16, String> {
    if number(text) { text.parse().map_err(|_| format!("\"{text}\" is not a port")) } else { Err(format!("\"{text}\" is not a port")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listen(service: &str, interfaces: &str, offset: u16, text: &str) -> Result<Vec<String>, String> {
        let machine = Machine::loopback("mail");
        let interfaces = crate::value::list(interfaces).unwrap();
        let resolve = |name: &str| if name == "mail.example.test" { vec!["192.0.2.2".parse().unwrap()] } else { vec![] };
        let ground = Ground { service, interfaces: &interfaces, ipv4: true, ipv6: true, port_offset: offset, machine: &machine, resolve: &resolve };
        parse(&crate::value::list(text)?, &ground).map(|all| all.iter().map(Listen::to_string).collect())
    }

    #[test]
    fn elements_mean_what_the_grammar_says() {
        let cases: [(&str, &str, u16, &str, &[&str]); 16] = [
            ("smtp", "all", 0, "all", &["0.0.0.0:25", "[::]:25"]),
            ("smtp", "loopback-only", 0, "loopback-only", &["127.0.0.1:25", "[::1]:25"]),
            ("imap", "all", 20_000, "loopback-only", &["127.0.0.1:20143", "[::1]:20143"]),
            ("http", "all", 0, "192.0.2.1", &["192.0.2.1:80", "192.0.2.1:443"]),
            ("smtp", "all", 0, "", &[]),
            ("smtp", "127.0.0.1", 20_000, "2525", &["127.0.0.1:2525"]),
            ("smtp", "127.0.0.1", 0, "2525, :2526 2525", &["127.0.0.1:2525", "127.0.0.1:2526"]),
            ("smtp", "127.0.0.1", 0, ":0 :0", &["127.0.0.1:0", "127.0.0.1:0"]),
            ("smtp", "all", 0, "127.0.0.1:0", &["127.0.0.1:0"]),
            ("smtp", "all", 0, "[2001:db8::1]:2525", &["[2001:db8::1]:2525"]),
            ("smtp", "all", 0, "[2001:db8::1], 2001:db8::2", &["[2001:db8::1]:25", "[2001:db8::2]:25"]),
            ("smtp", "all", 0, "mail.example.test:2525", &["192.0.2.2:2525"]),
            ("smtp", "mail.example.test, localhost", 0, "mail.example.test, localhost", &["192.0.2.2:25", "127.0.0.1:25", "[::1]:25"]),
            ("smtp", "[::1]", 0, "25", &["[::1]:25"]),
            ("lmtp", "all", 0, "unix:/run/lmtp", &["unix:/run/lmtp"]),
            ("lmtp", "loopback-only", 0, "127.0.0.1:24 unix:/run/lmtp", &["127.0.0.1:24", "unix:/run/lmtp"]),
        ];
        for (service, interfaces, offset, text, want) in cases {
            assert_eq!(listen(service, interfaces, offset, text).unwrap(), want, "{service} {interfaces} {text}");
        }
    }

    #[test]
    fn faults_are_told() {
        for (service, offset, text, want) in [
            ("smtp", 0, "nosuch.example", "host name \"nosuch.example\" has no address"),
            ("smtp", 0, "127.0.0.1:99999", "\"99999\" is not a port"),
            ("smtp", 0, "unix:relative", "\"unix:relative\": the path must start with /"),
            ("lmtp", 0, "127.0.0.1", "lmtp has no standard port; write ADDRESS:PORT or unix:PATH"),
            ("imaps", 65_000, "127.0.0.1", "port 993 + port_offset is too large"),
        ] {
            assert_eq!(listen(service, "all", offset, text).unwrap_err(), want, "{text}");
        }
    }

    #[test]
    fn protocols_choose_the_sockets() {
        let mut machine = Machine::loopback("mail");
        let interfaces = vec!["all".to_owned()];
        let all = |machine: &Machine, ipv4, ipv6| {
            let ground = Ground { service: "smtp", interfaces: &interfaces, ipv4, ipv6, port_offset: 0, machine, resolve: &|_| vec![] };
            parse(&interfaces, &ground).unwrap().iter().map(Listen::to_string).collect::<Vec<_>>()
        };
        assert_eq!(all(&machine, true, true), ["0.0.0.0:25", "[::]:25"]);
        assert_eq!(all(&machine, true, false), ["0.0.0.0:25"]);
        assert_eq!(all(&machine, false, true), ["[::]:25"]);
        machine.addresses.retain(|(address, _)| address.is_ipv4());
        assert_eq!(all(&machine, true, true), ["0.0.0.0:25"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[\\[\\]:.0-9a-z,/é ]{0,30}") {
            let _ = listen("smtp", "all", 65_535, &text);
        }
    }
}
