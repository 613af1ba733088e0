//! `mynetworks`: which clients are trusted. `192.0.2.0/24`, `192.0.2.7`, `[2001:db8::]/32`, `!192.0.2.9`, `cidr:/FILE`; the first match decides.

use crate::maps::Table;
use std::net::IpAddr;
use std::sync::Arc;

/// One element: a network, or with `!` all that is not in it from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
    excluded: bool,
}

/// A list of networks in its order.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<Element>);

#[derive(Clone, Debug)]
enum Element {
    Network(Network),
    /// The addresses that it has as keys; excluded by `!`.
    Table(Arc<Table>, bool),
}

impl Networks {
    /// Reads the elements; an address with bits beyond its prefix is refused, as in Postfix: it is mostly a slip. `open` opens those that are
    /// tables (`type:name`).
    pub fn parse<S: AsRef<str>>(elements: &[S], mut open: impl FnMut(&str) -> Result<Arc<Table>, String>) -> Result<Networks, String> {
        let mut read = |element: &str| {
            let name = element.strip_prefix('!').unwrap_or(element);
            match crate::maps::split(name).filter(|(kind, _)| crate::maps::TYPES.contains(kind)) {
                Some(_) => Ok(Element::Table(open(name)?, name.len() < element.len())),
                _ => Network::parse(element).map(Element::Network),
            }
        };
        elements.iter().map(|element| read(element.as_ref())).collect::<Result<_, _>>().map(Networks)
    }

    /// True if the first element that matches is not an excluding one. An IPv4 address in IPv6 form is taken as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let matched = self.0.iter().find_map(|element| match element {
            Element::Network(network) => network.holds(address).then_some(!network.excluded),
            Element::Table(table, excluded) => table.get(&address.to_string()).map(|_| !excluded),
        });
        matched.unwrap_or(false)
    }

    /// True if no client is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements that reach beyond private and loopback networks; `check` warns of them.
    pub fn public(&self) -> impl Iterator<Item = &Network> {
        let networks = self.0.iter().filter_map(|element| match element {
            Element::Network(network) => Some(network),
            Element::Table(..) => None,
        });
        networks.filter(|network| !network.excluded && network.is_wide())
    }
}

impl Network {
    fn parse(text: &str) -> Result<Network, String> {
        let (excluded, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let bad = || format!("\"{text}\" is not a network such as 192.0.2.0/24 or [2001:db8::]/32");
        let (address, prefix) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (inside, after) = rest.split_once(']').ok_or_else(bad)?;
                let prefix = if after.is_empty() { None } else { Some(after.strip_prefix('/').ok_or_else(bad)?) };
                (inside, prefix)
            }
            None => match rest.split_once('/') {
                Some((address, prefix)) => (address, Some(prefix)),
                None => (rest, None),
            },
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(figures) if !figures.is_empty() && figures.bytes().all(|b| b.is_ascii_digit()) => {
                figures.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(bad)?
            }
            Some(_) => return Err(bad()),
        };
        let network = Network { address, prefix, excluded };
        if network.low_bits() != 0 {
            return Err(format!("\"{text}\": non-null host address bits; write the first address of the network"));
        }
        Ok(network)
    }

    fn holds(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0,
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) == 0,
            _ => false,
        }
    }

    fn low_bits(&self) -> u128 {
        match self.address {
            IpAddr::V4(a) => u128::from(u32::from(a) & u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0)),
            IpAddr::V6(a) => u128::from(a) & u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0),
        }
    }

    fn is_wide(&self) -> bool {
        match self.address {
            IpAddr::V4(a) => {
                let home = a.is_loopback() && self.prefix >= 8 || a.is_link_local() && self.prefix >= 16;
                let octets = a.octets();
                let private = match octets[0] {
                    10 => self.prefix >= 8,
                    172 => a.is_private() && self.prefix >= 12,
                    192 => a.is_private() && self.prefix >= 16,
                    _ => false,
                };
                !home && !private && self.prefix < 32
            }
            IpAddr::V6(a) => {
                let local = (a.segments()[0] & 0xfe00) == 0xfc00 && self.prefix >= 7 || (a.segments()[0] & 0xffc0) == 0xfe80 && self.prefix >= 10;
                !local && self.prefix < 64
            }
        }
    }
}

/// As it would be written.
impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let not = if self.excluded { "!" } else { "" };
        match self.address {
            IpAddr::V4(a) => write!(f, "{not}{a}/{}", self.prefix),
            IpAddr::V6(a) => write!(f, "{not}[{a}]/{}", self.prefix),
        }
    }
}

