//! Mail addresses as SMTP has them (RFC 5321 §4.1.2). What stands in a message's header is [`crate::envelope`]'s.
//!
//! ```text
//! Mailbox      = Local-part "@" ( Domain / address-literal )
//! Local-part   = Dot-string / Quoted-string
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("address has no @domain")]
    NoDomain,
    #[error("address is too long")]
    TooLong,
    #[error("local part of the address is malformed")]
    Local,
    #[error("domain of the address is malformed")]
    Domain,
    #[error("address is not ASCII (SMTPUTF8 is not supported)")]
    NotAscii,
}

/// Local part and domain.
///
/// The local part is kept without its quotes, its case as it came; the domain in lower case without a final dot; an address
/// literal as `[192.0.2.1]` or `[ipv6:2001:db8::1]`. `a..b@x` and `.a@x` are not RFC 5321, but exist; they are taken, and
/// printed in quotes, which makes them right.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Octets, without quotes. RFC 5321 §4.5.3.1.1 says 64, but senders that encode another address in theirs (VERP, SRS)
    /// exceed that daily, and no server refuses them for it.
    pub const LOCAL_MAX: usize = 255;
    /// Octets (RFC 5321 §4.5.3.1.2).
    pub const DOMAIN_MAX: usize = 255;

    /// Reads `user@example.org`, `"a b"@example.org`, `user@[192.0.2.1]`; nothing around it.
    pub fn parse(text: &str) -> Result<Address, BadAddress> {
        if !text.is_ascii() {
            return Err(BadAddress::NotAscii);
        }
        let (local, rest) = match text.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = text.find('@').ok_or(BadAddress::NoDomain)?;
                let (local, rest) = text.split_at(end);
                if local.is_empty() || !local.bytes().all(|byte| is_atext(byte) || byte == b'.') {
                    return Err(BadAddress::Local);
                }
                (local.to_owned(), rest)
            }
        };
        let domain = rest.strip_prefix('@').ok_or(BadAddress::NoDomain)?;
        Address::new(&local, domain)
    }

    /// From a local part *without* quotes and a domain.
    pub fn new(local: &str, domain: &str) -> Result<Address, BadAddress> {
        if !local.is_ascii() || !domain.is_ascii() {
            return Err(BadAddress::NotAscii);
        }
        if local.len() > Self::LOCAL_MAX {
            return Err(BadAddress::TooLong);
        }
        if !local.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(BadAddress::Local);
        }
        Ok(Address { local: local.to_owned(), domain: canonical_domain(domain)? })
    }

    /// Without quotes; may hold any printable ASCII, also `/` and `|` and `@`, and may be empty (`""@example.org`).
    pub fn local(&self) -> &str {
        &self.local
    }

    /// In lower case, without a final dot.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The host an address literal names.
    pub fn literal(&self) -> Option<IpAddr> {
        literal(&self.domain)
    }

    /// The local part as it must be written: in quotes if it needs them.
    pub fn quoted_local(&self) -> String {
        let dot_string = self.local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext));
        if dot_string {
            return self.local.clone();
        }
        let mut quoted = String::with_capacity(self.local.len() + 2);
        quoted.push('"');
        for c in self.local.chars() {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted.push('"');
        quoted
    }

    /// The same address with its local part in lower case: what a directory looks up.
    pub fn folded(&self) -> Address {
        Address { local: self.local.to_ascii_lowercase(), domain: self.domain.clone() }
    }

    /// Whether both name one mailbox here, where the case of the local part does not count.
    pub fn is_same(&self, other: &Address) -> bool {
        self.domain == other.domain && self.local.eq_ignore_ascii_case(&other.local)
    }

    /// `user+detail@d` with the delimiters of `set` (Postfix's `recipient_delimiter`): the address without, and the detail.
    ///
    /// The first delimiter counts, but none at the very start. Not split: `postmaster`, `mailer-daemon`, `double-bounce`; with
    /// `-` neither `owner-list` nor `list-request`.
    pub fn split_delimiter(&self, set: &str) -> (Address, Option<String>) {
        let whole = || (self.clone(), None);
        if ["postmaster", "mailer-daemon", "double-bounce"].iter().any(|name| self.local.eq_ignore_ascii_case(name)) {
            return whole();
        }
        if set.contains('-') {
            let lower = self.local.to_ascii_lowercase();
            if lower.starts_with("owner-") || lower.ends_with("-request") {
                return whole();
            }
        }
        match self.local.char_indices().skip(1).find(|(_, c)| set.contains(*c)) {
            Some((at, _)) => {
                let (base, detail) = (self.local.get(..at), self.local.get(at + 1..));
                let base = Address { local: base.unwrap_or_default().to_owned(), domain: self.domain.clone() };
                (base, detail.map(str::to_owned))
            }
            None => whole(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.quoted_local(), self.domain)
    }
}

impl std::str::FromStr for Address {
    type Err = BadAddress;
    fn from_str(text: &str) -> Result<Address, BadAddress> {
        Address::parse(text)
    }
}

