//! Replies — RFC 5321 §4.2, with the enhanced codes of RFC 2034.
//!
//! ```text
//! Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//! ```
//!
//! Texts follow Postfix's where it has one, since tools and people grep them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, BytesMut};
use mail::Status;
use std::borrow::Cow;
use std::fmt;

/// Octets of a reply line without its CRLF (RFC 5321 §4.5.3.1.5: 512 with it). What is longer is cut,
/// except a challenge of AUTH, which RFC 4954 §4 lets be longer.
pub const LINE: usize = 510;

/// What the server says to one command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    code: u16,
    status: Option<Status>,
    /// One line, or several parted by `\n`.
    text: Cow<'static, str>,
}

impl Reply {
    pub const OK: Reply = Reply::fixed(250, Status(2, 0, 0), "Ok");
    pub const SENDER_OK: Reply = Reply::fixed(250, Status(2, 1, 0), "Ok");
    pub const RECIPIENT_OK: Reply = Reply::fixed(250, Status(2, 1, 5), "Ok");
    pub const GO_AHEAD: Reply = Reply::bare(354, "End data with <CR><LF>.<CR><LF>");
    pub const BYE: Reply = Reply::fixed(221, Status(2, 0, 0), "Bye");
    pub const READY_FOR_TLS: Reply = Reply::fixed(220, Status(2, 0, 0), "Ready to start TLS");
    pub const AUTHENTICATED: Reply = Reply::fixed(235, Status(2, 7, 0), "Authentication successful");

    pub(crate) const BAD_SYNTAX: Reply = Reply::fixed(500, Status(5, 5, 2), "Error: bad syntax");
    pub(crate) const UNKNOWN: Reply = Reply::fixed(500, Status(5, 5, 2), "Error: command not recognized");
    pub(crate) const NOT_IMPLEMENTED: Reply = Reply::fixed(502, Status(5, 5, 1), "Error: command not implemented");
    pub(crate) const BAD_SENDER: Reply = Reply::fixed(501, Status(5, 1, 7), "Bad sender address syntax");
    pub(crate) const BAD_RECIPIENT: Reply = Reply::fixed(501, Status(5, 1, 3), "Bad recipient address syntax");
    pub(crate) const NEEDS_UTF8: Reply =
        Reply::fixed(553, Status(5, 6, 7), "Must declare SMTPUTF8 to send unicode address");
    pub(crate) const NESTED_MAIL: Reply = Reply::fixed(503, Status(5, 5, 1), "Error: nested MAIL command");
    pub(crate) const NEED_HELLO: Reply = Reply::fixed(503, Status(5, 5, 1), "Error: send HELO/EHLO first");
    pub(crate) const NEED_MAIL: Reply = Reply::fixed(503, Status(5, 5, 1), "Error: need MAIL command");
    pub(crate) const NEED_RCPT: Reply = Reply::fixed(503, Status(5, 5, 1), "Error: need RCPT command");
    pub(crate) const IN_TRANSACTION: Reply = Reply::fixed(503, Status(5, 5, 1), "Error: MAIL transaction in progress");
    pub(crate) const NO_RECIPIENTS: Reply = Reply::fixed(554, Status(5, 5, 1), "Error: no valid recipients");
    pub(crate) const TOO_MANY_RECIPIENTS: Reply = Reply::fixed(452, Status(4, 5, 3), "Error: too many recipients");
    pub(crate) const OVER_FIXED_LIMIT: Reply =
        Reply::fixed(552, Status(5, 3, 4), "Message size exceeds fixed limit");
    pub(crate) const TOO_BIG: Reply = Reply::fixed(552, Status(5, 3, 4), "Error: message file too big");
    pub(crate) const NUL: Reply = Reply::fixed(554, Status(5, 6, 0), "Error: message contains a NUL octet");
    pub(crate) const NEED_TLS: Reply = Reply::fixed(530, Status(5, 7, 0), "Must issue a STARTTLS command first");
    pub(crate) const TLS_ACTIVE: Reply = Reply::fixed(554, Status(5, 5, 1), "Error: TLS already active");
    pub(crate) const AUTH_OFF: Reply = Reply::fixed(503, Status(5, 5, 1), "Error: authentication not enabled");
    pub(crate) const AUTH_TWICE: Reply = Reply::fixed(503, Status(5, 5, 1), "Error: already authenticated");
    pub(crate) const AUTH_NEEDS_TLS: Reply =
        Reply::fixed(538, Status(5, 7, 11), "Encryption required for requested authentication mechanism");
    pub const AUTH_UNKNOWN: Reply =
        Reply::fixed(504, Status(5, 5, 4), "Error: unrecognized authentication mechanism");
    pub const AUTH_ABORTED: Reply = Reply::fixed(501, Status(5, 7, 0), "Authentication aborted");
    pub const AUTH_NOT_BASE64: Reply = Reply::fixed(501, Status(5, 5, 2), "Error: cannot decode base64");
    pub(crate) const AUTH_TOO_LONG: Reply = Reply::fixed(500, Status(5, 5, 6), "Error: authentication exchange line too long");
    pub const OUT_OF_STEP: Reply = Reply::fixed(554, Status(5, 5, 0), "Error: SMTP protocol synchronization");
    pub(crate) const NOT_HTTP: Reply =
        Reply::fixed(221, Status(2, 7, 0), "Error: I can break rules, too. Goodbye.");
    pub(crate) const VRFY_OFF: Reply = Reply::fixed(502, Status(5, 5, 1), "VRFY command is disabled");

