//! Dovecot's `{PBKDF2}`: `$1$salt$rounds$hex`, PBKDF2 (RFC 8018 §5.2) with HMAC-SHA-1; the salt is the text itself.

use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::Bad;
use super::digest::unhex;

/// Most rounds, some second of work. Dovecot writes 5,000; OWASP's cheat sheet wants 1,300,000.
pub const MAX_PBKDF2_ROUNDS: u32 = 2_000_000;
pub(super) const LIMIT: &str = "2,000,000 rounds for PBKDF2";

#[derive(Clone)]
pub(super) struct Pbkdf2 {
    salt: Vec<u8>,
    rounds: u32,
    hash: [u8; 20],
}

impl Pbkdf2 {
    pub(super) fn parse(value: &str) -> Result<Pbkdf2, Bad> {
        let fields: Vec<&str> = value.split('$').collect();
        let ["", "1", salt, rounds, hash] = fields[..] else { return Err(Bad::Malformed) };
        let rounds: u32 = rounds.parse().map_err(|_| Bad::Malformed)?;
        let hash = unhex(hash).and_then(|hash| hash.try_into().ok()).ok_or(Bad::Malformed)?;
        match rounds {
            0 => Err(Bad::Malformed),
            1..=MAX_PBKDF2_ROUNDS => Ok(Pbkdf2 { salt: salt.as_bytes().to_vec(), rounds, hash }),
            _ => Err(Bad::Costly(LIMIT)),
        }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, &self.salt, self.rounds).ct_eq(&self.hash).into()
    }
}
