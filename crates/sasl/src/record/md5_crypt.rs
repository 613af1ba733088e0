//! `$1$salt$hash`: MD5 a thousand times over, as FreeBSD's crypt(3) has it since 1994. Broken as a hash, and still in the
//! passwd files of old servers.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

const MAGIC: &[u8] = b"$1$";
const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether `text` is what crypt(3) gives for `password` under the salt in it.
pub(super) fn verify(password: &[u8], text: &str) -> bool {
    let mut fields = text.split('$').skip(2);
    match (fields.next(), fields.next()) {
        (Some(salt), Some(hash)) => encode(&digest(password, salt.as_bytes())).ct_eq(hash.as_bytes()).into(),
        _ => false,
    }
}

fn digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Md5::new().chain_update(password).chain_update(MAGIC).chain_update(salt);
    for part in password.chunks(16) {
        first.update(&inner[..part.len()]);
    }
    // The author meant something else, but this is what it does: a zero for each bit set, else the first letter.
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0] } else { &password[..1] });
        bits >>= 1;
    }
    let mut last: [u8; 16] = first.finalize().into();
    for round in 0..1000 {
        let odd = round % 2 == 1;
        let mut next = Md5::new().chain_update(if odd { password } else { &last });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        last = next.chain_update(if odd { &last } else { password }).finalize().into();
    }
    last
}

/// 22 letters, from octets in crypt(3)'s order.
fn encode(digest: &[u8; 16]) -> Vec<u8> {
    let mut letters = Vec::with_capacity(22);
    for (a, b, c) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
        put(&mut letters, u32::from_be_bytes([0, digest[a], digest[b], digest[c]]), 4);
    }
    put(&mut letters, u32::from(digest[11]), 2);
    letters
}

fn put(letters: &mut Vec<u8>, mut bits: u32, count: usize) {
    for _ in 0..count {
        letters.push(LETTERS[(bits & 63) as usize]);
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::verify;

    #[test]
    fn as_the_c_library_writes_it() {
        for (password, text) in [
            ("", "$1$saltsalt$5Jhcit4zN9UlGiA0txPkO0"),
            ("a much longer password than sixteen", "$1$abc$EDAIEjf1pCmVPLCFnS35z0"),
            ("sécret", "$1$QK.HFZ7J$1OWiZsMzCn/TGsnAIgKON0"),
        ] {
            assert!(verify(password.as_bytes(), text), "{text}");
            assert!(!verify(b"another", text), "{text}");
        }
    }
}
