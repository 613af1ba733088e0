//! AUTH — RFC 5034 §4: `"AUTH" SP sasl-mech [SP initial-response]`; alone it lists the mechanisms, as Outlook asks.

use super::{Command, Reading, Secret};
use crate::Reply;

/// RFC 4422 §3.1: a mechanism's name has at most 20 characters.
const MAX_MECHANISM: usize = 20;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    *reading.user = None; // USER and AUTH are two ways; PASS must not end the other's
    let malformed = || Reply::err("AUTH takes a mechanism and perhaps an initial response");
    match reading.words().ok_or_else(malformed)?.as_slice() {
        [] => Ok(Command::AuthList),
        [mechanism] => Ok(Command::Auth { mechanism: name(mechanism).ok_or_else(malformed)?, initial: None }),
        [mechanism, initial] => {
            Ok(Command::Auth { mechanism: name(mechanism).ok_or_else(malformed)?, initial: Some(Secret::new(initial)) })
        }
        _ => Err(malformed()),
    }
}

/// `sasl-mech = 1*20mech-char`: letters, digits, `-`, `_`; in upper case, though clients may not care.
fn name(text: &[u8]) -> Option<String> {
    let sound = text.len() <= MAX_MECHANISM && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    if sound { String::from_utf8(text.to_ascii_uppercase()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::{When, read};
    use super::*;

    #[test]
    fn a_mechanism_and_perhaps_a_response() {
        let auth = |mechanism: &str, initial: Option<&str>| {
            Some(Command::Auth { mechanism: mechanism.into(), initial: initial.map(|text| Secret::new(text.as_bytes())) })
        };
        let table: [(&[u8], Option<Command>); 7] = [
            (b"AUTH", Some(Command::AuthList)),
            (b"AUTH ", Some(Command::AuthList)),
            (b"auth plain", auth("PLAIN", None)),
            (b"AUTH PLAIN =", auth("PLAIN", Some("="))),
            (b"AUTH SCRAM-SHA-256 biws", auth("SCRAM-SHA-256", Some("biws"))),
            (b"AUTH PLAIN a b", None),
            (b"AUTH \xff", None),
        ];
        for (line, command) in table {
            assert_eq!(read(line, When::Authorization, &mut None).ok(), command, "{:?}", String::from_utf8_lossy(line));
        }
    }
}
