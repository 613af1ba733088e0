//! TERM and HUP while sessions are open (DESIGN §1.4).

use house_tests::client::installed;
use house_tests::demo::Demo;
use house_tests::maildir;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::talk::Talk;
use house_tests::until::{SOON, within};
use rustix::process::Signal;

#[test]
fn term_lets_a_message_come_in_and_tells_the_others() {
    let mut demo = Demo::start();
    let mut sending = Talk::open(demo.server.address("smtp"));
    for (text, code) in [("EHLO x.example.net\r\n", "250"), ("MAIL FROM:<>\r\n", "250"), ("RCPT TO:<bob@example.test>\r\n", "250"), ("DATA\r\n", "354")] {
        let reply = sending.ask(text);
        assert!(reply.starts_with(code), "{text} {reply}");
    }
    sending.say("Subject: the last one\r\n\r\nhalf of it");
    let mut waiting = Talk::open(demo.server.address("smtp"));
    let mut reading = Talk::open(demo.server.address("imap"));
    demo.server.signal(Signal::TERM);
    assert!(waiting.line().starts_with("421"), "a waiting SMTP session is told");
    assert!(reading.line().starts_with("* BYE"), "an IMAP session is told");
    let reply = sending.ask(", and the other half\r\n.\r\n");
    assert!(reply.starts_with("250"), "what was under way is taken: {reply}");
    assert_eq!(demo.server.ended().code(), Some(0), "{}", demo.server.log());
    // Its file may be made by the next start: the database has it.
    let demo = demo.after_its_end();
    let folder = demo.configured().maildir("bob");
    let arrived = || maildir::read(&folder).ok()?.iter().any(|file| file.text.contains("half of it, and the other half")).then_some(());
    within(SOON, "the last message lies in the Maildir", arrived);
    demo.server.stop();
}

#[test]
fn a_signal_right_after_ready_is_heard() {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    configured.set("imap_listen = 127.0.0.1:0");
    for signal in [Signal::TERM, Signal::INT].into_iter().cycle().take(20) {
        let mut server = Server::serve(&configured, &["--only", "imap"]);
        server.signal(signal);
        assert_eq!(server.ended().code(), Some(0), "{signal:?} was not heard; {}", server.log());
    }
}

#[test]
fn a_second_term_ends_it_at_once() {
    let mut demo = Demo::start();
    let mut sending = Talk::open(demo.server.address("smtp"));
    for text in ["EHLO x.example.net\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<bob@example.test>\r\n", "DATA\r\n"] {
        sending.ask(text);
    }
    sending.say("Subject: never ended\r\n\r\n");
    let mut waiting = Talk::open(demo.server.address("smtp"));
    demo.server.signal(Signal::TERM);
    // It has heard the first.
    assert!(waiting.line().starts_with("421"));
    demo.server.signal(Signal::TERM);
    assert_eq!(demo.server.ended().code(), Some(0), "{}", demo.server.log());
}

#[test]
fn hup_takes_a_changed_certificate_while_a_session_goes_on() {
    if !installed("hup_takes_a_changed_certificate_while_a_session_goes_on", &["python3"]) {
        return;
    }
    let demo = Demo::start();
    let scratch = tempfile::tempdir().expect("a directory");
    let other = Configured::setup(scratch.path(), &[]);
    let certs = |configured: &Configured, name: &str| configured.directory.join("certs").join(name).display().to_string();
    let (own, pid) = (demo.configured(), demo.server.id().to_string());
    let log = demo.log().display().to_string();
    let files = [certs(&own, "server.pem"), certs(&own, "server.key"), certs(&other, "server.pem"), certs(&other, "server.key"), certs(&other, "ca.pem")];
    let mut arguments = vec![pid.as_str(), log.as_str()];
    arguments.extend(files.iter().map(String::as_str));
    demo.python("reload.py", &arguments);
    demo.server.stop();
}

#[test]
fn hup_with_an_unsound_main_cf_keeps_what_was() {
    let demo = Demo::start();
    let line = demo.configured().set("message_size_limit = many");
    demo.server.signal(Signal::HUP);
    let place = format!("main.cf, line {line}:");
    within(SOON, "the log names file and line", || demo.server.log().contains(&place).then_some(()));
    let mut talk = Talk::open(demo.server.address("smtp"));
    assert!(talk.ask("NOOP\r\n").starts_with("250"));
    drop(talk);
    demo.server.stop();
}
