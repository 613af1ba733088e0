//! The client's end: what we say to another server that wants a login. SCRAM-SHA-256 without binding, PLAIN and LOGIN.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::scram::{Keys, MAX_ITERATIONS, mac, salted};
use crate::{Mechanism, base64};

/// A login under way.
pub struct Client(State);

enum State {
    /// The name is to be said, then the password.
    Name { name: String, password: Vec<u8> },
    Password(Vec<u8>),
    /// The server's first message is awaited.
    First { bare: String, nonce: String, password: Vec<u8> },
    /// What the server must prove.
    Last([u8; 32]),
    /// All is said.
    Done,
}

/// The server says what its mechanism has not, or does not know the password itself: nothing more is told to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadServer {
    #[error("the server's challenge cannot be read")]
    Challenge,
    #[error("the server asks for too much work")]
    TooMuchWork,
    #[error("the server does not know the password: somebody is in between")]
    Impostor,
}

impl Client {
    /// Begins, with an initial response where the mechanism has one. `nonce`: from [`crate::scram::nonce`].
    pub fn start(mechanism: Mechanism, name: &str, password: &[u8], nonce: &str) -> (Client, Option<Vec<u8>>) {
        match mechanism {
            Mechanism::Plain => (Client(State::Done), Some([b"\0", name.as_bytes(), b"\0", password].concat())),
            Mechanism::Login => (Client(State::Name { name: name.to_owned(), password: password.to_vec() }), None),
            Mechanism::Scram | Mechanism::ScramPlus => {
                let bare = format!("n={},r={nonce}", name.replace('=', "=3D").replace(',', "=2C"));
                let first = format!("n,,{bare}").into_bytes();
                (Client(State::First { bare, nonce: nonce.to_owned(), password: password.to_vec() }), Some(first))
            }
        }
    }

    /// The response to a challenge; neither is base64.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, BadServer> {
        match std::mem::replace(&mut self.0, State::Done) {
            State::Name { name, password } => {
                self.0 = State::Password(password);
                Ok(name.into_bytes())
            }
            State::Password(password) => Ok(password),
            State::First { bare, nonce, password } => {
                let (response, expected) = proof(&bare, &nonce, &password, challenge)?;
                self.0 = State::Last(expected);
                Ok(response)
            }
            State::Last(expected) => {
                let signature = challenge.strip_prefix(b"v=").and_then(base64::decode).ok_or(BadServer::Challenge)?;
                if signature.as_slice().ct_eq(expected.as_slice()).into() { Ok(Vec::new()) } else { Err(BadServer::Impostor) }
            }
            State::Done => Err(BadServer::Challenge),
        }
    }

    /// Whether a success that the server tells of now may be believed: all was said, and it proved what it had to.
    pub fn is_satisfied(&self) -> bool {
        matches!(self.0, State::Done)
    }
}

/// RFC 5802 §3: the client's last message, and what the server has to answer.
fn proof(bare: &str, nonce: &str, password: &[u8], challenge: &[u8]) -> Result<(Vec<u8>, [u8; 32]), BadServer> {
    let challenge = std::str::from_utf8(challenge).map_err(|_| BadServer::Challenge)?;
    let attribute = |letter: &str| challenge.split(',').find_map(|part| part.strip_prefix(letter)).ok_or(BadServer::Challenge);
    let whole = attribute("r=")?;
    if !whole.starts_with(nonce) || whole.len() == nonce.len() {
        return Err(BadServer::Challenge);
    }
    let salt = base64::decode(attribute("s=")?.as_bytes()).ok_or(BadServer::Challenge)?;
    let iterations: u32 = attribute("i=")?.parse().map_err(|_| BadServer::Challenge)?;
    if iterations == 0 || iterations > MAX_ITERATIONS {
        return Err(BadServer::TooMuchWork);
    }
    let (mut client, keys): ([u8; 32], Keys) = salted(password, salt, iterations);
    let unproven = format!("c={},r={whole}", base64::encode(b"n,,"));
    let signed = format!("{bare},{challenge},{unproven}");
    let signature = mac(&Sha256::digest(client), signed.as_bytes());
    client.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
    Ok((format!("{unproven},p={}", base64::encode(&client)).into_bytes(), mac(&keys.server, signed.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exchange, Step};

    #[test]
    fn the_example_of_rfc_7677() {
        let (mut client, first) = Client::start(Mechanism::Scram, "user", b"pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first.as_deref(), Some(&b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"[..]));
        let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = client.respond(challenge).expect("a proof");
        assert_eq!(last, b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert!(!client.is_satisfied(), "the server has proved nothing");
        assert_eq!(client.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(Vec::new()));
        assert!(client.is_satisfied());
    }

    #[test]
    fn a_server_that_knows_nothing_is_told_nothing() {
        let started = || Client::start(Mechanism::Scram, "user", b"pencil", "abc").0;
        for (challenge, bad) in [
            (&b""[..], BadServer::Challenge),
            (b"r=abc,s=c2FsdA==,i=4096", BadServer::Challenge),
            (b"r=xyzabc,s=c2FsdA==,i=4096", BadServer::Challenge),
            (b"r=abcd,s=?,i=4096", BadServer::Challenge),
            (b"r=abcd,s=c2FsdA==,i=x", BadServer::Challenge),
            (b"r=abcd,s=c2FsdA==,i=0", BadServer::TooMuchWork),
            (b"r=abcd,s=c2FsdA==,i=4000000000", BadServer::TooMuchWork),
            (b"r=abcd,s=c2FsdA==,i=1\xff", BadServer::Challenge),
        ] {
            assert_eq!(started().respond(challenge), Err(bad), "{challenge:?}");
        }
        let mut client = started();
        client.respond(b"r=abcd,s=c2FsdA==,i=1").expect("a proof");
        assert_eq!(client.respond(b"v=AAAA"), Err(BadServer::Impostor));
    }

    #[test]
    fn both_ends_of_this_crate_agree() {
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            let (mut client, initial) = Client::start(mechanism, "al,i=ce", b"a word", "n");
            let mut step = Exchange::start(mechanism, None, initial.as_deref());
            while let Step::Challenge { text, next } = step {
                step = next.step(&client.respond(&text).expect("a response"));
            }
            let Step::Credentials(said) = step else { panic!("{step:?}") };
            assert_eq!((said.authcid.as_str(), said.password.as_slice(), client.is_satisfied()), ("al,i=ce", &b"a word"[..], true));
        }
        let (mut client, initial) = Client::start(Mechanism::Scram, "al,i=ce", "pässword".as_bytes(), "n");
        let Step::Keys(asking) = Exchange::start(Mechanism::Scram, None, initial.as_deref()) else { panic!("no keys asked for") };
        let keys = Keys::of_password("pässword".as_bytes(), None).expect("keys");
        let mut step = asking.keys(vec![keys], "m");
        while let Step::Challenge { text, next } = step {
            step = next.step(&client.respond(&text).expect("a response"));
        }
        assert!(client.is_satisfied());
        assert_eq!(step, Step::Proven { name: "al,i=ce".into(), authzid: None, which: 0 });
    }

    #[test]
    fn more_challenges_than_there_are_answers() {
        let (mut client, _) = Client::start(Mechanism::Plain, "a", b"b", "n");
        assert_eq!(client.respond(b""), Err(BadServer::Challenge));
    }
}
