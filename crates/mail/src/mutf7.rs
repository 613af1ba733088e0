//! Modified UTF-7, the spelling of mailbox names in IMAP4rev1 and on disk (RFC 3501 §5.1.3).

use crate::BadName;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// There is one right spelling for every name; all others (printable ASCII in base64, needless shifts, odd surrogates, left
/// over bits) are refused, since two spellings of one name are two names to a client.
pub fn decode(input: &[u8]) -> Result<String, BadName> {
    let decoded = decode_loosely(input).ok_or(BadName::Utf7)?;
    if encode(&decoded).as_bytes() != input {
        return Err(BadName::Utf7);
    }
    Ok(decoded)
}

/// Total: every string has a spelling.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted = Vec::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            shift_out(&mut shifted, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    shift_out(&mut shifted, &mut out);
    out
}

fn shift_out(shifted: &mut Vec<u8>, out: &mut String) {
    if shifted.is_empty() {
        return;
    }
    out.push('&');
    for three in shifted.chunks(3) {
        let bits = three.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..=three.len() {
            out.push(char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    out.push('-');
    shifted.clear();
}

fn decode_loosely(input: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'&' => {
                let end = memchr::memchr(b'-', rest)?;
                let (run, after) = (rest.get(..end)?, rest.get(end + 1..)?);
                if run.is_empty() {
                    out.push('&');
                } else {
                    out.push_str(&decode_run(run)?);
                }
                rest = after;
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => return None,
        }
    }
    Some(out)
}

fn decode_run(run: &[u8]) -> Option<String> {
    let (mut units, mut bits, mut held) = (Vec::with_capacity(run.len() / 2), 0u32, 0u32);
    for byte in run {
        let value = ALPHABET.iter().position(|letter| letter == byte)?;
        bits = (bits << 6 | value as u32) & 0x3f_ffff;
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push((bits >> held & 0xffff) as u16);
        }
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_spellings() {
        for (name, spelling) in [
            ("", ""),
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("A&B", "A&-B"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("\0", "&AAA-"),
        ] {
            assert_eq!(encode(name), spelling);
            assert_eq!(decode(spelling.as_bytes()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn wrong_spellings() {
        for wrong in [
            "&",                   // an open shift
            "&AGE-",               // printable ASCII in base64
            "&U,BTFw-&ZeVnLIqe-",  // a needless shift
            "&APw",                // no end
            "&2D0-",               // half a surrogate pair
            "&3gDYPQ-",            // the halves swapped
            "&APx-",               // bits left over
            "&AP/8-",              // '/' is not in this alphabet
            "ü",                   // plain UTF-8
            "a\tb",
        ] {
            assert!(decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>()) {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Ok(name));
        }

        #[test]
        fn no_bytes_panic_and_what_is_read_is_spelt_alike(bytes in proptest::collection::vec(prop_oneof![Just(b'&'), Just(b'-'), Just(b','), any::<u8>()], 0..40)) {
            if let Ok(name) = decode(&bytes) {
                prop_assert_eq!(encode(&name).into_bytes(), bytes);
            }
        }
    }
}
