//! Who may send what to whom: beside Debian's Postfix the same answers to the same sessions, and with a DNS and a policy server of the test's.
//!
//! A difference is a bug: there is no list of known ones. As root, where Debian's package postfix is installed; skipped by name elsewhere.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use house_tests::client::installed;
use house_tests::dns::{Dns, Record};
use house_tests::is_root;
use house_tests::ports::Offset;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::talk::Talk;
use house_tests::until::{SOON, within};

const STRANGER: &str = "mynetworks = 192.0.2.0/24";
const TRUSTED: &str = "mynetworks = 127.0.0.0/8";

/// Parameters, and sessions under them: commands after the greeting.
struct Case {
    parameters: &'static [&'static str],
    sessions: &'static [&'static [&'static str]],
}

const HELO: &str = "HELO client.test";
const MAIL: &str = "MAIL FROM:<a@far.test>";
const ALICE: &str = "RCPT TO:<alice@example.test>";
const VICTIM: &str = "RCPT TO:<victim@elsewhere.test>";

/// No case asks the DNS, which the original would ask elsewhere; and `user%host@domain` is a name here, not a way.
const CASES: &[Case] = &[
    Case {
        parameters: &[STRANGER],
        sessions: &[
            &[HELO, MAIL, ALICE, VICTIM, "RCPT TO:<nobody@example.test>", "RSET", VICTIM],
            &[HELO, "MAIL FROM:<>", "RCPT TO:<alice+x@example.test>", "RCPT TO:<x@gone.test>", "RCPT TO:<x@relayed.test>", "RCPT TO:<x@www.relayed.test>"],
        ],
    },
    Case { parameters: &[TRUSTED], sessions: &[&[HELO, MAIL, VICTIM, ALICE]] },
    Case { parameters: &[STRANGER, "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination"], sessions: &[&[HELO, MAIL, VICTIM, ALICE]] },
    Case {
        parameters: &[STRANGER, "smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_non_fqdn_sender, reject_unauth_destination"],
        sessions: &[&[HELO, "MAIL FROM:<a@far>", ALICE], &[HELO, MAIL, "RCPT TO:<x@short>", ALICE]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname"],
        sessions: &[
            &["HELO client", MAIL, ALICE],
            &["HELO cl!ent.test", MAIL, ALICE],
            &["HELO [127.0.0.1]", MAIL, ALICE],
            &["HELO [127.0.0.300]", MAIL, ALICE],
            &["HELO -a.test", MAIL, ALICE],
            &["HELO 127.0.0.1", MAIL, ALICE],
            &["HELO client.test.", MAIL, ALICE],
        ],
    },
    Case {
        parameters: &[STRANGER, "smtpd_sender_restrictions = check_sender_access hash:DIR/senders"],
        sessions: &[
            &[HELO, "MAIL FROM:<bad@far.test>", ALICE],
            &[HELO, "MAIL FROM:<bad+x@far.test>", ALICE],
            &[HELO, "MAIL FROM:<x@spam.test>", ALICE],
            &[HELO, "MAIL FROM:<x@www.spam.test>", ALICE],
            &[HELO, "MAIL FROM:<later@far.test>", ALICE],
            &[HELO, "MAIL FROM:<code@far.test>", ALICE],
            &[HELO, "MAIL FROM:<dsn@far.test>", ALICE],
            &[HELO, "MAIL FROM:<anybody@any.test>", ALICE],
            &[HELO, "MAIL FROM:<maybe@far.test>", ALICE, "RCPT TO:<nobody@example.test>"],
            &[HELO, "MAIL FROM:<list@far.test>", ALICE],
            &[HELO, "MAIL FROM:<odd@far.test>", ALICE],
            &[HELO, "MAIL FROM:<ok@far.test>", ALICE, VICTIM],
            &[HELO, "MAIL FROM:<>", ALICE],
            &[HELO, MAIL, ALICE],
        ],
    },
    Case {
        parameters: &[STRANGER, "smtpd_client_restrictions = check_client_access cidr:DIR/clients"],
        sessions: &[&[HELO, MAIL, ALICE]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_client_restrictions = inline:{ { 127.0 = 450 come again } }"],
        sessions: &[&[HELO, MAIL, ALICE, "RCPT TO:<postmaster>"]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_relay_restrictions = check_client_access inline:{127.0.0.1=OK}, reject_unauth_destination"],
        sessions: &[&[HELO, MAIL, VICTIM, ALICE]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_helo_restrictions = check_helo_access inline:{ { client.test = REJECT you again }, { .below.test = 554 5.7.9 all of you } }", "smtpd_recipient_restrictions = check_recipient_access inline:{ { alice@ = DEFER } }"],
        sessions: &[&[HELO, MAIL, ALICE], &["HELO a.below.test", MAIL, ALICE], &["HELO below.test", MAIL, ALICE, "RCPT TO:<bob@example.test>"]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_client_restrictions = warn_if_reject reject, permit", "smtpd_recipient_restrictions = warn_if_reject reject_non_fqdn_sender, defer_if_reject, reject_unauth_destination, check_recipient_access inline:{bob@example.test=reject}"],
        sessions: &[&[HELO, "MAIL FROM:<a@far>", ALICE, "RCPT TO:<bob@example.test>"]],
    },
    Case { parameters: &[STRANGER, "smtpd_recipient_restrictions = defer_if_permit, reject_unauth_destination"], sessions: &[&[HELO, MAIL, ALICE, "RCPT TO:<nobody@example.test>"]] },
    Case { parameters: &[STRANGER, "smtpd_recipient_restrictions = defer"], sessions: &[&[HELO, MAIL, ALICE]] },
    Case { parameters: &[STRANGER, "smtpd_recipient_restrictions = reject"], sessions: &[&[HELO, MAIL, ALICE]] },
    Case { parameters: &[STRANGER, "smtpd_sender_restrictions = reject", "reject_code = 521", "soft_bounce = yes"], sessions: &[&[HELO, MAIL, ALICE]] },
    Case {
        parameters: &[STRANGER, "smtpd_restriction_classes = strict, loose", "strict = check_sender_access inline:{far.test=REJECT}, permit", "loose = permit", "smtpd_recipient_restrictions = reject_unauth_destination, check_recipient_access inline:{ alice@example.test=strict, bob@example.test=loose }, reject"],
        sessions: &[&[HELO, MAIL, ALICE, "RCPT TO:<bob@example.test>"], &[HELO, "MAIL FROM:<a@near.test>", ALICE]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_data_restrictions = reject_multi_recipient_bounce, check_sender_access inline:{late@far.test=REJECT}"],
        sessions: &[
            &[HELO, "MAIL FROM:<>", ALICE, "RCPT TO:<bob@example.test>", "DATA"],
            &[HELO, "MAIL FROM:<>", ALICE, "DATA", "."],
            &[HELO, "MAIL FROM:<late@far.test>", ALICE, "DATA"],
        ],
    },
    Case {
        parameters: &[STRANGER, "smtpd_end_of_data_restrictions = check_recipient_access inline:{alice@example.test=REJECT}, check_sender_access inline:{ { d@far.test = DISCARD } }"],
        sessions: &[&[HELO, MAIL, ALICE, "DATA", "."], &[HELO, MAIL, "RCPT TO:<bob@example.test>", "DATA", "."], &[HELO, "MAIL FROM:<d@far.test>", "RCPT TO:<bob@example.test>", "DATA", "."]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_reject_unlisted_sender = yes"],
        sessions: &[&[HELO, "MAIL FROM:<nobody@example.test>", ALICE], &[HELO, "MAIL FROM:<bob@example.test>", ALICE]],
    },
    Case { parameters: &[STRANGER, "smtpd_client_restrictions = reject_plaintext_session"], sessions: &[&[HELO, MAIL, ALICE]] },
    Case {
        parameters: &[STRANGER, "smtpd_client_message_rate_limit = 2", "smtpd_client_event_limit_exceptions ="],
        sessions: &[&[HELO, MAIL, "RSET", MAIL, "RSET", MAIL, "RSET", MAIL]],
    },
    Case {
        parameters: &[STRANGER, "smtpd_client_recipient_rate_limit = 2", "smtpd_client_event_limit_exceptions ="],
        sessions: &[&[HELO, MAIL, ALICE, ALICE, ALICE, "RCPT TO:<bob@example.test>"]],
    },
    Case { parameters: &[STRANGER, "smtpd_hard_error_limit = 3", "smtpd_error_sleep_time = 0s"], sessions: &[&[HELO, MAIL, VICTIM, VICTIM, VICTIM, VICTIM]] },
];

/// Files that cases name as DIR/….
fn tables(directory: &Path) {
    let senders = "bad@far.test REJECT\nspam.test 550 go away\nlater@far.test DEFER not now\ncode@far.test 451 4.1.2 try it\ndsn@far.test REJECT 5.1.1 unknown here\n\
                   anybody@ 554 no anybody\nmaybe@far.test DEFER_IF_PERMIT wait\nlist@far.test reject_unauth_destination, reject\nodd@far.test nonsense\nok@far.test OK\n<> REJECT no bounces\n";
    std::fs::write(directory.join("senders"), senders).expect("a table");
    std::fs::write(directory.join("clients"), "127.0.0.0/8 REJECT 5.7.9 not from there\n").expect("a table");
}

fn line(parameter: &str, directory: &Path) -> String {
    parameter.replace("DIR", &directory.display().to_string())
}

/// The answers to every session, without what is each server's own.
fn answers(case: &Case, at: SocketAddr) -> Vec<String> {
    let mut all = Vec::new();
    for session in case.sessions {
        let mut talk = Talk::open(at);
        all.push("--".to_owned());
        for command in *session {
            let answer = talk.ask(format!("{command}\r\n"));
            all.push(format!("{command} => {}", plain(answer.trim_end())));
        }
    }
    all
}

/// Queue ids and the client's name.
fn plain(answer: &str) -> String {
    let answer = answer.replace("unknown[127.0.0.1]", "CLIENT").replace("localhost[127.0.0.1]", "CLIENT");
    match answer.split_once("queued as ") {
        Some((before, _)) => format!("{before}queued as ID"),
        None => answer,
    }
}

/// Debian's Postfix in directories of its own, a port for each case.
struct Original(PathBuf);

impl Original {
    fn start(directory: &Path, first: u16) -> Original {
        let (config, queue, data) = (directory.join("postfix"), directory.join("queue"), directory.join("data"));
        for made in [&config, &queue, &data] {
            std::fs::create_dir_all(made).expect("a directory");
        }
        tables(&config);
        let chown = Command::new("chown").arg("postfix").arg(&data).status().expect("chown");
        assert!(chown.success());
        assert!(Command::new("postmap").arg(config.join("senders")).status().expect("postmap").success());
        let main = format!(
            "compatibility_level = 3.6\nmyhostname = mail.example.test\nmydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nqueue_directory = {}\n\
             data_directory = {}\nvirtual_mailbox_domains = example.test\nvirtual_mailbox_maps = inline:{{alice@example.test=x, bob@example.test=x}}\nvirtual_transport = discard\n\
             relay_domains = relayed.test\nvirtual_alias_domains = gone.test\nvirtual_alias_maps =\nalias_maps =\nrecipient_delimiter = +\nsmtpd_peername_lookup = no\nmaillog_file = /dev/null\n\
             maillog_file_prefixes = /dev\nlocal_recipient_maps =\nlocal_transport = discard\ndefault_transport = discard\nrelay_transport = discard\n",
            queue.display(),
            data.display(),
        );
        std::fs::write(config.join("main.cf"), main).expect("main.cf");
        let mut master = String::new();
        for (n, case) in (first..).zip(CASES) {
            master += &format!("127.0.0.1:{n} inet n - n - - smtpd\n");
            let settings = case.parameters.iter().filter_map(|parameter| parameter.split_once('='));
            for (name, value) in settings {
                master += &format!("  -o {{ {} = {} }}\n", name.trim(), line(value.trim(), &config));
            }
        }
        for service in ["cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "discard unix - - n - - discard", "error unix - - n - - error", "retry unix - - n - - error", "anvil unix - - n - 1 anvil", "proxymap unix - - n - - proxymap", "postlog unix-dgram n - n - 1 postlogd"] {
            master += &format!("{service}\n");
        }
        std::fs::write(config.join("master.cf"), master).expect("master.cf");
        let started = Command::new("postfix").arg("-c").arg(&config).arg("start").output().expect("postfix");
        assert!(started.status.success(), "{started:?}");
        within(SOON, "Postfix", || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, first)).ok());
        Original(config)
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        let _ = Command::new("postfix").arg("-c").arg(&self.0).arg("stop").output(); // it may not run
    }
}

fn ours(directory: &Path, offset: &Offset, parameters: &[&str]) -> (Configured, Server) {
    let configured = Configured::setup(directory, &["--port-offset", &offset.offset.to_string()]);
    for name in ["alice", "bob"] {
        configured.add_user(&format!("{name}@example.test"), "a long password");
    }
    tables(directory);
    for fixed in ["services = smtp, upkeep", "relay_domains = relayed.test", "virtual_alias_domains = gone.test", "recipient_delimiter = +", "default_transport = retry:not from here", "mydestination ="] {
        configured.set(fixed);
    }
    for parameter in parameters {
        configured.set(&line(parameter, directory));
    }
    let server = Server::serve(&configured, &[]);
    (configured, server)
}

#[test]
fn answers_are_those_of_postfix() {
    let test = "restrictions beside Postfix";
    if !installed(test, &["postfix", "postmap"]) || !is_root() {
        house_tests::skip(test, "only root can start a Postfix");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let open = Command::new("chmod").arg("755").arg(directory.path()).status().expect("chmod");
    assert!(open.success());
    let offset = Offset::take();
    let original = Original::start(directory.path(), offset.port(200));
    let mut faults = Vec::new();
    for (n, case) in CASES.iter().enumerate() {
        let theirs = answers(case, SocketAddr::from((Ipv4Addr::LOCALHOST, offset.port(200) + u16::try_from(n).expect("few cases"))));
        let place = tempfile::tempdir().expect("a directory");
        let (_, server) = ours(place.path(), &offset, case.parameters);
        let own = answers(case, server.address("smtp"));
        for (theirs, own) in theirs.iter().zip(&own).filter(|(theirs, own)| theirs != own) {
            faults.push(format!("{:?}\n  Postfix   {theirs}\n  Posthouse {own}", case.parameters));
        }
        assert_eq!(theirs.len(), own.len());
    }
    drop(original);
    assert!(faults.is_empty(), "{} differences:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn names_and_lists_are_looked_up_in_the_dns() {
    let (directory, offset, dns) = (tempfile::tempdir().expect("a directory"), Offset::take(), Dns::start());
    let here = |last: u8| Record::A(Ipv4Addr::new(127, 0, 0, last));
    dns.set("good.test", &[Record::Mx(10, "mx.good.test")]);
    dns.set("mx.good.test", &[here(1)]);
    dns.set("null.test", &[Record::Mx(0, ".")]);
    dns.set("empty.test", &[]);
    dns.set("1.0.0.127.black.test", &[here(2), Record::Txt("see $rbl_code of http://black.test/")]);
    dns.set("1.0.0.127.other.test", &[here(9)]);
    dns.set("rude.test.names.test", &[here(2)]);
    dns.set("rude.test", &[here(1)]);
    let dns_servers = format!("dns_servers = {}", dns.at());
    for (lists, session) in [
        (
            &["smtpd_sender_restrictions = reject_unknown_sender_domain"][..],
            &[
                ("MAIL FROM:<a@good.test>", ALICE, "250 2.1.5 Ok"),
                ("MAIL FROM:<a@example.test>", ALICE, "250 2.1.5 Ok"),
                ("MAIL FROM:<a@nowhere.test>", ALICE, "450 4.1.8 <a@nowhere.test>: Sender address rejected: Domain not found"),
                ("MAIL FROM:<a@empty.test>", ALICE, "450 4.1.8 <a@empty.test>: Sender address rejected: Domain not found"),
                ("MAIL FROM:<a@null.test>", ALICE, "550 5.7.27 <a@null.test>: Sender address rejected: Domain null.test does not accept mail (nullMX)"),
                ("MAIL FROM:<>", ALICE, "250 2.1.5 Ok"),
            ][..],
        ),
        (
            &["mynetworks = 127.0.0.0/8", "smtpd_recipient_restrictions = reject_unknown_recipient_domain", "unknown_address_reject_code = 550"][..],
            &[
                ("MAIL FROM:<a@good.test>", "RCPT TO:<a@null.test>", "556 5.1.10 <a@null.test>: Recipient address rejected: Domain null.test does not accept mail (nullMX)"),
                ("MAIL FROM:<a@good.test>", "RCPT TO:<a@nowhere.test>", "550 5.1.2 <a@nowhere.test>: Recipient address rejected: Domain not found"),
            ][..],
        ),
        (
            &["smtpd_client_restrictions = reject_rbl_client other.test=127.0.0.[2..8], reject_rbl_client black.test"][..],
            &[("MAIL FROM:<a@good.test>", ALICE, "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using black.test; see $rbl_code of http://black.test/")][..],
        ),
        (
            &["smtpd_sender_restrictions = reject_rhsbl_sender names.test", "rbl_reply_maps = inline:{ { names.test = 521 4.7.8 $$rbl_class $$rbl_what } }"][..],
            &[
                ("MAIL FROM:<a@rude.test>", ALICE, "521 5.7.8 Sender address a@rude.test"),
                ("MAIL FROM:<a@good.test>", ALICE, "250 2.1.5 Ok"),
            ][..],
        ),
        (
            &["smtpd_sender_login_maps = inline:{boss@far.test=alice@example.test}", "smtpd_sender_restrictions = reject_sender_login_mismatch"][..],
            &[
                ("MAIL FROM:<boss@far.test>", ALICE, "553 5.7.1 <boss@far.test>: Sender address rejected: not logged in"),
                ("MAIL FROM:<a@good.test>", ALICE, "250 2.1.5 Ok"),
            ][..],
        ),
        (
            &["smtpd_helo_restrictions = reject_unknown_helo_hostname"][..],
            &[("MAIL FROM:<a@good.test>", ALICE, "450 4.7.1 <client.test>: Helo command rejected: Host not found")][..],
        ),
    ] {
        let place = directory.path().join(lists.join("").len().to_string());
        std::fs::create_dir(&place).expect("a directory");
        let (_, server) = ours(&place, &offset, &[lists, &[dns_servers.as_str()]].concat());
        for (mail, rcpt, want) in session {
            let mut talk = Talk::open(server.address("smtp"));
            talk.ask(format!("{HELO}\r\n"));
            assert!(talk.ask(format!("{mail}\r\n")).starts_with("250 "), "{mail}");
            assert_eq!(talk.ask(format!("{rcpt}\r\n")).trim_end(), *want, "{lists:?} {mail}");
        }
    }
}

#[test]
fn a_policy_server_is_asked_and_obeyed() {
    let (directory, offset) = (tempfile::tempdir().expect("a directory"), Offset::take());
    let policy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = policy.local_addr().expect("an address");
    let (sender, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in policy.incoming() {
            let Ok(mut stream) = stream else { return };
            let lines: Vec<String> = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let of = |name: &str| lines.iter().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned();
            let action = match of("sender").as_str() {
                "grey@far.test" => "DEFER_IF_PERMIT Greylisted".to_owned(),
                "mark@far.test" => "PREPEND X-Policy: seen".to_owned(),
                "silent@far.test" => continue,
                _ => "DUNNO".to_owned(),
            };
            let _ = stream.write_all(format!("action={action}\n\n").as_bytes()); // the server may have gone
            let _ = sender.send(lines);
        }
    });
    let (_, server) = ours(directory.path(), &offset, &[STRANGER, &format!("smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service inet:{at}")]);
    let talk = |mail: &str| {
        let mut talk = Talk::open(server.address("smtp"));
        talk.ask(format!("{HELO}\r\n"));
        talk.ask(format!("{mail}\r\n"));
        let answer = talk.ask(format!("{ALICE}\r\n"));
        (talk, answer.trim_end().to_owned())
    };
    assert_eq!(talk("MAIL FROM:<grey@far.test>").1, "450 4.7.1 <alice@example.test>: Recipient address rejected: Greylisted");
    assert_eq!(talk("MAIL FROM:<silent@far.test>").1, "451 4.3.5 <alice@example.test>: Recipient address rejected: Server configuration problem");
    let (mut marked, answer) = talk("MAIL FROM:<mark@far.test>");
    assert_eq!(answer, "250 2.1.5 Ok");
    marked.ask("DATA\r\n");
    assert!(marked.ask("Subject: x\r\n\r\n.\r\n").starts_with("250 "));
    let inbox = directory.path().join("store/mail/example.test/alice");
    let file = within(SOON, "the message", || ["new", "cur"].iter().find_map(|folder| std::fs::read_dir(inbox.join(folder)).ok()?.next()?.ok()));
    let text = std::fs::read_to_string(file.path()).expect("a message");
    assert!(text.contains("X-Policy: seen"), "{text}");
    // what a client says is one attribute
    assert_eq!(talk("MAIL FROM:<\"a=b request=x\"@far.test>").1, "250 2.1.5 Ok");
    let asked = "sender=\"a=b request=x\"@far.test".to_owned();
    let last = requests.try_iter().find(|lines| lines.contains(&asked)).expect("it was asked");
    assert_eq!(last.iter().filter(|line| line.starts_with("request=")).collect::<Vec<_>>(), ["request=smtpd_access_policy"]);
    assert!(last.contains(&"client_address=127.0.0.1".to_owned()) && last.contains(&"recipient=alice@example.test".to_owned()), "{last:?}");
}
