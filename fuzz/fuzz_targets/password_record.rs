//! Password records: no text panics, what is read is written alike, and nothing that is cheap to verify takes what another was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::Record;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, password) = input;
    let _ = Record::clear(text);
    let Ok(record) = Record::parse(text) else { return };
    let again = Record::parse(&record.to_string()).expect("what is written is read");
    assert_eq!(again, record);
    // Digests take no time; the rest would be a test of patience.
    if ["{SHA", "{SSHA", "{SMD5", "{PLAIN-MD5", "{LDAP-MD5"].iter().any(|scheme| text.starts_with(scheme)) && !text.contains("CRYPT") {
        assert_eq!(record.verify(password), again.verify(password));
    }
});
