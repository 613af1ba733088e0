//! SEARCH, SORT and THREAD: a program of keys in any nesting is a command or is refused, without a panic and within its limits.

#![no_main]

use std::time::Instant;

use bytes::BytesMut;
use dialogue::{Answer, Dialogue, Event};
use imap::command::Key;
use imap::{CommandBody, Entering, Limits, Response, Session, Tagged};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|program: &[u8]| {
    for command in ["SEARCH ", "UID SEARCH RETURN (SAVE) ", "SORT (DATE REVERSE SUBJECT) UTF-8 ", "THREAD REFERENCES UTF-8 "] {
        let line = [b"a ", command.as_bytes(), program, b"\r\n"].concat();
        if let Some(Event::Command(command)) = heard(&line) {
            match command.body {
                CommandBody::Search(search) => assert!(depth(&search.key) <= 2 * Limits::default().depth + 2),
                CommandBody::Sort(sort) => assert!(!sort.criteria.is_empty()),
                _ => {}
            }
        }
    }
});

/// The first command of a session that has logged in.
fn heard(line: &[u8]) -> Option<Event<imap::Command>> {
    let now = Instant::now();
    let mut session = Session::new(Limits::default(), true, now);
    let (mut input, mut out) = (BytesMut::from(&b"l LOGIN a b\r\n"[..]), BytesMut::new());
    session.answer(Answer::Done(Response::from(Tagged::ok("hello"))), &mut out, now);
    session.receive(&mut input, now)?;
    session.answer(Answer::Done(Tagged::ok("in").entering(Entering::LoggedIn).into()), &mut out, now);
    input.extend_from_slice(line);
    session.receive(&mut input, now)
}

fn depth(key: &Key) -> usize {
    match key {
        Key::And(keys) => 1 + keys.iter().map(depth).max().unwrap_or_default(),
        Key::Or(a, b) => 1 + depth(a).max(depth(b)),
        Key::Not(key) => 1 + depth(key),
        _ => 1,
    }
}
