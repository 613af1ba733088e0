//! Hosts in network namespaces, as `tests/lab` makes them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::client::{installed, run_command_with};
use crate::until::{SOON, within};
use crate::{is_root, program, skip};

/// The hosts end by themselves after this many seconds, whatever becomes of the test.
const AT_MOST: &str = "600";

/// The hosts `mail`, `training` and `other`, while it lives.
#[derive(Debug)]
pub struct Lab {
    child: Child,
    directory: tempfile::TempDir,
    /// The program of their DNS.
    dns: &'static str,
}

impl Lab {
    /// With `dns`, the path of `lab-dns`. `None`: `test` is skipped by name.
    pub fn up(test: &str, dns: &'static str, programs: &[&str]) -> Option<Lab> {
        if !is_root() {
            skip(test, "needs root, for hosts in network namespaces");
            return None;
        }
        if !installed(test, &[&["ip", "unshare", "nsenter", "ss", "pkill"], programs].concat()) {
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = script(dns);
        command.arg("up").arg(directory.path()).arg(AT_MOST);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tests/lab");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines().next();
        if said.is_some_and(|line| line.is_ok_and(|line| line.starts_with("ready"))) {
            return Some(Lab { child, directory, dns });
        }
        let ended = child.wait_with_output().expect("tests/lab");
        let why = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        assert_eq!(ended.status.code(), Some(77), "{why}");
        skip(test, &format!("needs root that may make namespaces: {why}"));
        None
    }

    /// What a command says on a host, on both outputs, with `typed` as its input.
    pub fn on(&self, host: &str, command: &str, typed: &str) -> String {
        let mut script = script(self.dns);
        script.arg("on").arg(self.directory.path()).args([host, &format!("exec 2>&1; {command}")]);
        run_command_with(&mut script, typed).out
    }

    /// The end of the log of a host.
    pub fn log(&self, host: &str) -> String {
        self.on(host, "echo; hostname; tail -n 40 /var/log/maillog", "")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It ends with its input; everything that runs in it ends with it.
        drop(self.child.stdin.take());
        let child = &mut self.child;
        within(SOON, "the end of the lab", || child.try_wait().expect("a child"));
    }
}

fn script(dns: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("lab"));
    command.env("POSTHOUSE_BIN", program::path()).env("LAB_DNS", dns);
    command
}
