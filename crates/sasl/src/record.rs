//! Password records: `{SCHEME}value`, the text Dovecot's passdb uses, so that an account can be carried over as it
//! is. One scheme is written, `{ARGON2ID}`; `{ARGON2I}` and a bare PHC string are read too. `{PLAIN}` and its
//! synonyms are hashed when they come in, never kept.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use crate::MAX_PASSWORD;

/// Memory of a new record in KiB: 19 MiB with 2 passes on 1 lane is the weakest setting OWASP calls sound
/// (Password Storage Cheat Sheet), and some 15–30 ms. More would let a handful of logins fill a small machine.
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Passes of a new record; see [`MEMORY_KIB`].
pub const PASSES: u32 = 2;
/// Lanes of a new record; see [`MEMORY_KIB`]. The hash is computed on one thread, so more would not be faster.
pub const LANES: u32 = 1;
/// Salt of a new record in bytes, as RFC 9106 §3.1 recommends.
pub const SALT: usize = 16;

/// Most memory a record of another system may ask for, in KiB: libsodium's "moderate", what `doveadm pw` is
/// raised to in practice. A record is written by an administrator, but a slip there must not end the server.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// Most passes such a record may ask for, and most lanes.
pub const MAX_PASSES: u32 = 16;
/// See [`MAX_PASSES`].
pub const MAX_LANES: u32 = 16;
/// Longest record in bytes: a PHC string of argon2 has about 100, and [`Record::import`] takes a password in clear.
pub const MAX_RECORD: usize = MAX_PASSWORD + 32;

/// A record that can be verified: of a known scheme, well formed, within the limits of cost.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    scheme: Scheme,
    hash: PasswordHash,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Argon2id,
    Argon2i,
}

/// Why a text is no record, or a password could not be made one. The text never appears in it: it may be a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadRecord {
    /// The scheme is none we can verify.
    #[error("password scheme {{{0}}} is not supported; supported are {{ARGON2ID}} and {{ARGON2I}}")]
    UnknownScheme(String),
    /// No `{SCHEME}` and no `$argon2…$`.
    #[error("a password record begins with {{SCHEME}}")]
    NoScheme,
    /// It is longer than [`MAX_RECORD`].
    #[error("a password record has at most {MAX_RECORD} bytes")]
    TooLong,
    /// The value does not parse as the scheme's.
    #[error("the value of a {{{0}}} password record is malformed")]
    Malformed(&'static str),
    /// It would cost more than [`MAX_MEMORY_KIB`], [`MAX_PASSES`] or [`MAX_LANES`] to verify.
    #[error("the password record asks for too much work (at most m={MAX_MEMORY_KIB},t={MAX_PASSES},p={MAX_LANES})")]
    TooCostly,
    /// A password that is empty, longer than [`MAX_PASSWORD`] or holds NUL, which no mechanism can send.
    #[error("a password has 1 to {MAX_PASSWORD} bytes, none of them NUL")]
    UnusablePassword,
    /// No memory for the work.
    #[error("a password could not be hashed: {0}")]
    Failed(String),
}

