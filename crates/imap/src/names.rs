//! How mailbox names stand on the wire: in modified UTF-7 (RFC 3501 §5.1.3), and in UTF-8 once IMAP4rev2 is on (RFC 9051 §5.1).

use crate::response::wire;
use bytes::BytesMut;
use mail::{BadName, MailboxName};
use std::borrow::Cow;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Names {
    #[default]
    Mutf7,
    Utf8,
}

impl Names {
    pub(crate) fn read(self, octets: &[u8]) -> Result<MailboxName, BadName> {
        match self {
            Names::Mutf7 => MailboxName::from_mutf7(octets),
            Names::Utf8 => MailboxName::new(std::str::from_utf8(octets).map_err(|_| BadName::Utf8)?),
        }
    }

    /// A name as it stands on the wire, without quotes: patterns are compared to this.
    pub(crate) fn text(self, name: &MailboxName) -> Cow<'_, str> {
        match self {
            Names::Mutf7 => Cow::Owned(name.to_mutf7()),
            Names::Utf8 => Cow::Borrowed(name.as_str()),
        }
    }

    pub(crate) fn write(self, name: &MailboxName, out: &mut BytesMut) {
        match self {
            Names::Mutf7 => wire::astring(out, name.to_mutf7().as_bytes()),
            Names::Utf8 => wire::astring_utf8(out, name.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_02_names_in_both_writings() {
        let table = [
            ("INBOX", "INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe", "\"Entwürfe\""),
            ("a&b", "a&-b", "a&b"),
            ("a b", "\"a b\"", "\"a b\""),
            ("日本/\"x\\", "\"&ZeVnLA-/\\\"x\\\\\"", "\"日本/\\\"x\\\\\""),
        ];
        for (name, mutf7, utf8) in table {
            let name = MailboxName::new(name).unwrap();
            for (names, expected) in [(Names::Mutf7, mutf7), (Names::Utf8, utf8)] {
                let mut out = BytesMut::new();
                names.write(&name, &mut out);
                assert_eq!(String::from_utf8_lossy(&out), expected);
                assert_eq!(names.read(names.text(&name).as_bytes()), Ok(name.clone()));
            }
        }
        assert_eq!(Names::Utf8.read(b"a\xff"), Err(BadName::Utf8));
        assert_eq!(Names::Utf8.read("Entw&APw-rfe".as_bytes()).map(|name| name.as_str().to_owned()), Ok("Entw&APw-rfe".into()), "a name like any other");
        assert!(Names::Mutf7.read("Entwürfe".as_bytes()).is_err());
    }
}
