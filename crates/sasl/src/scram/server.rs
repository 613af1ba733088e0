//! The server's end, a state a message:
//!
//! ```text
//! C: n,,n=user,r=…       First   ─► Asking: whose keys?  ─► S: r=…,s=…,i=…
//! C: c=…,r=…,p=…         Proof   ─► S: v=…, or refused
//! C: (empty)             Success ─► proven
//! ```

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Keys;
use super::keys::mac;
use super::message::{Flag, client_final, client_first};
use crate::exchange::{Exchange, State, Step};
use crate::base64;

/// What tells this TLS connection from all others: `tls-exporter` (RFC 9266), 32 bytes under the label
/// `EXPORTER-Channel-Binding`. That a connection has none means that -PLUS was not offered on it.
pub type Binding = [u8; 32];

/// The only type of channel binding here.
const TYPE: &str = "tls-exporter";

/// A server's part of the nonce: 18 random bytes, printable.
pub fn nonce() -> String {
    base64::encode(&rand::random::<[u8; 18]>())
}

/// Waits for the client's first message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) plus: bool,
    pub(crate) binding: Option<Binding>,
}

/// The client has said who it is, and waits for a challenge. Answered with [`Asking::keys`].
#[derive(Clone, PartialEq, Eq)]
pub struct Asking {
    name: String,
    authzid: Option<String>,
    bare: String,
    nonce: String,
    /// What `c=` must hold at the end.
    expected: Vec<u8>,
}

/// Waits for the proof.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    asking: Asking,
    keys: Vec<Keys>,
    challenge: String,
    nonce: String,
}

/// Waits for the client to take note that we knew the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Success {
    name: String,
    authzid: Option<String>,
    which: usize,
}

impl First {
    pub(crate) fn step(self, response: &[u8]) -> Step {
        let Some(first) = client_first(response) else { return Step::Bad };
        let wrong = |why| Step::Refused { name: first.name.clone(), why };
        let data: &[u8] = match (first.flag, self.plus, &self.binding) {
            (Flag::Bound(TYPE), true, Some(binding)) => binding,
            (Flag::Bound(_), true, _) => return wrong("channel binding of another type than tls-exporter"),
            (Flag::Unable | Flag::Unoffered, true, _) => return wrong("a -PLUS mechanism without channel binding"),
            (Flag::Bound(_), false, _) => return wrong("channel binding in a mechanism without -PLUS"),
            // RFC 5802 §6: it was offered, so somebody between us has taken it out of the list.
            (Flag::Unoffered, false, Some(_)) => return wrong("-PLUS was offered, but the client did not see it: somebody is in between"),
            (Flag::Unable | Flag::Unoffered, false, _) => &[],
        };
        let expected = [first.gs2.as_bytes(), data].concat();
        let (name, authzid) = (first.name.clone(), first.authzid.clone());
        Step::Keys(Asking { name, authzid, bare: first.bare.to_owned(), nonce: first.nonce.to_owned(), expected })
    }
}

impl Asking {
    /// Who the client says it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Goes on with the keys of that name's passwords, which must suit one challenge ([`Keys::same_challenge`]); of an unknown
    /// name, [`Keys::nobody`]. `nonce`: from [`nonce`].
    pub fn keys(self, keys: Vec<Keys>, nonce: &str) -> Step {
        let Some(first) = keys.first() else { return Step::Refused { name: self.name, why: "no keys" } };
        let nonce = format!("{}{nonce}", self.nonce);
        let challenge = format!("r={nonce},s={},i={}", base64::encode(&first.salt), first.iterations);
        let text = challenge.clone().into_bytes();
        Step::Challenge { text, next: Exchange(State::ScramProof(Box::new(Proof { asking: self, keys, challenge, nonce }))) }
    }
}

impl Proof {
    pub(crate) fn step(self, response: &[u8]) -> Step {
        let Some(last) = client_final(response) else { return Step::Bad };
        let Asking { name, authzid, bare, expected, .. } = self.asking;
        if !bool::from(last.binding.ct_eq(&expected)) {
            return Step::Refused { name, why: "channel binding does not match: somebody is in between" };
        }
        if last.nonce != self.nonce {
            return Step::Refused { name, why: "nonce of another exchange" };
        }
        let signed = format!("{bare},{},{}", self.challenge, last.unproven);
        match self.keys.iter().position(|keys| proves(keys, signed.as_bytes(), &last.proof)) {
            None => Step::Refused { name, why: "wrong password" },
            Some(which) => {
                let text = format!("v={}", base64::encode(&mac(&self.keys[which].server, signed.as_bytes())));
                Step::Challenge { text: text.into_bytes(), next: Exchange(State::ScramSuccess(Success { name, authzid, which })) }
            }
        }
    }
}

/// RFC 5802 §3: `ClientProof = ClientKey XOR ClientSignature`, and `H(ClientKey)` is what we keep.
fn proves(keys: &Keys, signed: &[u8], proof: &[u8; 32]) -> bool {
    let mut client = mac(&keys.stored, signed);
    client.iter_mut().zip(proof).for_each(|(byte, proof)| *byte ^= proof);
    Sha256::digest(client).ct_eq(keys.stored.as_slice()).into()
}

