//! What crypt(3) writes: `$1$` MD5, `$2a$ $2b$ $2y$` bcrypt, `$5$ $6$` SHA-2, `$y$` yescrypt. Each is read in full before
//! it is believed, since what verifies it is not asked how much work it is.

use super::Bad;
use super::md5_crypt;
use sha_crypt::{PasswordVerifier, ShaCrypt};

/// Most rounds of SHA-crypt, some second of work. 5,000 is usual; passlib writes up to 656,000.
pub const MAX_SHA_ROUNDS: u32 = 1_000_000;
pub(super) const SHA_LIMIT: &str = "1,000,000 rounds for SHA-crypt";
/// Highest cost of bcrypt, a second of work. 5 to 12 are usual; each step doubles it.
pub const MAX_BCRYPT_COST: u32 = 14;
pub(super) const BCRYPT_LIMIT: &str = "cost 14 for bcrypt";
/// Most memory of yescrypt, as for argon2. Debian's default takes 16 MiB.
const MAX_YESCRYPT: u64 = 256 << 20;
pub(super) const YESCRYPT_LIMIT: &str = "256 MiB for yescrypt";

#[derive(Clone)]
pub(super) struct Crypt {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy)]
enum Kind {
    Md5,
    Bcrypt,
    Sha,
    Yescrypt,
}

impl Crypt {
    /// Of the kind that `prefix` begins, and no other.
    pub(super) fn of(prefix: &str, text: &str) -> Result<Crypt, Bad> {
        if text.starts_with(prefix) { Crypt::parse(text) } else { Err(Bad::Malformed) }
    }

    pub(super) fn parse(text: &str) -> Result<Crypt, Bad> {
        let fields: Vec<&str> = text.split('$').skip(1).collect();
        let kind = match fields[..] {
            ["1", salt, hash] if salt.len() <= 8 && is_salt(salt) && is_hash(hash, 22) => Kind::Md5,
            ["2a" | "2b" | "2y", ..] => {
                let parts: bcrypt::HashParts = text.parse().map_err(|_| Bad::Malformed)?;
                match parts.get_cost() {
                    4..=MAX_BCRYPT_COST => Kind::Bcrypt,
                    15..=31 => return Err(Bad::Costly(BCRYPT_LIMIT)),
                    _ => return Err(Bad::Malformed),
                }
            }
            ["5", ref rest @ ..] => sha(rest, 43)?,
            ["6", ref rest @ ..] => sha(rest, 86)?,
            ["y", params, salt, hash] if salt.len() <= 86 && is_hash(salt, salt.len()) && is_hash(hash, 43) => yescrypt(params)?,
            _ => return Err(Bad::Malformed),
        };
        Ok(Crypt { kind, text: text.to_owned() })
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, String> {
        let ended = match self.kind {
            Kind::Md5 => return Ok(md5_crypt::verify(password, &self.text)),
            Kind::Bcrypt => return bcrypt::verify(password, &self.text).map_err(|error| error.to_string()),
            Kind::Sha => ShaCrypt::default().verify_password(password, self.text.as_str()),
            Kind::Yescrypt => yescrypt::Yescrypt::default().verify_password(password, self.text.as_str()),
        };
        match ended {
            Ok(()) => Ok(true),
            Err(sha_crypt::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// `[rounds=N$]salt$hash`
fn sha(fields: &[&str], length: usize) -> Result<Kind, Bad> {
    let (rounds, salt, hash) = match *fields {
        [salt, hash] => (5_000, salt, hash),
        [rounds, salt, hash] => {
            let rounds = rounds.strip_prefix("rounds=").and_then(|rounds| rounds.parse().ok()).ok_or(Bad::Malformed)?;
            (rounds, salt, hash)
        }
        _ => return Err(Bad::Malformed),
    };
    if salt.len() > 16 || !is_salt(salt) || salt.starts_with("rounds=") || !is_hash(hash, length) || rounds < 1_000 {
        return Err(Bad::Malformed);
    }
    if rounds > MAX_SHA_ROUNDS { Err(Bad::Costly(SHA_LIMIT)) } else { Ok(Kind::Sha) }
}

/// `j` and a letter each for N and r: what all that write yescrypt write.
fn yescrypt(params: &str) -> Result<Kind, Bad> {
    let read: yescrypt::Params = params.parse().map_err(|_| Bad::Malformed)?;
    if params.len() != 3 || !params.starts_with('j') {
        return Err(Bad::Malformed);
    }
    let memory = read.n().saturating_mul(u64::from(read.r())).saturating_mul(128);
    if memory > MAX_YESCRYPT { Err(Bad::Costly(YESCRYPT_LIMIT)) } else { Ok(Kind::Yescrypt) }
}

fn is_salt(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// `length` characters of crypt(3)'s base64.
fn is_hash(text: &str, length: usize) -> bool {
    text.len() == length && length > 0 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
}
