//! HELP — RFC 5321 §4.1.1.8: names the commands, whatever the topic.

use super::{VERBS, Verb};
use crate::{Reply, Settings};
use mail::Status;

pub(super) fn parse(_: &[u8], _: &Settings) -> Result<Verb, Reply> {
    Ok(Verb::Help)
}

impl Verb {
    pub(crate) fn help() -> Reply {
        let names: Vec<&str> = VERBS.iter().map(|(name, _)| *name).filter(|name| *name != "EXPN").collect();
        Reply::new(214, Status(2, 0, 0), format!("Commands: {}", names.join(" ")))
    }
}
