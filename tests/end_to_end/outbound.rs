//! Mail between two hosts, each a program of its own, with a DNS of the test's.

use std::net::{Ipv4Addr, SocketAddr};

use house_tests::dns::{Dns, Record};
use house_tests::imap::Imap;
use house_tests::ports::Offset;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::smtp::Smtp;
use house_tests::until::{SOON, within};

const PASSWORD: &str = "a long password";

/// Two hosts: `mail.near.test` at 127.0.0.1 and `mail.far.test` at 127.0.0.2, an account each, and both in the DNS.
struct Hosts {
    dns: Dns,
    near: Configured,
    far: Configured,
    port: u16,
    _held: (tempfile::TempDir, Offset, Offset),
}

fn hosts() -> Hosts {
    let (directory, one, two) = (tempfile::tempdir().expect("a directory"), Offset::take(), Offset::take());
    let dns = Dns::start();
    let port = one.port(25);
    let host = |name: &str, ip: [u8; 4], offset: &Offset| {
        let configured = Configured { directory: directory.path().join(name).join("config") };
        let (store, domain) = (directory.path().join(name).join("store"), format!("{name}.test"));
        let offset = offset.offset.to_string();
        let (host, store) = (format!("mail.{domain}"), store.display().to_string());
        configured.run(&["setup", "--hostname", &host, "--domain", &domain, "--store-dir", &store, "--port-offset", &offset, "--self-signed", "--yes"]).ok();
        configured.set(&format!("smtp_listen = {}:{port}", Ipv4Addr::from(ip)));
        configured.set(&format!("smtp_tcp_port = {port}"));
        configured.set(&format!("dns_servers = {}", dns.at()));
        configured.set("mynetworks = 127.0.0.0/8");
        configured.set("myorigin = $mydomain");
        configured.set("plaintext_auth = loopback");
        configured.set("minimal_backoff_time = 1s");
        configured.set("maximal_backoff_time = 1s");
        configured.add_user(&format!("user@{domain}"), PASSWORD);
        configured
    };
    let (near, far) = (host("near", [127, 0, 0, 1], &one), host("far", [127, 0, 0, 2], &two));
    dns.set("near.test", &[Record::Mx(10, "mail.near.test")]);
    dns.set("far.test", &[Record::Mx(10, "mail.far.test")]);
    dns.set("mail.near.test", &[Record::A(Ipv4Addr::new(127, 0, 0, 1))]);
    dns.set("mail.far.test", &[Record::A(Ipv4Addr::new(127, 0, 0, 2))]);
    Hosts { dns, near, far, port, _held: (directory, one, two) }
}

/// What lies in the inbox of `user`, once it holds `count`.
fn inbox(server: &Server, user: &str, count: usize) -> Vec<String> {
    let mut imap = Imap::login(server.address("imap"), user, PASSWORD);
    let all = within(SOON, "the inbox", || Some(imap.messages("INBOX")).filter(|all| all.len() >= count));
    assert_eq!(all.len(), count);
    imap.ask("EXAMINE INBOX");
    (1..=count).map(|n| imap.ask(&format!("FETCH {n} BODY.PEEK[]"))).collect()
}

fn send(at: SocketAddr, from: &str, to: &[&str], subject: &str) {
    let text = format!("From: <{from}>\r\nSubject: {subject}\r\n\r\nHello.\r\n..dots\r\n");
    Smtp::connect(at).expect("SMTP").send(from, to, &text).expect("250");
}

#[test]
fn a_letter_goes_from_one_host_to_the_other_and_its_answer_back() {
    let hosts = hosts();
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    send(near.address("smtp"), "user@near.test", &["user@far.test"], "there");
    let there = inbox(&far, "user@far.test", 1);
    assert!(there[0].contains("Subject: there") && there[0].contains("\r\n.dots\r\n"), "{there:?}");
    send(far.address("smtp"), "user@far.test", &["user@near.test"], "back");
    assert!(inbox(&near, "user@near.test", 1)[0].contains("Subject: back"));
    let log = near.log();
    let sent = log.lines().find(|line| line.contains("status=sent") && line.contains("to=<user@far.test>")).unwrap_or_else(|| panic!("{log}"));
    assert!(sent.contains(&format!("relay=mail.far.test[127.0.0.2]:{}, delay=", hosts.port)), "{sent}");
    assert!(sent.contains("dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as "), "{sent}");
    within(SOON, "the queue to be empty", || near.log().contains(": removed").then_some(()));
    near.stop();
    far.stop();
}

#[test]
fn mail_waits_for_a_host_that_is_down() {
    let hosts = hosts();
    let near = Server::serve(&hosts.near, &[]);
    send(near.address("smtp"), "user@near.test", &["user@far.test"], "late");
    let why = format!("status=deferred (connect to mail.far.test[127.0.0.2]:{}: Connection refused)", hosts.port);
    within(SOON, &why, || near.log().contains(&why).then_some(()));
    let far = Server::serve(&hosts.far, &[]);
    assert!(inbox(&far, "user@far.test", 1)[0].contains("Subject: late"));
    near.stop();
    far.stop();
}

#[test]
fn it_goes_by_tls_where_that_is_told() {
    let hosts = hosts();
    hosts.near.set("smtp_tls_security_level = may");
    hosts.far.set("smtpd_tls_received_header = yes");
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    send(near.address("smtp"), "user@near.test", &["user@far.test"], "secret");
    let there = inbox(&far, "user@far.test", 1);
    assert!(there[0].contains("using TLSv1.3") && there[0].contains("with ESMTPS"), "{there:?}");
    near.stop();
    far.stop();
}

#[test]
fn what_no_host_takes_is_told_in_the_log() {
    let hosts = hosts();
    hosts.dns.set("null.test", &[Record::Mx(0, "")]);
    let near = Server::serve(&hosts.near, &[]);
    send(near.address("smtp"), "user@near.test", &["a@null.test", "b@nowhere.test"], "nowhere");
    for why in [
        "to=<a@null.test>, relay=none, ",
        "dsn=5.1.0, status=bounced (Domain null.test does not accept mail (nullMX))",
        "dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=nowhere.test type=MX: Host not found)",
    ] {
        within(SOON, why, || near.log().contains(why).then_some(()));
    }
    near.stop();
}
