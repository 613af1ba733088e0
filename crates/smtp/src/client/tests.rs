//! The client's end as a server and the handler see it.

use super::*;
use crate::dsn::{Notify, Return};
use bytes::{Bytes, BytesMut};
use dialogue::{Answer, Dialogue, Ended, Event, Wants};
use mail::{Address, ReversePath, Status};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// A session, and what lies between it and the server.
struct Bench {
    session: Session,
    input: BytesMut,
    now: Instant,
}

impl Bench {
    fn new() -> Bench {
        let now = Instant::now();
        Bench { session: Session::new(Timeouts::default(), now), input: BytesMut::new(), now }
    }

    /// The server says this; what of it is heard.
    fn hears(&mut self, octets: impl AsRef<[u8]>) -> Vec<String> {
        self.input.extend_from_slice(octets.as_ref());
        let mut heard = Vec::new();
        while self.session.wants().input {
            match self.session.receive(&mut self.input, self.now) {
                Some(Event::Command(Ok(reply))) => heard.push(reply.to_string()),
                Some(Event::Command(Err(unreadable))) => {
                    heard.push(unreadable.to_string());
                    break;
                }
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        heard
    }

    /// What goes over the wire for these answers.
    fn says(&mut self, answers: Vec<Answer<Request>>) -> String {
        let mut out = BytesMut::new();
        for answer in answers {
            assert!(self.session.wants().answers, "{answer:?} is not wanted");
            self.session.answer(answer, &mut out, self.now);
        }
        String::from_utf8(out.to_vec()).expect("ASCII")
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn mail_from(text: &str) -> Request {
    Request::Mail(MailRequest::new(ReversePath::parse(text).expect("a path")))
}

fn rcpt_to(text: &str) -> Request {
    Request::Rcpt(RcptRequest::new(address(text)))
}

/// A whole session as a transcript: `S:` is heard, `C:` is said.
#[test]
fn a_message_in_a_group() {
    let mut bench = Bench::new();
    assert_eq!(bench.session.wants(), Wants::INPUT, "the server greets first");
    assert_eq!(bench.hears("220 mx.test ESMTP\r\n"), ["220 mx.test ESMTP"]);
    assert_eq!(bench.says(vec![Answer::Done(Request::Ehlo("me.test".into()))]), "EHLO me.test\r\n");
    assert_eq!(bench.hears("250-mx.test\r\n250 PIPELINING\r\n"), ["250-mx.test 250 PIPELINING"]);
    let group = vec![Answer::Part(mail_from("a@x.test")), Answer::Part(rcpt_to("b@y.test")), Answer::Part(rcpt_to("c@y.test")), Answer::Done(Request::Data)];
    assert_eq!(bench.says(group), "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n");
    assert_eq!(bench.session.wants(), Wants::INPUT);
    let replies = "250 2.1.0 Ok\r\n550 5.1.1 no\r\n250 2.1.5 Ok\r\n354 go\r\n";
    assert_eq!(bench.hears(replies), ["250 2.1.0 Ok", "550 5.1.1 no", "250 2.1.5 Ok", "354 go"]);
    let body = vec![Answer::Chunk(Bytes::from_static(b".one\r\ntwo\n.")), Answer::Chunk(Bytes::from_static(b"x")), Answer::Done(Request::End)];
    assert_eq!(bench.says(body), "..one\r\ntwo\r\n..x\r\n.\r\n");
    assert_eq!(bench.hears("250 2.0.0 Ok\r\n"), ["250 2.0.0 Ok"]);
    assert_eq!(bench.says(vec![Answer::Close(Request::Quit)]), "QUIT\r\n");
    assert_eq!(bench.session.wants(), Wants::CLOSE);
}

#[test]
fn starttls_is_agreed_and_nothing_behind_it_is_heard() {
    let mut bench = Bench::new();
    bench.hears("220 mx.test\r\n");
    assert_eq!(bench.says(vec![Answer::Done(Request::StartTls)]), "STARTTLS\r\n");
    assert_eq!(bench.hears("220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n"), ["220 go"]);
    assert_eq!(bench.session.wants(), Wants::ANSWERS, "what follows in clear is not read");
    assert_eq!(bench.says(vec![Answer::Upgrade(Request::StartTls)]), "");
    assert_eq!(bench.session.wants(), Wants::UPGRADE);
    bench.input.clear(); // the loop does
    bench.session.upgraded(bench.now);
    assert_eq!(bench.says(vec![Answer::Done(Request::Ehlo("me.test".into()))]), "EHLO me.test\r\n");
    assert_eq!(bench.hears("250 mx.test\r\n"), ["250 mx.test"]);
}

#[test]
fn an_upgrade_without_consent_closes() {
    let mut bench = Bench::new();
    bench.hears("220 mx.test\r\n");
    bench.says(vec![Answer::Upgrade(Request::StartTls)]);
    assert_eq!(bench.session.wants(), Wants::CLOSE);
}

#[test]
fn no_message_goes_without_354() {
    let mut bench = Bench::new();
    bench.hears("220 mx.test\r\n");
    bench.says(vec![Answer::Done(Request::Data)]);
    assert_eq!(bench.hears("554 no valid recipients\r\n"), ["554 no valid recipients"]);
    assert_eq!(bench.says(vec![Answer::Chunk(Bytes::from_static(b"RSET\r\n")), Answer::Done(Request::End)]), "");
}

#[test]
fn hostile_replies() {
    for (octets, heard) in [
        ("250\r\n", "250 "),
        ("250 a\n", "250 a"),
        ("000 a\r\n", "a reply without a code"),
        ("999 a\r\n", "a reply without a code"),
        ("650 a\r\n", "a reply without a code"),
        ("150 a\r\n", "a reply without a code"),
        ("2x0 a\r\n", "a reply without a code"),
        ("25\r\n", "a reply without a code"),
        ("\r\n", "a reply without a code"),
        ("250_a\r\n", "a reply without a code"),
        ("250-a\r\n550 b\r\n", "a reply whose lines have different codes"),
        ("250-a\r\n251 b\r\n", "251-a 251 b"),
        ("250 a\0b\r\n", "a reply with control characters"),
        ("250 a\rb\r\n", "a reply with control characters"),
        ("250 \u{1b}[2J\u{e9}\r\n", "250 ?[2J??"),
    ] {
        assert_eq!(Bench::new().hears(octets), [heard], "{octets:?}");
    }
    assert_eq!(Bench::new().hears(format!("250 {}\r\n", "x".repeat(1 << 20))), ["a reply with a line that is too long"]);
    assert_eq!(Bench::new().hears("250-a\r\n".repeat(LINES + 1)), ["a reply with too many lines"]);
    let long = Bench::new().hears(format!("250 {}\r\n", "x".repeat(2_000)));
    assert_eq!(long[0].len(), TEXT + 4, "what is kept is bounded");
}

#[test]
fn what_is_said_unasked_is_noticed() {
    let mut bench = Bench::new();
    assert_eq!(bench.hears("220 a\r\n421 going down\r\n"), ["220 a", "a reply to nothing"]);
}

#[test]
fn enhanced_codes_are_of_the_codes_class() {
    for (code, text, status) in [
        (550, "5.1.1 no", Some(Status(5, 1, 1))),
        (550, "4.1.1 no", None),
        (550, "no", None),
        (250, "2.0.0 ok", Some(Status(2, 0, 0))),
        (550, "5.1 no", None),
    ] {
        assert_eq!(Reply::new(code, text).status(), status, "{code} {text}");
    }
    assert_eq!(Reply::new(452, "no").status_or_class(), Status(4, 0, 0));
}

#[test]
fn what_a_server_offers() {
    let offers = |text: &str| {
        let mut bench = Bench::new();
        bench.input.extend_from_slice(text.as_bytes());
        match bench.session.receive(&mut bench.input, bench.now) {
            Some(Event::Command(Ok(reply))) => Capabilities::of_ehlo(&reply),
            other => panic!("{other:?}"),
        }
    };
    let all = offers("250-MX.test greets you\r\n250-pipelining\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-STARTTLS\r\n250-AUTH PLAIN login\r\n250-AUTH=PLAIN\r\n250 DSN\r\n");
    assert_eq!((all.host.as_str(), all.pipelining, all.eight_bit, all.starttls, all.dsn, all.utf8), ("mx.test", true, true, true, true, false));
    assert_eq!((all.size, all.size_limit), (true, Some(1000)));
    assert_eq!(all.mechanisms, ["PLAIN", "LOGIN"]);
    for (size, limit) in [("SIZE", None), ("SIZE 0", None), ("SIZE x", None), ("SIZE 99999999999999999999", None), ("SIZE  7 8", Some(7))] {
        assert_eq!(offers(&format!("250-x\r\n250 {size}\r\n")).size_limit, limit, "{size}");
    }
    assert_eq!(offers("250 \r\n"), Capabilities::default());
    let many = (0..90).map(|n| format!("250-AUTH A{n} B{n}\r\n")).collect::<String>();
    assert_eq!(offers(&format!("250-x\r\n{many}250 y\r\n")).mechanisms.len(), 32);
}

#[test]
fn parameters_are_written_where_they_are_set() {
    let mut mail = MailRequest::new(ReversePath::Null);
    mail.size = Some(12);
    mail.eight_bit = true;
    mail.ret = Some(Return::Headers);
    mail.envid = Some("a+2Bb".into());
    let mut rcpt = RcptRequest::new(address("\"a b\"@y.test"));
    rcpt.notify = Some(Notify { success: true, failure: true, delay: false });
    rcpt.orcpt = Some("rfc822;a+20b@y.test".into());
    let mut bench = Bench::new();
    bench.hears("220 x\r\n");
    let said = bench.says(vec![Answer::Part(Request::Mail(mail.clone())), Answer::Done(Request::Rcpt(rcpt))]);
    assert_eq!(said, "MAIL FROM:<> SIZE=12 BODY=8BITMIME RET=HDRS ENVID=a+2Bb\r\nRCPT TO:<\"a b\"@y.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+20b@y.test\r\n");
    for bad in ["", "a b", "a\r\nRSET", "a=b", "\u{e9}"] {
        mail.envid = Some(bad.into());
        let said = Bench::new().session_says(Request::Mail(mail.clone()));
        assert_eq!(said, "MAIL FROM:<> SIZE=12 BODY=8BITMIME RET=HDRS\r\n", "{bad:?}");
    }
    assert_eq!(Bench::new().session_says(Request::Ehlo("a b\r\nRSET".into())), "EHLO a?b??RSET\r\n");
}

impl Bench {
    fn session_says(&mut self, request: Request) -> String {
        self.hears("220 x\r\n");
        self.says(vec![Answer::Done(request)])
    }
}

#[test]
fn login_is_base64() {
    for (request, line) in [
        (Request::Auth { mechanism: "PLAIN", initial: Some(b"\0a\0b".to_vec()) }, "AUTH PLAIN AGEAYg==\r\n"),
        (Request::Auth { mechanism: "PLAIN", initial: Some(Vec::new()) }, "AUTH PLAIN =\r\n"),
        (Request::Auth { mechanism: "LOGIN", initial: None }, "AUTH LOGIN\r\n"),
        (Request::Respond(b"a".to_vec()), "YQ==\r\n"),
        (Request::GiveUp, "*\r\n"),
    ] {
        assert_eq!(Bench::new().session_says(request), line);
    }
}

#[test]
fn each_command_has_its_time() {
    let mut bench = Bench::new();
    let seconds = |bench: &Bench| bench.session.deadline().map(|deadline| (deadline - bench.now).as_secs());
    assert_eq!(seconds(&bench), Some(300));
    bench.hears("220 x\r\n");
    assert_eq!(seconds(&bench), None, "nothing is awaited");
    bench.says(vec![Answer::Part(rcpt_to("b@y.test")), Answer::Done(Request::Data)]);
    assert_eq!(seconds(&bench), Some(300));
    bench.now += Duration::from_secs(200);
    bench.hears("250 ok\r\n");
    assert_eq!(seconds(&bench), Some(120), "the time of DATA begins with the reply before");
    bench.hears("354 go\r\n");
    bench.says(vec![Answer::Done(Request::End)]);
    assert_eq!(seconds(&bench), Some(600));
}

#[test]
fn a_stop_lets_finish_what_was_begun() {
    let mut bench = Bench::new();
    assert_eq!(bench.session.ended(Ended::Stop, bench.now), None);
    bench.hears("220 x\r\n");
    assert_eq!(bench.session.ended(Ended::Stop, bench.now), Some(Event::Ended(Ended::Stop)));
    assert_eq!(bench.session.wants(), Wants::NOTHING);
}

proptest! {
    #[test]
    fn replies_cut_anywhere_are_the_same(cut in 0usize..60) {
        let wire = b"250-mx.test\r\n250-SIZE\r\n250 AUTH\r\n";
        let (mut whole, mut parts) = (Bench::new(), Bench::new());
        let cut = cut.min(wire.len());
        let mut heard = parts.hears(&wire[..cut]);
        heard.extend(parts.hears(&wire[cut..]));
        prop_assert_eq!(heard, whole.hears(wire));
    }

    #[test]
    fn no_octets_panic_and_what_is_heard_can_be_printed(octets in prop::collection::vec(prop_oneof![Just(b'2'), Just(b'5'), Just(b'0'), Just(b' '), Just(b'-'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..300)) {
        for said in Bench::new().hears(&octets) {
            prop_assert!(said.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
}
