//! What MAIL and RCPT say about delivery status notifications — RFC 3461 §4.
//!
//! ```text
//! ret-value    = "FULL" / "HDRS"
//! envid-value  = xtext                                          ; of printable characters
//! notify-value = "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" )
//! orcpt-value  = atom ";" xtext                                 ; original-recipient-address, of printable characters
//! xtext        = *( xchar / "+" 2(DIGIT / %d65-70) )
//! ```
//!
//! ENVID and ORCPT are kept as they came: decoded only for who reads them ([`decoded`]), since what is encoded can stand in no wrong place.

use std::fmt;

/// Octets of ENVID (RFC 3461 §4.4), encoded.
pub const ENVID_MAX: usize = 100;
/// Octets of ORCPT (RFC 3461 §4.2), encoded.
pub const ORCPT_MAX: usize = 500;

/// RET: what a bounce is to bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    Full,
    Headers,
}

impl Return {
    pub(crate) fn parse(value: &str) -> Option<Return> {
        match value.to_ascii_uppercase().as_str() {
            "FULL" => Some(Return::Full),
            "HDRS" => Some(Return::Headers),
            _ => None,
        }
    }
}

/// NOTIFY: of what the sender wants to hear; of nothing, NEVER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

impl Notify {
    pub(crate) fn parse(value: &str) -> Option<Notify> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Notify::default());
        }
        let mut notify = Notify::default();
        for word in value.split(',') {
            match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => notify.success = true,
                "FAILURE" => notify.failure = true,
                "DELAY" => notify.delay = true,
                _ => return None,
            }
        }
        Some(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let asked: Vec<&str> = words.into_iter().filter(|(asked, _)| *asked).map(|(_, word)| word).collect();
        out.write_str(&if asked.is_empty() { "NEVER".to_owned() } else { asked.join(",") })
    }
}

/// Whether a value may be ENVID.
pub(crate) fn is_envid(value: &str) -> bool {
    value.len() <= ENVID_MAX && is_printable(value)
}

/// Whether a value may be ORCPT.
pub(crate) fn is_orcpt(value: &str) -> bool {
    let parts = |(kind, address): (&str, &str)| is_atom(kind) && !address.is_empty() && is_printable(address);
    value.len() <= ORCPT_MAX && value.split_once(';').is_some_and(parts)
}

fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte))
}

fn is_printable(value: &str) -> bool {
    xtext(value).is_some_and(|text| text.iter().all(|byte| matches!(byte, b' '..=b'~')))
}

/// The octets of an xtext; `None` if it is none.
pub(crate) fn xtext(value: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let mut bytes = value.bytes();
    let mut text = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'+' => (digit(bytes.next()?)? << 4) | digit(bytes.next()?)?,
            b'=' => return None,
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    Some(text)
}

/// What an ENVID, or the address of an ORCPT, says. What is no xtext says itself.
pub fn decoded(value: &str) -> String {
    xtext(value).map_or_else(|| value.to_owned(), |octets| String::from_utf8_lossy(&octets).into_owned())
}

/// An address as ORCPT has it: `rfc822;a+2Bb@example.org`. `None` if it is too long for one.
pub fn orcpt(address: &str) -> Option<String> {
    let mut text = String::from("rfc822;");
    for byte in address.bytes() {
        match byte {
            b'+' | b'=' => text.push_str(&format!("+{byte:02X}")),
            b'!'..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("+{byte:02X}")),
        }
    }
    (text.len() <= ORCPT_MAX).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_read() {
        assert_eq!((Return::parse("full"), Return::parse("HDRS"), Return::parse("BODY")), (Some(Return::Full), Some(Return::Headers), None));
        for (value, printed) in [("never", Some("NEVER")), ("delay,Success", Some("SUCCESS,DELAY")), ("FAILURE", Some("FAILURE")), ("NEVER,SUCCESS", None), ("", None), ("SUCCESS,", None), ("X", None)] {
            assert_eq!(Notify::parse(value).map(|notify| notify.to_string()).as_deref(), printed, "{value}");
        }
        assert!(is_envid("QQ314159") && is_envid("a+20b") && !is_envid("a+0Ab") && !is_envid("a+") && !is_envid(&"x".repeat(101)));
        assert!(is_orcpt("rfc822;Bob+2Bx@b.test") && is_orcpt("X.400;/C=".replace('=', "+3D").as_str()));
        for bad in ["rfc822;", ";a@b", "rfc822", "rfc 822;a", "rfc822;a+0D+0Ab", &format!("rfc822;{}", "x".repeat(ORCPT_MAX))] {
            assert!(!is_orcpt(bad), "{bad}");
        }
    }

    #[test]
    fn xtext_is_strict() {
        assert_eq!(xtext("a+2Bb+0A").as_deref(), Some(&b"a+b\n"[..]));
        for bad in ["+", "+2", "+2b", "+ZZ", "a=b", "a b", "\u{e9}"] {
            assert_eq!(xtext(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_alike(address in "[ -~]{1,60}") {
            let orcpt = orcpt(&address).expect("short");
            prop_assert!(is_orcpt(&orcpt));
            prop_assert_eq!(decoded(&orcpt["rfc822;".len()..]), address);
        }
    }
}
