//! ESMTP parameters of MAIL and RCPT — RFC 5321 §4.1.2.
//!
//! ```text
//! Esmtp-param   = esmtp-keyword [ "=" esmtp-value ]
//! esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//! esmtp-value   = 1*(%d33-60 / %d62-126)
//! ```
//!
//! A parameter we did not announce is 555 (§4.1.1.11), with its name, as is one that is no parameter at all.

use crate::reply::{Reply, shown};
use mail::Status;

/// Parameters of one command; more are refused. All that is registered with IANA for MAIL fits.
const MOST: usize = 16;
/// Octets of a peer's parameter that a reply repeats.
const REPEATED: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'l> {
    pub name: &'l str,
    pub value: Option<&'l str>,
}

impl Parameter<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// 555 for what is not taken.
    pub fn unsupported(&self) -> Reply {
        refuse(self.name.as_bytes())
    }
}

/// All parameters after a path, each at most once.
pub(crate) fn read(rest: &[u8]) -> Result<Vec<Parameter<'_>>, Reply> {
    let mut all: Vec<Parameter<'_>> = Vec::new();
    for word in rest.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        let parameter = one(word).ok_or_else(|| refuse(word))?;
        if all.len() == MOST || all.iter().any(|other| other.is(parameter.name)) {
            return Err(Reply::new(501, Status(5, 5, 4), format!("Error: option given twice: {}", shown(word, REPEATED))));
        }
        all.push(parameter);
    }
    Ok(all)
}

fn one(word: &[u8]) -> Option<Parameter<'_>> {
    let text = std::str::from_utf8(word).ok()?;
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let valued = value.is_none_or(|value| !value.is_empty() && value.bytes().all(|b| matches!(b, 33..=60 | 62..=126)));
    (named && valued).then_some(Parameter { name, value })
}

fn refuse(word: &[u8]) -> Reply {
    Reply::new(555, Status(5, 5, 4), format!("Unsupported option: {}", shown(word, REPEATED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_in_any_case_and_number() {
        let all = read(b"  SIZE=12 body=8BITMIME X-y").expect("good");
        assert_eq!(all.len(), 3);
        assert!(all[0].is("size") && all[0].value == Some("12"));
        assert!(all[2].is("x-Y") && all[2].value.is_none());
        assert_eq!(read(b""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_parameter_is_555_and_twice_is_501() {
        for bad in [&b" SIZE="[..], b" =1", b" -a", b" a_b=1", b" a=b=c", b" a=\x7f", b" \xff", b" a=\t1"] {
            assert_eq!(read(bad).expect_err("bad").code(), 555, "{bad:?}");
        }
        assert_eq!(read(b" SIZE=1 size=2").expect_err("twice").code(), 501);
        let many: String = (0..=MOST).map(|n| format!(" X{n}")).collect();
        assert_eq!(read(many.as_bytes()).expect_err("many").code(), 501);
    }
}
