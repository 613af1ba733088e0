//! Trace fields: who took the message in, and for whom (RFC 5321 §4.4, in Postfix's words, which tools read).
//!
//! What comes from a peer (its HELO) is printed as ASCII without controls or parentheses: nothing it says can end a line or
//! a comment.

use std::fmt;
use std::net::IpAddr;

use crate::{Address, Date, ReversePath, header};

/// A `Received:` field; `Display` prints it whole, with its last CRLF.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// How the message came; `None` hides the client (Postfix's `smtpd_hide_client_session`).
    pub from: Option<From<'a>>,
    /// `$myhostname`.
    pub by: &'a str,
    /// `$mail_name`.
    pub software: &'a str,
    /// The queue's name of the message.
    pub id: &'a str,
    /// The recipient, only if there is exactly one: others must not learn of each other.
    pub recipient: Option<&'a Address>,
    pub date: Date,
}

/// Where a message came from.
#[derive(Clone, Debug)]
pub enum From<'a> {
    Client {
        /// What it said in HELO, EHLO or LHLO.
        helo: &'a str,
        /// Its name in the DNS, if that leads back to it.
        name: Option<&'a str>,
        address: IpAddr,
        tls: Option<Tls<'a>>,
        /// The login, if `smtpd_sasl_authenticated_header`.
        login: Option<&'a str>,
        protocol: Protocol,
    },
    /// The `sendmail` command of a local user.
    User { uid: u32 },
}

/// For the comment on TLS, if `smtpd_tls_received_header`.
#[derive(Clone, Debug)]
pub struct Tls<'a> {
    /// `TLSv1.3`
    pub protocol: &'a str,
    /// `TLS_AES_256_GCM_SHA384`
    pub cipher: &'a str,
    /// Of the cipher's key.
    pub bits: u16,
}

/// The `with` of RFC 3848.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protocol {
    pub kind: ProtocolKind,
    pub tls: bool,
    pub authenticated: bool,
}

/// The greeting that opened the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProtocolKind {
    Smtp,
    Esmtp,
    Lmtp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ProtocolKind::Smtp => return f.write_str("SMTP"),
            ProtocolKind::Esmtp => "ESMTP",
            ProtocolKind::Lmtp => "LMTP",
        })?;
        f.write_str(if self.tls { "S" } else { "" })?;
        f.write_str(if self.authenticated { "A" } else { "" })
    }
}

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, software, id) = (Plain(self.by), Plain(self.software), Plain(self.id));
        match &self.from {
            Some(From::Client { helo, name, address, tls, login, protocol }) => {
                let literal = if address.is_ipv6() { "IPv6:" } else { "" };
                write!(f, "Received: from {} ({} [{literal}{address}])\r\n\t", Plain(helo), Plain(name.unwrap_or("unknown")))?;
                if let Some(tls) = tls {
                    let (version, cipher, bits) = (Plain(tls.protocol), Plain(tls.cipher), tls.bits);
                    write!(f, "(using {version} with cipher {cipher} ({bits}/{bits} bits))\r\n\t(No client certificate requested)\r\n\t")?;
                }
                if let Some(login) = login {
                    write!(f, "(Authenticated sender: {})\r\n\t", Plain(login))?;
                }
                write!(f, "by {by} ({software}) with {protocol} id {id}")?;
            }
            Some(From::User { uid }) => write!(f, "Received: by {by} ({software}, from userid {uid})\r\n\tid {id}")?,
            None => write!(f, "Received: by {by} ({software}) id {id}")?,
        }
        match (&self.from, self.recipient) {
            (Some(From::User { .. }), _) => write!(f, "; {}\r\n", self.date.trace()),
            (_, Some(recipient)) => write!(f, "\r\n\tfor <{recipient}>; {}\r\n", self.date.trace()),
            (_, None) => write!(f, ";\r\n\t{}\r\n", self.date.trace()),
        }
    }
}

/// `Return-Path: <…>`, the first line of a delivered message; only one may stand there.
pub fn return_path(path: &ReversePath) -> String {
    format!("Return-Path: <{path}>\r\n")
}

/// `Delivered-To: …`: the final recipient; finds loops.
pub fn delivered_to(address: &Address) -> String {
    format!("Delivered-To: {address}\r\n")
}

