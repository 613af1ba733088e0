//! SMTP and LMTP: no input panics; a body only after a recipient, a recipient only after a sender.

#![no_main]

use std::sync::Arc;
use std::time::Instant;

use dialogue::{Answer, Dialogue, Event};
use libfuzzer_sys::fuzz_target;
use posthouse_fuzz::drive;
use smtp::{Command, Language, Reply, Session, Settings};

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (lmtp, piece, octets) = input;
    let mut settings = Settings::new("mx.test");
    settings.starttls = true;
    settings.mechanisms = vec!["PLAIN".into(), "LOGIN".into()];
    settings.limits.message = Some(10_000);
    if lmtp {
        settings.language = Language::Lmtp;
    }
    let mut session = Session::new(Arc::new(settings), true, Instant::now());
    session.answer(Answer::Done(Reply::greeting("mx.test ESMTP")), &mut Default::default(), Instant::now());
    let (mut sender, mut recipients, mut body) = (false, 0, false);
    drive(session, octets, piece.into(), |event| {
        Some(match event {
            Event::Body(_) => {
                assert!(body, "a body that nobody asked for");
                return None;
            }
            Event::BodyEnd => {
                assert!(std::mem::take(&mut body));
                (sender, recipients) = (false, 0);
                Answer::Done(Reply::OK)
            }
            Event::Line(line) if line.is_empty() => Answer::Go(Reply::challenge(b"again")),
            Event::Line(_) => Answer::Done(Reply::OK),
            Event::Ended(why) => panic!("nobody ended it: {why:?}"),
            Event::Command(command) => match command {
                Command::Hello { welcome, .. } => {
                    (sender, recipients) = (false, 0);
                    Answer::Done(welcome.clone())
                }
                Command::Mail { .. } => {
                    assert!(!std::mem::replace(&mut sender, true), "two senders");
                    Answer::Done(Reply::SENDER_OK)
                }
                Command::Rcpt(_) => {
                    assert!(sender, "a recipient without a sender");
                    recipients += 1;
                    Answer::Done(Reply::RECIPIENT_OK)
                }
                Command::Data => {
                    assert!(recipients > 0, "a body without a recipient");
                    body = true;
                    Answer::Go(Reply::GO_AHEAD)
                }
                Command::Reset => {
                    (sender, recipients) = (false, 0);
                    Answer::Done(Reply::OK)
                }
                Command::Quit => Answer::Close(Reply::BYE),
                Command::StartTls => panic!("it is secured already"),
                Command::Auth(_) => Answer::Go(Reply::challenge(b"")),
                Command::Decided(decided) => {
                    if std::mem::take(&mut body) {
                        (sender, recipients) = (false, 0);
                    }
                    decided.clone().answer()
                }
            },
        })
    });
});
