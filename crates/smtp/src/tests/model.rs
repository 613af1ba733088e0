//! Random commands against a second, simpler idea of the same rules.

use super::bench::{Bench, Message, settings};
use crate::Settings;
use proptest::prelude::*;

/// What a client may do next.
#[derive(Clone, Copy, Debug)]
enum Act {
    Helo,
    HeloRefused,
    HeloMalformed,
    Mail,
    MailRefused,
    MailNoData,
    MailMalformed,
    MailTooBig,
    Rcpt,
    RcptRefused,
    RcptMalformed,
    Data(Content),
    DataMalformed,
    Rset,
    Noop,
    Vrfy,
    Help,
    Junk,
    TooLong,
    AuthGood,
    AuthBad,
    AuthCancelled,
    StartTls,
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Good,
    Spam,
    BareLf,
    Nul,
    TooBig,
}

/// The rules in six flags.
#[derive(Default)]
struct Model {
    hello: bool,
    mail: bool,
    nodata: bool,
    recipients: usize,
    secured: bool,
    authenticated: bool,
    accepted: usize,
}

impl Model {
    fn reset(&mut self) {
        (self.mail, self.nodata, self.recipients) = (false, false, 0);
    }

    /// The code of the answer (of the last, where there are two).
    fn act(&mut self, act: Act) -> u16 {
        match act {
            Act::Helo => {
                self.reset();
                self.hello = true;
                250
            }
            Act::HeloRefused => {
                self.reset();
                550
            }
            Act::HeloMalformed | Act::RcptMalformed | Act::DataMalformed | Act::MailMalformed => 501,
            Act::MailTooBig => 552,
            Act::Mail | Act::MailNoData | Act::MailRefused if self.mail || !self.hello => 503,
            Act::MailRefused => 550,
            Act::Mail | Act::MailNoData => {
                (self.mail, self.nodata) = (true, matches!(act, Act::MailNoData));
                250
            }
            Act::Rcpt | Act::RcptRefused if !self.mail => 503,
            Act::Rcpt => {
                self.recipients += 1;
                250
            }
            Act::RcptRefused => 550,
            Act::Data(_) if !self.mail => 503,
            Act::Data(_) if self.recipients == 0 => 554,
            Act::Data(_) if self.nodata => 550,
            Act::Data(content) => {
                self.reset();
                match content {
                    Content::Good => {
                        self.accepted += 1;
                        250
                    }
                    Content::Spam | Content::BareLf => 550,
                    Content::Nul => 554,
                    Content::TooBig => 552,
                }
            }
            Act::Rset => {
                self.reset();
                250
            }
            Act::Noop => 250,
            Act::Vrfy => 252,
            Act::Help => 214,
            Act::Junk | Act::TooLong => 500,
            Act::StartTls if self.secured => 554,
            Act::StartTls | Act::AuthGood | Act::AuthBad | Act::AuthCancelled if self.mail => 503,
            Act::StartTls => {
                *self = Model { secured: true, accepted: self.accepted, ..Model::default() };
                220
            }
            Act::AuthGood | Act::AuthBad | Act::AuthCancelled => self.auth(act),
        }
    }

    fn auth(&mut self, act: Act) -> u16 {
        match act {
            _ if self.authenticated => 503,
            _ if !self.secured => 538,
            _ if !self.hello => 503,
            Act::AuthGood => {
                self.authenticated = true;
                235
            }
            Act::AuthBad => 535,
            _ => 501,
        }
    }
}

