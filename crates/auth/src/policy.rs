//! When a password may cross the wire.

use std::str::FromStr;

/// The parameter `plaintext_auth`: who may send a password without TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PlaintextAuth {
    /// Nobody (RFC 8314 §3).
    #[default]
    No,
    /// Clients on this machine, whose wire is the kernel's.
    Loopback,
}

impl FromStr for PlaintextAuth {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<PlaintextAuth, UnknownPolicy> {
        match text {
            "no" => Ok(PlaintextAuth::No),
            "loopback" => Ok(PlaintextAuth::Loopback),
            _ => Err(UnknownPolicy),
        }
    }
}

/// A value `plaintext_auth` has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("plaintext_auth is `no` or `loopback`")]
pub struct UnknownPolicy;

/// Whether a client may send its password: `secured` says TLS stands on this connection, `loopback` that both of its
/// ends are this machine's.
pub fn may_use_password(secured: bool, loopback: bool, plaintext_auth: PlaintextAuth) -> bool {
    secured || (loopback && plaintext_auth == PlaintextAuth::Loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_or_a_loopback_that_was_asked_for() {
        use PlaintextAuth::{Loopback, No};
        let table = [
            ((true, false, No), true),
            ((true, true, Loopback), true),
            ((false, true, Loopback), true),
            ((false, true, No), false),
            ((false, false, Loopback), false),
            ((false, false, No), false),
        ];
        for ((secured, loopback, policy), may) in table {
            assert_eq!(may_use_password(secured, loopback, policy), may, "{secured} {loopback} {policy:?}");
        }
        assert_eq!(("no".parse(), "loopback".parse(), "yes".parse()), (Ok(No), Ok(Loopback), Err::<PlaintextAuth, _>(UnknownPolicy)));
    }
}
