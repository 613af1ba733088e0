//! The trace lines that final delivery puts before a message (RFC 5321 §4.4), and what they do to its structure.

use mail::mime::{Kind, Part, Structure};
use mail::{Address, ReversePath, trace};

/// `Return-Path`, `X-Original-To`, `Delivered-To`, in Postfix's order.
pub fn lines(sender: &ReversePath, original: &Address, delivered: &Address) -> String {
    [trace::return_path(sender), trace::original_to(original), trace::delivered_to(delivered)].concat()
}

/// The structure of the message with `octets` of header lines put before it: scanned once, shifted for each recipient.
pub fn shifted(structure: &Structure, octets: u64) -> Structure {
    let mut shifted = structure.clone();
    shifted.size += octets;
    shift(&mut shifted.root, octets);
    shifted.root.header.start = structure.root.header.start; // the lines are part of the message's own header
    shifted
}

/// Parts are at most `mail::mime::DEPTH_MAX` deep.
fn shift(part: &mut Part, octets: u64) {
    for range in [&mut part.header, &mut part.body] {
        *range = range.start + octets..range.end + octets;
    }
    match &mut part.kind {
        Kind::Leaf => {}
        Kind::Multipart(parts) => parts.iter_mut().for_each(|part| shift(part, octets)),
        Kind::Message { part, .. } => shift(part, octets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_structure_is_that_of_the_longer_message() {
        let address = |text| Address::parse(text).expect("an address");
        let prefix = lines(&ReversePath::Null, &address("info@x"), &address("alice@x"));
        assert_eq!(prefix, "Return-Path: <>\r\nX-Original-To: info@x\r\nDelivered-To: alice@x\r\n");
        for message in [
            "Subject: plain\r\n\r\nbody\r\n",
            "\r\nno header\r\n",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n--b--\r\n",
        ] {
            let before = Structure::of_message(message.as_bytes());
            let after = Structure::of_message(format!("{prefix}{message}").as_bytes());
            assert_eq!(shifted(&before, prefix.len() as u64), after, "{message:?}");
        }
    }
}
