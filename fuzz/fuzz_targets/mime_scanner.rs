//! The structure of any message: found in one bounded pass, the same wherever it is cut, and packed without loss.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::mime::{Limits, Scanner, Structure};

fn scan(message: &[u8], piece: usize) -> Structure {
    let mut scanner = Scanner::new(Limits::default());
    for chunk in message.chunks(piece.max(1)) {
        scanner.feed(chunk);
    }
    scanner.finish()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, message) = input;
    let whole = scan(message, message.len());
    assert_eq!(whole.size, message.len() as u64);
    assert_eq!(whole, scan(message, usize::from(piece) + 1), "cut into pieces of {}", usize::from(piece) + 1);
    let mut parts = vec![&whole.root];
    while let Some(part) = parts.pop() {
        assert!(part.header.start <= part.header.end && part.body.start <= part.body.end && part.body.end <= whole.size, "{part:?}");
        parts.extend(part.parts());
        parts.extend(part.message().map(|(_, part)| part));
    }
    assert_eq!(Structure::from_bytes(&whole.to_bytes()).as_ref(), Ok(&whole));
});
