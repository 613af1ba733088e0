//! What must never happen, whatever is sent: relaying for strangers, and a second message out of one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;

use house_tests::ports::Offset;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::talk::Talk;
use house_tests::until::SOON;

const PASSWORD: &str = "a long password";

/// alice, who gets everything in example.test that nobody has; nobody on this machine is trusted.
fn house(directory: &Path, offset: &Offset, more: &[&str]) -> (Configured, Server) {
    let configured = Configured::setup(directory, &["--port-offset", &offset.offset.to_string()]);
    configured.add_user("alice@example.test", PASSWORD);
    configured.run(&["alias", "add", "@example.test", "alice@example.test"]).ok();
    for line in ["mynetworks = 192.0.2.0/24", "plaintext_auth = loopback", "smtpd_hard_error_limit = 1000", "smtpd_soft_error_limit = 1000", "recipient_delimiter = +"].iter().chain(more) {
        configured.set(line);
    }
    let server = Server::serve(&configured, &[]);
    (configured, server)
}

/// What testers of open relays try: senders, and recipients none of which may leave this house.
const RELAY_SENDERS: [&str; 5] = ["", "spam@elsewhere.test", "alice@example.test", "spam@mail.example.test", "spam@[127.0.0.1]"];
const RELAY_TRICKS: [&str; 20] = [
    "victim@elsewhere.test",
    "victim",
    "victim%elsewhere.test",
    "victim%elsewhere.test@example.test",
    "victim%elsewhere.test@mail.example.test",
    "victim%elsewhere.test@[127.0.0.1]",
    "\"victim@elsewhere.test\"",
    "\"victim%elsewhere.test\"",
    "\"victim@elsewhere.test\"@example.test",
    "\"victim%elsewhere.test\"@example.test",
    "victim@elsewhere.test@example.test",
    "victim@elsewhere.test@[127.0.0.1]",
    "@example.test:victim@elsewhere.test",
    "@[127.0.0.1]:victim@elsewhere.test",
    "elsewhere.test!victim",
    "elsewhere.test!victim@example.test",
    "elsewhere.test!victim@[127.0.0.1]",
    "victim@elsewhere.test.",
    "victim@[192.0.2.7]",
    "postmaster@elsewhere.test",
];

#[test]
fn no_configuration_relays_for_strangers() {
    let directory = tempfile::tempdir().expect("a directory");
    for (n, more) in [
        &[][..],
        &["smtpd_relay_restrictions = permit", "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination"],
        &["smtpd_sender_restrictions = permit", "smtpd_recipient_restrictions = check_sender_access static:OK, check_helo_access static:OK, reject", "smtpd_relay_restrictions = check_helo_access inline:{spammer.test=OK}, reject_unauth_destination"],
        &["virtual_alias_maps = inline:{ @mail.example.test=@example.test }", "relay_domains = relayed.test", "masquerade_domains = example.test"],
    ]
    .into_iter()
    .enumerate()
    {
        let (place, offset) = (directory.path().join(n.to_string()), Offset::take());
        std::fs::create_dir(&place).expect("a directory");
        let (configured, server) = house(&place, &offset, more);
        for from in RELAY_SENDERS {
            let mut talk = Talk::open(server.address("smtp"));
            talk.ask("HELO spammer.test\r\n");
            assert!(talk.ask(format!("MAIL FROM:<{from}>\r\n")).starts_with("250 "), "{from}");
            let taken = RELAY_TRICKS.iter().filter(|trick| talk.ask(format!("RCPT TO:<{trick}>\r\n")).starts_with("250 ")).count();
            if taken > 0 {
                assert!(talk.ask("DATA\r\n").starts_with("354 "));
                assert!(talk.ask("Subject: relay test\r\n\r\n.\r\n").starts_with("250 "));
            }
        }
        let queued = configured.run(&["queue", "list", "--json"]).ok();
        assert_eq!(queued.trim(), "", "{more:?}: what was taken stays here");
    }
}

