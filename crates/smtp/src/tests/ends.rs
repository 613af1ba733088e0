//! What bounds a session, and how it ends.

use super::bench::{Bench, settings};
use crate::{Reply, Settings};
use dialogue::{Answer, Dialogue, Ended, Event, Wants};
use mail::Status;
use std::time::Duration;

fn greeted(settings: Settings) -> Bench {
    let mut bench = Bench::new(settings);
    bench.say(b"HELO client.test\r\n");
    bench.heard();
    bench
}

#[test]
fn a_long_line_is_one_refusal_and_the_next_line_a_command() {
    let limit = settings().limits.command;
    let long = |length: usize| format!("NOOP {}\r\n", "x".repeat(length - 5));
    let mut bench = greeted(settings());
    assert_eq!(bench.say(long(limit).as_bytes()), "250 2.0.0 Ok\r\n");
    const REFUSED: &str = "500 5.5.2 mx.test Error: command too long\r\n";
    assert_eq!(bench.say(long(limit + 1).as_bytes()), REFUSED);
    for _ in 0..100 {
        assert_eq!(bench.say(&[b'x'; 10_000]), "");
        assert!(bench.input.len() <= settings().limits.auth_line + 2, "a line's memory is bounded");
    }
    assert_eq!(bench.say(b"\r\nNOOP\r\n"), format!("{REFUSED}250 2.0.0 Ok\r\n"));
}

#[test]
fn auth_may_be_longer_and_is_bounded_too() {
    let mut bench = greeted(Settings { auth_in_clear: true, ..settings() });
    let response = "QUFB".repeat(2_500);
    assert!(bench.say(format!("AUTH PLAIN {response}\r\n").as_bytes()).starts_with("535 "));
    assert_eq!(bench.say(b"AUTH PLAIN\r\n"), "334 \r\n");
    assert!(bench.say(format!("{}\r\n", "QUFB".repeat(4_000)).as_bytes()).starts_with("500 5.5.6 "));
    assert_eq!(bench.say(b"NOOP\r\n"), "250 2.0.0 Ok\r\n");
}

#[test]
fn nul_bare_cr_and_bare_lf_in_commands() {
    let mut bench = greeted(settings());
    assert_eq!(bench.say(b"NO\0OP\r\n"), "500 5.5.2 Error: bad syntax\r\n");
    assert_eq!(bench.say(b"NOOP\rRSET\r\n"), "500 5.5.2 mx.test Error: bare <CR> received\r\n");
    // what comes after a bare LF is not obeyed: who speaks there?
    assert_eq!(bench.say(b"NOOP\nRSET\r\n"), "500 5.5.2 mx.test Error: bare <LF> received\r\n");
    assert!(bench.closed);
}

#[test]
fn who_sends_on_after_a_synchronization_point_is_sent_away() {
    for (early, verb) in [("EHLO a.test\r\nNOOP\r\n", "EHLO"), ("STARTTLS\r\nEHLO evil\r\n", "STARTTLS"), ("STARTTLS\r\n\n", "STARTTLS")] {
        let mut bench = greeted(settings());
        assert_eq!(bench.say(early.as_bytes()), "554 5.5.0 Error: SMTP protocol synchronization\r\n", "{early}");
        assert!(bench.closed);
        assert_eq!(bench.seen.last(), Some(&verb));
    }
    let mut bench = greeted(settings());
    let early = b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n\r\n.\r\n";
    assert!(bench.say(early).ends_with("554 5.5.0 Error: SMTP protocol synchronization\r\n"));
    assert!(bench.closed && bench.accepted.is_empty());
}

#[test]
fn early_talk_may_be_forgiven_but_never_across_tls() {
    let mut bench = greeted(Settings { forbid_early_talk: false, ..settings() });
    let early = b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nhi\r\n.\r\n";
    assert!(bench.say(early).ends_with("250 2.0.0 Ok: queued as ID\r\n"));
    assert!(bench.say(b"STARTTLS\r\nNOOP\r\n").starts_with("554 5.5.0 "));
    assert!(bench.closed);
}

