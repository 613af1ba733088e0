//! IMAP: no input panics, and where the network cuts it does not matter.

#![no_main]

use std::time::Instant;

use dialogue::{Answer, Dialogue, Event};
use imap::command::CommandBody;
use imap::response::{Condition, Entering, Response, Tagged};
use imap::{Command, Limits, Session};
use libfuzzer_sys::fuzz_target;
use posthouse_fuzz::drive;

fn session() -> Session {
    let mut session = Session::new(Limits::default(), true, Instant::now());
    session.answer(Answer::Done(Condition::ok(None, "hi").into()), &mut Default::default(), Instant::now());
    session
}

fn talk(octets: &[u8], piece: usize) -> (Vec<String>, bytes::BytesMut) {
    let mut exchange = false;
    let (mut events, output) = drive(session(), octets, piece, |event| {
        let ok = || Response::from(Tagged::ok("done"));
        let entering = || Response::from(Tagged::ok("in").entering(Entering::LoggedIn));
        Some(match event {
            Event::Body(_) => return None,
            Event::BodyEnd => Answer::Done(ok()),
            Event::Line(_) if std::mem::take(&mut exchange) => Answer::Done(entering()),
            Event::Line(_) => Answer::Done(ok()),
            Event::Ended(why) => panic!("nobody ended it: {why:?}"),
            Event::Command(Command { body, .. }) => match body {
                CommandBody::Reflex(reflex) => {
                    exchange = false;
                    reflex.clone().answer()
                }
                CommandBody::Append(_) | CommandBody::AppendMore(_) => Answer::Go(Response::Continue("OK".into())),
                CommandBody::Authenticate(_) => {
                    exchange = true;
                    Answer::Go(Response::Challenge(Vec::new()))
                }
                CommandBody::Login(_) => Answer::Done(entering()),
                CommandBody::Idle => Answer::Go(Response::Continue("idling".into())),
                CommandBody::StartTls => Answer::Done(Tagged::no("not here").into()),
                CommandBody::Logout => Answer::Close(Response::Batch(vec![Response::Bye(None, "bye".into()), ok()])),
                _ => Answer::Done(ok()),
            },
        })
    });
    // What is known of the next command depends on what has come already, and is to (EXPUNGE is held back for it).
    events.iter_mut().for_each(|event| *event = event.replace("number_follows: true", "number_follows: false"));
    (events, output)
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (logged_in, piece, octets) = input;
    let mut wire = if logged_in { b"l LOGIN u p\r\n".to_vec() } else { Vec::new() };
    wire.extend_from_slice(octets);
    let (whole, cut) = (talk(&wire, wire.len()), talk(&wire, usize::from(piece) + 1));
    assert_eq!(whole, cut, "cut into pieces of {} it is another conversation", usize::from(piece) + 1);
});