/// `X-Original-To: …`: the recipient as it came, before aliases.
pub fn original_to(address: &Address) -> String {
    format!("X-Original-To: {address}\r\n")
}

/// How often the message was already taken in: Postfix's `hopcount_limit` compares with it.
pub fn count_received(header: &[u8]) -> usize {
    header::find_all(header, "Received").count()
}

/// Whether the message was already delivered to this address: then it goes in a circle. The case does not count.
pub fn delivered_to_contains(header: &[u8], address: &Address) -> bool {
    header::find_all(header, "Delivered-To").any(|value| {
        let value = header::unfold(value);
        let value = String::from_utf8_lossy(&value);
        Address::parse(value.trim_matches(['<', '>'])).is_ok_and(|seen| seen.is_same(address))
    })
}

/// Prints a text that may come from a peer so that it cannot break out of its place.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            let safe = matches!(c, ' '..='~') && !matches!(c, '(' | ')' | '\\');
            fmt::Write::write_char(f, if safe { c } else { '?' })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received<'a>(from: Option<From<'a>>, recipient: Option<&'a Address>) -> String {
        Received { from, by: "mx.example.org", software: "Posthouse", id: "3C1A240B72", recipient, date: Date::utc(1_795_485_673) }.to_string()
    }

    #[test]
    fn as_postfix_writes_it() {
        let rcpt = Address::parse("rcpt@x").unwrap();
        let client = From::Client {
            helo: "HELO",
            name: Some("rev.example"),
            address: "192.0.2.1".parse().unwrap(),
            tls: Some(Tls { protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", bits: 256 }),
            login: Some("user"),
            protocol: Protocol { kind: ProtocolKind::Esmtp, tls: true, authenticated: true },
        };
        assert_eq!(
            received(Some(client), Some(&rcpt)),
            "Received: from HELO (rev.example [192.0.2.1])\r\n\
             \t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n\
             \t(No client certificate requested)\r\n\
             \t(Authenticated sender: user)\r\n\
             \tby mx.example.org (Posthouse) with ESMTPSA id 3C1A240B72\r\n\
             \tfor <rcpt@x>; Tue, 24 Nov 2026 02:01:13 +0000 (UTC)\r\n"
        );
        assert_eq!(
            received(Some(From::User { uid: 1000 }), Some(&rcpt)),
            "Received: by mx.example.org (Posthouse, from userid 1000)\r\n\tid 3C1A240B72; Tue, 24 Nov 2026 02:01:13 +0000 (UTC)\r\n"
        );
        assert_eq!(
            received(None, Some(&rcpt)),
            "Received: by mx.example.org (Posthouse) id 3C1A240B72\r\n\tfor <rcpt@x>; Tue, 24 Nov 2026 02:01:13 +0000 (UTC)\r\n"
        );
    }

    #[test]
    fn a_peer_cannot_write_fields_of_its_own() {
        let client = From::Client {
            helo: "x\r\nBcc: you (",
            name: None,
            address: "2001:db8::1".parse().unwrap(),
            tls: None,
            login: None,
            protocol: Protocol { kind: ProtocolKind::Smtp, tls: false, authenticated: false },
        };
        assert_eq!(
            received(Some(client), None),
            "Received: from x??Bcc: you ? (unknown [IPv6:2001:db8::1])\r\n\
             \tby mx.example.org (Posthouse) with SMTP id 3C1A240B72;\r\n\
             \tTue, 24 Nov 2026 02:01:13 +0000 (UTC)\r\n"
        );
    }

    #[test]
    fn loops() {
        let header = b"Received: a\r\nDelivered-To: User@X\r\nreceived: b\r\n c\r\n\r\nReceived: body\r\n";
        let address = |text| Address::parse(text).unwrap();
        assert_eq!(count_received(header), 2);
        assert!(delivered_to_contains(header, &address("user@x")));
        assert!(!delivered_to_contains(header, &address("ser@x")));
        assert_eq!(delivered_to(&address("a@b")), "Delivered-To: a@b\r\n");
        assert_eq!(return_path(&ReversePath::Null), "Return-Path: <>\r\n");
        assert_eq!(original_to(&address("\"a b\"@b")), "X-Original-To: \"a b\"@b\r\n");
    }
}