#[test]
fn twenty_errors_are_enough() {
    let mut bench = greeted(settings());
    for _ in 0..19 {
        assert_eq!(bench.say(b"XXXX\r\n"), "500 5.5.2 Error: command not recognized\r\n");
    }
    let end = bench.say(b"XXXX\r\n") + &if bench.closed { String::new() } else { bench.say(b"NOOP\r\n") };
    assert_eq!(end, "500 5.5.2 Error: command not recognized\r\n421 4.7.0 mx.test Error: too many errors\r\n");
    assert!(bench.closed);
}

#[test]
fn a_message_wipes_the_slate() {
    let mut bench = greeted(settings());
    for _ in 0..5 {
        for _ in 0..15 {
            bench.say(b"XXXX\r\n");
        }
        bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
        assert_eq!(bench.say(b".\r\n"), "250 2.0.0 Ok: queued as ID\r\n");
    }
}

#[test]
fn nothing_done_for_long_counts_as_errors() {
    let mut bench = greeted(settings());
    let answers = bench.say(b"NOOP\r\n".repeat(200).as_slice());
    assert!(answers.ends_with("421 4.7.0 mx.test Error: too many errors\r\n"));
    assert_eq!(answers.lines().count(), 100 - 1 + 20 + 1, "the HELO was the first of the hundred");
}

#[test]
fn ten_thousand_recipients_are_bounded() {
    let mut bench = greeted(settings());
    let mut wire = b"MAIL FROM:<>\r\n".to_vec();
    (0..10_000).for_each(|n| wire.extend(format!("RCPT TO:<u{n}@b.test>\r\n").bytes()));
    let answers = bench.say(&wire);
    let count = |answer: &str| answers.lines().filter(|line| line.starts_with(answer)).count();
    assert_eq!(count("250 2.1.5 Ok"), 1_000);
    assert_eq!(count("452 4.5.3 Error: too many recipients"), 1_000 + 20);
    assert_eq!(count("421 4.7.0 "), 1);
    assert!(bench.closed);
}

#[test]
fn beyond_the_limit_the_message_still_goes_to_those_accepted() {
    let mut settings = settings();
    settings.limits.recipients = 2;
    let mut bench = greeted(settings);
    bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@b.test>\r\nRCPT TO:<d@b.test>\r\nDATA\r\n");
    assert_eq!(bench.say(b".\r\n"), "250 2.0.0 Ok: queued as ID\r\n");
    assert_eq!(bench.accepted[0].to, ["a@b.test", "c@b.test"]);
}

#[test]
fn a_big_body_is_read_to_its_end_then_refused() {
    let most = 1_000;
    for (size, code) in [(most, "250 "), (most + 1, "552 5.3.4 Error: message file too big\r\n"), (most * 100, "552 ")] {
        let mut bench = greeted(settings());
        bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
        let body = [&b"x".repeat(size - 2)[..], b"\r\n.\r\n"].concat();
        let answer: String = body.chunks(700).map(|piece| bench.say(piece)).collect();
        assert!(answer.starts_with(code), "{size}: {answer}");
        assert!(bench.say(b"RCPT TO:<a@b.test>\r\n").starts_with("503"), "the transaction is over");
        assert_eq!(bench.say(b"QUIT\r\n"), "221 2.0.0 Bye\r\n");
    }
}

#[test]
fn in_lmtp_what_is_refused_for_all_is_told_for_each() {
    for (body, refusal, closes) in [
        ("a\0b", "554 5.6.0 Error: message contains a NUL octet", false),
        ("a\nb", "550 5.5.2 mx.test Error: bare <LF> received", true),
        (&*"x".repeat(2_000), "552 5.3.4 Error: message file too big", false),
    ] {
        let mut bench = Bench::new(Settings { language: crate::Language::Lmtp, ..settings() });
        bench.heard();
        bench.say(b"LHLO a\r\n");
        bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<refused@b.test>\r\nRCPT TO:<c@b.test>\r\nRCPT TO:<d@b.test>\r\nDATA\r\n");
        let answers = bench.say(format!("{body}\r\n.\r\n").as_bytes());
        assert_eq!(answers, format!("{refusal}\r\n").repeat(3), "{body}");
        assert_eq!(bench.closed, closes);
        assert!(bench.accepted.is_empty());
    }
}

