//! A packed structure from a database that cannot be trusted: refused, or whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::mime::Structure;

fuzz_target!(|octets: &[u8]| {
    if let Ok(structure) = Structure::from_bytes(octets) {
        assert_eq!(Structure::from_bytes(&structure.to_bytes()).as_ref(), Ok(&structure));
    }
});
