//! Commands — RFC 5321 §4.1: from a line to a [`Verb`], one file each. A `Verb` that exists is well formed;
//! whether it may come now is the state's to say (`state.rs`), whether it is welcome the handler's.
//!
//! ```text
//! command = verb [ SP argument ] CRLF             ; verbs in any case
//! ```

mod auth;
mod data;
pub(crate) mod hello;
mod help;
mod mail_from;
mod noop;
mod quit;
mod rcpt_to;
mod rset;
mod starttls;
pub(crate) mod vrfy;

pub use auth::Auth;
pub use hello::{Client, Greeting};
pub use mail_from::{BodyType, Mail};
pub use rcpt_to::Rcpt;

use crate::{Reply, Settings};

/// A well formed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    Hello(Client),
    Mail(Mail),
    Rcpt(Rcpt),
    Data,
    Rset,
    Noop,
    Quit,
    Vrfy(String),
    Help,
    StartTls,
    Auth(Auth),
}

/// A line that is no command of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The verb as far as it was known, for the log.
    pub verb: &'static str,
    pub reply: Reply,
    /// The peer speaks another protocol: close.
    pub last: bool,
}

type Parse = fn(&[u8], &Settings) -> Result<Verb, Reply>;

/// Every verb, in the order HELP names them.
const VERBS: [(&str, Parse); 14] = [
    ("AUTH", auth::parse),
    ("DATA", data::parse),
    ("EHLO", hello::ehlo),
    ("HELO", hello::helo),
    ("HELP", help::parse),
    ("LHLO", hello::lhlo),
    ("MAIL", mail_from::parse),
    ("NOOP", noop::parse),
    ("QUIT", quit::parse),
    ("RCPT", rcpt_to::parse),
    ("RSET", rset::parse),
    ("STARTTLS", starttls::parse),
    ("VRFY", vrfy::parse),
    ("EXPN", |_, _| Err(Reply::NOT_IMPLEMENTED)),
];

/// What browsers and tricked web pages send (`smtpd_forbidden_commands`).
const OTHER_PROTOCOLS: [&str; 4] = ["CONNECT", "GET", "POST", "PUT"];

/// Name for the log of what is no verb.
pub(crate) const UNKNOWN: &str = "UNKNOWN";

/// Reads a line without its CRLF.
pub(crate) fn parse(line: &[u8], settings: &Settings) -> Result<(&'static str, Verb), Malformed> {
    let line = line.trim_ascii_end();
    let malformed = |verb, reply| Malformed { verb, reply, last: false };
    if line.is_empty() || line.starts_with(b" ") {
        return Err(malformed(UNKNOWN, Reply::BAD_SYNTAX));
    }
    let end = line.iter().position(|&byte| byte == b' ' || byte == b'\t').unwrap_or(line.len());
    let (verb, argument) = line.split_at_checked(end).unwrap_or((line, b""));
    let named = |name: &str| name.as_bytes().eq_ignore_ascii_case(verb);
    if let Some((name, read)) = VERBS.iter().find(|(name, _)| named(name)) {
        return read(argument.trim_ascii_start(), settings).map(|verb| (*name, verb)).map_err(|reply| malformed(name, reply));
    }
    if OTHER_PROTOCOLS.iter().any(|name| named(name)) {
        return Err(Malformed { verb: UNKNOWN, reply: Reply::NOT_HTTP, last: true });
    }
    Err(malformed(UNKNOWN, Reply::UNKNOWN))
}

/// `yes` if there is no argument, else 501 with the syntax.
fn bare(argument: &[u8], yes: Verb, syntax: &'static str) -> Result<Verb, Reply> {
    if argument.is_empty() { Ok(yes) } else { Err(Reply::fixed(501, mail::Status(5, 5, 4), syntax)) }
}

/// What follows `FROM:` or `TO:`, in any case.
fn after<'l>(argument: &'l [u8], keyword: &str) -> Option<&'l [u8]> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword.as_bytes()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn refused(line: &str) -> String {
        match parse(line.as_bytes(), &Settings::new("mx.test")) {
            Err(malformed) => malformed.reply.to_string(),
            Ok(verb) => panic!("{line}: {verb:?}"),
        }
    }

    pub(super) fn read(line: &str) -> Verb {
        match parse(line.as_bytes(), &Settings::new("mx.test")) {
            Ok((_, verb)) => verb,
            Err(malformed) => panic!("{line}: {malformed:?}"),
        }
    }

    #[test]
    fn lines_that_are_no_command() {
        for (line, reply) in [
            ("", "500 5.5.2 Error: bad syntax"),
            (" NOOP", "500 5.5.2 Error: bad syntax"),
            ("\t", "500 5.5.2 Error: bad syntax"),
            ("NOOPX", "500 5.5.2 Error: command not recognized"),
            ("MAILFROM:<a@b.test>", "500 5.5.2 Error: command not recognized"),
            ("BDAT 1 LAST", "500 5.5.2 Error: command not recognized"),
            ("EXPN list", "502 5.5.1 Error: command not implemented"),
            ("GET / HTTP/1.1", "221 2.7.0 Error: I can break rules, too. Goodbye."),
            ("post /x", "221 2.7.0 Error: I can break rules, too. Goodbye."),
            ("CONNECT h:25", "221 2.7.0 Error: I can break rules, too. Goodbye."),
            ("\u{e9}\u{16}", "500 5.5.2 Error: command not recognized"),
        ] {
            assert_eq!(refused(line), reply, "{line:?}");
        }
    }

    #[test]
    fn verbs_in_any_case_with_any_blanks() {
        for line in ["NOOP", "noop", "NoOp  ", "NOOP some words", "NOOP\tx"] {
            assert_eq!(read(line), Verb::Noop, "{line:?}");
        }
    }
}
