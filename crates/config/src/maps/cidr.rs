//! `cidr:` tables, cidr_table(5): the first network that holds the address.
//!
//! ```text
//! line = [ "!" ] network WSP result  /  "if" WSP [ "!" ] network  /  "endif"
//! network = address [ "/" length ] ; IPv6 may stand in brackets
//! ```

use super::{Building, Rule, first, logical, ruling};
use crate::problem::Problem;
use std::net::IpAddr;

/// A table of networks.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule<Network, String>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    length: u8,
    negated: bool,
}

impl Rules {
    /// What the address `key` leads to; nothing for what is no address.
    pub fn get(&self, key: &str) -> Option<&str> {
        let address: IpAddr = key.parse().ok()?;
        first(&self.0, |network| network.holds(address) != network.negated).map(|(_, result)| result.as_str())
    }
}

/// Reads a table; rules that are wrong are warned of and left out.
pub fn parse(file: &str, text: &str) -> (Rules, Vec<Problem>) {
    let mut building = Building::new();
    let mut problems = Vec::new();
    for (line, text) in logical(text) {
        let mut warn = |what: String| problems.push(ruling("cidr", file, line, what));
        let (word, rest) = text.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((text.as_str(), ""));
        let rest = rest.trim_ascii();
        if word.eq_ignore_ascii_case("endif") {
            if !rest.is_empty() {
                warn("garbage after ENDIF: skipping this rule".to_owned());
            } else if !building.end_if() {
                warn("ENDIF without IF: skipping this rule".to_owned());
            }
            continue;
        }
        let is_if = word.eq_ignore_ascii_case("if");
        match Network::parse(if is_if { rest } else { word }) {
            Err(what) => warn(format!("{what}: skipping this rule")),
            Ok(network) if is_if => building.start_if(network, line),
            Ok(_) if rest.is_empty() => warn("no result: skipping this rule".to_owned()),
            Ok(network) => building.add(network, rest.to_owned()),
        }
    }
    let (rules, open) = building.done();
    problems.extend(open.into_iter().map(|line| ruling("cidr", file, line, "IF has no matching ENDIF")));
    (Rules(rules), problems)
}

impl Network {
    fn parse(text: &str) -> Result<Network, String> {
        let (negated, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest.trim_ascii_start()),
            None => (false, text),
        };
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let bare = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
        let address: IpAddr = bare.parse().map_err(|_| match length {
            None => format!("bad address pattern: \"{text}\""),
            Some(_) => format!("bad net/mask pattern: \"{text}\""),
        })?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => width,
            Some(length) => length.parse().ok().filter(|length| *length <= width && !text.contains('+')).ok_or_else(|| format!("bad mask length in \"{text}\""))?,
        };
        let network = Network { address, length, negated };
        match network.base() == bits(address) {
            true => Ok(network),
            false => Err(format!("non-null host address bits in \"{text}\"")),
        }
    }

    fn base(self) -> u128 {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
        bits(self.address) & mask
    }

    fn holds(self, address: IpAddr) -> bool {
        let other = Network { address, ..self };
        self.address.is_ipv4() == address.is_ipv4() && self.base() == other.base()
    }
}

/// The address in the upper bits.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_network_that_holds_the_address_counts() {
        let text = "192.0.2.1 one\n192.0.2.0/24 REJECT  spam\n# c\n!10.0.0.0/8 other\nif 10.1.0.0/16\n10.1.2.0/24 inner\nendif\n10.0.0.0/8 ten\n";
        let (rules, problems) = parse("t", text);
        assert!(problems.is_empty(), "{problems:?}");
        let cases = [("192.0.2.1", "one"), ("192.0.2.9", "REJECT  spam"), ("198.51.100.1", "other"), ("10.1.2.3", "inner"), ("10.2.2.3", "ten"), ("2001:db8::1", "other")];
        for (key, want) in cases {
            assert_eq!(rules.get(key), Some(want), "{key}");
        }
        assert_eq!(rules.get("example.test"), None);
        let (rules, _) = parse("t", "2001:db8::/32 x\n[fe80::]/10 y\n0.0.0.0/0 all\n");
        assert_eq!((rules.get("2001:db8:1::1"), rules.get("fe80::1"), rules.get("9.9.9.9"), rules.get("::1")), (Some("x"), Some("y"), Some("all"), None));
    }

    #[test]
    fn wrong_rules_are_told_and_left_out() {
        let (rules, problems) = parse("t", "192.0.2.1/24 x\nnot-an-address y\n10.0.0.0/33 z\n192.0.2.1\nendif\nif 10.0.0.0/8\n10.0.0.1 ok\n");
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(said, [
            "cidr map t, line 1: non-null host address bits in \"192.0.2.1/24\": skipping this rule",
            "cidr map t, line 2: bad address pattern: \"not-an-address\": skipping this rule",
            "cidr map t, line 3: bad mask length in \"10.0.0.0/33\": skipping this rule",
            "cidr map t, line 4: no result: skipping this rule",
            "cidr map t, line 5: ENDIF without IF: skipping this rule",
            "cidr map t, line 6: IF has no matching ENDIF",
        ]);
        assert_eq!((rules.get("10.0.0.1"), rules.get("10.0.0.2")), (Some("ok"), None));
    }
}
