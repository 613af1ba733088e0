//! CAPA — RFC 2449 §5.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    reading.alone(Command::Capa)
}

/// What differs from server to server and from moment to moment; the rest of the list is what this crate does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// STLS would be taken now.
    pub stls: bool,
    /// USER and PASS would be taken now.
    pub user: bool,
    /// The mechanisms AUTH would take now, or took (RFC 5034 §3: still told after the login); empty: no SASL line.
    pub mechanisms: Vec<&'static str>,
    /// Who we are; told only to those logged in, if at all.
    pub implementation: Option<&'static str>,
}

impl Capabilities {
    /// The lines of the list.
    pub(crate) fn lines(&self) -> Vec<String> {
        let always = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"];
        let mut lines: Vec<String> = always.map(String::from).into();
        if self.stls {
            lines.push("STLS".into());
        }
        if self.user {
            lines.push("USER".into());
        }
        if !self.mechanisms.is_empty() {
            lines.push(format!("SASL {}", self.mechanisms.join(" ")));
        }
        lines.extend(self.implementation.map(|name| format!("IMPLEMENTATION {name}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_be_had_is_not_announced() {
        let clear = Capabilities { stls: true, ..Capabilities::default() }.lines();
        assert!(clear.contains(&"STLS".into()) && !clear.iter().any(|line| line.starts_with("USER") || line.starts_with("SASL")));
        let secured = Capabilities { user: true, mechanisms: vec!["PLAIN", "LOGIN"], ..Capabilities::default() }.lines();
        assert!(secured.contains(&"USER".into()) && secured.contains(&"SASL PLAIN LOGIN".into()) && !secured.contains(&"STLS".into()));
    }
}
