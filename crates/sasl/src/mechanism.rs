//! The mechanisms by name.

/// A mechanism this server can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection below (RFC 9266).
    ScramPlus,
    /// RFC 7677: the password is not sent.
    Scram,
    /// RFC 4616: everything in one message.
    Plain,
    /// draft-murchison-sasl-login-00: user name and password, each at a prompt.
    Login,
}

impl Mechanism {
    /// All of them, best first: the order in which they are announced.
    pub const ALL: [Mechanism; 4] = [Mechanism::ScramPlus, Mechanism::Scram, Mechanism::Plain, Mechanism::Login];

    /// The name as announced (RFC 4422 §3.1: upper case, at most 20 characters).
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ScramPlus => "SCRAM-SHA-256-PLUS",
            Mechanism::Scram => "SCRAM-SHA-256",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
        }
    }

    /// The mechanism of a name in any case; `None` for one we do not run.
    pub fn of_name(name: &[u8]) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| name.eq_ignore_ascii_case(mechanism.name().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_only_whole() {
        assert_eq!(Mechanism::of_name(b"pLain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::of_name(b"LOGIN"), Some(Mechanism::Login));
        assert_eq!(Mechanism::of_name(b"scram-sha-256-plus"), Some(Mechanism::ScramPlus));
        for other in [&b""[..], b"PLAI", b"PLAIN ", b"CRAM-MD5", b"SCRAM-SHA-1", b"\xff"] {
            assert_eq!(Mechanism::of_name(other), None, "{other:?}");
        }
    }
}
