//! POP3: no input panics, and where the network cuts it does not matter.

#![no_main]

use std::time::Instant;

use dialogue::{Answer, Dialogue, Event};
use libfuzzer_sys::fuzz_target;
use pop3::{Command, Limits, Reply, Session};
use posthouse_fuzz::drive;

fn talk(octets: &[u8], piece: usize) -> (Vec<String>, bytes::BytesMut) {
    let mut session = Session::new(Limits::default());
    session.answer(Answer::Done(Reply::ok("ready")), &mut Default::default(), Instant::now());
    drive(session, octets, piece, |event| {
        Some(match event {
            Event::Command(Command::Refused { reply, last: false }) => Answer::Done(reply.clone()),
            Event::Command(Command::Refused { reply, last: true }) => Answer::Close(reply.clone()),
            Event::Command(Command::Pass { .. }) | Event::Line(_) => Answer::Done(Reply::LoggedIn { messages: 1, octets: 1 }),
            Event::Command(Command::Auth { .. }) => Answer::Go(Reply::Challenge(Vec::new())),
            Event::Command(Command::Quit) => Answer::Close(Reply::ok("bye")),
            Event::Command(_) => Answer::Done(Reply::ok("")),
            Event::Body(_) | Event::BodyEnd => panic!("there are no bodies this way"),
            Event::Ended(why) => panic!("nobody ended it: {why:?}"),
        })
    })
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, octets) = input;
    assert_eq!(talk(octets, octets.len()), talk(octets, usize::from(piece) + 1));
});
