//! AUTHENTICATE — RFC 3501 §6.2.2, with the initial response of RFC 4959.

use super::CommandBody;
use crate::cursor::{Bad, Cursor};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// In upper case.
    pub mechanism: String,
    /// Decoded; `=` is an empty one (RFC 4959 §3).
    pub initial: Option<Vec<u8>>,
}

impl std::fmt::Debug for Authenticate {
    /// The initial response is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// Longest mechanism name: RFC 4422 §3.1.
const MECHANISM: usize = 20;

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let name = cursor.atom()?;
    if name.len() > MECHANISM {
        return Err(Bad::syntax("Invalid mechanism name"));
    }
    let mechanism = String::from_utf8_lossy(name).to_ascii_uppercase();
    let mut initial = None;
    if cursor.peek() == Some(b' ') {
        cursor.sp()?;
        let encoded = cursor.rest();
        initial = Some(if encoded == b"=" { Vec::new() } else { decode(encoded)? });
    }
    Ok(CommandBody::Authenticate(Authenticate { mechanism, initial }))
}

/// What the client answered to a challenge: `*` cancels, and only strict base64 is read (C-05).
pub(crate) fn response(line: &[u8]) -> Result<Vec<u8>, Bad> {
    if line == b"*" {
        return Err(Bad::syntax("Authentication cancelled"));
    }
    STANDARD.decode(line).map_err(|_| Bad::syntax("Invalid base64"))
}

fn decode(encoded: &[u8]) -> Result<Vec<u8>, Bad> {
    if encoded.is_empty() {
        return Err(Bad::syntax("An empty initial response is written ="));
    }
    STANDARD.decode(encoded).map_err(|_| Bad::syntax("Invalid base64"))
}
