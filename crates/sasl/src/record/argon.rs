//! argon2id and argon2i (RFC 9106) as PHC strings: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use super::Bad;

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
/// The same for the operator.
pub(super) const LIMIT: &str = "m=262144,t=16,p=16 for argon2";

#[derive(Clone)]
pub(super) struct Argon(PasswordHash);

impl Argon {
    pub(super) fn of_password(password: &[u8]) -> Result<Argon, String> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| error.to_string())?;
        let salt: [u8; SALT] = rand::random();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_with_salt(password, &salt).map(Argon).map_err(|error| error.to_string())
    }

    /// Of the algorithm `ident` and no other.
    pub(super) fn parse(ident: &str, value: &str) -> Result<Argon, Bad> {
        let hash = PasswordHash::new(value).map_err(|_| Bad::Malformed)?;
        let version_known = hash.version.is_none_or(|version| Version::try_from(version).is_ok());
        if hash.algorithm.as_str() != ident || !version_known || hash.salt.is_none() || hash.hash.is_none() {
            return Err(Bad::Malformed);
        }
        let params = Params::try_from(&hash).map_err(|_| Bad::Malformed)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(Bad::Costly(LIMIT));
        }
        Ok(Argon(hash))
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, String> {
        use argon2::password_hash::Error;
        match Argon2::default().verify_password(password, &self.0) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// argon2id, with as much work as a new record.
    pub(super) fn is_current(&self) -> bool {
        let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
        let enough = |params: Params| work(params.m_cost(), params.t_cost()) >= work(MEMORY_KIB, PASSES);
        self.0.algorithm.as_str() == "argon2id" && Params::try_from(&self.0).is_ok_and(enough)
    }
}

impl fmt::Display for Argon {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