impl Act {
    /// The segments to send; each after the answer to the one before, the later ones only after 3yz.
    fn segments(self) -> Vec<Vec<u8>> {
        let one = |line: &str| vec![format!("{line}\r\n").into_bytes()];
        match self {
            Act::Helo => one("EHLO a.test"),
            Act::HeloRefused => one("HELO refused"),
            Act::HeloMalformed => one("EHLO"),
            Act::Mail => one("MAIL FROM:<a@b.test>"),
            Act::MailRefused => one("MAIL FROM:<refused@b.test>"),
            Act::MailNoData => one("MAIL FROM:<nodata@b.test>"),
            Act::MailMalformed => one("MAIL FROM:<a"),
            Act::MailTooBig => one("MAIL FROM:<> SIZE=1001"),
            Act::Rcpt => one("RCPT TO:<c@d.test>"),
            Act::RcptRefused => one("RCPT TO:<refused@d.test>"),
            Act::RcptMalformed => one("RCPT TO:<>"),
            Act::DataMalformed => one("DATA x"),
            Act::Data(content) => vec![b"DATA\r\n".to_vec(), [content.octets(), b"\r\n.\r\n".to_vec()].concat()],
            Act::Rset => one("RSET"),
            Act::Noop => one("NOOP"),
            Act::Vrfy => one("VRFY a"),
            Act::Help => one("HELP"),
            Act::Junk => one("BDAT 3 LAST"),
            Act::TooLong => one(&"x".repeat(20_000)),
            Act::AuthGood => one("AUTH PLAIN AGEAc2VjcmV0"),
            Act::AuthBad => one("AUTH PLAIN AGEAYg=="),
            Act::AuthCancelled => vec![b"AUTH LOGIN\r\n".to_vec(), b"*\r\n".to_vec()],
            Act::StartTls => one("STARTTLS"),
        }
    }
}

impl Content {
    fn octets(self) -> Vec<u8> {
        match self {
            Content::Good => b"..hi\r\nMAIL FROM:<x@y.test>".to_vec(),
            Content::Spam => b"spam".to_vec(),
            Content::BareLf => b"a\n.\nRSET".to_vec(),
            Content::Nul => b"a\0b".to_vec(),
            Content::TooBig => vec![b'x'; 1_500],
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<(Act, usize)>> {
    let often = prop::sample::select(vec![Act::Helo, Act::Mail, Act::Rcpt, Act::Data(Content::Good)]);
    let data = prop::sample::select(vec![Content::Good, Content::Spam, Content::BareLf, Content::Nul, Content::TooBig]).prop_map(Act::Data);
    let any = prop::sample::select(vec![
        Act::HeloRefused, Act::HeloMalformed, Act::MailRefused, Act::MailNoData, Act::MailMalformed, Act::MailTooBig, Act::RcptRefused,
        Act::RcptMalformed, Act::DataMalformed, Act::Rset, Act::Noop, Act::Vrfy, Act::Help, Act::Junk, Act::TooLong, Act::AuthGood,
        Act::AuthBad, Act::AuthCancelled, Act::StartTls,
    ]);
    prop::collection::vec((prop_oneof![5 => often, 2 => data, 4 => any], 0usize..30), 1..40)
}

/// Sends a segment in two reads.
fn say(bench: &mut Bench, segment: &[u8], cut: usize) -> String {
    let (head, tail) = segment.split_at(cut.min(segment.len()));
    bench.say(head) + &bench.say(tail)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_sequence_answers_as_the_model_does(acts in acts()) {
        let mut settings = Settings { hello_required: true, ..settings() };
        settings.limits.errors = u32::MAX;
        let (mut bench, mut model) = (Bench::new(settings), Model::default());
        bench.heard();
        for (at, &(act, cut)) in acts.iter().enumerate() {
            let mut answer = String::new();
            for segment in act.segments() {
                answer = say(&mut bench, &segment, cut);
                if !answer.starts_with('3') {
                    break;
                }
            }
            let code: u16 = answer.lines().last().and_then(|line| line.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0);
            prop_assert_eq!(code, model.act(act), "{} {:?}: {}", at, act, answer);
            prop_assert_eq!(bench.accepted.len(), model.accepted);
            if bench.closed {
                prop_assert!(matches!(act, Act::Data(Content::BareLf)));
                break;
            }
        }
        let whole = Message { from: "a@b.test".into(), to: vec!["c@d.test".into()], body: b".hi\r\nMAIL FROM:<x@y.test>\r\n".to_vec() };
        for message in &bench.accepted {
            prop_assert_eq!(&message.body, &whole.body, "nothing of another body");
            prop_assert!(!message.to.is_empty() && message.to.iter().all(|to| *to == whole.to[0]));
            prop_assert_eq!(&message.from, &whole.from);
        }
    }
}