/// `domain` in the form [`Address::domain`] has: lower case, no final dot, literals checked.
pub fn canonical_domain(domain: &str) -> Result<String, BadAddress> {
    let mut lower = domain.to_ascii_lowercase();
    if lower.starts_with('[') {
        return match literal(&lower) {
            Some(IpAddr::V4(ip)) => Ok(format!("[{ip}]")),
            Some(IpAddr::V6(ip)) => Ok(format!("[ipv6:{ip}]")),
            None => Err(BadAddress::Domain),
        };
    }
    if lower.ends_with('.') {
        lower.pop();
    }
    if lower.len() > Address::DOMAIN_MAX {
        return Err(BadAddress::TooLong);
    }
    // A bare IP address is a mistake for a literal, and would be looked up in the DNS for ever.
    if lower.parse::<Ipv4Addr>().is_ok() || !lower.split('.').all(is_label) {
        return Err(BadAddress::Domain);
    }
    Ok(lower)
}

/// Letters, digits and hyphens within; also `_`, which real names of hosts have.
fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

/// The host that `[192.0.2.1]` or `[ipv6:2001:db8::1]` names, lower case.
pub fn literal(domain: &str) -> Option<IpAddr> {
    let inner = domain.strip_prefix('[')?.strip_suffix(']')?;
    match inner.strip_prefix("ipv6:") {
        Some(six) => six.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// The content of a quoted string whose first `"` is gone, and what follows its last.
fn unquote(text: &str) -> Result<(String, &str), BadAddress> {
    let mut local = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((local, text.get(at + 1..).unwrap_or_default())),
            '\\' => local.push(chars.next().ok_or(BadAddress::Local)?.1),
            other => local.push(other),
        }
    }
    Err(BadAddress::Local)
}

/// RFC 5322 §3.2.3.
pub(crate) fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn what_is_an_address() {
        for (given, printed) in [
            ("u@example.org", "u@example.org"),
            ("User.Name+x@EXAMPLE.Org.", "User.Name+x@example.org"),
            ("\"a b\"@x", "\"a b\"@x"),
            ("\"a\\\"b\"@x", "\"a\\\"b\"@x"),
            ("\"ab\"@x", "ab@x"),
            ("\"a@b\"@x", "\"a@b\"@x"),
            ("\"\"@x", "\"\"@x"),
            ("a..b@x", "\"a..b\"@x"),
            (".a@x", "\".a\"@x"),
            ("h!u@x", "h!u@x"),
            ("u%h@me", "u%h@me"),
            ("|cmd@x", "|cmd@x"),
            ("/file@x", "/file@x"),
            ("u@[1.2.3.4]", "u@[1.2.3.4]"),
            ("u@[IPv6:0:0::1]", "u@[ipv6:::1]"),
            ("u@under_score.x", "u@under_score.x"),
        ] {
            assert_eq!(Address::parse(given).map(|a| a.to_string()).as_deref(), Ok(printed), "{given}");
        }
        let (label, long) = (format!("u@{}.x", "a".repeat(64)), format!("{}@x", "a".repeat(256)));
        let domain = format!("u@{}", ["a"; 129].join("."));
        for bad in [
            "", "u", "@x", "u@", "u@h1@h2", "a b@x", "<u@x>", "u@x>", "u@.x", "u@x..y", "u@-x", "u@x-", "u@1.2.3.4", "u@[1.2.3]", "u@[1.2.3.4",
            "u@[IPv6:::g]", "u@[::1]", "\"a@x", "\"a\"b@x", "\"a\\", "a\r\n@x", "\"a\r\n\"@x", "\"\0\"@x", "ü@x", "u@ü", "a,b@x", "a(c)@x", &label, &long, &domain,
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn delimiters() {
        for (given, set, base, detail) in [
            ("u+d@x", "+", "u@x", Some("d")),
            ("u+d+e@x", "+", "u@x", Some("d+e")),
            ("u-d+e@x", "+-", "u@x", Some("d+e")),
            ("u+@x", "+", "u@x", Some("")),
            ("+d@x", "+", "+d@x", None),
            ("u+d@x", "", "u+d@x", None),
            ("owner-list@x", "-", "owner-list@x", None),
            ("list-request@x", "+-", "list-request@x", None),
            ("MAILER-DAEMON@x", "-", "MAILER-DAEMON@x", None),
        ] {
            let (got, rest) = address(given).split_delimiter(set);
            assert_eq!((got.to_string().as_str(), rest.as_deref()), (base, detail), "{given} at {set}");
        }
    }

    #[test]
    fn case_counts_only_in_the_local_part_and_not_for_sameness() {
        assert_ne!(address("U@x"), address("u@x"));
        assert!(address("U@X").is_same(&address("u@x")));
        assert_eq!(address("U@x").folded(), address("u@x"));
        assert_eq!(address("u@[IPv6:::1]").literal(), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_alike(local in "[ -~]{0,20}", domain in "[a-zA-Z0-9_]{1,9}(\\.[a-zA-Z]{1,5}){0,3}") {
            if let Ok(address) = Address::new(&local, &domain) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }

        #[test]
        fn no_text_panics(text in "[\"\\\\@.\\[\\]a:é \\x00]{0,16}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }
    }
}
