//! HELP — RFC 5321 §4.1.1.8: names the commands, whatever the topic.

use super::{VERBS, Verb};
use crate::{Language, Reply, Settings};
use mail::Status;

pub(super) fn parse(_: &[u8], _: &Settings) -> Result<Verb, Reply> {
    Ok(Verb::Help)
}

/// Verbs that one of the two protocols has not, and one that is only refused.
const NOT_SMTP: [&str; 2] = ["EXPN", "LHLO"];
const NOT_LMTP: [&str; 3] = ["EXPN", "EHLO", "HELO"];

impl Verb {
    pub(crate) fn help(language: Language) -> Reply {
        let absent: &[&str] = if language == Language::Lmtp { &NOT_LMTP } else { &NOT_SMTP };
        let names: Vec<&str> = VERBS.iter().map(|(name, _)| *name).filter(|name| !absent.contains(name)).collect();
        Reply::new(214, Status(2, 0, 0), format!("Commands: {}", names.join(" ")))
    }
}
