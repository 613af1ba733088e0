//! Password records: `{SCHEME}value`, the text Dovecot's passdb uses, so that an account can be carried over as it
//! is. One scheme is written, `{ARGON2ID}`; what else an old server wrote is verified, and written anew once the password
//! is known. `{PLAIN}` and its synonyms are hashed when they come in, never kept.
//!
//! | schemes | |
//! |---|---|
//! | `ARGON2ID` `ARGON2I` | RFC 9106, PHC string |
//! | `CRYPT` `MD5-CRYPT` `BLF-CRYPT` `SHA256-CRYPT` `SHA512-CRYPT` | crypt(3): `$1$ $2a$ $2b$ $2y$ $5$ $6$ $y$`; a text without `{}` is `CRYPT` |
//! | `SHA` `SHA1` `SHA256` `SHA512` `PLAIN-MD5` `LDAP-MD5`, with salt `SSHA` `SSHA256` `SSHA512` `SMD5` | `.HEX` or `.B64` says how it is written |
//! | `PBKDF2` | `$1$salt$rounds$hex`, HMAC-SHA-1 |
//! | `SCRAM-SHA-256` | RFC 5803, or as Dovecot and PostgreSQL write it |

mod argon;
mod crypt;
mod digest;
mod md5_crypt;
mod pbkdf2;

use std::fmt;

use crate::scram::Keys;
use crate::{MAX_PASSWORD, base64};

pub use argon::{LANES, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, MEMORY_KIB, PASSES, SALT};
pub use crypt::{MAX_BCRYPT_COST, MAX_SHA_ROUNDS};
pub use pbkdf2::MAX_PBKDF2_ROUNDS;

/// Longest record in bytes: a PHC string of argon2 has about 100, and [`Record::import`] takes a password in clear,
/// which may be written in hexadecimal.
pub const MAX_RECORD: usize = 2 * MAX_PASSWORD + 32;

/// What keeps passwords in clear, and so is hashed at once.
const CLEAR: [&str; 3] = ["PLAIN", "CLEARTEXT", "CLEAR"];

/// A record that can be verified: of a known scheme, well formed, within the limits of cost.
#[derive(Clone)]
pub struct Record {
    /// The scheme's name, upper case.
    scheme: String,
    /// As it was written.
    value: String,
    hash: Hash,
}

#[derive(Clone)]
enum Hash {
    Argon(argon::Argon),
    Crypt(crypt::Crypt),
    Digest(digest::Digest),
    Pbkdf2(pbkdf2::Pbkdf2),
    Scram(Keys),
}

/// Why a text is no record, or a password could not be made one. The text never appears in it: it may be a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadRecord {
    /// The scheme is none we can verify.
    #[error("password scheme {{{0}}} is not supported; supported are ARGON2ID, ARGON2I, CRYPT ($1$ $2y$ $5$ $6$ $y$), SHA*, SSHA*, *MD5, PBKDF2, SCRAM-SHA-256 and PLAIN")]
    UnknownScheme(String),
    /// It begins with a brace, but no scheme's name follows.
    #[error("a password record begins with {{SCHEME}}")]
    NoScheme,
    /// It is longer than [`MAX_RECORD`].
    #[error("a password record has at most {MAX_RECORD} bytes")]
    TooLong,
    /// The value does not parse as the scheme's.
    #[error("the value of a {{{0}}} password record is malformed")]
    Malformed(String),
    /// It would cost too much to verify.
    #[error("the password record asks for too much work: at most {0}")]
    TooCostly(&'static str),
    /// A password that is empty, longer than [`MAX_PASSWORD`] or holds NUL, which no mechanism can send.
    #[error("a password has 1 to {MAX_PASSWORD} bytes, none of them NUL")]
    UnusablePassword,
    /// No memory for the work.
    #[error("a password could not be hashed: {0}")]
    Failed(String),
}

/// Why a scheme does not take a value.
enum Bad {
    Malformed,
    Costly(&'static str),
}

impl Record {
    /// A new record of `password` under a random salt. Takes tens of milliseconds and [`MEMORY_KIB`]: not on a
    /// thread that others wait for.
    pub fn of_password(password: &[u8]) -> Result<Record, BadRecord> {
        usable(password)?;
        let argon = argon::Argon::of_password(password).map_err(BadRecord::Failed)?;
        Ok(Record { scheme: "ARGON2ID".into(), value: argon.to_string(), hash: Hash::Argon(argon) })
    }

