//! What the client says.
//!
//! ```text
//! client-first-message = gs2-cbind-flag "," ["a=" saslname] "," ["m=" …,] "n=" saslname "," "r=" nonce ["," extensions]
//! gs2-cbind-flag       = "p=" cb-name / "n" / "y"
//! saslname             = 1*(value-safe-char / "=2C" / "=3D")
//! client-final-message = "c=" base64 "," "r=" nonce ["," extensions] ",p=" base64
//! ```

use crate::{base64, credentials};

/// Longest nonce of a client, in bytes: the usual have 24 to 40.
const NONCE: usize = 256;

/// Whether the client binds the login to the TLS below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flag<'m> {
    /// `n`: it can't.
    Unable,
    /// `y`: it could, but thinks that the server can't.
    Unoffered,
    /// `p=`: it does, to this.
    Bound(&'m str),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'m> {
    pub(super) flag: Flag<'m>,
    pub(super) authzid: Option<String>,
    pub(super) name: String,
    pub(super) nonce: &'m str,
    /// `p=…,a=…,`: what comes back in `c=`.
    pub(super) gs2: &'m str,
    /// The rest, which is signed as it stands.
    pub(super) bare: &'m str,
}

pub(super) fn client_first(message: &[u8]) -> Option<ClientFirst<'_>> {
    let message = std::str::from_utf8(message).ok()?;
    let (flag, rest) = message.split_once(',')?;
    let (authzid, bare) = rest.split_once(',')?;
    let flag = match flag {
        "n" => Flag::Unable,
        "y" => Flag::Unoffered,
        bound => Flag::Bound(bound.strip_prefix("p=").filter(|name| !name.is_empty())?),
    };
    let authzid = match authzid {
        "" => None,
        some => Some(saslname(some.strip_prefix("a=")?)?),
    };
    // An `m=` here is an extension that must be understood, and none is (RFC 5802 §5.1).
    let mut attributes = bare.split(',');
    let name = saslname(attributes.next()?.strip_prefix("n=")?)?;
    let nonce = attributes.next()?.strip_prefix("r=")?;
    if nonce.is_empty() || nonce.len() > NONCE || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let gs2 = message.get(..message.len() - bare.len())?;
    Some(ClientFirst { flag, authzid, name, nonce, gs2, bare })
}

/// `=2C` is a comma, `=3D` an equals sign, and no other `=` may be there (RFC 5802 §5.1).
fn saslname(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (letter, rest) = match part.split_at_checked(2)? {
            ("2C", rest) => (',', rest),
            ("3D", rest) => ('=', rest),
            _ => return None,
        };
        name.push(letter);
        name.push_str(rest);
    }
    credentials::name(name.as_bytes())
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'m> {
    /// The GS2 header and the channel binding, decoded.
    pub(super) binding: Vec<u8>,
    pub(super) nonce: &'m str,
    pub(super) proof: [u8; 32],
    /// All before `,p=`, which is signed as it stands.
    pub(super) unproven: &'m str,
}

pub(super) fn client_final(message: &[u8]) -> Option<ClientFinal<'_>> {
    let message = std::str::from_utf8(message).ok()?;
    let (unproven, proof) = message.rsplit_once(",p=")?;
    let mut attributes = unproven.split(',');
    let binding = base64::decode(attributes.next()?.strip_prefix("c=")?.as_bytes())?;
    let nonce = attributes.next()?.strip_prefix("r=")?;
    let proof = base64::decode(proof.as_bytes())?.try_into().ok()?;
    Some(ClientFinal { binding, nonce, proof, unproven })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn first_messages() {
        let read = client_first(b"p=tls-exporter,a=bob=2Cthe=3Done,n=al=2Cice,r=abc,x=y").expect("read");
        assert_eq!(read.flag, Flag::Bound("tls-exporter"));
        assert_eq!((read.authzid.as_deref(), read.name.as_str(), read.nonce), (Some("bob,the=one"), "al,ice", "abc"));
        assert_eq!((read.gs2, read.bare), ("p=tls-exporter,a=bob=2Cthe=3Done,", "n=al=2Cice,r=abc,x=y"));
        for wrong in [
            "", "n", "n,", "n,,", "n,,n=,r=x", "n,,n=alice", "n,,n=alice,r=", "n,,r=x,n=alice", "x,,n=alice,r=x", "p=,,n=alice,r=x", "n,b=x,n=alice,r=x",
            "n,a=,n=alice,r=x", "n,,m=ext,n=alice,r=x", "n,,n=al=2cice,r=x", "n,,n=al=,r=x", "n,,n=al=é,r=x", "n,,n=al\u{7}ice,r=x", "n,,n=alice,r=x y", "n,,n=alice,r=ü",
        ] {
            assert_eq!(client_first(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn final_messages() {
        let proof = base64::encode(&[7; 32]);
        let message = format!("c=biws,r=abc,x=y,p={proof}");
        let read = client_final(message.as_bytes()).expect("read");
        assert_eq!((read.binding.as_slice(), read.nonce, read.proof, read.unproven), (&b"n,,"[..], "abc", [7; 32], "c=biws,r=abc,x=y"));
        for wrong in ["", "c=biws,r=abc", "r=abc,c=biws,p=x", "c=biws,r=abc,p=eHg=", "c=biw,r=abc,p=x"] {
            assert_eq!(client_final(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_them(message: Vec<u8>, text in "[nyp],(a=)?,?[nr]=[a=,2C3D]{0,9},r=.{0,9},p=.{0,9}") {
            for message in [&message[..], text.as_bytes()] {
                let _ = (client_first(message), client_final(message));
            }
        }
    }
}