impl Record {
    /// A new record of `password` under a random salt. Takes tens of milliseconds and [`MEMORY_KIB`]: not on a
    /// thread that others wait for.
    pub fn of_password(password: &[u8]) -> Result<Record, BadRecord> {
        if password.is_empty() || password.len() > MAX_PASSWORD || password.contains(&0) {
            return Err(BadRecord::UnusablePassword);
        }
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| BadRecord::Failed(error.to_string()))?;
        let salt: [u8; SALT] = rand::random();
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password, &salt)
            .map_err(|error| BadRecord::Failed(error.to_string()))?;
        Ok(Record { scheme: Scheme::Argon2id, hash })
    }

    /// Reads a record as kept. A bare PHC string (`$argon2id$…`) is one of its own scheme.
    pub fn parse(text: &str) -> Result<Record, BadRecord> {
        let (scheme, value) = split(text)?;
        let scheme = match scheme {
            Some(name) => Scheme::of_name(name)?,
            None if value.starts_with("$argon2id$") => Scheme::Argon2id,
            None if value.starts_with("$argon2i$") => Scheme::Argon2i,
            None => return Err(BadRecord::NoScheme),
        };
        scheme.read(value)
    }

    /// Reads a record of another system: as [`Record::parse`], but `{PLAIN}`, `{CLEARTEXT}` and `{CLEAR}` are hashed
    /// at once (and take the time of [`Record::of_password`]).
    pub fn import(text: &str) -> Result<Record, BadRecord> {
        match split(text)? {
            (Some(name), value) if ["PLAIN", "CLEARTEXT", "CLEAR"].iter().any(|clear| name.eq_ignore_ascii_case(clear)) => {
                Record::of_password(value.as_bytes())
            }
            _ => Record::parse(text),
        }
    }

    /// Whether `password` is the record's. An error says the machine failed, not the password. Costs as much as
    /// the record asks for, whatever the password.
    pub fn verify(&self, password: &[u8]) -> Result<bool, BadRecord> {
        use argon2::password_hash::Error;
        match Argon2::default().verify_password(password, &self.hash) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(BadRecord::Failed(error.to_string())),
        }
    }

    /// Whether a new record of the same password would be stronger: worth writing anew at the next login.
    pub fn is_outdated(&self) -> bool {
        self.scheme != Scheme::Argon2id
            || Params::try_from(&self.hash).is_ok_and(|params| {
                u64::from(params.m_cost()) * u64::from(params.t_cost()) < u64::from(MEMORY_KIB) * u64::from(PASSES)
            })
    }
}

/// The text to keep: `{ARGON2ID}$argon2id$…`.
impl fmt::Display for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{{}}}{}", self.scheme.name(), self.hash)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Record({{{}}}…)", self.scheme.name())
    }
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Argon2id => "ARGON2ID",
            Scheme::Argon2i => "ARGON2I",
        }
    }

    fn of_name(name: &str) -> Result<Scheme, BadRecord> {
        [Scheme::Argon2id, Scheme::Argon2i]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| BadRecord::UnknownScheme(name.to_ascii_uppercase()))
    }

    fn ident(self) -> &'static str {
        match self {
            Scheme::Argon2id => "argon2id",
            Scheme::Argon2i => "argon2i",
        }
    }

    fn read(self, value: &str) -> Result<Record, BadRecord> {
        let malformed = BadRecord::Malformed(self.name());
        let Ok(hash) = PasswordHash::new(value) else { return Err(malformed) };
        let version_known = hash.version.is_none_or(|version| Version::try_from(version).is_ok());
        if hash.algorithm.as_str() != self.ident() || !version_known || hash.salt.is_none() || hash.hash.is_none() {
            return Err(malformed);
        }
        let Ok(params) = Params::try_from(&hash) else { return Err(malformed) };
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(BadRecord::TooCostly);
        }
        Ok(Record { scheme: self, hash })
    }
}

