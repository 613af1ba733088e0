//! ENVELOPE, BODY and BODYSTRUCTURE — RFC 3501 §7.4.2.
//!
//! Whatever the message was, what comes out is grammatical: missing values are NIL, an empty list is NIL and never `()`, a
//! multipart has a part (B-04, B-06).

use super::wire::{nstring, push, string};
use bytes::BytesMut;
use mail::Envelope;
use mail::envelope::EnvelopeAddress;

/// ```text
/// envelope = "(" date SP subject SP from SP sender SP reply-to SP to SP cc SP bcc SP in-reply-to SP message-id ")"
/// ```
pub fn envelope(out: &mut BytesMut, envelope: &Envelope) {
    out.extend_from_slice(b"(");
    nstring(out, envelope.date.as_deref());
    out.extend_from_slice(b" ");
    nstring(out, envelope.subject.as_deref());
    let lists =
        [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc];
    for list in lists {
        out.extend_from_slice(b" ");
        addresses(out, list);
    }
    out.extend_from_slice(b" ");
    nstring(out, envelope.in_reply_to.as_deref());
    out.extend_from_slice(b" ");
    nstring(out, envelope.message_id.as_deref());
    out.extend_from_slice(b")");
}

fn addresses(out: &mut BytesMut, list: &[EnvelopeAddress]) {
    if list.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.extend_from_slice(b"(");
    for address in list {
        let fields = [&address.name, &address.adl, &address.mailbox, &address.host];
        for (index, field) in fields.into_iter().enumerate() {
            out.extend_from_slice(if index > 0 { b" " } else { b"(" });
            nstring(out, field.as_deref());
        }
        out.extend_from_slice(b")");
    }
    out.extend_from_slice(b")");
}