    /// A reply known when the program is written.
    pub const fn fixed(code: u16, status: Status, text: &'static str) -> Reply {
        Reply { code, status: Some(status), text: Cow::Borrowed(text) }
    }

    /// A reply without an enhanced code: 220, 354, 250 of EHLO (RFC 2034 §4).
    pub const fn bare(code: u16, text: &'static str) -> Reply {
        Reply { code, status: None, text: Cow::Borrowed(text) }
    }

    /// A reply with a text of the moment. Several lines are parted by `\n`.
    pub fn new(code: u16, status: Status, text: impl Into<String>) -> Reply {
        Reply { code, status: Some(status), text: Cow::Owned(text.into()) }
    }

    /// As [`Reply::new`] without an enhanced code.
    pub fn plain(code: u16, text: impl Into<String>) -> Reply {
        Reply { code, status: None, text: Cow::Owned(text.into()) }
    }

    /// 220: the greeting, `banner` beginning with the host's name (RFC 5321 §4.3.1).
    pub fn greeting(banner: &str) -> Reply {
        Reply::plain(220, banner)
    }

    /// 334: what a mechanism says to the client (RFC 4954 §4).
    pub fn challenge(words: &[u8]) -> Reply {
        Reply::plain(334, STANDARD.encode(words))
    }

    /// 421: the server closes; `why` as in "Error: timeout exceeded".
    pub fn closing(status: Status, host: &str, why: &str) -> Reply {
        Reply::new(421, status, format!("{host} {why}"))
    }

    /// The same refusal as a temporary one: 550 5.1.1 becomes 450 4.1.1 (Postfix's `soft_bounce`).
    #[must_use]
    pub fn softened(mut self) -> Reply {
        if (500..600).contains(&self.code) {
            self.code -= 100;
            self.status = self.status.map(|Status(class, subject, detail)| Status(if class == 5 { 4 } else { class }, subject, detail));
        }
        self
    }

    pub fn code(&self) -> u16 {
        self.code
    }

    pub fn status(&self) -> Option<Status> {
        self.status
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// 2yz: done, so the state moves.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 4yz or 5yz: counts against the peer.
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// Appends the reply as it goes over the wire. Whatever its text holds, this is one reply:
    /// control characters and what is not ASCII go out as `?`.
    pub fn put(&self, out: &mut BytesMut) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let start = out.len();
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            out.put_slice(format!("{:03}{separator}", self.code.min(999)).as_bytes());
            if let Some(status) = &self.status {
                out.put_slice(format!("{status} ").as_bytes());
            }
            let room = if self.code == 334 { usize::MAX } else { LINE.saturating_sub(out.len() - start) };
            out.extend(line.chars().take(room).map(printable));
            out.put_slice(b"\r\n");
        }
    }
}

/// For the log: as on the wire, lines joined by a blank.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} ", self.code)?;
        if let Some(status) = &self.status {
            write!(f, "{status} ")?;
        }
        self.text.chars().try_for_each(|c| fmt::Write::write_char(f, if c == '\n' { ' ' } else { char::from(printable(c)) }))
    }
}

/// The character if it may stand in a reply or a log line, else `?`.
pub(crate) fn printable(c: char) -> u8 {
    match c {
        ' '..='~' => c as u8,
        _ => b'?',
    }
}

/// Bytes of the peer as text that is safe in a reply, a header or a log line, at most `most` octets.
pub(crate) fn shown(bytes: &[u8], most: usize) -> String {
    bytes.iter().take(most).map(|&b| if matches!(b, b' '..=b'~') { char::from(b) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: Reply) -> String {
        let mut out = BytesMut::new();
        reply.put(&mut out);
        String::from_utf8(out.to_vec()).expect("replies are ASCII")
    }

    #[test]
    fn one_line_and_several() {
        assert_eq!(wire(Reply::OK), "250 2.0.0 Ok\r\n");
        assert_eq!(wire(Reply::GO_AHEAD), "354 End data with <CR><LF>.<CR><LF>\r\n");
        assert_eq!(wire(Reply::plain(250, "a\nb\nc")), "250-a\r\n250-b\r\n250 c\r\n");
        assert_eq!(wire(Reply::new(550, Status(5, 7, 1), "no\nnever")), "550-5.7.1 no\r\n550 5.7.1 never\r\n");
        assert_eq!(wire(Reply::challenge(b"Username:")), "334 VXNlcm5hbWU6\r\n");
        assert_eq!(wire(Reply::challenge(b"")), "334 \r\n");
    }

    #[test]
    fn a_refusal_can_be_made_a_temporary_one() {
        assert_eq!(Reply::NESTED_MAIL.softened().to_string(), "403 4.5.1 Error: nested MAIL command");
        assert_eq!(Reply::OK.softened(), Reply::OK);
        assert_eq!(Reply::TOO_MANY_RECIPIENTS.softened(), Reply::TOO_MANY_RECIPIENTS);
    }

    #[test]
    fn no_text_makes_a_second_reply_or_an_endless_one() {
        assert_eq!(wire(Reply::new(550, Status(5, 1, 1), "a\r250 b\0\u{7f}\u{e9}")), "550 5.1.1 a?250 b???\r\n");
        assert_eq!(wire(Reply::new(550, Status(5, 1, 1), "x".repeat(9_000))).len(), LINE + 2);
        assert_eq!(format!("{}", Reply::plain(250, "a\nb\u{1b}c")), "250 a b?c");
    }
}