/// The name in the braces, when there is one, and the rest.
fn split(text: &str) -> Result<(Option<&str>, &str), BadRecord> {
    if text.len() > MAX_RECORD {
        return Err(BadRecord::TooLong);
    }
    let Some(rest) = text.strip_prefix('{') else { return Ok((None, text)) };
    let (name, value) = rest.split_once('}').ok_or(BadRecord::NoScheme)?;
    let sound = !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if sound { Ok((Some(name), value)) } else { Err(BadRecord::NoScheme) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Cheap on purpose, so that the tests are quick: "secret", salt "saltsaltsaltsalt".
    fn cheap(algorithm: Algorithm, password: &[u8]) -> String {
        let argon2 = Argon2::new(algorithm, Version::V0x13, Params::new(8, 1, 1, None).expect("sound"));
        argon2.hash_password_with_salt(password, b"saltsaltsaltsalt").expect("hashed").to_string()
    }

    #[test]
    fn a_new_record_verifies_its_password_and_no_other() {
        let record = Record::of_password("pässwörd".as_bytes()).expect("hashed");
        let text = record.to_string();
        assert!(text.starts_with("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let read = Record::parse(&text).expect("parsed");
        assert_eq!(read, record);
        assert_eq!(read.verify("pässwörd".as_bytes()), Ok(true));
        for wrong in [&b""[..], b"passwort", "pässwörd ".as_bytes(), b"P\xe4ssw\xf6rd"] {
            assert_eq!(read.verify(wrong), Ok(false), "{wrong:?}");
        }
        assert_ne!(Record::of_password("pässwörd".as_bytes()).expect("hashed"), record, "the salt is random");
        assert!(!record.is_outdated());
    }

    #[test]
    fn records_of_dovecot_are_read() {
        for (scheme, algorithm) in [("ARGON2ID", Algorithm::Argon2id), ("argon2id", Algorithm::Argon2id), ("ARGON2I", Algorithm::Argon2i)] {
            let record = Record::parse(&format!("{{{scheme}}}{}", cheap(algorithm, b"secret"))).expect(scheme);
            assert_eq!(record.verify(b"secret"), Ok(true), "{scheme}");
            assert_eq!(record.verify(b"Secret"), Ok(false), "{scheme}");
            assert!(record.is_outdated(), "{scheme}: weaker than ours");
        }
        let bare = Record::parse(&cheap(Algorithm::Argon2id, b"secret")).expect("a bare PHC string");
        assert!(bare.to_string().starts_with("{ARGON2ID}$argon2id$"));
    }

    #[test]
    fn the_test_vector_of_the_reference_program_verifies() {
        // `echo -n password | argon2 somesalt -id -t 2 -m 8 -p 1 -e` prints this.
        let text = format!("{{ARGON2ID}}{}", reference());
        assert_eq!(Record::parse(&text).expect("parsed").verify(b"password"), Ok(true));
    }

    fn reference() -> &'static str {
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
    }

    #[test]
    fn what_cannot_be_verified_is_named() {
        let id = cheap(Algorithm::Argon2id, b"secret");
        let table = [
            ("{SHA512-CRYPT}$6$salt$hash".to_string(), BadRecord::UnknownScheme("SHA512-CRYPT".into())),
            ("{plain}secret".to_string(), BadRecord::UnknownScheme("PLAIN".into())),
            ("secret".to_string(), BadRecord::NoScheme),
            ("".to_string(), BadRecord::NoScheme),
            (format!("{{ARGON2ID}}{}", "$".repeat(MAX_RECORD)), BadRecord::TooLong),
            ("{}x".to_string(), BadRecord::NoScheme),
            ("{ARGON2ID".to_string(), BadRecord::NoScheme),
            ("{a b}x".to_string(), BadRecord::NoScheme),
            (format!("{{ARGON2I}}{id}"), BadRecord::Malformed("ARGON2I")),
            ("{ARGON2ID}".to_string(), BadRecord::Malformed("ARGON2ID")),
            ("{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ".to_string(), BadRecord::Malformed("ARGON2ID")), // no hash
            (format!("{{ARGON2ID}}{}", id.replace("v=19", "v=20")), BadRecord::Malformed("ARGON2ID")),
            (format!("{{ARGON2ID}}{}", id.replace("m=8,", "m=4194304,")), BadRecord::TooCostly),
            (format!("{{ARGON2ID}}{}", id.replace("t=1,", "t=100000,")), BadRecord::TooCostly),
        ];
        for (text, error) in table {
            let got = Record::parse(&text).expect_err(&text);
            assert_eq!(got, error, "{text}");
            assert!(!got.to_string().contains("secret"), "{got}");
        }
    }

    #[test]
    fn clear_text_is_hashed_when_imported() {
        let record = Record::import("{plain}se}cret").expect("hashed");
        assert_eq!(record.verify(b"se}cret"), Ok(true));
        assert!(record.to_string().starts_with("{ARGON2ID}"));
        assert_eq!(Record::import("{PLAIN}"), Err(BadRecord::UnusablePassword));
        assert_eq!(Record::import("{CRYPT}x"), Err(BadRecord::UnknownScheme("CRYPT".into())));
        assert_eq!(Record::of_password(&[b'x'; MAX_PASSWORD + 1]), Err(BadRecord::UnusablePassword));
        assert_eq!(Record::of_password(b"nul\0"), Err(BadRecord::UnusablePassword));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,80}") {
            let _ = Record::parse(&text);
        }

        #[test]
        fn what_we_read_we_write_alike(text in "\\{ARGON2ID\\}\\$argon2id\\$v=19\\$m=[0-9]{1,4},t=[0-9],p=[0-9]\\$[A-Za-z0-9+/]{11,24}\\$[A-Za-z0-9+/]{16,43}") {
            if let Ok(record) = Record::parse(&text) {
                prop_assert_eq!(Record::parse(&record.to_string()), Ok(record));
            }
        }
    }
}
