//! AUTH — RFC 4954 §4.
//!
//! ```text
//! auth-command      = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response]
//! initial-response  = base64 / "="
//! cancel-response   = "*"
//! ```

use super::Verb;
use crate::{Reply, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mail::Status;
use std::fmt;

/// A client that wants to log in by a mechanism we offer.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// Upper case, one of [`Settings::mechanisms`].
    pub mechanism: String,
    /// What the client said at once, decoded; `Some` and empty for `=`.
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
    let initial = match initial {
        Some(b"=") => Some(Bytes::new()),
        Some(base64) => Some(decode(base64)?),
        None => None,
    };
    Ok(Verb::Auth(Auth { mechanism, initial }))
}

/// A line of the exchange: what the client answers to a challenge, or the reply that ends it.
pub(crate) fn response(line: &[u8]) -> Result<Bytes, Reply> {
    if line == b"*" { Err(Reply::AUTH_ABORTED) } else { decode(line) }
}

fn decode(base64: &[u8]) -> Result<Bytes, Reply> {
    STANDARD.decode(base64).map(Bytes::from).map_err(|_| Reply::AUTH_NOT_BASE64)
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
        assert_eq!(read("plain ="), auth("PLAIN", Some(b"")));
        assert_eq!(read("login YQ=="), auth("LOGIN", Some(b"a")));
        for (argument, reply) in [
            ("", "501 5.5.4 Syntax: AUTH mechanism"),
            ("PLAIN a b", "501 5.5.4 Syntax: AUTH mechanism"),
            ("GSSAPI", "504 5.5.4 Error: unrecognized authentication mechanism"),
            ("PLAIN YQ", "501 5.5.2 Error: cannot decode base64"),
            ("PLAIN *", "501 5.5.2 Error: cannot decode base64"),
        ] {
            assert_eq!(read(argument), Err(reply.into()), "{argument}");
        }
    }

    #[test]
    fn an_exchange_can_be_cancelled_and_debug_tells_no_secret() {
        assert_eq!(response(b"*"), Err(Reply::AUTH_ABORTED));
        assert_eq!(response(b""), Ok(Bytes::new()));
        assert_eq!(response(b"!"), Err(Reply::AUTH_NOT_BASE64));
        assert!(!format!("{:?}", read("PLAIN c2VjcmV0")).contains("secret"));
    }
}
