//! RCPT — RFC 5321 §4.1.1.3. No parameter is announced, so any is 555.
//!
//! ```text
//! rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]
//! ```

use super::{Verb, after};
use crate::{Reply, Settings, parameters, path};
use mail::{ForwardPath, Status};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    pub to: ForwardPath,
}

pub(super) fn parse(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    const SYNTAX: Reply = Reply::fixed(501, Status(5, 5, 4), "Syntax: RCPT TO:<address>");
    let argument = after(argument, "TO:").ok_or(SYNTAX)?;
    let split = path::split(argument, settings.strict_envelopes).ok_or(SYNTAX)?;
    let to = path::forward(split.inner, &settings.origin)?;
    match parameters::read(split.rest)?.first() {
        Some(parameter) => Err(parameter.unsupported()),
        None => Ok(Verb::Rcpt(Rcpt { to })),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused};
    use super::*;

    #[test]
    fn recipients() {
        assert_eq!(read("RCPT TO:<postmaster>"), Verb::Rcpt(Rcpt { to: ForwardPath::Postmaster }));
        assert!(matches!(read("rcpt to:<a@b.test>"), Verb::Rcpt(_)));
        for (line, reply) in [
            ("RCPT", "501 5.5.4 Syntax: RCPT TO:<address>"),
            ("RCPT FROM:<a@b.test>", "501 5.5.4 Syntax: RCPT TO:<address>"),
            ("RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"),
            ("RCPT TO:<a b@c.test>", "501 5.1.3 Bad recipient address syntax"),
            ("RCPT TO:<a@b.test> NOTIFY=NEVER", "555 5.5.4 Unsupported option: NOTIFY"),
            ("RCPT TO:<a@b.test> \u{1}", "555 5.5.4 Unsupported option: ?"),
        ] {
            assert_eq!(refused(line), reply, "{line}");
        }
    }
}
