//! A message made fit for seven bits: the same wherever it is cut, and what is converted is nothing but seven bits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::mime::Downgrade;

fn downgraded(message: &[u8], piece: usize) -> Vec<u8> {
    let (mut downgrade, mut out) = (Downgrade::default(), Vec::new());
    for chunk in message.chunks(piece.max(1)) {
        downgrade.push(chunk, &mut out);
    }
    downgrade.finish(&mut out);
    out
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, message) = input;
    let whole = downgraded(message, message.len());
    assert_eq!(whole, downgraded(message, usize::from(piece) + 1), "cut into pieces of {}", usize::from(piece) + 1);
    let leaf = [&b"Content-Transfer-Encoding: 8bit\r\n\r\n"[..], message].concat();
    assert!(downgraded(&leaf, leaf.len()).is_ascii());
});
