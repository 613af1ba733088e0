//! MAIL — RFC 5321 §4.1.1.2; SIZE (RFC 1870), BODY (RFC 6152), AUTH (RFC 4954 §5), RET and ENVID (RFC 3461 §4.3, §4.4).
//!
//! ```text
//! mail = "MAIL FROM:" Reverse-path [SP Mail-parameters]
//! ```

use super::{Verb, after};
use crate::dsn::{self, Return, xtext};
use crate::parameters::{self, Parameter};
use crate::{Reply, Settings, path};
use mail::{ReversePath, Status};

/// `BODY=` (RFC 6152 §2): whether octets above 127 may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyType {
    #[default]
    SevenBit,
    EightBitMime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: ReversePath,
    /// Octets the client says it will send (RFC 1870); not above the limit.
    pub size: Option<u64>,
    pub body: BodyType,
    /// What a bounce is to bring back.
    pub ret: Option<Return>,
    /// The sender's name for the message, as xtext.
    pub envid: Option<String>,
}

pub(super) fn parse(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    const SYNTAX: Reply = Reply::fixed(501, Status(5, 5, 4), "Syntax: MAIL FROM:<address>");
    let argument = after(argument, "FROM:").ok_or(SYNTAX)?;
    let split = path::split(argument, settings.strict_envelopes).ok_or(SYNTAX)?;
    let from = path::reverse(split.inner, &settings.origin)?;
    let mut mail = Mail { from, size: None, body: BodyType::default(), ret: None, envid: None };
    for parameter in parameters::read(split.rest)? {
        take(&mut mail, parameter, settings)?;
    }
    Ok(Verb::Mail(mail))
}

fn take(mail: &mut Mail, parameter: Parameter<'_>, settings: &Settings) -> Result<(), Reply> {
    match (parameter.name.to_ascii_uppercase().as_str(), parameter.value) {
        ("SIZE", Some(value)) => {
            mail.size = Some(size(value, settings.limits.message)?);
            Ok(())
        }
        ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => Ok(()),
        ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => {
            mail.body = BodyType::EightBitMime;
            Ok(())
        }
        ("RET" | "ENVID", Some(_)) if settings.dsn_disabled => Err(Reply::NO_DSN),
        ("RET", Some(value)) => {
            mail.ret = Some(Return::parse(value).ok_or(Reply::fixed(501, Status(5, 5, 4), "Bad RET parameter syntax"))?);
            Ok(())
        }
        ("ENVID", Some(value)) if dsn::is_envid(value) => {
            mail.envid = Some(value.to_owned());
            Ok(())
        }
        ("ENVID", Some(_)) => Err(Reply::fixed(501, Status(5, 5, 4), "Bad ENVID parameter syntax")),
        // Who wrote it by the client's word; read for its syntax and, as §5 lets us, not believed.
        ("AUTH", Some(value)) if !settings.mechanisms.is_empty() => match xtext(value) {
            Some(_) => Ok(()),
            None => Err(Reply::fixed(501, Status(5, 5, 4), "Syntax: AUTH=<xtext>")),
        },
        _ => Err(parameter.unsupported()),
    }
}

/// RFC 1870 §5: up to twenty digits.
fn size(value: &str, most: Option<u64>) -> Result<u64, Reply> {
    const SYNTAX: Reply = Reply::fixed(501, Status(5, 5, 4), "Bad message size syntax");
    if value.len() > 20 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SYNTAX);
    }
    match value.parse::<u64>() {
        Ok(size) if most.is_none_or(|most| size <= most) => Ok(size),
        _ => Err(Reply::OVER_FIXED_LIMIT), // twenty digits that do not fit 64 bits are too many octets as well
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused};
    use super::*;

    #[test]
    fn senders_and_parameters() {
        let mail = |line| match read(line) {
            Verb::Mail(mail) => mail,
            other => panic!("{other:?}"),
        };
        let null = Mail { from: ReversePath::Null, size: None, body: BodyType::SevenBit, ret: None, envid: None };
        assert_eq!(mail("MAIL FROM:<>"), null);
        assert_eq!(mail("mail from: <> body=7bit"), null);
        let full = mail("MAIL FROM:<a@b.test> SIZE=1000 BODY=8BITMIME");
        assert_eq!((full.from.to_string().as_str(), full.size, full.body), ("a@b.test", Some(1_000), BodyType::EightBitMime));
        let dsn = mail("MAIL FROM:<a@b.test> RET=hdrs ENVID=QQ+2B1");
        assert_eq!((dsn.ret, dsn.envid.as_deref()), (Some(Return::Headers), Some("QQ+2B1")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, reply) in [
            ("MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            ("MAIL TO:<a@b.test>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            ("MAIL FROM:", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            ("MAIL FROM:<a@b.test", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            ("MAIL FROM:<a@@b.test>", "501 5.1.7 Bad sender address syntax"),
            ("MAIL FROM:<\u{e9}@b.test>", "553 5.6.7 Must declare SMTPUTF8 to send unicode address"),
            ("MAIL FROM:<> SIZE=10240001", "552 5.3.4 Message size exceeds fixed limit"),
            ("MAIL FROM:<> SIZE=18446744073709551616", "552 5.3.4 Message size exceeds fixed limit"),
            ("MAIL FROM:<> SIZE=x", "501 5.5.4 Bad message size syntax"),
            ("MAIL FROM:<> SIZE=-1", "501 5.5.4 Bad message size syntax"),
            ("MAIL FROM:<> SIZE=000000000000000000001", "501 5.5.4 Bad message size syntax"),
            ("MAIL FROM:<> SIZE", "555 5.5.4 Unsupported option: SIZE"),
            ("MAIL FROM:<> BODY=BINARYMIME", "555 5.5.4 Unsupported option: BODY"),
            ("MAIL FROM:<> SMTPUTF8", "555 5.5.4 Unsupported option: SMTPUTF8"),
            ("MAIL FROM:<> RET=ALL", "501 5.5.4 Bad RET parameter syntax"),
            ("MAIL FROM:<> RET", "555 5.5.4 Unsupported option: RET"),
            ("MAIL FROM:<> ENVID=a+0Ab", "501 5.5.4 Bad ENVID parameter syntax"),
            ("MAIL FROM:<> AUTH=<>", "555 5.5.4 Unsupported option: AUTH"),
        ] {
            assert_eq!(refused(line), reply, "{line}");
        }
    }

    #[test]
    fn auth_is_read_where_auth_is_offered() {
        let settings = Settings { mechanisms: vec!["PLAIN".into()], ..Settings::new("mx.test") };
        assert!(parse(b"FROM:<> AUTH=<>", &settings).is_ok());
        assert!(parse(b"FROM:<> AUTH=e+3Dmc2@b.test", &settings).is_ok());
        assert_eq!(parse(b"FROM:<> AUTH=e+3dmc2", &settings).expect_err("lower case").code(), 501);
    }

    #[test]
    fn reports_may_be_switched_off() {
        let settings = Settings { dsn_disabled: true, ..Settings::new("mx.test") };
        assert_eq!(parse(b"FROM:<> RET=HDRS", &settings).expect_err("off"), Reply::NO_DSN);
    }

    #[test]
    fn without_a_limit_any_size_goes() {
        let mut settings = Settings::new("mx.test");
        settings.limits.message = None;
        assert!(parse(b"FROM:<> SIZE=18446744073709551615", &settings).is_ok());
    }
}
