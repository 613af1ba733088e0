//! The base64 of SASL: RFC 4648 §4, strictly. No line breaks, no missing padding, no stray bits in the last
//! character: RFC 5034 §4 wants a character outside the alphabet rejected, not skipped, and two texts for one
//! message would let a filter and a server disagree.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

/// The bytes of `text`; `None` when it is not base64 to the letter.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// `bytes` as base64, padded, on one line.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_letter_is_accepted() {
        let table: [(&[u8], Option<&[u8]>); 13] = [
            (b"", Some(b"")),
            (b"Zg==", Some(b"f")),
            (b"Zm8=", Some(b"fo")),
            (b"Zm9v", Some(b"foo")),
            (b"Zg", None),        // padding left out
            (b"Zg=", None),
            (b"Zh==", None),      // bits that belong to nothing
            (b"=AAA", None),      // RFC 5034 §4 names these two
            (b"AAA=BBB", None),
            (b"Zm9v\r\n", None),
            (b"Zm 9v", None),
            (b"Zm-_", None),      // the alphabet of URLs
            (b"Zg==Zg==", None),
        ];
        for (text, bytes) in table {
            assert_eq!(decode(text).as_deref(), bytes, "{:?}", String::from_utf8_lossy(text));
        }
    }

    proptest! {
        #[test]
        fn what_we_write_we_read(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn what_we_read_has_one_spelling(text in "[A-Za-z0-9+/=]{0,12}") {
            if let Some(bytes) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
