//! What the server says, and how it looks on the wire.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::BytesMut;

use crate::Number;
use crate::command::capa::Capabilities;

/// Longest first line of an answer in bytes, with its end: RFC 2449 §4. What is longer is cut.
const MAX_LINE: usize = 512;

/// Response codes (RFC 2449 §8, RFC 3206): what a client should do about an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// The maildrop is locked by another session: try again later.
    InUse,
    /// The credentials are at fault: ask the user again.
    Auth,
    /// The server is at fault and it will pass: do not ask for a password.
    SysTemp,
    /// The server is at fault and somebody must mend it.
    SysPerm,
}

impl Code {
    /// The code as it stands in the answer.
    pub fn text(self) -> &'static str {
        match self {
            Code::InUse => "[IN-USE]",
            Code::Auth => "[AUTH]",
            Code::SysTemp => "[SYS/TEMP]",
            Code::SysPerm => "[SYS/PERM]",
        }
    }
}

/// One step of an answer. Texts are for people; controls in them are replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// `+OK text`.
    Ok(Cow<'static, str>),
    /// `-ERR [CODE] text`.
    Err(Option<Code>, Cow<'static, str>),
    /// `+OK` to PASS or AUTH: the maildrop is open, and TRANSACTION begins.
    LoggedIn { messages: u64, octets: u64 },
    /// `+ base64`: a challenge within AUTH, given as bytes.
    Challenge(Vec<u8>),
    /// The answer to STAT.
    Stat { messages: u64, octets: u64 },
    /// The answer to LIST of one message.
    Scan(Number, u64),
    /// The answer to UIDL of one message.
    UniqueId(Number, String),
    /// The whole answer to CAPA.
    Capabilities(Capabilities),
    /// `+OK text`, and chunks follow.
    Follows(Cow<'static, str>),
    /// The end of chunks: `.`.
    End,
    /// Not a word; for the end of a session whose peer is gone or came too late (RFC 1939 §3: "without sending any response").
    Nothing,
}

impl Reply {
    /// `+OK text`.
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Reply {
        Reply::Ok(text.into())
    }

    /// `-ERR text`.
    pub fn err(text: impl Into<Cow<'static, str>>) -> Reply {
        Reply::Err(None, text.into())
    }

    /// `-ERR [CODE] text`.
    pub fn coded(code: Code, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply::Err(Some(code), text.into())
    }

    /// Writes the reply; [`Reply::End`] is the session's, which knows where the last line stands.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        match self {
            Reply::Ok(text) | Reply::Follows(text) => line(out, format_args!("+OK {text}")),
            Reply::Err(None, text) => line(out, format_args!("-ERR {text}")),
            Reply::Err(Some(code), text) => line(out, format_args!("-ERR {} {text}", code.text())),
            Reply::LoggedIn { messages, octets } => {
                line(out, format_args!("+OK Maildrop has {messages} messages ({octets} octets)"));
            }
            Reply::Challenge(bytes) => {
                out.extend_from_slice(b"+ "); // with its space even when empty (RFC 5034 §4)
                out.extend_from_slice(encode(bytes).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Reply::Stat { messages, octets } => line(out, format_args!("+OK {messages} {octets}")),
            Reply::Scan(number, octets) => line(out, format_args!("+OK {number} {octets}")),
            Reply::UniqueId(number, id) => line(out, format_args!("+OK {number} {id}")),
            Reply::Capabilities(capabilities) => {
                line(out, format_args!("+OK Capability list follows"));
                for capability in capabilities.lines() {
                    line(out, format_args!("{capability}"));
                }
                line(out, format_args!("."));
            }
            Reply::End | Reply::Nothing => {}
        }
    }
}

/// A line of LIST's long answer, for a chunk (RFC 1939 §5, "scan listing").
pub fn scan_line(out: &mut BytesMut, number: Number, octets: u64) {
    line(out, format_args!("{number} {octets}"));
}

/// A line of UIDL's long answer, for a chunk (RFC 1939 §7, "unique-id listing").
pub fn unique_id_line(out: &mut BytesMut, number: Number, id: &str) {
    line(out, format_args!("{number} {id}"));
}

/// One line: cut at the limit between characters, without anything that could end it early.
fn line(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    let mut sink = Line { out, room: MAX_LINE - 2 };
    let _ = sink.write_fmt(text); // an error says the line was full, and it was cut there
    out.extend_from_slice(b"\r\n");
}

struct Line<'o> {
    out: &'o mut BytesMut,
    room: usize,
}

impl std::fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for char in text.chars() {
            let char = if char.is_control() { ' ' } else { char };
            self.room = self.room.checked_sub(char.len_utf8()).ok_or(std::fmt::Error)?;
            self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: Reply) -> String {
        let mut out = BytesMut::new();
        reply.write(&mut out);
        String::from_utf8(out.to_vec()).expect("UTF-8")
    }

    #[test]
    fn each_reply_has_its_line() {
        let two = Number::new(2).expect("from 1");
        let table = [
            (Reply::ok("ready"), "+OK ready\r\n"),
            (Reply::err("no"), "-ERR no\r\n"),
            (Reply::coded(Code::Auth, "wrong"), "-ERR [AUTH] wrong\r\n"),
            (Reply::coded(Code::InUse, "busy"), "-ERR [IN-USE] busy\r\n"),
            (Reply::coded(Code::SysTemp, "later"), "-ERR [SYS/TEMP] later\r\n"),
            (Reply::coded(Code::SysPerm, "broken"), "-ERR [SYS/PERM] broken\r\n"),
            (Reply::Stat { messages: 2, octets: 320 }, "+OK 2 320\r\n"),
            (Reply::Scan(two, 200), "+OK 2 200\r\n"),
            (Reply::UniqueId(two, "QhdPYR:00WBw1Ph7x7".into()), "+OK 2 QhdPYR:00WBw1Ph7x7\r\n"),
            (Reply::Challenge(Vec::new()), "+ \r\n"),
            (Reply::Challenge(b"Username:".to_vec()), "+ VXNlcm5hbWU6\r\n"),
            (Reply::Nothing, ""),
        ];
        for (reply, wire) in table {
            assert_eq!(written(reply.clone()), wire, "{reply:?}");
        }
    }

    #[test]
    fn a_text_cannot_end_its_line_early_nor_outgrow_it() {
        assert_eq!(written(Reply::err("a\r\n+OK b\0")), "-ERR a  +OK b \r\n");
        let long = written(Reply::err("ü".repeat(400)));
        assert!(long.len() <= MAX_LINE && long.len() >= MAX_LINE - 1 && long.ends_with("ü\r\n"), "{}", long.len());
    }
}
