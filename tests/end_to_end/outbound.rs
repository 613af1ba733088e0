//! Mail between two hosts, each a program of its own, with a DNS of the test's.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use house_tests::client::installed;
use house_tests::dns::{Dns, Record};
use house_tests::imap::Imap;
use house_tests::ports::Offset;
use house_tests::program::Configured;
use house_tests::is_root;
use house_tests::server::Server;
use house_tests::smtp::Smtp;
use house_tests::until::{SOON, within};

const PASSWORD: &str = "a long password";

/// Two hosts: `mail.near.test` at 127.0.0.1 and `mail.far.test` at 127.0.0.2, an account each, and both in the DNS.
pub struct Hosts {
    pub dns: Dns,
    pub near: Configured,
    pub far: Configured,
    pub port: u16,
    _held: (tempfile::TempDir, Offset, Offset),
}

pub fn hosts() -> Hosts {
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
pub fn inbox(server: &Server, user: &str, count: usize) -> Vec<String> {
    let mut imap = Imap::login(server.address("imap"), user, PASSWORD);
    let all = within(SOON, "the inbox", || Some(imap.messages("INBOX")).filter(|all| all.len() >= count));
    assert_eq!(all.len(), count);
    all.iter().map(|message| String::from_utf8_lossy(&message.text).into_owned()).collect()
}

pub fn send(at: SocketAddr, from: &str, to: &[&str], subject: &str) {
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
fn what_no_host_takes_comes_back() {
    let hosts = hosts();
    hosts.dns.set("null.test", &[Record::Mx(0, "")]);
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    send(near.address("smtp"), "user@near.test", &["a@null.test", "b@nowhere.test", "nobody@far.test", "user@far.test"], "nowhere");
    let back = &inbox(&near, "user@near.test", 1)[0];
    for part in [
        "Return-Path: <>\r\n",
        "Delivered-To: user@near.test\r\n",
        "From: Mail Delivery System <MAILER-DAEMON@near.test>\r\nSubject: Undelivered Mail Returned to Sender\r\nTo: user@near.test\r\n",
        "<a@null.test>: Domain null.test does not accept mail (nullMX)\r\n",
        "Final-Recipient: rfc822; b@nowhere.test\r\nOriginal-Recipient: rfc822;b@nowhere.test\r\nAction: failed\r\nStatus: 5.4.4\r\n",
        "Remote-MTA: dns; mail.far.test\r\nDiagnostic-Code: smtp; 550 5.1.1 <nobody@far.test>: Recipient address rejected:\r\n    User unknown in virtual mailbox table\r\n",
        "Content-Type: message/rfc822\r\n",
        "Subject: nowhere\r\n",
    ] {
        assert!(back.contains(part), "{part:?} is not in\n{back}");
    }
    assert!(!back.contains("user@far.test>"), "{back}");
    assert!(inbox(&far, "user@far.test", 1)[0].contains("Subject: nowhere"));
    for why in [
        "to=<a@null.test>, relay=none, ",
        "dsn=5.1.0, status=bounced (Domain null.test does not accept mail (nullMX))",
        "dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=nowhere.test type=MX: Host not found)",
        "status=bounced (host mail.far.test[127.0.0.2] said: 550 5.1.1 <nobody@far.test>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command))",
        ": sender non-delivery notification: ",
        ": removed",
    ] {
        within(SOON, why, || near.log().contains(why).then_some(()));
    }
    near.stop();
    far.stop();
}

#[test]
fn a_bounce_that_fails_is_dropped_or_told_to_postmaster() {
    let hosts = hosts();
    hosts.near.set("notify_classes = 2bounce");
    let near = Server::serve(&hosts.near, &[]);
    send(near.address("smtp"), "a@nowhere.test", &["b@nowhere.test"], "lost");
    let told = &inbox(&near, "user@near.test", 1)[0];
    assert!(told.contains("Return-Path: <double-bounce@near.test>\r\n") && told.contains("Subject: Postmaster Copy: Undelivered Mail\r\n"), "{told}");
    assert!(told.contains("Final-Recipient: rfc822; a@nowhere.test\r\n"), "{told}");
    near.stop();
}

#[test]
fn a_sender_hears_once_that_mail_is_late() {
    let hosts = hosts();
    hosts.near.set("delay_warning_time = 1s");
    let near = Server::serve(&hosts.near, &[]);
    send(near.address("smtp"), "user@near.test", &["user@far.test"], "late");
    // the second comes a second after the first: now it is late
    let told = &inbox(&near, "user@near.test", 1)[0];
    assert!(told.contains("Subject: Delayed Mail (still being retried)\r\n") && told.contains("Action: delayed\r\n") && told.contains("\r\nWill-Retry-Until: "), "{told}");
    let tries = || near.log().matches("status=deferred").count();
    let before = tries();
    within(SOON, "two more deferrals", || (tries() > before + 1).then_some(()));
    assert_eq!(inbox(&near, "user@near.test", 1).len(), 1, "once");
    near.stop();
}

#[test]
fn what_its_own_hosts_do_not_take_goes_by_the_fallback_relay() {
    let hosts = hosts();
    hosts.near.set(&format!("smtp_fallback_relay = [nowhere.test], [127.0.0.2]:{}", hosts.port));
    hosts.dns.set("dead.test", &[Record::Mx(10, "mail.dead.test")]);
    hosts.dns.set("mail.dead.test", &[Record::A(Ipv4Addr::new(127, 0, 0, 3))]);
    // it takes them, and keeps them
    hosts.far.set("relay_domains = dead.test, lost.test");
    hosts.far.set("default_transport = retry:");
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    send(near.address("smtp"), "user@near.test", &["a@dead.test", "b@lost.test"], "by another way");
    for to in ["a@dead.test", "b@lost.test"] {
        let told = format!("to=<{to}>, relay=127.0.0.2[127.0.0.2]:{}, ", hosts.port);
        within(SOON, &told, || near.log().lines().any(|line| line.contains(&told) && line.contains("status=sent (250 2.0.0 Ok: queued")).then_some(()));
    }
    near.stop();
    far.stop();
}

#[test]
fn with_a_delay_one_follows_the_other() {
    let hosts = hosts();
    hosts.near.set("smtp_destination_rate_delay = 1s");
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    for subject in ["one", "two", "three"] {
        send(near.address("smtp"), "user@near.test", &["user@far.test"], subject);
    }
    inbox(&far, "user@far.test", 3);
    assert!(!near.log().contains("conn_use="), "each over a connection of its own");
    near.stop();
    far.stop();
}

/// Letters of the crash test: enough that a kill comes in the middle.
const LETTERS: usize = 200;
/// Deliveries to one destination at a time: what may be in flight when the crash comes.
const IN_FLIGHT: usize = 20;

#[test]
fn killed_while_it_sends_it_loses_nothing_and_repeats_only_what_was_in_flight() {
    let hosts = hosts();
    let mut near = Server::serve(&hosts.near, &[]);
    let mut smtp = Smtp::connect(near.address("smtp")).expect("SMTP");
    for n in 0..LETTERS {
        smtp.send("user@near.test", &["user@far.test"], &format!("Subject: letter {n} of many\r\n\r\n")).expect("250");
    }
    let far = Server::serve(&hosts.far, &[]);
    let mut imap = Imap::login(far.address("imap"), "user@far.test", PASSWORD);
    within(SOON, "some of the letters", || (imap.messages("INBOX").len() >= 10).then_some(()));
    near.kill();
    let near = Server::serve(&hosts.near, &[]);
    let letters = within(SOON, "all letters", || {
        let mut letters: HashMap<String, usize> = HashMap::new();
        imap.messages("INBOX").iter().for_each(|message| *letters.entry(message.subject()).or_default() += 1);
        (letters.len() == LETTERS).then_some(letters)
    });
    let twice: usize = letters.values().map(|count| count - 1).sum();
    assert!(twice <= IN_FLIGHT, "{twice} letters came twice");
    near.stop();
    far.stop();
}

/// Debian's `smtp-sink` with one of its faults, at an address of its own.
struct Sink {
    child: Child,
    at: SocketAddr,
}

impl Sink {
    fn start(fault: &[&str], at: SocketAddr) -> Sink {
        let mut command = Command::new("smtp-sink");
        if is_root() {
            command.args(["-u", "nobody"]);
        }
        let child = command.args(fault).arg(at.to_string()).arg("10").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("smtp-sink");
        within(SOON, "smtp-sink", || TcpStream::connect(at).ok());
        Sink { child, at }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

#[test]
fn every_fault_of_a_server_is_told_and_survived() {
    if !installed("every_fault_of_a_server_is_told_and_survived", &["smtp-sink"]) {
        return;
    }
    let hosts = hosts();
    let near = Server::serve(&hosts.near, &[]);
    let faults: [(&[&str], &str); 14] = [
        (&[], "status=sent (250 2.0.0 Ok)"),
        (&["-p"], "status=sent (250 2.0.0 Ok)"),
        (&["-e"], "status=sent (250 "),
        (&["-f", "EHLO"], "status=sent (250 "),
        (&["-r", "MAIL"], "status=deferred (host "),
        (&["-r", "RCPT"], "status=deferred (host "),
        (&["-f", "RCPT"], "status=bounced (host "),
        (&["-f", "DATA"], "status=bounced (host "),
        (&["-r", "."], "status=deferred (host "),
        (&["-f", "."], "status=bounced (host "),
        (&["-q", "MAIL"], "status=deferred (lost connection with "),
        (&["-q", "RCPT"], "status=deferred (lost connection with "),
        (&["-q", "DATA"], "status=deferred (lost connection with "),
        (&["-q", "."], "while sending end of data -- message may be sent more than once)"),
    ];
    let sinks: Vec<Sink> = (10..).zip(&faults).map(|(n, (fault, _))| Sink::start(fault, SocketAddr::from(([127, 0, 0, n], hosts.port)))).collect();
    for (n, sink) in sinks.iter().enumerate() {
        let domain = format!("fault{n}.test");
        let std::net::IpAddr::V4(address) = sink.at.ip() else { continue };
        hosts.dns.set(&domain, &[Record::A(address)]);
        send(near.address("smtp"), "", &[format!("x@{domain}").as_str()], "fault");
    }
    for (n, (fault, told)) in faults.iter().enumerate() {
        let to = format!("to=<x@fault{n}.test>");
        within(SOON, &format!("{fault:?}: {told}"), || near.log().lines().any(|line| line.contains(&to) && line.contains(told)).then_some(()));
    }
    near.stop();
}

#[test]
fn it_logs_in_at_a_relayhost() {
    let hosts = hosts();
    let far = Server::serve(&hosts.far, &[]);
    let relay = format!("[127.0.0.1]:{}", far.address("submission").port());
    let passwords = hosts.near.directory.join("passwords");
    std::fs::write(&passwords, format!("{relay} user@far.test:{PASSWORD}\n")).expect("a file");
    for line in [
        format!("relayhost = {relay}").as_str(),
        "smtp_tls_security_level = encrypt",
        "smtp_sasl_auth_enable = yes",
        "smtp_sasl_tls_security_options = noanonymous",
        format!("smtp_sasl_password_maps = hash:{}", passwords.display()).as_str(),
    ] {
        hosts.near.set(line);
    }
    let near = Server::serve(&hosts.near, &[]);
    send(near.address("smtp"), "user@far.test", &["user@far.test"], "by the relay");
    assert!(inbox(&far, "user@far.test", 1)[0].contains("Subject: by the relay"));
    assert!(far.log().contains("sasl_method="), "{}", far.log());
    near.stop();
    far.stop();
}

/// Says an envelope with parameters, and a message.
fn send_with(at: SocketAddr, mail: &str, rcpts: &[&str], subject: &str) {
    let mut smtp = Smtp::connect(at).expect("SMTP");
    smtp.say(&format!("MAIL FROM:{mail}\r\n")).expect("250");
    for rcpt in rcpts {
        smtp.say(&format!("RCPT TO:{rcpt}\r\n")).expect("250");
    }
    smtp.say("DATA\r\n").expect("354");
    smtp.say(&format!("From: <user@near.test>\r\nSubject: {subject}\r\n\r\nHello.\r\n.\r\n")).expect("250");
}

#[test]
fn a_sender_who_asks_hears_what_became_of_a_message() {
    let hosts = hosts();
    hosts.far.run(&["alias", "add", "list@far.test", "user@far.test", "user@near.test"]).ok();
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    let told = |count: usize| inbox(&near, "user@near.test", count).pop().expect("the last");

    send_with(near.address("smtp"), "<user@near.test> ENVID=QQ+2B1", &["<user@far.test> NOTIFY=SUCCESS ORCPT=rfc822;The+20User@far.test"], "by the last host");
    let report = told(1);
    for part in [
        "\r\nSubject: Successful Mail Delivery Report\r\n",
        "Reporting-MTA: dns; mail.far.test\r\nOriginal-Envelope-Id: QQ+1\r\n",
        "Final-Recipient: rfc822; user@far.test\r\nOriginal-Recipient: rfc822;The User@far.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
        "Content-Type: text/rfc822-headers\r\n",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    assert!(!report.contains("Hello."), "{report}");

    send_with(near.address("smtp"), "<user@near.test>", &["<list@far.test> NOTIFY=SUCCESS"], "by a list");
    let mail = inbox(&near, "user@near.test", 3);
    let report = mail.iter().find(|mail| mail.contains("Final-Recipient: rfc822; list@far.test\r\n")).unwrap_or_else(|| panic!("{mail:?}"));
    assert!(report.contains("\r\nAction: expanded\r\n") && report.matches("Final-Recipient").count() == 1, "{report}");

    send_with(near.address("smtp"), "<user@near.test>", &["<nobody@far.test> NOTIFY=NEVER", "<user@near.test> NOTIFY=SUCCESS"], "here");
    let mail = inbox(&near, "user@near.test", 5);
    assert!(mail.iter().any(|mail| mail.contains("Reporting-MTA: dns; mail.near.test\r\n") && mail.contains("Action: delivered\r\n")), "{mail:?}");
    within(SOON, "a refusal nobody hears of", || near.log().contains("to=<nobody@far.test>, ").then_some(()));
    within(SOON, "the queue to be empty", || (near.log().matches(": removed").count() >= 3).then_some(()));
    assert!(!near.log().contains("sender non-delivery notification"), "{}", near.log());
    near.stop();
    far.stop();
}

#[test]
fn where_the_next_host_sends_no_reports_this_one_does() {
    let hosts = hosts();
    hosts.far.set("smtpd_discard_ehlo_keywords = dsn");
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    send_with(near.address("smtp"), "<user@near.test> RET=FULL", &["<user@far.test> NOTIFY=SUCCESS,FAILURE"], "relayed");
    let report = inbox(&near, "user@near.test", 1).remove(0);
    for part in [
        "Reporting-MTA: dns; mail.near.test\r\n",
        "\r\nAction: relayed\r\nStatus: 2.0.0\r\nRemote-MTA: dns; mail.far.test\r\nDiagnostic-Code: smtp; 250 2.0.0 Ok: queued as ",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    near.stop();
    far.stop();
}

#[test]
fn a_server_of_seven_bits_gets_seven() {
    let hosts = hosts();
    hosts.far.set("smtpd_discard_ehlo_keywords = 8bitmime");
    let (near, far) = (Server::serve(&hosts.near, &[]), Server::serve(&hosts.far, &[]));
    let mut smtp = Smtp::connect(near.address("smtp")).expect("SMTP");
    let text = "Subject: bits\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u{fc}\u{df}e\r\n";
    smtp.send("user@near.test", &["user@far.test"], text).expect("250");
    let there = &inbox(&far, "user@far.test", 1)[0];
    assert!(there.contains("Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n") && !there.contains("8bit"), "{there}");
    near.stop();
    far.stop();
}
