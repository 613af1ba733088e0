//! SMTP smuggling (CVE-2023-51764 and its kin): whatever stands in a body, it is one message or none, and no command
//! comes out of it. mta.md §3.4.

use super::bench::{Bench, settings};

const TAIL: &[u8] = b"MAIL FROM:<evil@b.test>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nsmuggled";

/// Sends `body` and the true end; the answers and how many messages were accepted.
fn send(body: &[u8], cuts: &[usize]) -> (String, usize) {
    let mut bench = Bench::new(settings());
    bench.say(b"EHLO a.test\r\n");
    let begun = bench.say(b"MAIL FROM:<good@b.test>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
    assert!(begun.ends_with("<CR><LF>.<CR><LF>\r\n"));
    let before = bench.seen.len();
    let wire = [body, b"\r\n.\r\n"].concat();
    let (mut heard, mut from) = (String::new(), 0);
    for &cut in cuts.iter().chain([&wire.len()]) {
        heard.push_str(&bench.say(&wire[from..cut]));
        from = cut;
    }
    assert!(bench.seen[before..].iter().all(|verb| *verb == "DATA"), "a command came out of the body: {:?}", bench.seen);
    assert!(bench.accepted.iter().all(|message| message.from == "good@b.test"));
    match bench.closed {
        true => assert!(heard.starts_with("550 "), "{heard}"),
        false => assert_eq!(bench.say(b"QUIT\r\n"), "221 2.0.0 Bye\r\n"),
    }
    (heard, bench.accepted.len())
}

#[test]
fn no_variant_of_the_end_is_the_end() {
    let ends: [&[u8]; 6] = [b"", b"\r", b"\n", b"\r\n", b"\0", b"\r\r\n"];
    for before in ends {
        for after in ends {
            for dots in [&b"."[..], b".."] {
                if before.ends_with(b"\r\n") && dots == b"." && after == b"\r\n" {
                    continue; // the true end
                }
                let body = [b"hi", before, dots, after, TAIL].concat();
                let regular = [before, after].iter().all(|end| [&b""[..], b"\r\n"].contains(end));
                let expected = match () {
                    () if regular => ("250 2.0.0 Ok: queued as ID\r\n", 1),
                    () if [before, after].iter().all(|end| [&b""[..], b"\r\n", b"\0"].contains(end)) => ("554 5.6.0 Error: message contains a NUL octet\r\n", 0),
                    () if [before, after].contains(&&b"\n"[..]) => ("550 5.5.2 mx.test Error: bare <LF> received\r\n", 0),
                    () => ("550 5.5.2 mx.test Error: bare <CR> received\r\n", 0),
                };
                for cut in 0..=b"hi".len() + before.len() + dots.len() + after.len() + 1 {
                    let (heard, accepted) = send(&body, &[cut]);
                    assert_eq!((heard.as_str(), accepted), expected, "{before:?} {dots:?} {after:?} cut at {cut}");
                }
            }
        }
    }
}

#[test]
fn octet_by_octet_too() {
    let body = [b"hi\n.\r\n", TAIL].concat();
    let cuts: Vec<usize> = (1..body.len()).collect();
    assert_eq!(send(&body, &cuts), ("550 5.5.2 mx.test Error: bare <LF> received\r\n".into(), 0));
}

#[test]
fn nothing_is_obeyed_after_an_end_some_would_not_see() {
    let mut bench = Bench::new(settings());
    bench.say(b"HELO a\r\n");
    bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
    let heard = bench.say(&[b"hi\r\r\n.\r\n", TAIL].concat());
    assert_eq!(heard, "550 5.5.2 mx.test Error: bare <CR> received\r\n");
    assert!(bench.closed && bench.accepted.is_empty());
}

#[test]
fn the_first_line_may_be_the_end() {
    let mut bench = Bench::new(settings());
    bench.say(b"HELO a\r\n");
    bench.say(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
    assert_eq!(bench.say(b".\r\nNOOP\r\n"), "250 2.0.0 Ok: queued as ID\r\n250 2.0.0 Ok\r\n");
    assert_eq!(bench.accepted[0].body, b"");
}
