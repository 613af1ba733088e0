//! Paths — RFC 5321 §4.1.2.
//!
//! ```text
//! Path    = "<" [ A-d-l ":" ] Mailbox ">"
//! A-d-l   = At-domain *( "," At-domain )          ; source route: read and forgotten (§3.6.1)
//! ```
//!
//! Beyond the grammar, as Postfix does unless `strict_rfc821_envelopes`: blanks before `<`, and an
//! address without brackets. An address without a domain gets ours.

use crate::Reply;
use mail::{Address, ForwardPath, ReversePath};

/// What stands between the brackets, and what follows them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split<'l> {
    pub inner: &'l [u8],
    /// Parameters, with the blank that parts them from the path.
    pub rest: &'l [u8],
}

/// Takes the path off the front of an argument of MAIL or RCPT; `None` when there is none.
pub(crate) fn split(argument: &[u8], strict: bool) -> Option<Split<'_>> {
    let start = argument.trim_ascii_start();
    if strict && start.len() != argument.len() {
        return None;
    }
    match start.split_first() {
        Some((b'<', inside)) => {
            let end = unquoted(inside, |byte| byte == b'>')?;
            let (inner, rest) = (inside.get(..end)?, inside.get(end + 1..)?);
            (rest.is_empty() || rest.starts_with(b" ")).then_some(Split { inner, rest })
        }
        Some(_) if !strict => {
            let end = unquoted(start, |byte| byte == b' ').unwrap_or(start.len());
            let (inner, rest) = start.split_at_checked(end)?;
            unquoted(inner, |byte| matches!(byte, b'<' | b'>')).is_none().then_some(Split { inner, rest })
        }
        _ => None,
    }
}

/// `<>` or a sender.
pub(crate) fn reverse(inner: &[u8], origin: &str) -> Result<ReversePath, Reply> {
    if inner.is_empty() {
        return Ok(ReversePath::Null);
    }
    let text = readable(inner).map_err(|wrong| wrong.reply(Reply::BAD_SENDER))?;
    address(text, origin).map(ReversePath::Address).ok_or(Reply::BAD_SENDER)
}

/// `<postmaster>` of no domain, or a recipient.
pub(crate) fn forward(inner: &[u8], origin: &str) -> Result<ForwardPath, Reply> {
    let text = readable(inner).map_err(|wrong| wrong.reply(Reply::BAD_RECIPIENT))?;
    if text.eq_ignore_ascii_case("postmaster") {
        return Ok(ForwardPath::Postmaster);
    }
    address(text, origin).map(ForwardPath::Address).ok_or(Reply::BAD_RECIPIENT)
}

enum Unreadable {
    Syntax,
    Unicode,
}

impl Unreadable {
    fn reply(self, syntax: Reply) -> Reply {
        match self {
            Unreadable::Syntax => syntax,
            Unreadable::Unicode => Reply::NEEDS_UTF8,
        }
    }
}

fn readable(inner: &[u8]) -> Result<&str, Unreadable> {
    let text = std::str::from_utf8(inner).map_err(|_| Unreadable::Syntax)?;
    if text.chars().any(char::is_control) {
        return Err(Unreadable::Syntax);
    }
    if text.is_ascii() { Ok(text) } else { Err(Unreadable::Unicode) }
}

fn address(text: &str, origin: &str) -> Option<Address> {
    let mailbox = without_route(text)?;
    match unquoted(mailbox.as_bytes(), |byte| byte == b'@') {
        Some(_) => Address::parse(mailbox).ok(),
        None if mailbox.is_empty() => None,
        None => Address::parse(&format!("{mailbox}@{origin}")).ok(),
    }
}

/// `@a,@b:u@c` is `u@c`.
fn without_route(text: &str) -> Option<&str> {
    if !text.starts_with('@') {
        return Some(text);
    }
    let mut literal = false;
    let colon = text.bytes().position(|byte| {
        match byte {
            b'[' => literal = true,
            b']' => literal = false,
            _ => {}
        }
        byte == b':' && !literal
    })?;
    let (route, mailbox) = (text.get(..colon)?, text.get(colon + 1..)?);
    let hop = |hop: &str| hop.strip_prefix('@').is_some_and(|domain| !domain.is_empty() && !domain.contains(['@', '"', ' ']));
    route.split(',').all(hop).then_some(mailbox)
}

/// Where the first byte that `is` asked for stands outside of a quoted string.
fn unquoted(bytes: &[u8], is: impl Fn(u8) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted && is(byte) => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(argument: &str) -> Result<String, u16> {
        let split = split(argument.as_bytes(), false).ok_or(501u16)?;
        match forward(split.inner, "our.test").map_err(|reply| reply.code())? {
            ForwardPath::Postmaster => Ok("postmaster".into()),
            ForwardPath::Address(address) => Ok(address.to_string()),
        }
    }

    #[test]
    fn odd_addresses() {
        let good = [
            ("<a@b.test>", "a@b.test"),
            ("  <a@b.test>", "a@b.test"),
            ("a@b.test", "a@b.test"),
            ("<a@B.Test.>", "a@b.test"),
            ("<\"a b\"@x.test>", "\"a b\"@x.test"),
            ("<\"a>b\"@x.test>", "\"a>b\"@x.test"),
            ("<\"a\\\"b\"@x.test>", "\"a\\\"b\"@x.test"),
            ("<@a.test,@b.test:u@c.test>", "u@c.test"),
            ("<@[IPv6:::1]:u@c.test>", "u@c.test"),
            ("<u%h.test@me.test>", "u%h.test@me.test"),
            ("<h!u>", "h!u@our.test"),
            ("<u>", "u@our.test"),
            ("<PostMaster>", "postmaster"),
            ("<u@[1.2.3.4]>", "u@[1.2.3.4]"),
            ("<|cmd@x.test>", "|cmd@x.test"),
            ("</file@x.test>", "/file@x.test"),
        ];
        for (argument, want) in good {
            assert_eq!(recipient(argument).as_deref(), Ok(want), "{argument}");
        }
        let bad = [
            "", "<", "<>", ">", "<a@b.test", "a@b.test>", "<a@b.test>x", "<a@b@c.test>", "<u@h1.test@h2.test>", "<@b.test>", "<a b@c.test>",
            "<a@>", "<@a.test:>", "<a\x01@b.test>", "<a@b.test\t>", "<a<b@c.test>", "<:a@b.test>", "x<a@b.test>", "<@a,b:u@c.test>",
        ];
        for argument in bad {
            assert_eq!(recipient(argument), Err(501), "{argument}");
        }
        assert_eq!(recipient("<\u{e9}@b.test>"), Err(553));
        assert_eq!(recipient("<a@b\u{e9}.test>"), Err(553));
    }

    #[test]
    fn length_limits_hold() {
        let (long, longer) = ("l".repeat(Address::LOCAL_MAX), "l".repeat(Address::LOCAL_MAX + 1));
        assert!(recipient(&format!("<{long}@b.test>")).is_ok());
        assert_eq!(recipient(&format!("<{longer}@b.test>")), Err(501));
        assert_eq!(recipient(&format!("<a@{}test>", "x.".repeat(200))), Err(501));
    }

    #[test]
    fn strict_takes_the_grammar_only() {
        assert!(split(b"<a@b.test> X=1", true).is_some());
        assert_eq!(split(b" <a@b.test>", true), None);
        assert_eq!(split(b"a@b.test", true), None);
    }
}
