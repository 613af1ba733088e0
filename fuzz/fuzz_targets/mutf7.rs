//! Modified UTF-7: one way to write a name, and what is written is read again alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::mutf7;

fuzz_target!(|octets: &[u8]| {
    if let Ok(name) = mutf7::decode(octets) {
        assert_eq!(mutf7::encode(&name).as_bytes(), octets, "a second way to write {name:?}");
    }
    if let Ok(name) = std::str::from_utf8(octets) {
        assert_eq!(mutf7::decode(mutf7::encode(name).as_bytes()).as_deref(), Ok(name));
    }
});
