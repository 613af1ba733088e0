//! What is read out of a header: total, whatever stands there. What is printed is read again alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::{Address, Date, Envelope, Flags, MailboxName, header};

fuzz_target!(|octets: &[u8]| {
    let end = header::end_of_header(octets);
    assert!(end <= octets.len());
    let _ = Envelope::of_header(octets);
    for field in header::fields(octets) {
        let value = header::unfold(field.value);
        let _ = header::decode_text(&value);
        let _ = Date::parse_rfc5322(&value);
    }
    let _ = Date::parse_rfc5322(octets);
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Ok(address) = Address::parse(text) {
        assert_eq!(Address::parse(&address.to_string()).as_ref(), Ok(&address));
    }
    if let Ok(name) = MailboxName::new(text) {
        assert_eq!(MailboxName::from_mutf7(name.to_mutf7().as_bytes()).as_ref(), Ok(&name));
        assert_eq!(MailboxName::from_maildir_dir(&name.maildir_dir()).as_ref(), Ok(&name));
    }
    if let Some(date) = Date::parse_imap(text) {
        assert_eq!(Date::parse_imap(&date.imap()), Some(date));
    }
    let flags = Flags::from_maildir_letters(text);
    assert_eq!(Flags::from_maildir_letters(&flags.maildir_letters()), flags);
});