#[test]
fn tls_can_be_demanded() {
    let mut bench = Bench::new(Settings { tls_required: true, ..settings() });
    bench.heard();
    for line in ["MAIL FROM:<>\r\n", "VRFY a\r\n", "DATA\r\n", "AUTH PLAIN\r\n", "RCPT TO:<a@b.test>\r\n"] {
        assert_eq!(bench.say(line.as_bytes()), "530 5.7.0 Must issue a STARTTLS command first\r\n", "{line}");
    }
    for (line, code) in [("NOOP\r\n", "250"), ("EHLO a\r\n", "250"), ("RSET\r\n", "250"), ("STARTTLS\r\n", "220"), ("MAIL FROM:<>\r\n", "250")] {
        assert!(bench.say(line.as_bytes()).starts_with(code), "{line}");
    }
}

#[test]
fn hello_can_be_demanded() {
    let mut bench = Bench::new(Settings { hello_required: true, ..settings() });
    bench.heard();
    assert_eq!(bench.say(b"MAIL FROM:<>\r\n"), "503 5.5.1 Error: send HELO/EHLO first\r\n");
    bench.say(b"HELO a\r\n");
    assert_eq!(bench.say(b"MAIL FROM:<>\r\n"), "250 2.1.0 Ok\r\n");
}

#[test]
fn the_deadline_is_the_commands_and_a_body_must_flow() {
    let mut bench = greeted(settings());
    let start = bench.now;
    let wait = Duration::from_secs(300);
    assert_eq!(bench.session.deadline(), Some(start + wait));
    bench.now += Duration::from_secs(200);
    bench.say(b"NO");
    assert_eq!(bench.session.deadline(), Some(start + wait), "an octet gains nothing");
    bench.say(b"OP\r\n");
    assert_eq!(bench.session.deadline(), Some(bench.now + wait));
    bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
    let begun = bench.now;
    bench.now += Duration::from_secs(100);
    bench.say(&[b'x'; 5_000]);
    assert_eq!(bench.session.deadline(), Some(begun + wait + Duration::from_secs(10)));
    assert_eq!(bench.end(Ended::Timeout), Some(Event::Ended(Ended::Timeout)));
    assert_eq!(bench.session.deadline(), None);
    bench.answer(Answer::Close(Reply::closing(Status(4, 4, 2), "mx.test", "Error: timeout exceeded")));
    assert_eq!(bench.heard(), "421 4.4.2 mx.test Error: timeout exceeded\r\n");
    assert_eq!(bench.session.wants(), Wants::CLOSE);
}

#[test]
fn a_stop_lets_a_message_end() {
    let mut bench = greeted(settings());
    bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
    assert_eq!(bench.end(Ended::Stop), None);
    assert_eq!(bench.say(b"hi\r\n.\r\n"), "250 2.0.0 Ok: queued as ID\r\n");
    assert_eq!(bench.end(Ended::Stop), Some(Event::Ended(Ended::Stop)));
    bench.answer(Answer::Close(Reply::closing(Status(4, 3, 2), "mx.test", "Service shutting down")));
    assert_eq!(bench.heard(), "421 4.3.2 mx.test Service shutting down\r\n");
}

#[test]
fn a_peer_that_leaves_is_told_nothing() {
    for said in [&b""[..], b"NO", b"MAIL FROM:<>\r\n", b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n", b"AUTH PLAIN\r\n"] {
        let mut bench = greeted(Settings { auth_in_clear: true, ..settings() });
        bench.say(said);
        if said.ends_with(b"DATA\r\n") {
            bench.say(b"half a message");
        }
        assert_eq!(bench.end(Ended::Peer), Some(Event::Ended(Ended::Peer)));
        assert_eq!(bench.session.wants(), Wants::NOTHING);
        assert!(bench.accepted.is_empty());
        assert_eq!(bench.end(Ended::Stop), None, "the last event is the last");
    }
}
