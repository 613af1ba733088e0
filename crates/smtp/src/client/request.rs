//! Commands as we send them — RFC 5321 §4.1.1. What can be said here is well formed: no octet of a message or a peer becomes a command.

use crate::dsn::{Notify, Return};
use crate::reply::shown;
use bytes::{BufMut, BytesMut};
use mail::{Address, ReversePath};
use std::fmt::Write as _;

/// One command of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// EHLO with our name.
    Ehlo(String),
    /// HELO, where EHLO is refused (RFC 5321 §3.2).
    Helo(String),
    /// As `Done` it asks; as `Upgrade` it sends nothing and begins the handshake.
    StartTls,
    /// AUTH with an initial response, not yet base64.
    Auth { mechanism: &'static str, initial: Option<Vec<u8>> },
    /// What AUTH's mechanism says to a challenge, not yet base64.
    Respond(Vec<u8>),
    /// `*`: AUTH is given up (RFC 4954 §4).
    GiveUp,
    Mail(MailRequest),
    Rcpt(RcptRequest),
    Data,
    /// The end of the message.
    End,
    Rset,
    Quit,
}

/// MAIL. A parameter may be set only where the server offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRequest {
    pub from: ReversePath,
    /// Octets of the message (RFC 1870).
    pub size: Option<u64>,
    /// Octets above 127 may come (RFC 6152).
    pub eight_bit: bool,
    /// RET and ENVID (RFC 3461), the latter as xtext.
    pub ret: Option<Return>,
    pub envid: Option<String>,
}

impl MailRequest {
    /// Without parameters.
    pub fn new(from: ReversePath) -> MailRequest {
        MailRequest { from, size: None, eight_bit: false, ret: None, envid: None }
    }
}

/// RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RcptRequest {
    pub to: Address,
    /// NOTIFY (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// ORCPT as it stands there: `rfc822;xtext`.
    pub orcpt: Option<String>,
}

impl RcptRequest {
    /// Without parameters.
    pub fn new(to: Address) -> RcptRequest {
        RcptRequest { to, notify: None, orcpt: None }
    }
}

impl Request {
    /// Its verb, as in the log.
    pub fn verb(&self) -> &'static str {
        match self {
            Request::Ehlo(_) => "EHLO",
            Request::Helo(_) => "HELO",
            Request::StartTls => "STARTTLS",
            Request::Auth { .. } | Request::Respond(_) | Request::GiveUp => "AUTH",
            Request::Mail(_) => "MAIL FROM",
            Request::Rcpt(_) => "RCPT TO",
            Request::Data => "DATA",
            Request::End => "end of DATA",
            Request::Rset => "RSET",
            Request::Quit => "QUIT",
        }
    }

    /// Appends it as it goes over the wire. [`Request::End`] is the encoder's.
    pub(super) fn put(&self, out: &mut BytesMut) {
        let line = match self {
            Request::Ehlo(name) => format!("EHLO {}", word(name)),
            Request::Helo(name) => format!("HELO {}", word(name)),
            Request::StartTls => "STARTTLS".into(),
            Request::Auth { mechanism, initial: None } => format!("AUTH {mechanism}"),
            // RFC 4954 §4: an empty initial response is `=`
            Request::Auth { mechanism, initial: Some(initial) } if initial.is_empty() => format!("AUTH {mechanism} ="),
            Request::Auth { mechanism, initial: Some(initial) } => format!("AUTH {mechanism} {}", base64(initial)),
            Request::Respond(response) => base64(response),
            Request::GiveUp => "*".into(),
            Request::Mail(mail) => mail.line(),
            Request::Rcpt(rcpt) => rcpt.line(),
            Request::Data => "DATA".into(),
            Request::Rset => "RSET".into(),
            Request::Quit => "QUIT".into(),
            Request::End => return,
        };
        out.put_slice(line.as_bytes());
        out.put_slice(b"\r\n");
    }
}

impl MailRequest {
    fn line(&self) -> String {
        let mut line = format!("MAIL FROM:<{}>", self.from);
        if let Some(size) = self.size {
            let _ = write!(line, " SIZE={size}"); // writing to a String does not fail
        }
        if self.eight_bit {
            line.push_str(" BODY=8BITMIME");
        }
        match self.ret {
            Some(Return::Full) => line.push_str(" RET=FULL"),
            Some(Return::Headers) => line.push_str(" RET=HDRS"),
            None => {}
        }
        parameter(&mut line, "ENVID", self.envid.as_deref());
        line
    }
}

impl RcptRequest {
    fn line(&self) -> String {
        let mut line = format!("RCPT TO:<{}>", self.to);
        if let Some(notify) = self.notify {
            let _ = write!(line, " NOTIFY={notify}"); // writing to a String does not fail
        }
        parameter(&mut line, "ORCPT", self.orcpt.as_deref());
        line
    }
}

/// A value that is no esmtp-value (RFC 5321 §4.1.2) is left out: it came from elsewhere, and asks for a report only.
fn parameter(line: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty() && value.bytes().all(|byte| matches!(byte, 33..=60 | 62..=126))) {
        let _ = write!(line, " {name}={value}"); // writing to a String does not fail
    }
}

/// Our name, whatever somebody configured.
fn word(name: &str) -> String {
    shown(name.as_bytes(), 255).replace(' ', "?")
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
