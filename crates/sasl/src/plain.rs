//! PLAIN — RFC 4616 §2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`.

use crate::Credentials;

pub(crate) fn read(message: &[u8]) -> Option<Credentials> {
    let mut fields = message.split(|byte| *byte == 0);
    let (authzid, authcid, password) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None; // a NUL in the password is not in the grammar
    }
    Credentials::of(authzid, authcid, password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_NAME, MAX_PASSWORD};
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfc() {
        let plain = read(b"\0tim\0tanstaaftanstaaf").expect("RFC 4616 §4, first example");
        assert_eq!((plain.authzid, plain.authcid.as_str(), &plain.password[..]), (None, "tim", &b"tanstaaftanstaaf"[..]));
        let acting = read(b"Ursel\0Kurt\0xipj3plmq").expect("RFC 4616 §4, second example");
        assert_eq!((acting.authzid.as_deref(), acting.authcid.as_str()), (Some("Ursel"), "Kurt"));
    }

    #[test]
    fn what_the_grammar_has_not_is_refused() {
        let long_name = [b"\0".to_vec(), vec![b'a'; MAX_NAME + 1], b"\0p".to_vec()].concat();
        let long_password = [b"\0a\0".to_vec(), vec![b'p'; MAX_PASSWORD + 1]].concat();
        let table: [&[u8]; 12] = [
            b"",
            b"\0",
            b"tim",
            b"\0tim",
            b"\0tim\0",          // no password
            b"\0\0secret",       // no name
            b"\0tim\0se\0cret",
            b"\0t\xffm\0secret", // not UTF-8
            b"\0ti\nm\0secret",
            b"\x07\0tim\0secret",
            &long_name,
            &long_password,
        ];
        for message in table {
            assert_eq!(read(message), None, "{:?}", String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn a_password_may_be_any_bytes() {
        assert_eq!(read(b"\0tim\0\xfcml\xe4ut ").map(|c| c.password), Some(b"\xfcml\xe4ut ".to_vec()));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(message: Vec<u8>) {
            if let Some(read) = read(&message) {
                prop_assert!(!read.authcid.is_empty() && !read.password.is_empty());
            }
        }
    }
}