    /// Reads a record as kept. Without `{SCHEME}` it is what crypt(3) writes, as in Dovecot.
    pub fn parse(text: &str) -> Result<Record, BadRecord> {
        let (scheme, value) = split(text)?;
        let (scheme, hash) = hash(scheme, value)?;
        Ok(Record { scheme, value: value.to_owned(), hash })
    }

    /// The password of a record that keeps it in clear (`{PLAIN}`, `{CLEARTEXT}`, `{CLEAR}`); `None` for any other. It is to be
    /// hashed at once.
    pub fn clear(text: &str) -> Result<Option<Vec<u8>>, BadRecord> {
        let (scheme, value) = split(text)?;
        let scheme = scheme.to_ascii_uppercase();
        let (name, encoding) = match scheme.split_once('.') {
            Some((name, encoding)) => (name, Some(encoding)),
            None => (scheme.as_str(), None),
        };
        if !CLEAR.contains(&name) {
            return Ok(None);
        }
        let password = match encoding {
            None => Some(value.as_bytes().to_vec()),
            Some("B64" | "BASE64") => base64::decode(value.as_bytes()),
            Some("HEX") => digest::unhex(value),
            Some(_) => return Err(BadRecord::UnknownScheme(scheme)),
        };
        let password = password.ok_or(BadRecord::Malformed(scheme))?;
        usable(&password)?;
        Ok(Some(password))
    }

    /// Whether `password` is the record's. An error says the machine failed, not the password. Costs as much as
    /// the record asks for, whatever the password.
    pub fn verify(&self, password: &[u8]) -> Result<bool, BadRecord> {
        match &self.hash {
            Hash::Argon(argon) => argon.verify(password).map_err(BadRecord::Failed),
            Hash::Crypt(crypt) => crypt.verify(password).map_err(BadRecord::Failed),
            Hash::Digest(digest) => Ok(digest.verify(password)),
            Hash::Pbkdf2(pbkdf2) => Ok(pbkdf2.verify(password)),
            Hash::Scram(keys) => Ok(keys.verify(password)),
        }
    }

    /// Whether a new record of the same password would be stronger: worth writing anew at the next login.
    pub fn is_outdated(&self) -> bool {
        !matches!(&self.hash, Hash::Argon(argon) if argon.is_current())
    }

    /// The keys of a `{SCRAM-SHA-256}` record.
    pub fn scram(&self) -> Option<&Keys> {
        match &self.hash {
            Hash::Scram(keys) => Some(keys),
            _ => None,
        }
    }
}

/// A password that a mechanism can send, and that costs no more than it should.
pub(crate) fn usable(password: &[u8]) -> Result<(), BadRecord> {
    let usable = !password.is_empty() && password.len() <= MAX_PASSWORD && !password.contains(&0);
    usable.then_some(()).ok_or(BadRecord::UnusablePassword)
}

/// Reads `value` as `scheme` has it.
fn hash(scheme: &str, value: &str) -> Result<(String, Hash), BadRecord> {
    let scheme = scheme.to_ascii_uppercase();
    let read = match scheme.as_str() {
        "ARGON2ID" | "ARGON2I" => argon::Argon::parse(&scheme.to_ascii_lowercase(), value).map(Hash::Argon),
        // Not hashed but encrypted with the password, in 1979: eight characters of 7 bits count.
        "CRYPT" | "DES-CRYPT" if !value.starts_with('$') => return Err(BadRecord::UnknownScheme("DES-CRYPT".into())),
        "CRYPT" => match value {
            id if id.starts_with("$argon2id$") => argon::Argon::parse("argon2id", value).map(Hash::Argon),
            i if i.starts_with("$argon2i$") => argon::Argon::parse("argon2i", value).map(Hash::Argon),
            _ => crypt::Crypt::parse(value).map(Hash::Crypt),
        },
        "MD5" if value.starts_with("$1$") => crypt::Crypt::of("$1$", value).map(Hash::Crypt),
        "MD5-CRYPT" => crypt::Crypt::of("$1$", value).map(Hash::Crypt),
        "BLF-CRYPT" => crypt::Crypt::of("$2", value).map(Hash::Crypt),
        "SHA256-CRYPT" => crypt::Crypt::of("$5$", value).map(Hash::Crypt),
        "SHA512-CRYPT" => crypt::Crypt::of("$6$", value).map(Hash::Crypt),
        "PBKDF2" => pbkdf2::Pbkdf2::parse(value).map(Hash::Pbkdf2),
        "SCRAM-SHA-256" => Keys::parse(value).map(Hash::Scram).map_err(|costly| if costly { Bad::Costly(crate::scram::LIMIT) } else { Bad::Malformed }),
        name => match digest::Digest::parse(name, value) {
            Some(read) => read.map(Hash::Digest),
            None => return Err(BadRecord::UnknownScheme(scheme)),
        },
    };
    match read {
        Ok(hash) => Ok((scheme, hash)),
        Err(Bad::Malformed) => Err(BadRecord::Malformed(scheme)),
        Err(Bad::Costly(limit)) => Err(BadRecord::TooCostly(limit)),
    }
}

/// The name in the braces, `CRYPT` when there are none, and the rest.
fn split(text: &str) -> Result<(&str, &str), BadRecord> {
    if text.len() > MAX_RECORD {
        return Err(BadRecord::TooLong);
    }
    if text.starts_with("SCRAM-SHA-256$") {
        return Ok(("SCRAM-SHA-256", text)); // PostgreSQL's, after RFC 5803
    }
    let Some(rest) = text.strip_prefix('{') else { return Ok(("CRYPT", text)) };
    let (name, value) = rest.split_once('}').ok_or(BadRecord::NoScheme)?;
    let sound = !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if sound { Ok((name, value)) } else { Err(BadRecord::NoScheme) }
}

/// The text to keep: `{ARGON2ID}$argon2id$…`.
impl fmt::Display for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{{}}}{}", self.scheme, self.value)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Record({{{}}}…)", self.scheme)
    }
}