impl Success {
    pub(crate) fn step(self, response: &[u8]) -> Step {
        let Success { name, authzid, which } = self;
        if response.is_empty() { Step::Proven { name, authzid, which } } else { Step::Bad }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mechanism::{Scram, ScramPlus};

    const SNONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn pencil() -> Keys {
        Keys::derive(b"pencil", base64::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64"), 4096)
    }

    /// The challenge after `first`, and the exchange that waits for the proof.
    fn challenged(exchange: Step, keys: Vec<Keys>) -> (String, Exchange) {
        let Step::Keys(asking) = exchange else { panic!("{exchange:?}") };
        match asking.keys(keys, SNONCE) {
            Step::Challenge { text, next } => (String::from_utf8(text).expect("text"), next),
            other => panic!("{other:?}"),
        }
    }

    /// What a client that knows `password` says last.
    fn answer(first_bare: &str, challenge: &str, binding: &[u8], password: &[u8]) -> String {
        let attribute = |letter: &str| challenge.split(',').find_map(|part| part.strip_prefix(letter)).expect("an attribute");
        let salt = base64::decode(attribute("s=").as_bytes()).expect("base64");
        let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, &salt, attribute("i=").parse().expect("a number"));
        let mut key = mac(&salted, b"Client Key");
        let unproven = format!("c={},r={}", base64::encode(binding), attribute("r="));
        let signature = mac(&Sha256::digest(key), format!("{first_bare},{challenge},{unproven}").as_bytes());
        key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        format!("{unproven},p={}", base64::encode(&key))
    }

    fn refused(step: Step) -> &'static str {
        match step {
            Step::Refused { name, why } if name == "user" => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let (challenge, next) = challenged(Exchange::start(Scram, None, Some(FIRST.as_bytes())), vec![pencil()]);
        assert_eq!(challenge, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        assert_eq!(LAST, answer("n=user,r=rOprNGfwEbeRWgbNEkqO", &challenge, b"n,,", b"pencil"));
        let Step::Challenge { text, next } = next.step(LAST.as_bytes()) else { panic!("not proven") };
        assert_eq!(text, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(next.clone().step(b""), Step::Proven { name: "user".into(), authzid: None, which: 0 });
        assert_eq!(next.step(b"x"), Step::Bad);
    }

    #[test]
    fn a_proof_changed_anywhere_proves_nothing() {
        for index in 0..LAST.len() {
            let mut last = LAST.as_bytes().to_vec();
            last[index] ^= 1;
            let (_, next) = challenged(Exchange::start(Scram, None, Some(FIRST.as_bytes())), vec![pencil()]);
            assert!(matches!(next.step(&last), Step::Bad | Step::Refused { .. }), "changed at {index}");
        }
        let (_, next) = challenged(Exchange::start(Scram, None, Some(FIRST.as_bytes())), vec![Keys::nobody(b"secret", "user")]);
        assert_eq!(refused(next.step(LAST.as_bytes())), "wrong password");
    }

    #[test]
    fn one_challenge_suits_several_passwords() {
        let other = Keys::derive(b"another", pencil().salt, 4096);
        let (challenge, next) = challenged(Exchange::start(Scram, None, Some(b"n,,n=user,r=x")), vec![pencil(), other]);
        let last = answer("n=user,r=x", &challenge, b"n,,", b"another");
        let Step::Challenge { next, .. } = next.step(last.as_bytes()) else { panic!("not proven") };
        assert_eq!(next.step(b""), Step::Proven { name: "user".into(), authzid: None, which: 1 });
    }

    #[test]
    fn plus_binds_to_this_connection_and_a_downgrade_is_seen() {
        let (here, elsewhere) = ([1; 32], [2; 32]);
        let first = b"p=tls-exporter,,n=user,r=x";
        let bound = |data: &[u8]| [b"p=tls-exporter,,", data].concat();
        for (data, proven) in [(bound(&here), true), (bound(&elsewhere), false), (bound(b""), false), (b"n,,".to_vec(), false)] {
            let (challenge, next) = challenged(Exchange::start(ScramPlus, Some(here), Some(first)), vec![pencil()]);
            let ended = next.step(answer("n=user,r=x", &challenge, &data, b"pencil").as_bytes());
            assert_eq!(matches!(ended, Step::Challenge { .. }), proven, "{ended:?}");
        }
        let start = |mechanism, binding, first: &str| Exchange::start(mechanism, binding, Some(first.as_bytes()));
        assert!(refused(start(Scram, Some(here), "y,,n=user,r=x")).contains("in between"));
        assert!(matches!(start(Scram, None, "y,,n=user,r=x"), Step::Keys(_)), "-PLUS was not offered");
        assert!(matches!(start(Scram, Some(here), "n,,n=user,r=x"), Step::Keys(_)), "a client that can't");
        refused(start(ScramPlus, Some(here), "n,,n=user,r=x"));
        refused(start(ScramPlus, Some(here), "p=tls-unique,,n=user,r=x"));
        refused(start(Scram, Some(here), "p=tls-exporter,,n=user,r=x"));
        refused(start(ScramPlus, None, "p=tls-exporter,,n=user,r=x"));
    }
}
