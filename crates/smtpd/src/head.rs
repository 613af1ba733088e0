//! The header of a message on its way in: held until it is whole, looked at, and completed.
//!
//! What is done to it is what Postfix's cleanup does: `Received:` goes on top; fields that betray or contradict the
//! envelope are taken out (`message_drop_headers`); for our own users a missing `Date:` and `Message-ID:` are added
//! (RFC 6409 §8.2), and for those of this machine `From:`; for clients of `local_header_rewrite_clients` addresses are rewritten as in the
//! envelope. All else stays byte for byte. A message is never refused for what its header looks like: where it stops being one, an empty line
//! is put, so that a reader sees the rest as the body.

use bytes::Bytes;
use mail::{header, rewrite};
use route::Place;
use std::sync::Arc;

/// Octets of a header that are held unless `header_size_limit` says otherwise. A longer one passes as it is, but for
/// `Received:`.
pub const HELD: usize = 102_400;

/// Octets of a Message-ID that go to the log.
const LOGGED: usize = 250;

/// Fields taken out (`message_drop_headers`).
const DROPPED: [&str; 4] = ["bcc", "content-length", "resent-bcc", "return-path"];

/// Address fields of recipients; in all others are senders.
const RECIPIENTS: [&str; 7] = ["Apparently-To", "Bcc", "Cc", "Resent-Bcc", "Resent-Cc", "Resent-To", "To"];

/// What fields of those who send a message again begin with.
const RESENT: &str = "Resent-";

/// Collects the header out of a message that streams by.
pub struct Head {
    held: Vec<u8>,
    most: usize,
}

/// What is put into a header.
pub struct Additions {
    /// `Received:`, whole.
    pub received: String,
    /// For a message that has none of its own.
    pub missing: Option<Missing>,
    /// By which addresses are rewritten (`local_header_rewrite_clients`).
    pub rewrites: Option<Arc<route::Settings>>,
}

/// Values of fields. A message that was sent again (RFC 5322 §3.6.6) gets them as `Resent-…`.
pub struct Missing {
    pub date: String,
    pub message_id: String,
    pub from: Option<String>,
}

/// A header ready to be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Completed {
    pub bytes: Vec<u8>,
    /// For the log: printable, `<…>` as it stands there; empty if there is none.
    pub message_id: String,
    /// `Received:` fields it had before ours.
    pub hops: usize,
}

impl Head {
    /// Holds `most` octets.
    pub fn new(most: usize) -> Head {
        Head { held: Vec::new(), most }
    }

    /// Takes the next octets; once the header is whole, gives it (with its empty line) and what follows.
    pub fn push(&mut self, chunk: &Bytes) -> Option<(Vec<u8>, Bytes)> {
        let before = self.held.len();
        self.held.extend_from_slice(chunk);
        let from = before.saturating_sub(b"\r\n\r".len());
        let end = match self.held.starts_with(b"\r\n") {
            true => Some(b"\r\n".len()),
            false => self.held.get(from..)?.windows(4).position(|window| window == b"\r\n\r\n").map(|at| from + at + 4),
        };
        let end = end.or((self.held.len() > self.most).then_some(self.held.len()))?;
        let rest = chunk.slice(end.saturating_sub(before).min(chunk.len())..);
        self.held.truncate(end);
        Some((std::mem::take(&mut self.held), rest))
    }

    /// What is held of a message that ended within its header.
    pub fn end(self) -> Vec<u8> {
        self.held
    }
}

