//! What a configuration must know of the machine it runs on: handed in, so that all else here is pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Facts of this machine that defaults depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// As the kernel has it, mostly without a domain.
    pub hostname: String,
    /// Its own addresses and how long the prefix of their network is.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Of this process; what `postconf process_id` prints.
    pub process_id: u32,
}

impl Machine {
    /// A machine with nothing but its loopback; for tests and as a last resort.
    pub fn loopback(hostname: &str) -> Machine {
        let addresses = vec![(IpAddr::V4(Ipv4Addr::LOCALHOST), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)];
        Machine { hostname: hostname.to_owned(), addresses, process_id: 1 }
    }

    /// True if an IPv6 socket can be expected to work.
    pub fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(|(address, _)| address.is_ipv6())
    }
}

/// Own IPv4 addresses with their prefix lengths, out of the text of `/proc/net/fib_trie`.
///
/// The trie lists each leaf as `|-- ADDRESS`, followed by `/LENGTH SCOPE TYPE`. `/32 host LOCAL` is an own address;
/// the network of it is the longest `link UNICAST` (or, for loopback, `host LOCAL`) prefix that holds it.
pub fn ipv4_of_fib_trie(text: &str) -> Vec<(IpAddr, u8)> {
    let mut own: Vec<Ipv4Addr> = Vec::new();
    let mut networks: Vec<(Ipv4Addr, u8)> = Vec::new();
    let mut leaf = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
            continue;
        }
        let Some(address) = leaf else { continue };
        let mut words = line.split_ascii_whitespace();
        let Some(length) = words.next().and_then(|w| w.strip_prefix('/')).and_then(|w| w.parse::<u8>().ok()) else { continue };
        match (length, words.next(), words.next()) {
            (32, Some("host"), Some("LOCAL")) if !own.contains(&address) => own.push(address),
            (1..32, Some("host"), Some("LOCAL")) | (1..32, Some("link"), Some("UNICAST")) => networks.push((address, length)),
            _ => {}
        }
    }
    own.into_iter()
        .map(|address| {
            let holds = |(network, length): &&(Ipv4Addr, u8)| {
                let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
                u32::from(address) & mask == u32::from(*network) & mask
            };
            let length = networks.iter().filter(holds).map(|(_, length)| *length).max().unwrap_or(32);
            (IpAddr::V4(address), length)
        })
        .collect()
}

/// Own IPv6 addresses with their prefix lengths, out of the text of `/proc/net/if_inet6`
/// (`ADDRESS IFINDEX PREFIXLEN SCOPE FLAGS NAME`, numbers in hexadecimal).
pub fn ipv6_of_if_inet6(text: &str) -> Vec<(IpAddr, u8)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|w| w.len() == 32).and_then(|w| u128::from_str_radix(w, 16).ok());
        let length = words.nth(1).and_then(|w| u8::from_str_radix(w, 16).ok()).filter(|length| *length <= 128);
        if let (Some(address), Some(length)) = (address, length) {
            found.push((IpAddr::V6(Ipv6Addr::from(address)), length));
        }
    }
    // The kernel's order changes from read to read.
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 127.0.0.0/8 2 0 2\n\
        \x20       +-- 127.0.0.0/31 1 0 0\n           |-- 127.0.0.0\n              /8 host LOCAL\n           |-- 127.0.0.1\n\
        \x20             /32 host LOCAL\n        |-- 127.255.255.255\n           /32 link BROADCAST\n     +-- 192.0.2.0/24 2 0 2\n\
        \x20          |-- 192.0.2.0\n              /24 link UNICAST\n           |-- 192.0.2.2\n              /32 host LOCAL\n\
        Local:\n           |-- 192.0.2.2\n              /32 host LOCAL\n";

    #[test]
    fn reads_the_kernel_s_tables() {
        let v4 = |a, b, c, d| IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        assert_eq!(ipv4_of_fib_trie(TRIE), [(v4(127, 0, 0, 1), 8), (v4(192, 0, 2, 2), 24)]);
        let text = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n";
        let want = [("::1", 128), ("fe80::fc:ff:fe00:1", 64)];
        assert_eq!(ipv6_of_if_inet6(text), want.map(|(a, n)| (a.parse().unwrap(), n)));
    }

    #[test]
    fn rubbish_is_no_address() {
        for text in ["", "|-- x\n /32 host LOCAL", "/32 host LOCAL", "|-- 1.2.3.4\n /999 host LOCAL", "zz 04 40 20 80 eth0", "é"] {
            assert!(ipv4_of_fib_trie(text).is_empty(), "{text}");
            assert!(ipv6_of_if_inet6(text).is_empty(), "{text}");
        }
    }
}
