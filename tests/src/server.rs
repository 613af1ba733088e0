//! The binary under test, serving.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{self, Configured};
use crate::until::{SOON, within};

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// In a lock, so that several threads can have the server.
    lines: Mutex<Receiver<String>>,
    /// Where it listens, by service.
    pub at: HashMap<String, SocketAddr>,
    /// What it said on stdout until now.
    pub said: Vec<String>,
    logs: [PathBuf; 2],
}

impl Server {
    /// `posthouse serve`, waited for until it is ready.
    pub fn serve(configured: &Configured, more: &[&str]) -> Server {
        let mut server = Server::starting(configured.command(&[&["serve"], more].concat()), &configured.directory);
        server.wait_for("posthouse: ready");
        server
    }

    /// `posthouse demo --dir DIR`, waited for until it has said what to type.
    pub fn demo(directory: &Path, offset: u16) -> Server {
        let mut command = Command::new(program::path());
        command.arg("demo").arg("--dir").arg(directory).args(["--port-offset", &offset.to_string()]).env_remove("MAIL_CONFIG");
        std::fs::create_dir_all(directory).expect("a directory for the demo");
        let mut server = Server::starting(command, directory);
        server.wait_for("posthouse: ready");
        server.wait_for("  mutt ");
        server
    }

    /// Starts `command`, which serves, without waiting; its stderr goes to `directory/stderr`.
    pub fn starting(mut command: Command, directory: &Path) -> Server {
        let (stderr, log) = (directory.join("stderr"), directory.join("mail.log"));
        let complaints = File::options().create(true).append(true).open(&stderr).expect("a file for stderr");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints).spawn().expect("posthouse");
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in out.lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Server { child, lines: Mutex::new(lines), at: HashMap::new(), said: Vec::new(), logs: [stderr, log] }
    }

    /// Waits for a line that begins with `start`, and gives it.
    #[track_caller]
    pub fn wait_for(&mut self, start: &str) -> String {
        let begun = Instant::now();
        loop {
            match self.lines.get_mut().expect("no thread panicked").recv_timeout(SOON.saturating_sub(begun.elapsed())) {
                Ok(line) => {
                    self.note(&line);
                    if line.starts_with(start) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no line {start:?} within {SOON:?}; stderr:\n{}", self.log()),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without a line {start:?}; stderr:\n{}", self.log()),
            }
        }
    }

    /// `posthouse: listening SERVICE ADDRESS:PORT how`.
    fn note(&mut self, line: &str) {
        if let Some(listening) = line.strip_prefix("posthouse: listening ") {
            let mut words = listening.split(' ');
            if let (Some(service), Some(Ok(address))) = (words.next(), words.next().map(str::parse::<SocketAddr>)) {
                // IPv4 if there are both: what every client reaches as 127.0.0.1.
                if address.is_ipv4() || !self.at.contains_key(service) {
                    self.at.insert(service.to_owned(), address);
                }
            }
        }
        self.said.push(line.to_owned());
    }

    /// Where `service` listens.
    #[track_caller]
    pub fn address(&self, service: &str) -> SocketAddr {
        *self.at.get(service).unwrap_or_else(|| panic!("{service} does not listen: {:?}", self.said))
    }

    /// What it wrote to stderr until now, and to the log that the demo keeps beside it.
    pub fn log(&self) -> String {
        let read = |path: &PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        self.logs.iter().map(read).collect()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server runs");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        within(SOON, "the end of the server", || child.try_wait().expect("a child"))
    }

    /// Stops it as systemd does; it must end well.
    #[track_caller]
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{status:?}; stderr:\n{}", self.log());
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have died of itself; a crash test counts what is left, not how it died.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(200);
            eprintln!("--- log of the server ---\n{}", lines[last..].join("\n"));
        }
    }
}
