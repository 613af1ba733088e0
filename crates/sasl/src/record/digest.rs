//! A single digest, with salt behind it or without (RFC 2307 §5.3 and its children): quick to guess, so the first to be
//! written anew.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::Bad;
use crate::base64;

#[derive(Clone)]
pub(super) struct Digest {
    kind: Kind,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Kind {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    /// `None`: no scheme of that name is one of these.
    pub(super) fn parse(scheme: &str, value: &str) -> Option<Result<Digest, Bad>> {
        let (name, written) = scheme.split_once('.').map_or((scheme, None), |(name, written)| (name, Some(written)));
        let (kind, salted) = match name {
            "PLAIN-MD5" | "LDAP-MD5" | "MD5" => (Kind::Md5, false),
            "SHA" | "SHA1" => (Kind::Sha1, false),
            "SHA256" => (Kind::Sha256, false),
            "SHA512" => (Kind::Sha512, false),
            "SMD5" => (Kind::Md5, true),
            "SSHA" => (Kind::Sha1, true),
            "SSHA256" => (Kind::Sha256, true),
            "SSHA512" => (Kind::Sha512, true),
            _ => return None,
        };
        let bytes = match written {
            Some("HEX") => unhex(value),
            Some("B64" | "BASE64") => base64::decode(value.as_bytes()),
            Some(_) => return None,
            // Without a word it is base64; but where the length is that of hexadecimal, it is that.
            None if !salted && value.len() == 2 * kind.length() => unhex(value),
            None => base64::decode(value.as_bytes()),
        };
        Some(bytes.ok_or(Bad::Malformed).and_then(|bytes| {
            let (digest, salt) = bytes.split_at_checked(kind.length()).ok_or(Bad::Malformed)?;
            if salted == salt.is_empty() {
                return Err(Bad::Malformed);
            }
            Ok(Digest { kind, digest: digest.to_vec(), salt: salt.to_vec() })
        }))
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let salt = &self.salt;
        let made = match self.kind {
            Kind::Md5 => Md5::new().chain_update(password).chain_update(salt).finalize().to_vec(),
            Kind::Sha1 => Sha1::new().chain_update(password).chain_update(salt).finalize().to_vec(),
            Kind::Sha256 => Sha256::new().chain_update(password).chain_update(salt).finalize().to_vec(),
            Kind::Sha512 => Sha512::new().chain_update(password).chain_update(salt).finalize().to_vec(),
        };
        made.ct_eq(&self.digest).into()
    }
}

impl Kind {
    fn length(self) -> usize {
        match self {
            Kind::Md5 => 16,
            Kind::Sha1 => 20,
            Kind::Sha256 => 32,
            Kind::Sha512 => 64,
        }
    }
}

/// The bytes of hexadecimal digits in either case.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()).collect()
}
