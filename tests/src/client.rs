//! Other people's programs, with a deadline.

use std::io::{Seek, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::Said;
use crate::skip;
use crate::until::within;

/// How long a client may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether all of `programs` are installed; else `test` is skipped by name.
pub fn installed(test: &str, programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &&&str| !std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    match programs.iter().find(there) {
        Some(missing) => {
            skip(test, &format!("{missing} is not installed"));
            false
        }
        None => true,
    }
}

/// Runs `program` to its end; kills it, and the test, when it takes too long.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> Said {
    run_command(Command::new(program).args(arguments))
}

/// Runs `program` to its end with `input` on its standard input.
#[track_caller]
pub fn run_with(program: &str, arguments: &[&str], input: &str) -> Said {
    run_command_with(Command::new(program).args(arguments), input)
}

/// Runs a command to its end.
#[track_caller]
pub fn run_command(command: &mut Command) -> Said {
    run_command_with(command, "")
}

/// Runs a command to its end with `input` on its standard input.
#[track_caller]
pub fn run_command_with(command: &mut Command, input: &str) -> Said {
    run_command_within(LIMIT, command, input)
}

/// Runs a command, which may take until `limit`, to its end with `input` on its standard input.
#[track_caller]
pub fn run_command_within(limit: Duration, command: &mut Command, input: &str) -> Said {
    // A file, which needs nobody to write into it while the output is read.
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(input.as_bytes()).and_then(|()| file.rewind()).expect("a temporary file");
    // Whatever configures the user's own clients is not for these.
    let nowhere = std::env::temp_dir();
    command.env("HOME", nowhere).env_remove("http_proxy").env_remove("https_proxy").env_remove("all_proxy");
    let mut child = command.stdin(Stdio::from(file)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::copy(&mut out, &mut bytes).map(|_| bytes)
    });
    let complaints = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::copy(&mut err, &mut bytes).map(|_| bytes)
    });
    let killer = Killed(Some(child));
    let status = killer.wait(limit, &format!("{command:?}"));
    let stdout = reading.join().expect("a reader").unwrap_or_default();
    let stderr = complaints.join().expect("a reader").unwrap_or_default();
    Said::of(std::process::Output { status, stdout, stderr })
}

/// A child that does not outlive the test.
struct Killed(Option<std::process::Child>);

impl Killed {
    #[track_caller]
    fn wait(mut self, limit: Duration, what: &str) -> std::process::ExitStatus {
        let child = self.0.as_mut().expect("a child");
        within(limit, what, || child.try_wait().expect("a child"))
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Usually it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Python: `POSTHOUSE_TEST_PYTHON`, which has packages that others need, else the one that is installed.
pub fn python_program() -> String {
    std::env::var("POSTHOUSE_TEST_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Runs `tests/clients/NAME` by Python with `arguments`.
#[track_caller]
pub fn python(script: &str, arguments: &[&str]) -> String {
    let path = format!("{}/clients/{script}", env!("CARGO_MANIFEST_DIR"));
    run(&python_program(), &[&[path.as_str()], arguments].concat()).ok()
}