/// Completes a header as [`Head::push`] gave it, if it is whole within `most` octets.
pub fn complete(head: &[u8], most: usize, additions: Additions) -> Completed {
    let mut out = additions.received.into_bytes();
    let fields: Vec<_> = header::fields(head).take_while(|field| is_name(field.name)).collect();
    let hops = fields.iter().filter(|field| field.is("received")).count();
    if head.len() > most {
        out.extend_from_slice(head); // its last field may be cut anywhere
        let message_id = header::find(head, "message-id").map(header::unfold).unwrap_or_default();
        return Completed { message_id: printable(&message_id), bytes: out, hops };
    }
    if let Some(missing) = additions.missing {
        let again = fields.iter().any(|field| field.name.get(..RESENT.len()).is_some_and(|name| name.eq_ignore_ascii_case(RESENT.as_bytes())));
        for (name, value) in [("Date", Some(missing.date)), ("Message-ID", Some(missing.message_id)), ("From", missing.from)] {
            let name = format!("{}{name}", if again { RESENT } else { "" });
            if let Some(value) = value.filter(|_| !fields.iter().any(|have| have.is(&name))) {
                out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
    }
    let mut end = 0;
    for field in &fields {
        end = field.span.end;
        if !DROPPED.iter().any(|name| field.is(name)) {
            put(&mut out, head, field, additions.rewrites.as_deref());
        }
    }
    let rest = head.get(end..).unwrap_or_default();
    if !rest.is_empty() && !rest.starts_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(rest);
    let message_id = header::find(&out, "message-id").map(header::unfold).unwrap_or_default();
    Completed { message_id: printable(&message_id), bytes: out, hops }
}

/// A field as it stands, or with its addresses as they go on.
fn put(out: &mut Vec<u8>, head: &[u8], field: &header::Field<'_>, rewrites: Option<&route::Settings>) {
    let whole = head.get(field.span.clone()).unwrap_or_default();
    let rewrites = rewrites.filter(|_| rewrite::FIELDS.iter().any(|name| field.is(name)));
    let place = if RECIPIENTS.iter().any(|name| field.is(name)) { Place::HeaderRecipient } else { Place::HeaderSender };
    match rewrites.and_then(|settings| rewrite::addresses(field.value, |spec| settings.header_address(spec, place))) {
        Some(value) => {
            out.extend_from_slice(field.name);
            out.push(b':');
            out.extend_from_slice(&value);
            out.extend_from_slice(b"\r\n");
        }
        None => out.extend_from_slice(whole),
    }
}

/// RFC 5322 §3.6.8: printable, no blank, no colon.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| matches!(byte, b'!'..=b'~'))
}

fn printable(bytes: &[u8]) -> String {
    bytes.iter().take(LOGGED).map(|&byte| if matches!(byte, b'!'..=b'~') { char::from(byte) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn additions(missing: bool) -> Additions {
        let missing = missing.then(|| Missing { date: "now".into(), message_id: "<new@x>".into(), from: None });
        Additions { received: "Received: here\r\n".into(), missing, rewrites: None }
    }

    fn text(head: &str, missing: bool) -> String {
        String::from_utf8(complete(head.as_bytes(), HELD, additions(missing)).bytes).expect("ASCII in, ASCII out")
    }

    #[test]
    fn what_is_there_stays_and_what_is_missing_comes() {
        let head = "Date: then\r\nSubject: a\r\n b\r\nBCC: c@d.test\r\nmessage-id: <old@y>\r\n\r\n";
        assert_eq!(text(head, true), "Received: here\r\nDate: then\r\nSubject: a\r\n b\r\nmessage-id: <old@y>\r\n\r\n");
        assert_eq!(text("Subject: a\r\n\r\n", true), "Received: here\r\nDate: now\r\nMessage-ID: <new@x>\r\nSubject: a\r\n\r\n");
        assert_eq!(text("Subject: a\r\n\r\n", false), "Received: here\r\nSubject: a\r\n\r\n");
        assert_eq!(text("\r\n", true), "Received: here\r\nDate: now\r\nMessage-ID: <new@x>\r\n\r\n");
        assert_eq!(text("", false), "Received: here\r\n");
    }

    #[test]
    fn a_message_of_this_machine_gets_a_sender_and_our_domain() {
        let local = |head: &str| {
            let missing = Some(Missing { date: "now".into(), message_id: "<new@x>".into(), from: Some("root@x".into()) });
            let additions = Additions { received: "Received: here\r\n".into(), missing, rewrites: Some(Arc::new(route::Settings { origin: "x".into(), append_origin: true, ..Default::default() })) };
            String::from_utf8(complete(head.as_bytes(), HELD, additions).bytes).expect("ASCII in, ASCII out")
        };
        let whole = "Received: here\r\nDate: now\r\nMessage-ID: <new@x>\r\nFrom: root@x\r\nTo: A <a@x>,\r\n b@y, c@x\r\nSubject: d\r\n\r\n";
        assert_eq!(local("To: A <a>,\r\n b@y, c\r\nSubject: d\r\n\r\n"), whole);
        let again = "Received: here\r\nResent-Date: now\r\nResent-Message-ID: <new@x>\r\nFrom: a@y\r\nResent-from: b@x\r\n\r\n";
        assert_eq!(local("From: a@y\r\nResent-from: b\r\n\r\n"), again);
    }

    #[test]
    fn what_is_no_header_becomes_the_body() {
        assert_eq!(text("hello\r\nworld\r\n", false), "Received: here\r\n\r\nhello\r\nworld\r\n");
        assert_eq!(text("A: b\r\nhello\r\nBcc: c\r\n\r\n", false), "Received: here\r\nA: b\r\n\r\nhello\r\nBcc: c\r\n\r\n");
        assert_eq!(text(" folded\r\n\r\n", false), "Received: here\r\n\r\n folded\r\n\r\n");
        assert_eq!(text("From a@b Tue Nov 24 02:01:13 2026\r\nA: b\r\n\r\n", false), "Received: here\r\n\r\nFrom a@b Tue Nov 24 02:01:13 2026\r\nA: b\r\n\r\n");
    }

    #[test]
    fn hops_and_message_id_are_read() {
        let done = complete(b"Received: a\r\nRECEIVED: b\r\nMessage-ID:\r\n <x y\x1b@z>\r\n\r\n", HELD, additions(true));
        assert_eq!((done.hops, done.message_id.as_str()), (2, "<x?y?@z>"));
    }

    #[test]
    fn a_header_is_found_at_any_cut() {
        for message in ["A: b\r\nC: d\r\n\r\nbody\r\n\r\n", "\r\nbody\r\n\r\n", "A: b\r\n\r\n\r\n\r\n"] {
            let split = message.find("\r\n\r\n").filter(|_| !message.starts_with("\r\n")).map_or(2, |at| at + 4);
            for first in 0..=message.len() {
                for second in first..=message.len() {
                    let mut head = Head::new(HELD);
                    let (mut found, mut rest) = (None, Vec::new());
                    for part in [&message[..first], &message[first..second], &message[second..]] {
                        let part = Bytes::copy_from_slice(part.as_bytes());
                        match found {
                            Some(_) => rest.extend_from_slice(&part),
                            None => {
                                if let Some((whole, after)) = head.push(&part) {
                                    found = Some(whole);
                                    rest.extend_from_slice(&after);
                                }
                            }
                        }
                    }
                    assert_eq!(found.as_deref(), Some(&message.as_bytes()[..split]), "{message:?} {first} {second}");
                    assert_eq!(rest, &message.as_bytes()[split..]);
                }
            }
        }
    }

    #[test]
    fn a_header_without_end_is_bounded() {
        let mut head = Head::new(HELD);
        let line = Bytes::from(format!("Bcc: {}\r\n", "x".repeat(900)));
        let mut pushed = 0;
        let (held, rest) = loop {
            pushed += line.len();
            if let Some(found) = head.push(&line) {
                break found;
            }
        };
        assert_eq!((held.len(), rest.len()), (pushed, 0));
        assert!(held.len() <= HELD + line.len());
        assert!(complete(&held, HELD, additions(true)).bytes.ends_with(&held), "passes as it is");
    }
}
