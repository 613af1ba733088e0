//! A base subject is its own base, and that of every reply to it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::subject::BaseSubject;

fuzz_target!(|octets: &[u8]| {
    let base = BaseSubject::of_field(octets);
    assert_eq!(BaseSubject::of_text(&base.text).text, base.text, "it has a base of its own");
    let reply = BaseSubject::of_text(&format!("Re: {}", base.text));
    assert!(reply.is_reply && reply.text == base.text, "a reply to {:?} is about {:?}", base.text, reply.text);
    let _ = mail::casemap::key(&base.text);
});
