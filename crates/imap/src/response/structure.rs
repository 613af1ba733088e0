//! ENVELOPE, BODY and BODYSTRUCTURE — RFC 3501 §7.4.2.
//!
//! Whatever the message was, what comes out is grammatical: missing values are NIL, an empty list is NIL and never `()`, a
//! multipart has a part (B-04, B-06).

use super::wire::{nstring, push, string};
use bytes::BytesMut;
use mail::mime::{Kind, Part};
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

/// BODY, or with `extended` BODYSTRUCTURE, of a part and all within it. The tree is at most `mail::mime::DEPTH_MAX` deep.
///
/// ```text
/// body           = "(" (body-type-1part / body-type-mpart) ")"
/// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
/// ```
pub fn body(out: &mut BytesMut, part: &Part, extended: bool) {
    out.extend_from_slice(b"(");
    match &part.kind {
        Kind::Multipart(parts) => multipart(out, part, parts, extended),
        Kind::Message { envelope: inner, part: message } => {
            basic(out, part);
            out.extend_from_slice(b" ");
            envelope(out, inner);
            out.extend_from_slice(b" ");
            body(out, message, extended);
            push(out, format_args!(" {}", part.lines));
            if extended {
                single_extension(out, part);
            }
        }
        Kind::Leaf => {
            basic(out, part);
            // B-05: clients tell the forms apart by the type alone.
            if part.media.kind.eq_ignore_ascii_case("text") {
                push(out, format_args!(" {}", part.lines));
            }
            if extended {
                single_extension(out, part);
            }
        }
    }
    out.extend_from_slice(b")");
}

/// What stands for the parts of a multipart without any: the grammar wants one (B-04).
const NO_PART: &[u8] = b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)";

fn multipart(out: &mut BytesMut, part: &Part, parts: &[Part], extended: bool) {
    if parts.is_empty() {
        out.extend_from_slice(NO_PART);
    }
    for part in parts {
        body(out, part, extended);
    }
    out.extend_from_slice(b" ");
    string(out, part.media.subtype.as_bytes());
    if extended {
        out.extend_from_slice(b" ");
        params(out, &part.media.params);
        extension(out, part);
    }
}

/// `type SP subtype SP params SP id SP description SP encoding SP octets`
fn basic(out: &mut BytesMut, part: &Part) {
    // A message/rfc822 that is a leaf would lack what its form demands.
    let message = matches!(part.kind, Kind::Leaf) && is_message(part);
    let (kind, subtype) =
        if message { ("application", "octet-stream") } else { (&*part.media.kind, &*part.media.subtype) };
    string(out, kind.as_bytes());
    out.extend_from_slice(b" ");
    string(out, subtype.as_bytes());
    out.extend_from_slice(b" ");
    media_params(out, part);
    out.extend_from_slice(b" ");
    nstring(out, part.id.as_deref());
    out.extend_from_slice(b" ");
    nstring(out, part.description.as_deref());
    out.extend_from_slice(b" ");
    string(out, part.encoding.as_deref().unwrap_or("7bit").as_bytes());
    let octets = part.body.end.saturating_sub(part.body.start);
    push(out, format_args!(" {octets}"));
}

fn is_message(part: &Part) -> bool {
    let subtype = &part.media.subtype;
    part.media.kind.eq_ignore_ascii_case("message")
        && (subtype.eq_ignore_ascii_case("rfc822") || subtype.eq_ignore_ascii_case("global"))
}

/// ` md5` and [`extension`]
fn single_extension(out: &mut BytesMut, part: &Part) {
    out.extend_from_slice(b" ");
    nstring(out, part.md5.as_deref());
    extension(out, part);
}

/// ` disposition SP language SP location`
fn extension(out: &mut BytesMut, part: &Part) {
    out.extend_from_slice(b" ");
    match &part.disposition {
        None => out.extend_from_slice(b"NIL"),
        Some(disposition) => {
            out.extend_from_slice(b"(");
            string(out, disposition.kind.as_bytes());
            out.extend_from_slice(b" ");
            params(out, &disposition.params);
            out.extend_from_slice(b")");
        }
    }
    out.extend_from_slice(b" ");
    match part.language.as_slice() {
        [] => out.extend_from_slice(b"NIL"),
        [one] => string(out, one),
        several => {
            for (index, language) in several.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b" " } else { b"(" });
                string(out, language);
            }
            out.extend_from_slice(b")");
        }
    }
    out.extend_from_slice(b" ");
    nstring(out, part.location.as_deref());
}

/// Of a text without a charset: it is US-ASCII (RFC 2045 §5.2), and clients would rather be told.
fn media_params(out: &mut BytesMut, part: &Part) {
    let media = &part.media;
    if !media.kind.eq_ignore_ascii_case("text") || media.charset().is_some() {
        return params(out, &media.params);
    }
    let mut told = media.params.clone();
    told.push(("charset".to_owned(), b"us-ascii".to_vec()));
    params(out, &told);
}

fn params(out: &mut BytesMut, params: &[(String, Vec<u8>)]) {
    if params.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    for (index, (name, value)) in params.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b" " } else { b"(" });
        string(out, name.as_bytes());
        out.extend_from_slice(b" ");
        string(out, value);
    }
    out.extend_from_slice(b")");
}
