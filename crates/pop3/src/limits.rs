//! What a session may cost.

use std::time::Duration;

/// The limits of a session; the defaults are what a server on the open net should have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest command line in bytes, with its end: 255 by RFC 2449 §4.
    pub command: usize,
    /// Longest AUTH line, or line within AUTH, with its end. RFC 5034 §4 sets no limit to responses but that of the
    /// mechanism; 12,288 is what RFC 4954 §4 found enough for SMTP. Beyond 255 even an initial response is taken:
    /// clients send one though they must not.
    pub auth_line: usize,
    /// How long a client may take for one command, counted from our last answer: RFC 1939 §3 demands at least ten
    /// minutes, and more would only hold a descriptor.
    pub idle: Duration,
    /// Malformed or misplaced commands after which the session ends: no client needs this many, and a browser or an
    /// SMTP client on the wrong port does not notice otherwise.
    pub bad_commands: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { command: 255, auth_line: 12_288, idle: Duration::from_secs(600), bad_commands: 20 }
    }
}