/// Records are equal when their texts are.
impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        (&self.scheme, &self.value) == (&other.scheme, &other.value)
    }
}

impl Eq for Record {}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
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

    /// What `doveadm pw -s SCHEME -p sécret` of Dovecot 2.3.19 and crypt(3) of Debian 12 wrote.
    const DOVECOT: &str = "\
{CRYPT}$2y$05$eM0MmD7qR9Zjz43HGy6Woe7VSE5dV.ol6kDUwEwbAd9r8CqsNjese
{MD5-CRYPT}$1$QK.HFZ7J$1OWiZsMzCn/TGsnAIgKON0
{MD5}$1$QK.HFZ7J$1OWiZsMzCn/TGsnAIgKON0
{SHA256-CRYPT}$5$i7pWXZ1P0RCfdYWw$G7WvqQLdoAz9BOwq/wfpkjdkEDRuGpdojErrkFvVqu4
{SHA512-CRYPT}$6$axstZjYrpyZA3jyt$7sWtn.uGvWUITc2aa3fccRf/Uiuv431bYOA/XtULWbL630rREISER.9pg6YTfS.KVW2wY8bc7qrAmGQ4c61lB0
{BLF-CRYPT}$2y$05$dhlAgBx1ZcfoV1ZquPH0Y.CMbHHPD8xOJdE/AADnUnorzUll5jFbG
{SSHA}44OpV7jyUnqqBa721xT/NioZnr18yyqA
{SHA}4NPDM/3N1xhO4z/lGdXdb9NzViA=
{SHA1}4NPDM/3N1xhO4z/lGdXdb9NzViA=
{SSHA256}D4gYCEMhp1SNJawgLrwAlwssOBzJnL0OhdwpynIwAbnFA1dR
{SSHA512}Am+pug3RqMohs2WQgkfz+edbO57oYGoEL0+SkEk5wQkdGsuxJCfLP0UKnGmCMHmv1sSD7sIWMqoVe30j1QLwt/uMueU=
{SHA256}llkpd1qkbxBf3iG/ue1tc/8BPDCeAZJOPeNJSsv2NNQ=
{SHA512}oEMGAZ++NNVVtXqk7aZy59nyknw+nvtjMrtlgEbrM78DKoj8fZ3BUMGTd7X9eVQPBQgyUqI4K7fg226MclNYuA==
{PLAIN-MD5}e6a0d5dd68c8cad86d2b5deffcf914de
{LDAP-MD5}5qDV3WjIythtK13v/PkU3g==
{SMD5}+rNJn41ROBb+KJ+EOp5ng7BnIIs=
{PBKDF2}$1$3rm.bBtA8ruvWX1d$5000$67eb28ccc286ba19f08e47a70c4193a8126bac84
{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$wgFDU80pCYRKM84lVyOGcQ$GgVTHoanDa71YNPzsstH/CEgb3lK6qE0ZlKtrpiWc44
{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$LYZhl4bI9GO8e9YXDq4KnQ$wRvwBh+hzPNazMfTR+0FZ1d214HBUNZ4ZSW+wbr2ZX0
{SCRAM-SHA-256}4096,ZUzLB9QJYPQNaicHo8lK+w==,h+b/oUIvKKenytw1l3K04uBmqz0nnfh6VaMFIsOi/S0=,4WRoxhHV9tAhYJg/AJsG4OJNqgW7iJRgxrULXW7TeaI=
{SSHA.HEX}c0e372499e5776c4f59a7bb9d370e5597f42d2fc0ae261cf
{SHA512.B64}oEMGAZ++NNVVtXqk7aZy59nyknw+nvtjMrtlgEbrM78DKoj8fZ3BUMGTd7X9eVQPBQgyUqI4K7fg226MclNYuA==
{PLAIN-MD5.B64}5qDV3WjIythtK13v/PkU3g==
{SMD5.HEX}d41aee41290a54ec77f58433072041b449ea42da
{LDAP-MD5.HEX}e6a0d5dd68c8cad86d2b5deffcf914de
{crypt}$y$j75$saltsaltsaltsaltsalts1$UfDoe84P8Oi1gNiSaI2032qQ98xo6a9I0tOlrCw7v6C
$y$j9T$saltsaltsaltsaltsalts1$YFnv8iCzPbMzAH5PUvmNnn4aIBHmEPS9Mk1dSZVZny8
$6$rounds=1000$saltsalt$ImaNSMNN1dFM87FwHerRLKSs2L/wvkhAm0/7JzDu8wsu6wVa98vIfESAi6PB9hGu0CIFTGD91vHhxzmzjZAdc0
$5$rounds=12345$saltsalt$NnkTqK0GcL.UMus.pfmaSqmkoBXUBn57ngXLiQT.5/B
$2b$04$abcdefghijklmnopqrstuuxgaAVrATsv2cxAkEB3ENsaS.NPyRuGO";

    #[test]
    fn records_of_dovecot_and_crypt_are_verified() {
        for text in DOVECOT.lines() {
            let record = Record::parse(text).expect(text);
            assert_eq!(record.verify("sécret".as_bytes()), Ok(true), "{text}");
            for wrong in ["sécres", "Sécret", "", "sécret "] {
                assert_eq!(record.verify(wrong.as_bytes()), Ok(false), "{text}, {wrong:?}");
            }
            assert!(record.is_outdated() || text.starts_with("{ARGON2ID}"), "{text}");
            assert_eq!(Record::parse(&record.to_string()), Ok(record), "{text}");
        }
    }

    #[test]
    fn a_record_cut_or_changed_anywhere_opens_nothing_and_breaks_nothing() {
        // Those that are quick to verify; the others are parsed only.
        for text in DOVECOT.lines() {
            let quick = !text.contains("argon2") && !text.contains("$y$") && !text.contains("$2");
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                if let Ok(record) = Record::parse(&text[..end])
                    && quick
                {
                    assert_ne!(record.verify("sécret".as_bytes()), Ok(true), "{text} cut at {end}");
                }
            }
        }
    }

    #[test]
    fn the_test_vector_of_the_reference_program_verifies() {
        // `echo -n password | argon2 somesalt -id -t 2 -m 8 -p 1 -e` prints this.
        let text = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for text in [text.to_owned(), format!("{{ARGON2ID}}{text}"), format!("{{crypt}}{text}")] {
            let record = Record::parse(&text).expect("parsed");
            assert_eq!(record.verify(b"password"), Ok(true));
            assert!(record.is_outdated(), "weaker than ours");
        }
    }

    #[test]
    fn what_cannot_be_verified_is_named() {
        let id = cheap(Algorithm::Argon2id, b"secret");
        let malformed = |scheme: &str| BadRecord::Malformed(scheme.into());
        let unknown = |scheme: &str| BadRecord::UnknownScheme(scheme.into());
        let table = [
            ("{plain}secret".to_string(), unknown("PLAIN")), // it is never kept
            ("{DIGEST-MD5}x".to_string(), unknown("DIGEST-MD5")),
            ("{SCRAM-SHA-1}4096,x,y,z".to_string(), unknown("SCRAM-SHA-1")),
            ("{SHA.B32}x".to_string(), unknown("SHA.B32")),
            ("secret".to_string(), unknown("DES-CRYPT")),
            ("{CRYPT}yfJ7NhASprDVg".to_string(), unknown("DES-CRYPT")),
            ("".to_string(), unknown("DES-CRYPT")),
            (format!("{{ARGON2ID}}{}", "$".repeat(MAX_RECORD)), BadRecord::TooLong),
            ("{}x".to_string(), BadRecord::NoScheme),
            ("{ARGON2ID".to_string(), BadRecord::NoScheme),
            ("{a b}x".to_string(), BadRecord::NoScheme),
            (format!("{{ARGON2I}}{id}"), malformed("ARGON2I")),
            ("{ARGON2ID}".to_string(), malformed("ARGON2ID")),
            ("{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ".to_string(), malformed("ARGON2ID")), // no hash
            (format!("{{ARGON2ID}}{}", id.replace("v=19", "v=20")), malformed("ARGON2ID")),
            (format!("{{ARGON2ID}}{}", id.replace("m=8,", "m=4194304,")), BadRecord::TooCostly(argon::LIMIT)),
            (format!("{{ARGON2ID}}{}", id.replace("t=1,", "t=100000,")), BadRecord::TooCostly(argon::LIMIT)),
            ("{SHA512-CRYPT}$5$x$y".to_string(), malformed("SHA512-CRYPT")),
            (format!("{{SHA512-CRYPT}}$6$rounds=999999999$salt${}", "a".repeat(86)), BadRecord::TooCostly(crypt::SHA_LIMIT)),
            ("{BLF-CRYPT}$2y$31$abcdefghijklmnopqrstuuxgaAVrATsv2cxAkEB3ENsaS.NPyRuGO".to_string(), BadRecord::TooCostly(crypt::BCRYPT_LIMIT)),
            (format!("{{CRYPT}}$y$jZZ$salt${}", "a".repeat(43)), BadRecord::TooCostly(crypt::YESCRYPT_LIMIT)),
            (format!("{{CRYPT}}$y$jz/$salt${}", "a".repeat(43)), malformed("CRYPT")),
            (format!("{{PBKDF2}}$1$salt$4000000000${}", "0".repeat(40)), BadRecord::TooCostly(pbkdf2::LIMIT)),
            (format!("{{PBKDF2}}$1$salt$0${}", "0".repeat(40)), malformed("PBKDF2")),
            ("{SSHA}44OpV7jyUnqqBa721xT/NioZnr0=".to_string(), malformed("SSHA")), // no salt
            ("{SHA256}4NPDM/3N1xhO4z/lGdXdb9NzViA=".to_string(), malformed("SHA256")),
            ("{SCRAM-SHA-256}99999999,c2FsdA==,x,y".to_string(), malformed("SCRAM-SHA-256")),
            (format!("{{SCRAM-SHA-256}}99999999,c2FsdA==,{0},{0}", base64::encode(&[0; 32])), BadRecord::TooCostly(crate::scram::LIMIT)),
        ];
        for (text, error) in table {
            let got = Record::parse(&text).expect_err(&text);
            assert_eq!(got, error, "{text}");
            assert!(!got.to_string().contains("secret"), "{got}");
        }
    }

    #[test]
    fn clear_text_is_told_apart_and_checked() {
        assert_eq!(Record::clear("{plain}se}cret"), Ok(Some(b"se}cret".to_vec())));
        assert_eq!(Record::clear("{CLEARTEXT}x"), Ok(Some(b"x".to_vec())));
        assert_eq!(Record::clear("{CLEAR.B64}c2VjcmV0"), Ok(Some(b"secret".to_vec())));
        assert_eq!(Record::clear("{PLAIN.hex}736563726574"), Ok(Some(b"secret".to_vec())));
        assert_eq!(Record::clear("{PLAIN.HEX}7"), Err(BadRecord::Malformed("PLAIN.HEX".into())));
        assert_eq!(Record::clear("{CRYPT}x"), Ok(None));
        assert_eq!(Record::clear("{PLAIN}"), Err(BadRecord::UnusablePassword));
        assert_eq!(Record::of_password(&[b'x'; MAX_PASSWORD + 1]), Err(BadRecord::UnusablePassword));
        assert_eq!(Record::of_password(b"nul\0"), Err(BadRecord::UnusablePassword));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,80}") {
            let _ = Record::parse(&text);
            let _ = Record::clear(&text);
        }

        #[test]
        fn what_we_read_we_write_alike(scheme in "\\{(SSHA|SHA|CRYPT|PBKDF2|SMD5|SCRAM-SHA-256|BLF-CRYPT)\\}", value in "[$0-9a-f=,/]{0,90}") {
            if let Ok(record) = Record::parse(&format!("{scheme}{value}")) {
                prop_assert_eq!(Record::parse(&record.to_string()), Ok(record));
            }
        }
    }
}