/// What may stand before and after a dot, and how the whole is cut.
const ENDS: [&[u8]; 7] = [b"", b"\r", b"\n", b"\r\n", b"\0", b"\r\r\n", b"\n\r"];
const DOTS: [&[u8]; 5] = [b".", b"..", b". ", b"\0.", b".\0"];
const TAIL: &[u8] = b"MAIL FROM:<evil@evil.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nsmuggled\r\n.\r\n";

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn reply(wire: &mut BufReader<Box<dyn Wire>>) -> String {
    loop {
        let mut line = String::new();
        let size = wire.read_line(&mut line).unwrap_or(0); // who closes has said all
        if size == 0 || line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    }
}

fn say(wire: &mut BufReader<Box<dyn Wire>>, text: impl AsRef<[u8]>) -> String {
    wire.get_mut().write_all(text.as_ref()).expect("a connection");
    reply(wire)
}

/// One message or none, on every way in; and nothing of the tail is obeyed.
#[test]
fn a_message_is_one_message_on_every_listener() {
    let (directory, offset) = (tempfile::tempdir().expect("a directory"), Offset::take());
    let (_, server) = house(directory.path(), &offset, &[]);
    let tcp = |at: SocketAddr| -> Box<dyn Wire> {
        let stream = std::net::TcpStream::connect(at).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(SOON)).expect("a socket");
        Box::new(stream)
    };
    let (smtp, submission) = (server.address("smtp"), server.address("submission"));
    let lmtp = directory.path().join("store/run/lmtp");
    let login = format!("AUTH PLAIN {}\r\n", base64(format!("\0alice@example.test\0{PASSWORD}").as_bytes()));
    let listeners: [(&str, Box<dyn Fn() -> Box<dyn Wire>>, Vec<String>); 3] = [
        ("smtp", Box::new(move || tcp(smtp)), vec!["EHLO a.test\r\n".into()]),
        ("submission", Box::new(move || tcp(submission)), vec!["EHLO a.test\r\n".into(), login]),
        ("lmtp", Box::new(move || Box::new(UnixStream::connect(&lmtp).expect("a connection"))), vec!["LHLO a.test\r\n".into()]),
    ];
    for (name, connect, hello) in &listeners {
        let mut tried = 0;
        for (before, dots, after) in ENDS.iter().flat_map(|before| DOTS.iter().flat_map(move |dots| ENDS.iter().map(move |after| (*before, *dots, *after)))) {
            if before == b"\r\n" && dots == b"." && after == b"\r\n" {
                continue; // the true end
            }
            tried += 1;
            let mut wire = BufReader::new(connect());
            reply(&mut wire);
            for line in hello {
                say(&mut wire, line);
            }
            assert!(say(&mut wire, "MAIL FROM:<alice@example.test>\r\n").starts_with("250 "), "{name}");
            assert!(say(&mut wire, "RCPT TO:<alice@example.test>\r\n").starts_with("250 "), "{name}");
            assert!(say(&mut wire, "DATA\r\n").starts_with("354 "), "{name}");
            // the tail's own end is the end of the message
            let whole = [b"X: y\r\n\r\nhi", before, dots, after, TAIL].concat();
            let cut = [0, b"X: y\r\n\r\nhi".len() + before.len(), b"X: y\r\n\r\nhi".len() + before.len() + dots.len()][tried % 3];
            let what = format!("{name} {before:?} {dots:?} {after:?} cut at {cut}");
            wire.get_mut().write_all(&whole[..cut]).expect("a connection");
            wire.get_mut().flush().expect("a connection");
            let _ = wire.get_mut().write_all(&whole[cut..]); // a server that was told too much may have closed
            let told = reply(&mut wire);
            assert!(told.starts_with('2') || told.starts_with('5'), "{what}: {told}");
            let _ = wire.get_mut().write_all(b"QUIT\r\n");
            let bye = reply(&mut wire);
            assert!(bye.starts_with("221 ") || bye.is_empty(), "{what}: {told}{bye}");
        }
        assert!(tried >= 200, "{tried}");
    }
    assert!(!server.log().contains("evil@evil.test"), "a smuggled envelope was obeyed");
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            out.push(if n <= chunk.len() { char::from(SIGNS[(word >> (18 - 6 * n) & 63) as usize]) } else { '=' });
        }
    }
    out
}
