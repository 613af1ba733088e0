//! RCPT — RFC 5321 §4.1.1.3; NOTIFY and ORCPT (RFC 3461 §4.1, §4.2).
//!
//! ```text
//! rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]
//! ```

use super::{Verb, after};
use crate::dsn::{self, Notify};
use crate::parameters::{self, Parameter};
use crate::{Reply, Settings, path};
use mail::{ForwardPath, Status};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    pub to: ForwardPath,
    /// Of what the sender wants to hear, if it says.
    pub notify: Option<Notify>,
    /// The recipient as its sender named it: `rfc822;xtext`.
    pub orcpt: Option<String>,
}

pub(super) fn parse(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    const SYNTAX: Reply = Reply::fixed(501, Status(5, 5, 4), "Syntax: RCPT TO:<address>");
    let argument = after(argument, "TO:").ok_or(SYNTAX)?;
    let split = path::split(argument, settings.strict_envelopes).ok_or(SYNTAX)?;
    let to = path::forward(split.inner, &settings.origin)?;
    let mut rcpt = Rcpt { to, notify: None, orcpt: None };
    for parameter in parameters::read(split.rest)? {
        take(&mut rcpt, parameter, settings)?;
    }
    Ok(Verb::Rcpt(rcpt))
}

fn take(rcpt: &mut Rcpt, parameter: Parameter<'_>, settings: &Settings) -> Result<(), Reply> {
    match (parameter.name.to_ascii_uppercase().as_str(), parameter.value) {
        ("NOTIFY" | "ORCPT", Some(_)) if settings.dsn_disabled => Err(Reply::NO_DSN),
        ("NOTIFY", Some(value)) => {
            rcpt.notify = Some(Notify::parse(value).ok_or(Reply::fixed(501, Status(5, 5, 4), "Error: Bad NOTIFY parameter syntax"))?);
            Ok(())
        }
        ("ORCPT", Some(value)) if dsn::is_orcpt(value) => {
            rcpt.orcpt = Some(value.to_owned());
            Ok(())
        }
        ("ORCPT", Some(_)) => Err(Reply::fixed(501, Status(5, 5, 4), "Error: Bad ORCPT parameter syntax")),
        _ => Err(parameter.unsupported()),
    }
}

impl Reply {
    /// `smtpd_discard_ehlo_keywords = dsn`
    pub(crate) const NO_DSN: Reply = Reply::fixed(501, Status(5, 7, 1), "DSN support is disabled");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused};
    use super::*;

    #[test]
    fn recipients() {
        assert_eq!(read("RCPT TO:<postmaster>"), Verb::Rcpt(Rcpt { to: ForwardPath::Postmaster, notify: None, orcpt: None }));
        assert!(matches!(read("rcpt to:<a@b.test>"), Verb::Rcpt(_)));
        match read("RCPT TO:<a@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A@b.test") {
            Verb::Rcpt(Rcpt { notify: Some(notify), orcpt: Some(orcpt), .. }) => assert_eq!((notify.to_string().as_str(), orcpt.as_str()), ("SUCCESS,DELAY", "rfc822;A@b.test")),
            other => panic!("{other:?}"),
        }
        for (line, reply) in [
            ("RCPT", "501 5.5.4 Syntax: RCPT TO:<address>"),
            ("RCPT FROM:<a@b.test>", "501 5.5.4 Syntax: RCPT TO:<address>"),
            ("RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"),
            ("RCPT TO:<a b@c.test>", "501 5.1.3 Bad recipient address syntax"),
            ("RCPT TO:<a@b.test> NOTIFY=NEVER,DELAY", "501 5.5.4 Error: Bad NOTIFY parameter syntax"),
            ("RCPT TO:<a@b.test> ORCPT=a@b.test", "501 5.5.4 Error: Bad ORCPT parameter syntax"),
            ("RCPT TO:<a@b.test> SIZE=1", "555 5.5.4 Unsupported option: SIZE"),
            ("RCPT TO:<a@b.test> \u{1}", "555 5.5.4 Unsupported option: ?"),
        ] {
            assert_eq!(refused(line), reply, "{line}");
        }
    }
}
