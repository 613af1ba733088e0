//! SASL exchanges: no message panics, and without the password none proves anything.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::scram::Keys;
use sasl::{Exchange, Mechanism, Step};

fuzz_target!(|input: (u8, bool, Option<&[u8]>, Vec<&[u8]>)| {
    let (mechanism, bound, initial, messages) = input;
    let mechanism = Mechanism::ALL[usize::from(mechanism) % Mechanism::ALL.len()];
    let mut step = Exchange::start(mechanism, bound.then_some([7; 32]), initial);
    let mut messages = messages.into_iter();
    loop {
        step = match step {
            Step::Keys(asking) => {
                let keys = Keys::nobody(b"of nobody", asking.name());
                asking.keys(vec![keys], "nonce")
            }
            Step::Challenge { next, .. } => match messages.next() {
                Some(message) => next.step(message),
                None => return,
            },
            Step::Proven { name, .. } => panic!("{name:?} was proven"),
            Step::Credentials(credentials) => {
                assert!(!credentials.authcid.is_empty() && !credentials.password.is_empty());
                return;
            }
            Step::Refused { .. } | Step::Bad | Step::Cancelled => return,
        };
    }
});
