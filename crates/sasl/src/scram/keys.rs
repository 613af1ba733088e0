//! What the server keeps of a password for SCRAM: RFC 5802 §3. Whoever steals it can guess passwords at the cost of
//! [`ITERATIONS`] rounds each, which is far less than argon2id makes it pay; the operator may do without (`scram = off`).

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base64;
use crate::record::{self, BadRecord};

/// Rounds of new keys. The client pays for them, at each login: some 10 to 50 ms, and a slow phone not more than a second. RFC
/// 7677 §4 wants 4,096 at least.
pub const ITERATIONS: u32 = 32_768;
/// Most rounds that keys of another system may have: the record is verified against a password sent in clear, too.
pub const MAX_ITERATIONS: u32 = 1_000_000;
pub(crate) const LIMIT: &str = "1,000,000 iterations for SCRAM";
/// Salt of new keys in bytes.
const SALT: usize = 16;
/// Longest salt taken.
const MAX_SALT: usize = 64;

/// The keys of one password.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored: [u8; 32],
    pub(crate) server: [u8; 32],
}

impl Keys {
    /// New keys of `password`. `like`: other keys of the same account, whose salt is taken, so that one challenge
    /// suits all of its passwords; else it is random. Takes some 10 ms.
    pub fn of_password(password: &[u8], like: Option<&Keys>) -> Result<Keys, BadRecord> {
        record::usable(password)?;
        let salt = match like {
            Some(like) if like.iterations == ITERATIONS => like.salt.clone(),
            _ => rand::random::<[u8; SALT]>().to_vec(),
        };
        Ok(Keys::derive(password, salt, ITERATIONS))
    }

    pub(crate) fn derive(password: &[u8], salt: Vec<u8>, iterations: u32) -> Keys {
        salted(password, salt, iterations).1
    }

    /// Keys that are nobody's, for a login nobody has: always the same for one `name` under one `secret`, or who asks twice
    /// would know (RFC 5802 §9).
    pub fn nobody(secret: &[u8], name: &str) -> Keys {
        let of = |what: &str| mac(secret, format!("{what} {name}").as_bytes());
        Keys { iterations: ITERATIONS, salt: of("salt")[..SALT].to_vec(), stored: of("stored"), server: of("server") }
    }

    /// Whether `password` is theirs.
    pub fn verify(&self, password: &[u8]) -> bool {
        Keys::derive(password, self.salt.clone(), self.iterations).stored.ct_eq(&self.stored).into()
    }

    /// Whether one challenge suits both.
    pub fn same_challenge(&self, other: &Keys) -> bool {
        (self.iterations, &self.salt) == (other.iterations, &other.salt)
    }

    /// Reads `iterations,salt,StoredKey,ServerKey` (Dovecot), or `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` (RFC
    /// 5803, PostgreSQL); `Err(true)`: too much work.
    pub(crate) fn parse(text: &str) -> Result<Keys, bool> {
        let text = text.strip_prefix("SCRAM-SHA-256$").unwrap_or(text);
        let fields: Vec<&str> = text.split([',', ':', '$']).collect();
        let [iterations, salt, stored, server] = fields[..] else { return Err(false) };
        let decoded = |text: &str| base64::decode(text.as_bytes()).ok_or(false);
        let key = |text: &str| decoded(text)?.try_into().map_err(|_| false);
        let keys = Keys { iterations: iterations.parse().map_err(|_| false)?, salt: decoded(salt)?, stored: key(stored)?, server: key(server)? };
        match keys.iterations {
            _ if keys.salt.is_empty() || keys.salt.len() > MAX_SALT => Err(false),
            0 => Err(false),
            1..=MAX_ITERATIONS => Ok(keys),
            _ => Err(true),
        }
    }
}

/// The client's own key, and what a server keeps.
pub(crate) fn salted(password: &[u8], salt: Vec<u8>, iterations: u32) -> ([u8; 32], Keys) {
    let salted: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(&prepared(password), &salt, iterations);
    let client = mac(&salted, b"Client Key");
    let stored = Sha256::digest(client).into();
    (client, Keys { iterations, salt, stored, server: mac(&salted, b"Server Key") })
}

/// As Dovecot writes it behind `{SCRAM-SHA-256}`.
impl fmt::Display for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{},{},{},{}", self.iterations, base64::encode(&self.salt), base64::encode(&self.stored), base64::encode(&self.server))
    }
}

impl std::str::FromStr for Keys {
    type Err = BadRecord;

    fn from_str(text: &str) -> Result<Keys, BadRecord> {
        Keys::parse(text).map_err(|costly| if costly { BadRecord::TooCostly(LIMIT) } else { BadRecord::Malformed("SCRAM-SHA-256".into()) })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Keys(…)")
    }
}

/// The password as both ends spell it: SASLprep (RFC 4013), and what that forbids as it is, since old servers took it.
fn prepared(password: &[u8]) -> Cow<'_, [u8]> {
    let text = std::str::from_utf8(password).ok().filter(|text| !text.is_ascii());
    match text.map(stringprep::saslprep) {
        Some(Ok(text)) => Cow::Owned(text.into_owned().into_bytes()),
        _ => Cow::Borrowed(password),
    }
}

pub(crate) fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length; the error is the trait's.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mac| mac.chain_update(text).finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_they_are_read() {
        let dovecot = "4096,ZUzLB9QJYPQNaicHo8lK+w==,h+b/oUIvKKenytw1l3K04uBmqz0nnfh6VaMFIsOi/S0=,4WRoxhHV9tAhYJg/AJsG4OJNqgW7iJRgxrULXW7TeaI=";
        let keys: Keys = dovecot.parse().expect("keys");
        assert_eq!(keys.to_string(), dovecot);
        assert_eq!(Keys::derive("sécret".as_bytes(), keys.salt.clone(), 4096), keys);
        let postgres = dovecot.replacen(',', ":", 1).replacen(',', "$", 1).replacen(',', ":", 1);
        assert_eq!(format!("SCRAM-SHA-256${postgres}").parse(), Ok(keys));
    }

    #[test]
    fn one_password_has_one_spelling() {
        let keys = Keys::derive("sécret".as_bytes(), b"salt".to_vec(), 1);
        assert!(keys.verify("se\u{301}cret".as_bytes()), "composed and decomposed");
        assert!(!keys.verify(b"s\xe9cret"), "Latin-1 is another");
        let forbidden = Keys::derive("a\u{7}é".as_bytes(), b"salt".to_vec(), 1);
        assert!(forbidden.verify("a\u{7}é".as_bytes()), "what SASLprep forbids is taken as it is");
    }

    #[test]
    fn nobody_is_always_the_same_and_proves_nothing() {
        let (alice, again, bob) = (Keys::nobody(b"secret", "alice"), Keys::nobody(b"secret", "alice"), Keys::nobody(b"secret", "bob"));
        assert_eq!(alice, again);
        assert_ne!(alice.salt, bob.salt);
        assert_ne!(alice.salt, Keys::nobody(b"another", "alice").salt);
        assert_eq!((alice.salt.len(), alice.iterations), (SALT, ITERATIONS), "as real keys have them");
    }

    #[test]
    fn the_salt_of_an_account_stays() {
        let first = Keys::of_password(b"first", None).expect("keys");
        let second = Keys::of_password(b"second", Some(&first)).expect("keys");
        assert!(first.same_challenge(&second) && first.stored != second.stored);
        let old = Keys::derive(b"old", b"salt".to_vec(), 4096);
        assert!(!Keys::of_password(b"new", Some(&old)).expect("keys").same_challenge(&old), "fewer rounds are not kept");
    }
}
