//! What an exchange ends with.

use std::fmt;

/// Longest user name in bytes. An address has at most 320 (RFC 5321 §4.5.3.1); the rest is room for what an
/// old system appended to it.
pub const MAX_NAME: usize = 512;
/// Longest password in bytes. Nobody types more; argon2 reads all of it, so it is work for the asking.
pub const MAX_PASSWORD: usize = 1024;

/// Who a client says it is, with the proof; not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whom it wants to act as, when it said so (RFC 4616 `authzid`); never empty.
    pub authzid: Option<String>,
    /// Whose password it is; never empty, no control characters.
    pub authcid: String,
    /// The password as sent: any bytes but NUL, never empty.
    pub password: Vec<u8>,
}

impl Credentials {
    /// Puts the fields together, or says no: a name that is empty, too long, not UTF-8 or holds controls, a
    /// password that is empty, too long or holds NUL. An empty `authzid` is none (RFC 4616 §2).
    pub(crate) fn of(authzid: &[u8], authcid: &[u8], password: &[u8]) -> Option<Credentials> {
        let authzid = if authzid.is_empty() { None } else { Some(name(authzid)?) };
        let authcid = name(authcid)?;
        if password.is_empty() || password.len() > MAX_PASSWORD || password.contains(&0) {
            return None;
        }
        Some(Credentials { authzid, authcid, password: password.to_vec() })
    }
}

pub(crate) fn name(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() || bytes.len() > MAX_NAME {
        return None;
    }
    let name = std::str::from_utf8(bytes).ok()?;
    if name.chars().any(char::is_control) {
        return None; // it will be written to logs, and no user is called that
    }
    Some(name.to_owned())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials")
            .field("authzid", &self.authzid)
            .field("authcid", &self.authcid)
            .finish_non_exhaustive() // never the password
    }
}
