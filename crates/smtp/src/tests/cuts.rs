//! However the octets are cut into reads, the session is the same.

use super::bench::{Bench, Message, settings};
use proptest::prelude::*;

/// What may be said in one go each, since the client must wait for the answer.
const GROUPS: [&[u8]; 5] = [
    b"EHLO client.test\r\n",
    b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nRCPT TO:<refused@d.test>\r\nDATA\r\n",
    b"Subject: x\r\n\r\n..one\r\n.two\r\n\r\n.\r\nNOOP\r\nXXXX\r\n",
    b"STARTTLS\r\n",
    b"MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nRSET\r\nQUIT\r\n",
];

fn run(cut: impl Fn(usize) -> bool) -> (String, Vec<Message>) {
    let mut bench = Bench::new(settings());
    let (mut heard, mut at) = (bench.heard(), 0);
    for group in GROUPS {
        let mut from = 0;
        for end in 1..=group.len() {
            at += 1;
            if end == group.len() || cut(at) {
                heard.push_str(&bench.say(&group[from..end]));
                from = end;
            }
        }
    }
    assert!(bench.closed && bench.input.is_empty());
    (heard, bench.accepted)
}

#[test]
fn a_session_cut_anywhere_is_the_same_session() {
    let whole = run(|_| false);
    assert_eq!(whole.1.len(), 1);
    assert_eq!(whole.1[0].body, b"Subject: x\r\n\r\n.one\r\ntwo\r\n\r\n");
    assert!(whole.0.ends_with("250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n"), "{}", whole.0);
    assert_eq!(run(|_| true), whole, "octet by octet");
    for cut in 1..GROUPS.concat().len() {
        assert_eq!(run(|at| at == cut), whole, "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn no_octets_make_it_panic_or_speak_nonsense(parts in prop::collection::vec(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::sample::select(vec![&b"EHLO x\r\n"[..], b"MAIL FROM:<", b"a@b.test>", b" SIZE=", b"\r\n", b"\n", b"RCPT TO:<c@d.test>\r\n",
            b"DATA\r\n", b"\r\n.\r\n", b"AUTH PLAIN ", b"=\r\n", b"STARTTLS\r\n", b"\"", b"\\", b"[IPv6:", b"@a,@b:"]).prop_map(<[u8]>::to_vec),
    ], 0..40)) {
        let mut bench = Bench::new(settings());
        bench.heard();
        for part in parts {
            if bench.closed {
                break;
            }
            for line in bench.say(&part).split_terminator("\r\n") {
                let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
                prop_assert!(code.is_some_and(|code| (200..560).contains(&code)), "{line}");
                prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)));
            }
        }
    }
}
