//! A crowd from one address that is not this machine's own: in a network namespace, as root.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use house_tests::client::{installed, run};
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::smtp::Smtp;
use house_tests::talk::Talk;
use house_tests::until::{SOON, within};
use house_tests::{is_root, skip};

/// Of those kept for measuring networks (RFC 2544), which no network has.
const HERE: &str = "198.18.77.1";
const THERE: &str = "198.18.77.2";
const CROWD: usize = 1_000;
/// What may be read at once from one address.
const READERS: usize = 500;
/// What a thousand connections may cost, most of which were not let in: 200 KiB for each that was, in a debug build.
const BOUND_KIB: u64 = 100 << 10;

/// Connects so often, tells how many were greeted and how many were told that there is no room, and goes when it is told to.
const SCRIPT: &str = "
import socket, sys
at, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
lines = []
for n in range(count):
    s = socket.create_connection(at, timeout=60)
    lines.append((s, s.makefile('rb').readline()))
print(sum(line.startswith(b'* OK') for _, line in lines), sum(line.startswith(b'* BYE [UNAVAILABLE]') for _, line in lines), flush=True)
sys.stdin.readline()
";

/// Another machine, as far as the network is concerned; gone when dropped.
struct Elsewhere(String);

impl Elsewhere {
    fn new(test: &str) -> Option<Elsewhere> {
        if !is_root() {
            skip(test, "needs root, to make a network namespace");
            return None;
        }
        let name = format!("ph{}", std::process::id());
        let elsewhere = Elsewhere(name.clone());
        let (near, far) = (format!("{name}a"), format!("{name}b"));
        let (here, there) = (format!("{HERE}/30"), format!("{THERE}/30"));
        let steps: [&[&str]; 7] = [
            &["netns", "add", &name],
            &["link", "add", &near, "type", "veth", "peer", "name", &far],
            &["link", "set", &far, "netns", &name],
            &["address", "add", &here, "dev", &near],
            &["link", "set", &near, "up"],
            &["-n", &name, "address", "add", &there, "dev", &far],
            &["-n", &name, "link", "set", &far, "up"],
        ];
        for step in steps {
            let said = run("ip", step);
            if said.code != Some(0) {
                skip(test, &format!("needs root that may make a network namespace: {}", said.err.trim()));
                return None;
            }
        }
        Some(elsewhere)
    }

    /// So many connections from there, and how many were greeted and refused.
    fn crowd(&self, port: u16, count: usize) -> (Child, (usize, usize)) {
        let (port, count) = (port.to_string(), count.to_string());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, "python3", "-c", SCRIPT, HERE, &port, &count]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ip");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let mut numbers = line.split_whitespace().map(|number| number.parse().expect("a number"));
        let counted = (numbers.next().expect("greeted"), numbers.next().expect("refused"));
        (child, counted)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // The pair of interfaces goes with either of its ends; what was not made yet is not there, and that is well.
        for gone in [&["link", "delete", &format!("{}a", self.0)][..], &["netns", "delete", &self.0]] {
            let _ = Command::new("ip").args(gone).stderr(Stdio::null()).status();
        }
    }
}

fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process");
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok()).expect("VmRSS")
}

#[test]
fn a_thousand_from_one_address_leave_room_for_others() {
    let test = "a_thousand_from_one_address_leave_room_for_others";
    if !installed(test, &["ip", "python3"]) {
        return;
    }
    let Some(elsewhere) = Elsewhere::new(test) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    configured.set(&format!("imap_listen = {HERE}:0\nsmtp_listen = 127.0.0.1:0\nsmtpd_client_connection_count_limit = 50"));
    configured.add_user("carol@example.test", "a long password");
    let server = Server::serve(&configured, &["--only", "smtp,imap,queue,upkeep"]);
    let (at, before) = (server.address("imap"), resident(&server));
    let (mut crowd, counted) = elsewhere.crowd(at.port(), CROWD);
    assert_eq!(counted, (READERS, CROWD - READERS), "greeted and refused");
    assert!(resident(&server) < before + BOUND_KIB, "{before} KiB, then {} KiB", resident(&server));
    // From another address, and by another door.
    assert!(Talk::open(at).until("a CAPABILITY\r\n", "a ").contains("a OK"));
    let mut smtp = Smtp::connect(server.address("smtp")).expect("SMTP");
    smtp.send("x@example.net", &["carol@example.test"], "Subject: meanwhile\r\n\r\n").expect("250");
    assert!(server.log().contains("this address has 500 connections, its most"), "{}", server.log());
    // Its seats are free again when it goes.
    crowd.stdin.take().expect("a pipe").write_all(b"\n").expect("a pipe");
    crowd.wait().expect("a child");
    within(SOON, "a seat", || {
        let (mut one, counted) = elsewhere.crowd(at.port(), 1);
        drop(one.stdin.take());
        one.wait().expect("a child");
        (counted == (1, 0)).then_some(())
    });
    drop(smtp);
    server.stop();
}
