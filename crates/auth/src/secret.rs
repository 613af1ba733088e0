//! What is kept of a password: one place for `user add`, `user import`, `demo` and the first login after a move.

use sasl::scram::Keys;
use sasl::{BadRecord, Record, base64};
use sha2::{Digest, Sha256};
use store::{Credential, Secret};

/// The parameter `scram`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scram {
    /// Offered once every account has keys: a client takes the best mechanism it is offered, and some try no other.
    #[default]
    Auto,
    /// Offered.
    On,
    /// Neither offered, nor are keys made: stolen keys can be guessed from faster than argon2id's records.
    Off,
}

impl Scram {
    /// As the parameter is written; the configuration knows no other words.
    pub fn of(text: &str) -> Scram {
        match text {
            "on" => Scram::On,
            "off" => Scram::Off,
            _ => Scram::Auto,
        }
    }
}

/// What is to be kept of `password`, new or proven. `others`: the account's credentials so far, whose salt SCRAM's keys
/// share, so that one challenge suits all of them. Takes some 30 ms.
pub fn secret_of(password: &[u8], scram: Scram, others: &[Credential]) -> Result<Secret, BadRecord> {
    let record = Record::of_password(password)?.to_string();
    Ok(Secret { record, scram: keys_of(password, scram, others)? })
}

pub(crate) fn keys_of(password: &[u8], scram: Scram, others: &[Credential]) -> Result<Option<String>, BadRecord> {
    if scram == Scram::Off {
        return Ok(None);
    }
    let others: Vec<Keys> = others.iter().filter_map(|other| other.secret.scram.as_deref()?.parse().ok()).collect();
    Keys::of_password(password, others.first()).map(|keys| Some(keys.to_string()))
}

/// A new app password, and what is to be kept of it. Of 140 random bits a digest is enough; SCRAM's keys have the rounds of the
/// others, since one challenge must suit all.
pub fn app_password(scram: Scram, others: &[Credential]) -> Result<(String, Secret), BadRecord> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789"; // none is taken for another
    let letters: Vec<char> = rand::random::<[u8; 28]>().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).to_vec();
    let password = letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-");
    let record = format!("{{SHA256}}{}", base64::encode(&Sha256::digest(&password)));
    let scram = keys_of(password.as_bytes(), scram, others)?;
    Ok((password, Secret { record, scram }))
}

/// What is to be kept of another system's record: a password in clear is hashed at once, anything else is kept as it is until
/// the password is heard.
pub fn secret_of_record(text: &str, scram: Scram) -> Result<Secret, BadRecord> {
    if let Some(password) = Record::clear(text)? {
        return secret_of(&password, scram, &[]);
    }
    let record = Record::parse(text)?;
    let keys = record.scram().filter(|_| scram != Scram::Off).map(Keys::to_string);
    Ok(Secret { record: record.to_string(), scram: keys })
}
