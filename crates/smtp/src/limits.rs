//! What bounds a session, and why. Defaults are Postfix's.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of a command without CRLF (`line_length_limit`); RFC 5321 §4.5.3.1.4 asks for 512 at least.
    pub command: usize,
    /// Octets of an AUTH command or a line of its exchange (RFC 4954 §4: tokens are long).
    pub auth_line: usize,
    /// Octets of a message as received, dots removed (`message_size_limit`); `None`: no limit.
    pub message: Option<u64>,
    /// Recipients of one message (`smtpd_recipient_limit`): the envelope is kept in memory.
    pub recipients: usize,
    /// Recipients beyond the limit before each counts as an error (`smtpd_recipient_overshoot_limit`):
    /// a list server that sends too many is told 452 and tries again, it is not an attacker.
    pub overshoot: usize,
    /// Refusals before the session ends (`smtpd_hard_error_limit`): a guesser must at least connect again.
    pub errors: u32,
    /// Commands that do nothing (NOOP RSET VRFY HELP) since the last message before each counts as an error
    /// (`smtpd_junk_command_limit`).
    pub junk: u32,
    /// From the start of waiting for a command to its end (`smtpd_timeout`; RFC 5321 §4.5.3.2.7 asks for 5 minutes).
    pub command_time: Duration,
    /// Octets a second a body must arrive at on the whole, beyond `command_time` (`smtpd_min_data_rate`).
    pub body_rate: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            command: 2_048,
            auth_line: 12_288,
            message: Some(10_240_000),
            recipients: 1_000,
            overshoot: 1_000,
            errors: 20,
            junk: 100,
            command_time: Duration::from_secs(300),
            body_rate: 500,
        }
    }
}
