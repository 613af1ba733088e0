//! EHLO and HELO — RFC 5321 §4.1.1.1; LHLO — RFC 2033 §4.1. Each is known only in its own protocol.
//!
//! ```text
//! ehlo = "EHLO" SP ( Domain / address-literal )
//! ```
//!
//! The name is only a claim: anything printable is taken, and whoever writes it down must not trust it.

use super::Verb;
use crate::reply::shown;
use crate::{Language, Reply, Settings};

/// Octets kept of a name; a domain has 255 at most.
const NAME: usize = 255;

/// How the client introduced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    Helo,
    Ehlo,
    Lhlo,
    /// Not at all, where that is allowed (`smtpd_helo_required = no`).
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub greeting: Greeting,
    /// As claimed, printable ASCII; empty when it said nothing.
    pub name: String,
}

impl Client {
    /// One that began without HELO.
    pub(crate) const SILENT: Client = Client { greeting: Greeting::None, name: String::new() };

    /// "EHLO", "HELO" or "LHLO".
    pub fn verb(&self) -> &'static str {
        match self.greeting {
            Greeting::Ehlo => "EHLO",
            Greeting::Lhlo => "LHLO",
            Greeting::Helo | Greeting::None => "HELO",
        }
    }

    /// "ESMTP", "SMTP" or "LMTP", as in the log and, with S and A appended, in Received (RFC 3848).
    pub fn protocol(&self) -> &'static str {
        match self.greeting {
            Greeting::Ehlo => "ESMTP",
            Greeting::Lhlo => "LMTP",
            Greeting::Helo | Greeting::None => "SMTP",
        }
    }
}

pub(super) fn helo(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    hello(argument, settings, Greeting::Helo, Reply::bare(501, "Syntax: HELO hostname"))
}

pub(super) fn ehlo(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    hello(argument, settings, Greeting::Ehlo, Reply::bare(501, "Syntax: EHLO hostname"))
}

pub(super) fn lhlo(argument: &[u8], settings: &Settings) -> Result<Verb, Reply> {
    hello(argument, settings, Greeting::Lhlo, Reply::bare(501, "Syntax: LHLO hostname"))
}

fn hello(argument: &[u8], settings: &Settings, greeting: Greeting, syntax: Reply) -> Result<Verb, Reply> {
    if (greeting == Greeting::Lhlo) != (settings.language == Language::Lmtp) {
        return Err(Reply::UNKNOWN); // RFC 2033 §4.1: LMTP has no HELO, so that neither is taken for the other
    }
    if argument.is_empty() {
        return Err(syntax);
    }
    Ok(Verb::Hello(Client { greeting, name: shown(argument, NAME) }))
}

/// The answer to a welcome client: with EHLO what we can do, in Postfix's order (some clients read by position).
pub(crate) fn welcome(client: &Client, settings: &Settings, secured: bool) -> Reply {
    let mut text = settings.host.clone();
    if client.greeting == Greeting::Helo {
        return Reply::plain(250, text);
    }
    let mut tell = |line: &str| {
        let keyword = line.split(' ').next().unwrap_or(line);
        if !settings.discarded.iter().any(|discarded| discarded == keyword) {
            text.push('\n');
            text.push_str(line);
        }
    };
    tell("PIPELINING");
    match settings.limits.message {
        Some(most) => tell(&format!("SIZE {most}")),
        None => tell("SIZE"),
    }
    if !settings.vrfy_disabled {
        tell("VRFY");
    }
    if settings.starttls && !secured {
        tell("STARTTLS");
    }
    if !settings.mechanisms.is_empty() && (secured || settings.auth_in_clear) {
        tell(&format!("AUTH {}", settings.mechanisms.join(" ")));
    }
    tell("ENHANCEDSTATUSCODES");
    tell("8BITMIME");
    tell("DSN");
    Reply::plain(250, text)
}

impl Reply {
    /// A welcome with the mechanisms that this very connection can do, which may be fewer than the service's.
    #[must_use]
    pub fn offering(&self, mechanisms: &[&str]) -> Reply {
        let narrowed = |line: &str| match line.starts_with("AUTH ") {
            false => Some(line.to_owned()),
            true if mechanisms.is_empty() => None,
            true => Some(format!("AUTH {}", mechanisms.join(" "))),
        };
        Reply::plain(self.code(), self.text().split('\n').filter_map(narrowed).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused};
    use super::*;

    #[test]
    fn names_are_claims() {
        assert_eq!(refused("HELO"), "501 Syntax: HELO hostname");
        assert_eq!(refused("EHLO  "), "501 Syntax: EHLO hostname");
        let named = |line| match read(line) {
            Verb::Hello(client) => client.name,
            other => panic!("{other:?}"),
        };
        assert_eq!(named("EHLO [127.0.0.1]"), "[127.0.0.1]");
        assert_eq!(named("HELO a b"), "a b");
        assert_eq!(named("EHLO \u{e9}\u{1b}[2J"), "???[2J");
        assert_eq!(named(&format!("EHLO {}", "x".repeat(900))).len(), NAME);
    }

    #[test]
    fn ehlo_tells_only_what_can_be_used_now() {
        let mut settings = Settings::new("mx.test");
        settings.starttls = true;
        settings.mechanisms = vec!["PLAIN".into(), "LOGIN".into()];
        let client = Client { greeting: Greeting::Ehlo, name: "c".into() };
        let clear = "mx.test\nPIPELINING\nSIZE 10240000\nVRFY\nSTARTTLS\nENHANCEDSTATUSCODES\n8BITMIME\nDSN";
        assert_eq!(welcome(&client, &settings, false).text(), clear);
        let secured = "mx.test\nPIPELINING\nSIZE 10240000\nVRFY\nAUTH PLAIN LOGIN\nENHANCEDSTATUSCODES\n8BITMIME\nDSN";
        assert_eq!(welcome(&client, &settings, true).text(), secured);
        assert_eq!(welcome(&client, &settings, true).offering(&["PLAIN"]).text(), secured.replace("PLAIN LOGIN", "PLAIN"));
        assert_eq!(welcome(&client, &settings, true).offering(&[]).text(), secured.replace("AUTH PLAIN LOGIN\n", ""));
        assert_eq!(welcome(&client, &settings, false).offering(&["PLAIN"]).text(), clear, "what is not offered at all");
        settings.auth_in_clear = true;
        assert!(welcome(&client, &settings, false).text().contains("\nAUTH PLAIN LOGIN\n"));
        settings.discarded = vec!["DSN".into(), "SIZE".into()];
        assert_eq!(welcome(&client, &settings, false).text(), "mx.test\nPIPELINING\nVRFY\nSTARTTLS\nAUTH PLAIN LOGIN\nENHANCEDSTATUSCODES\n8BITMIME");
        assert_eq!(welcome(&Client { greeting: Greeting::Helo, ..client }, &settings, true).text(), "mx.test");
    }
}
