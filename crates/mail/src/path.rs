//! The two ends of an SMTP envelope (RFC 5321 §4.1.2), without their angle brackets.

use std::fmt;

use crate::{Address, BadAddress};

/// Where a bounce goes; `Null` for what must never bounce (RFC 5321 §4.5.5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReversePath {
    Null,
    Address(Address),
}

/// Where a message goes. `postmaster` is the one name that needs no domain (RFC 5321 §4.5.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ForwardPath {
    Postmaster,
    Address(Address),
}

impl ReversePath {
    /// The empty text is the null path.
    pub fn parse(text: &str) -> Result<ReversePath, BadAddress> {
        if text.is_empty() { Ok(ReversePath::Null) } else { Address::parse(text).map(ReversePath::Address) }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, ReversePath::Null)
    }

    pub fn address(&self) -> Option<&Address> {
        match self {
            ReversePath::Null => None,
            ReversePath::Address(address) => Some(address),
        }
    }
}

impl ForwardPath {
    pub fn parse(text: &str) -> Result<ForwardPath, BadAddress> {
        if text.eq_ignore_ascii_case("postmaster") {
            return Ok(ForwardPath::Postmaster);
        }
        Address::parse(text).map(ForwardPath::Address)
    }

    pub fn address(&self) -> Option<&Address> {
        match self {
            ForwardPath::Postmaster => None,
            ForwardPath::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReversePath::Null => Ok(()),
            ReversePath::Address(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("postmaster"),
            ForwardPath::Address(address) => address.fmt(f),
        }
    }
}

impl From<Address> for ReversePath {
    fn from(address: Address) -> ReversePath {
        ReversePath::Address(address)
    }
}

impl From<Address> for ForwardPath {
    fn from(address: Address) -> ForwardPath {
        ForwardPath::Address(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_and_read() {
        for text in ["", "a@b"] {
            assert_eq!(ReversePath::parse(text).map(|path| path.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(ForwardPath::parse("PostMaster"), Ok(ForwardPath::Postmaster));
        assert_eq!(ForwardPath::parse("a@b").map(|path| path.to_string()).as_deref(), Ok("a@b"));
        assert!(ForwardPath::parse("").is_err());
        assert!(ForwardPath::parse("root").is_err());
    }
}
