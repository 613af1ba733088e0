//! AUTH — RFC 4954 §4. What the mechanisms say, and its base64, is `sasl`'s to read.
//!
//! ```text
//! auth-command      = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response]
//! initial-response  = base64 / "="
//! cancel-response   = "*"
//! ```

use super::Verb;
use crate::{Reply, Settings};
use bytes::Bytes;
use mail::Status;
use std::fmt;

/// A client that wants to log in by a mechanism we offer.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// Upper case, one of [`Settings::mechanisms`].
    pub mechanism: String,
    /// What the client said at once, as it stands there: base64, or `=` for nothing.
    pub initial: Option<Bytes>,
}

/// Never the secret.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth({}, {})", self.mechanism, if self.initial.is_some() { "initial response" } else { "none" })
    }
}

pub(super) fn parse(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    if settings.mechanisms.is_empty() {
        return Err(Reply::AUTH_OFF);
    }
    let mut words = argument.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let (Some(mechanism), initial, None) = (words.next(), words.next(), words.next()) else {
        return Err(Reply::fixed(501, Status(5, 5, 4), "Syntax: AUTH mechanism"));
    };
    let known = settings.mechanisms.iter().find(|offered| offered.as_bytes().eq_ignore_ascii_case(mechanism));
    let mechanism = known.ok_or(Reply::AUTH_UNKNOWN)?.clone();
    let initial = initial.map(Bytes::copy_from_slice);
    Ok(Verb::Auth(Auth { mechanism, initial }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(argument: &str) -> Result<Auth, String> {
        let settings = Settings { mechanisms: vec!["PLAIN".into(), "LOGIN".into()], ..Settings::new("mx.test") };
        match parse(argument.as_bytes(), &settings) {
            Ok(Verb::Auth(auth)) => Ok(auth),
            Ok(other) => panic!("{other:?}"),
            Err(reply) => Err(reply.to_string()),
        }
    }

    #[test]
    fn mechanisms_and_initial_responses() {
        let auth = |mechanism: &str, initial: Option<&'static [u8]>| Ok(Auth { mechanism: mechanism.into(), initial: initial.map(Bytes::from_static) });
        assert_eq!(read("PLAIN"), auth("PLAIN", None));
        assert_eq!(read("plain ="), auth("PLAIN", Some(b"=")));
        assert_eq!(read("login YQ=="), auth("LOGIN", Some(b"YQ==")));
        for (argument, reply) in [
            ("", "501 5.5.4 Syntax: AUTH mechanism"),
            ("PLAIN a b", "501 5.5.4 Syntax: AUTH mechanism"),
            ("GSSAPI", "504 5.5.4 Error: unrecognized authentication mechanism"),
        ] {
            assert_eq!(read(argument), Err(reply.into()), "{argument}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        assert!(!format!("{:?}", read("PLAIN c2VjcmV0")).contains("c2Vj"));
    }
}
