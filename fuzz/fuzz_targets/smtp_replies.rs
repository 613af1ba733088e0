//! What other SMTP servers say: no input panics, what is heard is printable.

#![no_main]

use std::time::Instant;

use dialogue::{Answer, Event};
use libfuzzer_sys::fuzz_target;
use mail::{Address, ReversePath};
use posthouse_fuzz::drive;
use smtp::client::{Capabilities, MailRequest, RcptRequest, Request, Session, Timeouts};

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, octets) = input;
    let mut step = 0;
    drive(Session::new(Timeouts::default(), Instant::now()), octets, piece.into(), |event| {
        let Event::Command(said) = event else { panic!("{event:?} of nowhere") };
        let Ok(reply) = said else { return Some(Answer::Close(Request::Quit)) };
        assert!(reply.to_string().bytes().all(|byte| matches!(byte, b' '..=b'~')));
        let _ = (Capabilities::of_ehlo(reply), reply.status());
        step += 1;
        Some(match step % 6 {
            1 => Answer::Done(Request::Ehlo("me.test".into())),
            2 => Answer::Done(Request::Mail(MailRequest::new(ReversePath::Null))),
            3 => Answer::Done(Request::Rcpt(RcptRequest::new(Address::parse("a@b.test").expect("an address")))),
            4 => Answer::Done(Request::Data),
            5 if reply.code() == 354 => Answer::Done(Request::End),
            5 => Answer::Done(Request::Rset),
            _ => Answer::Done(Request::Auth { mechanism: "PLAIN", initial: None }),
        })
    });
});
