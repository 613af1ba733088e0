//! What SORT and THREAD look at of a header — RFC 5256 §2 and §3, and 5957 §3. Texts are keys of [`crate::casemap`].

use crate::subject::BaseSubject;
use crate::thread::{first_id, ids};
use crate::{Date, Envelope, EnvelopeAddress, casemap, encoded_word, header};

/// An absent field is an empty text, which stands before all others.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SortKeys {
    /// The Date field, if it can be read.
    pub sent: Option<Date>,
    /// The base subject.
    pub subject: String,
    /// The subject is that of a reply or a forward.
    pub is_reply: bool,
    /// The `addr-mailbox` of the first address of From.
    pub from: String,
    pub to: String,
    pub cc: String,
    /// The name that is shown for the first address of From, or else the address.
    pub display_from: String,
    pub display_to: String,
    /// The Message-ID, as [`crate::thread::ids`] gives it.
    pub id: Option<Vec<u8>>,
    /// The Message-IDs of References; if it has none, the first of In-Reply-To.
    pub references: Vec<Vec<u8>>,
}

impl SortKeys {
    pub fn of_header(octets: &[u8]) -> SortKeys {
        let envelope = Envelope::of_header(octets);
        let base = envelope.subject.as_deref().map(BaseSubject::of_field).unwrap_or_default();
        let mut references: Vec<_> = header::find(octets, "References").map(ids).unwrap_or_default();
        if references.is_empty() {
            references.extend(envelope.in_reply_to.as_deref().and_then(first_id));
        }
        SortKeys {
            sent: envelope.date.as_deref().and_then(Date::parse_rfc5322),
            subject: casemap::key(&base.text),
            is_reply: base.is_reply,
            from: mailbox(&envelope.from),
            to: mailbox(&envelope.to),
            cc: mailbox(&envelope.cc),
            display_from: display(&envelope.from),
            display_to: display(&envelope.to),
            id: envelope.message_id.as_deref().and_then(first_id),
            references,
        }
    }
}

fn mailbox(list: &[EnvelopeAddress]) -> String {
    let mailbox = list.first().and_then(|address| address.mailbox.as_deref()).unwrap_or_default();
    casemap::key(&encoded_word::guess(mailbox))
}

/// The name, or else the whole address; of a group its name, which stands where a mailbox would.
fn display(list: &[EnvelopeAddress]) -> String {
    let Some(address) = list.first() else { return String::new() };
    let name = address.name.as_deref().map(header::decode_text).filter(|name| !name.is_empty());
    let shown = name.or_else(|| {
        let mailbox = encoded_word::guess(address.mailbox.as_deref()?);
        Some(match &address.host {
            Some(host) => format!("{mailbox}@{}", encoded_word::guess(host)),
            None => mailbox,
        })
    });
    casemap::key(&shown.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_header_is_sorted_by() {
        let keys = SortKeys::of_header(
            b"Subject: [list] Re: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nFrom: =?utf-8?q?J=C3=B6rg?= <joerg@example.test>, b@c\r\nTo: friends: a@b;\r\n\
              Cc: cee@example.test\r\nDate: 31 Dec 2000 16:01:33 -0800\r\nMessage-ID: <\"m\"@x>\r\nIn-Reply-To: <p@x> <q@x>\r\nReferences: none\r\n\r\n",
        );
        let expected = SortKeys {
            sent: Some(Date { unix: 978_307_293, offset_minutes: -480 }),
            subject: casemap::key("grüße"),
            is_reply: true,
            from: "JOERG".into(),
            to: "FRIENDS".into(),
            cc: "CEE".into(),
            display_from: casemap::key("Jörg"),
            display_to: "FRIENDS".into(),
            id: Some(b"m@x".to_vec()),
            references: vec![b"p@x".to_vec()],
        };
        assert_eq!(keys, expected);
        assert_eq!(SortKeys::of_header(b""), SortKeys::default());
        let keys = SortKeys::of_header(b"From: a@b\r\nTo: \"\" <c@d>\r\nReferences: <r@x>\r\n <s@x>\r\nIn-Reply-To: <p@x>\r\n");
        assert_eq!((keys.display_from.as_str(), keys.display_to.as_str()), ("A@B", "C@D"));
        assert_eq!(keys.references, [b"r@x".to_vec(), b"s@x".to_vec()]);
    }

    proptest! {
        #[test]
        fn any_header_has_keys(octets in proptest::collection::vec(any::<u8>(), 0..200), field in proptest::sample::select(vec!["Subject", "From", "Date", "References", "Message-ID"])) {
            let _ = SortKeys::of_header(&[field.as_bytes(), b": ", &octets].concat());
        }
    }
}