/// The default of `mynetworks`: the own addresses, alone (`host`), with their networks (`subnet`) or by class (`class`).
/// IPv4 first, as `postconf -d` prints it.
pub fn own(addresses: &[(IpAddr, u8)], style: &str) -> String {
    let mut elements: Vec<String> = Vec::new();
    for &(address, prefix) in addresses {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match (style, address) {
            ("subnet", _) => prefix.min(longest),
            ("class", IpAddr::V4(a)) => match a.octets()[0] {
                0..=127 => 8,
                128..=191 => 16,
                192..=223 => 24,
                _ => 32,
            },
            ("class", IpAddr::V6(_)) => prefix.min(longest),
            _ => longest,
        };
        let masked = mask(address, prefix);
        let element = Network { address: masked, prefix, excluded: false }.to_string();
        if !elements.contains(&element) {
            elements.push(element);
        }
    }
    elements.sort_by_key(|element| element.starts_with('['));
    elements.join(" ")
}

fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => IpAddr::V4((u32::from(a) & u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)).into()),
        IpAddr::V6(a) => IpAddr::V6((u128::from(a) & u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn none(spec: &str) -> Result<Arc<Table>, String> {
        Err(format!("no {spec}"))
    }

    #[test]
    fn tables_have_addresses() {
        let open = |spec: &str| Table::open(spec, &|_| Ok("192.0.2.0/24 OK\n".to_owned())).map(|(table, _)| Arc::new(table)).map_err(|error| error.to_string());
        let networks = Networks::parse(&["!inline:{192.0.2.7=x}", "cidr:/n", "::1", "fd00::"], open).unwrap();
        for (address, inside) in [("192.0.2.7", false), ("192.0.2.8", true), ("192.0.3.1", false), ("::1", true), ("fd00::", true)] {
            assert_eq!(networks.contains(address.parse().unwrap()), inside, "{address}");
        }
    }

    #[test]
    fn the_first_match_decides() {
        let networks = Networks::parse(&["!192.0.2.9", "192.0.2.0/24", "127.0.0.1", "[2001:db8::]/32", "::1"], none).unwrap();
        for (address, inside) in [
            ("192.0.2.8", true),
            ("192.0.2.9", false),
            ("192.0.3.1", false),
            ("::ffff:192.0.2.8", true),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("::1", true),
        ] {
            assert_eq!(networks.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert!(!Networks::default().contains("127.0.0.1".parse().unwrap()));
        assert!(Networks::parse(&["0.0.0.0/0"], none).unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(!Networks::parse(&["0.0.0.0/0"], none).unwrap().contains("::1".parse().unwrap()));
    }

    #[test]
    fn slips_are_refused() {
        for bad in ["192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x", "[::1", "[::1]x", "host.example", "", "!", "[2001:db8::1]/32", "1.2.3"] {
            assert!(Networks::parse(&[bad], none).is_err(), "{bad}");
        }
    }

    #[test]
    fn wide_networks_are_found() {
        let networks = Networks::parse(&["127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "[fd00::]/64", "[fe80::]/10", "198.51.100.7", "[2001:db8::]/64"], none).unwrap();
        assert_eq!(networks.public().count(), 0);
        let networks = Networks::parse(&["0.0.0.0/0", "198.51.100.0/24", "172.0.0.0/8", "[2001:db8::]/32", "!0.0.0.0/0"], none).unwrap();
        let wide: Vec<_> = networks.public().map(|n| n.to_string()).collect();
        assert_eq!(wide, ["0.0.0.0/0", "198.51.100.0/24", "172.0.0.0/8", "[2001:db8::]/32"]);
    }

    #[test]
    fn own_networks_are_written_as_postconf_prints_them() {
        let own_addresses: Vec<(IpAddr, u8)> = [("127.0.0.1", 8), ("192.0.2.2", 24), ("::1", 128), ("fd00::2", 64), ("fe80::fc:ff:fe00:1", 64)]
            .map(|(a, n)| (a.parse().unwrap(), n))
            .to_vec();
        assert_eq!(own(&own_addresses, "subnet"), "127.0.0.0/8 192.0.2.0/24 [::1]/128 [fd00::]/64 [fe80::]/64");
        assert_eq!(own(&own_addresses, "host"), "127.0.0.1/32 192.0.2.2/32 [::1]/128 [fd00::2]/128 [fe80::fc:ff:fe00:1]/128");
    }

    proptest! {
        #[test]
        fn what_is_read_prints_and_reads_alike(text in "!?(\\[?[0-9a-f:]{1,12}\\]?|[0-9]{1,3}(\\.[0-9]{1,3}){3})(/[0-9]{0,3})?") {
            if let Ok(network) = Network::parse(&text) {
                prop_assert_eq!(Network::parse(&network.to_string()), Ok(network));
            }
        }
    }
}
