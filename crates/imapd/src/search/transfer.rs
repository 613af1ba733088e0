//! Content-Transfer-Encoding (RFC 2045 §6), taken off in any pieces. Total: what is not of the encoding is passed over.

/// A decoder and what it holds between two pieces.
pub(super) enum Transfer {
    Identity,
    Base64 { bits: u32, held: u32 },
    QuotedPrintable { pending: Vec<u8> },
}

/// Octets after `=` that may still be blanks before a line end; beyond them they are text.
const PENDING: usize = 128;

impl Transfer {
    /// By its name in lower case; an unknown one is taken as it is.
    pub(super) fn of(name: Option<&str>) -> Transfer {
        match name {
            Some("base64") => Transfer::Base64 { bits: 0, held: 0 },
            Some("quoted-printable") => Transfer::QuotedPrintable { pending: Vec::new() },
            _ => Transfer::Identity,
        }
    }

    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Transfer::Identity => out.extend_from_slice(piece),
            Transfer::Base64 { bits, held } => piece.iter().for_each(|byte| base64(*byte, bits, held, out)),
            Transfer::QuotedPrintable { pending } => piece.iter().for_each(|byte| quoted(*byte, pending, out)),
        }
    }
}

fn base64(byte: u8, bits: &mut u32, held: &mut u32, out: &mut Vec<u8>) {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => {
            *held = 0; // another quantum may follow where two texts were joined
            return;
        }
        _ => return,
    };
    *bits = (*bits << 6 | u32::from(value)) & 0xff_ffff;
    *held += 6;
    if *held >= 8 {
        *held -= 8;
        out.push((*bits >> *held & 0xff) as u8);
    }
}

/// `pending` is empty or begins with `=`.
fn quoted(byte: u8, pending: &mut Vec<u8>, out: &mut Vec<u8>) {
    if pending.is_empty() {
        return if byte == b'=' { pending.push(byte) } else { out.push(byte) };
    }
    pending.push(byte);
    match pending.get(1..).unwrap_or_default() {
        // A soft line break, with the blanks that transports put before it.
        rest if rest.last() == Some(&b'\n') => pending.clear(),
        rest if pending.len() < PENDING && rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) => {}
        [first] if first.is_ascii_hexdigit() => {}
        [first, second] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit() => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
            out.push(digit(first) << 4 | digit(second));
            pending.clear();
        }
        rest => {
            // No escape: the `=` was meant so. What followed it may begin another.
            out.push(b'=');
            let again = rest.to_vec();
            pending.clear();
            again.into_iter().for_each(|byte| if byte == b'=' { pending.push(byte) } else { out.push(byte) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(name: &str, text: &[u8], cut: usize) -> Vec<u8> {
        let (mut transfer, mut out) = (Transfer::of(Some(name)), Vec::new());
        let (a, b) = text.split_at(cut.min(text.len()));
        transfer.push(a, &mut out);
        transfer.push(b, &mut out);
        out
    }

    #[test]
    fn encodings_cut_anywhere() {
        let table: [(&str, &[u8], &[u8]); 9] = [
            ("base64", b"SGFs\r\nbG8=", b"Hallo"),
            ("base64", b"SGE=SGE=", b"HaHa"),
            ("base64", b"!S-G F*s", b"Hal"),
            ("quoted-printable", b"gr=C3=BC=\r\n=c3=9fe", "grüße".as_bytes()),
            ("quoted-printable", b"soft= \t \r\nbreak", b"softbreak"),
            ("quoted-printable", b"a=b =zz ==41", b"a=b =zz =A"),
            ("quoted-printable", b"a=4", b"a"),
            ("7bit", b"a=41", b"a=41"),
            ("x-unknown", b"a=41", b"a=41"),
        ];
        for (name, text, plain) in table {
            for cut in 0..=text.len() {
                assert_eq!(decoded(name, text, cut), plain, "{name} {} cut at {cut}", String::from_utf8_lossy(text));
            }
        }
    }

    proptest! {
        #[test]
        fn no_octets_break_it(text in proptest::collection::vec(prop_oneof![Just(b'='), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..300), cut in 0..300usize) {
            for name in ["base64", "quoted-printable"] {
                prop_assert_eq!(decoded(name, &text, cut), decoded(name, &text, 0));
            }
        }
    }
}
