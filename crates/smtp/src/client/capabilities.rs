//! What a server offers — the lines of its EHLO, RFC 5321 §4.1.1.1.
//!
//! ```text
//! ehlo-line    = ehlo-keyword *( SP ehlo-param )
//! ```
//!
//! Total: a line that is no keyword we know is passed over.

use super::Reply;

/// Mechanisms of AUTH that are looked at.
const MECHANISMS: usize = 32;

/// What the server said it can do. Of a server that knows only HELO: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The name it gave itself.
    pub host: String,
    pub pipelining: bool,
    pub eight_bit: bool,
    pub starttls: bool,
    pub dsn: bool,
    pub utf8: bool,
    /// SIZE was offered.
    pub size: bool,
    /// Octets of a message it takes at most, if it told.
    pub size_limit: Option<u64>,
    /// Mechanisms of AUTH, upper case.
    pub mechanisms: Vec<String>,
}

impl Capabilities {
    /// Of the reply to EHLO.
    pub fn of_ehlo(reply: &Reply) -> Capabilities {
        let mut lines = reply.lines();
        let mut told = Capabilities::of_helo_line(lines.next());
        for line in lines {
            told.take(line);
        }
        told
    }

    /// Of the reply to HELO: its name.
    pub fn of_helo(reply: &Reply) -> Capabilities {
        Capabilities::of_helo_line(reply.lines().next())
    }

    fn of_helo_line(line: Option<&str>) -> Capabilities {
        let host = line.and_then(|line| line.split(' ').next()).unwrap_or_default();
        Capabilities { host: host.to_ascii_lowercase(), ..Capabilities::default() }
    }

    fn take(&mut self, line: &str) {
        // `AUTH=PLAIN` is how servers from before RFC 2554 wrote it
        let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit = true,
            "STARTTLS" => self.starttls = true,
            "DSN" => self.dsn = true,
            "SMTPUTF8" => self.utf8 = true,
            "SIZE" => {
                self.size = true;
                // RFC 1870 §4: 0 means that there is no fixed limit
                self.size_limit = words.next().and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
            }
            "AUTH" => {
                let known = words.map(str::to_ascii_uppercase).filter(|word| !self.mechanisms.contains(word)).take(MECHANISMS).collect::<Vec<_>>();
                self.mechanisms.extend(known);
                self.mechanisms.truncate(MECHANISMS);
            }
            _ => {}
        }
    }
}
