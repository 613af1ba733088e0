//! `posthouse serve`: how it starts, and why it does not.

use std::net::TcpListener;

use house_tests::client;
use house_tests::imap::Imap;
use house_tests::ports::Offset;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::smtp::Smtp;

struct Fresh {
    configured: Configured,
    offset: Offset,
    _directory: tempfile::TempDir,
}

fn fresh() -> Fresh {
    let (directory, offset) = (tempfile::tempdir().expect("a directory"), Offset::take());
    let configured = Configured::setup(directory.path(), &["--port-offset", &offset.offset.to_string()]);
    Fresh { configured, offset, _directory: directory }
}

#[test]
fn it_says_where_it_listens_and_then_that_it_is_ready() {
    let Fresh { configured, offset, _directory } = fresh();
    let server = Server::serve(&configured, &[]);
    let services = [("smtp", 25, "starttls"), ("submission", 587, "starttls"), ("submissions", 465, "tls"), ("imap", 143, "starttls"), ("imaps", 993, "tls"), ("pop3", 110, "starttls"), ("pop3s", 995, "tls")];
    for (service, standard, how) in services {
        let line = format!("posthouse: listening {service} 127.0.0.1:{} {how}", offset.port(standard));
        assert!(server.said.contains(&line), "{line:?} is not in {:#?}", server.said);
    }
    assert_eq!(server.said.last().map(String::as_str), Some("posthouse: ready"));
    server.stop();
}

#[test]
fn a_second_one_on_the_same_store_says_so_and_exits() {
    let Fresh { configured, offset: _held, _directory } = fresh();
    let first = Server::serve(&configured, &["--only", "imap,smtp"]);
    configured.run(&["serve", "--only", "imap"]).refused(69, &["imap", "another process"]);
    // Other services of the same store are welcome.
    let second = Server::serve(&configured, &["--only", "pop3"]);
    second.stop();
    first.stop();
}

#[test]
fn two_processes_of_one_store_are_one_system() {
    let Fresh { configured, offset: _held, _directory } = fresh();
    configured.set("plaintext_auth = loopback");
    configured.add_user("carol@example.test", "a long password");
    let taking = Server::serve(&configured, &["--only", "smtp,upkeep"]);
    let reading = Server::serve(&configured, &["--only", "imap"]);
    let mut imap = Imap::login(reading.address("imap"), "carol@example.test", "a long password");
    assert!(imap.ask("SELECT INBOX").contains("* 0 EXISTS"));
    let mut smtp = Smtp::connect(taking.address("smtp")).expect("SMTP");
    smtp.send("x@example.net", &["carol@example.test"], "Subject: across\r\n\r\n").expect("250");
    assert!(imap.ask("NOOP").contains("* 1 EXISTS"), "the other process was not asked");
    assert!(imap.ask("FETCH 1 (BODY[HEADER.FIELDS (SUBJECT)])").contains("Subject: across"));
    drop((imap, smtp));
    reading.stop();
    taking.stop();
}

#[test]
fn a_taken_port_is_named() {
    let Fresh { configured, offset, _directory } = fresh();
    let port = offset.port(143);
    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("the port was free");
    configured.run(&["serve"]).refused(69, &["imap", &format!("127.0.0.1:{port}"), "another process listens there", "change imap_listen or port_offset"]);
}

#[test]
fn a_bad_certificate_stops_the_start() {
    let Fresh { configured, offset: _held, _directory } = fresh();
    let (cert, key) = (configured.directory.join("certs/server.pem"), configured.directory.join("certs/server.key"));
    let good = std::fs::read(&cert).expect("a certificate");
    std::fs::write(&cert, "not a certificate\n").expect("a file");
    configured.run(&["serve"]).refused(78, &["tls_cert_file", &cert.display().to_string(), "BEGIN CERTIFICATE"]);
    std::fs::write(&cert, good).expect("a file");
    std::fs::remove_file(&key).expect("a file");
    configured.run(&["serve"]).refused(78, &[&key.display().to_string(), "tls_key_file"]);
}

#[test]
fn lmtp_takes_mail_through_its_socket() {
    if !client::installed("lmtp_takes_mail_through_its_socket", &["python3"]) {
        return;
    }
    let Fresh { configured, offset: _held, _directory } = fresh();
    configured.set("plaintext_auth = loopback");
    for user in ["carol@example.test", "dave@example.test"] {
        configured.add_user(user, "a long password");
    }
    let server = Server::serve(&configured, &["--only", "lmtp,imap,upkeep"]);
    let socket = server.said.iter().find_map(|line| line.strip_prefix("posthouse: listening lmtp unix:")?.split(' ').next()).expect("a socket");
    client::python("lmtp.py", &[socket]);
    for user in ["carol@example.test", "dave@example.test"] {
        let mut imap = Imap::login(server.address("imap"), user, "a long password");
        imap.ask("SELECT INBOX");
        assert!(imap.ask("FETCH 1:* (BODY[HEADER.FIELDS (SUBJECT)])").contains("Subject: by LMTP"), "{user}");
    }
    server.stop();
}

#[test]
fn a_free_port_is_taken_when_asked_for() {
    let Fresh { configured, offset: _held, _directory } = fresh();
    configured.set("imap_listen = 127.0.0.1:0");
    let server = Server::serve(&configured, &["--only", "imap"]);
    assert_ne!(server.address("imap").port(), 0);
    server.stop();
}

#[test]
fn commands_work_while_it_runs() {
    let Fresh { configured, offset: _held, _directory } = fresh();
    configured.set("plaintext_auth = loopback");
    let server = Server::serve(&configured, &[]);
    configured.add_user("carol@example.test", "a long password");
    let mut imap = Imap::login(server.address("imap"), "carol@example.test", "a long password");
    configured.run(&["mailbox", "create", "carol@example.test", "Made/Outside"]).ok();
    assert!(imap.ask("LIST \"\" \"*\"").contains("Made/Outside"));
    configured.run(&["check"]).ok();
    drop(imap);
    server.stop();
}
