//! What the targets share: a loop like `net`'s for any dialogue, in one thread and without time.

#![forbid(unsafe_code)]

use std::time::Instant;

use bytes::BytesMut;
use dialogue::{Answer, Dialogue, Event};

/// More than a client can make a server say: answers of the handlers here are short, and each costs a line of input.
const MOST_OUTPUT: usize = 1 << 20;

/// Pumps `input` through `session` in pieces of `piece` octets; `handle` answers events (none for a piece of a body).
/// Gives all that happened, bodies joined, and what was written.
pub fn drive<D>(
    mut session: D,
    input: &[u8],
    piece: usize,
    mut handle: impl FnMut(&Event<D::Command>) -> Option<Answer<D::Answer>>,
) -> (Vec<String>, BytesMut)
where
    D: Dialogue,
    Event<D::Command>: std::fmt::Debug,
{
    let now = Instant::now();
    let (mut events, mut body) = (Vec::new(), Vec::new());
    let (mut unread, mut out) = (BytesMut::new(), BytesMut::new());
    for piece in input.chunks(piece.max(1)) {
        unread.extend_from_slice(piece);
        while session.wants().input {
            let before = unread.len();
            let Some(event) = session.receive(&mut unread, now) else {
                if unread.len() == before || unread.is_empty() {
                    break;
                }
                continue;
            };
            match &event {
                Event::Body(octets) => {
                    assert!(!octets.is_empty(), "an empty piece of a body");
                    body.extend_from_slice(octets);
                }
                event => {
                    if !body.is_empty() {
                        events.push(format!("body {:?}", body.escape_ascii().to_string()));
                        body.clear();
                    }
                    events.push(format!("{event:?}"));
                }
            }
            if let Some(answer) = handle(&event) {
                assert!(session.wants().answers, "it wants no answer to {event:?}");
                session.answer(answer, &mut out, now);
            }
            assert!(out.len() < MOST_OUTPUT, "too much was said");
            assert!(session.wants().input || session.wants().close || session.wants().upgrade, "the session is stuck after {event:?}");
        }
        if session.wants().close {
            break;
        }
        assert!(!session.wants().upgrade, "nobody upgraded it");
    }
    (events, out)
}
