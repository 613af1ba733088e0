//! The binary under test, run to its end.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where the binary is: `POSTHOUSE_BIN`, else beside the directory of this test's own executable.
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("POSTHOUSE_BIN") {
        return path.into();
    }
    let own = std::env::current_exe().expect("the path of this test");
    let path = own.ancestors().nth(2).expect("target/PROFILE/deps/TEST").join("posthouse");
    assert!(path.exists(), "{} is not there; build it first: cargo build (./test does)", path.display());
    path
}

/// A configuration directory and the commands on it.
#[derive(Clone, Debug)]
pub struct Configured {
    /// What `-c` names.
    pub directory: PathBuf,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Of a finished process.
    pub fn of(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Its output, if it ended well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// That it ended with `code` and said all of `words` on stderr, as `posthouse: SUBJECT: what; what to do`.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.err.lines().any(|line| line.starts_with("posthouse: ")), "{self:#?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {self:#?}");
        }
    }
}

impl Configured {
    /// `setup` for example.test below `directory`, quietly; `more` are further options.
    pub fn setup(directory: &Path, more: &[&str]) -> Configured {
        let configured = Configured { directory: directory.join("config") };
        let store = directory.join("store");
        let mut arguments = vec!["setup", "--hostname", "mail.example.test", "--domain", "example.test", "--store-dir"];
        arguments.push(store.to_str().expect("a UTF-8 path"));
        arguments.extend(["--self-signed", "--yes"]);
        arguments.extend(more);
        configured.run(&arguments).ok();
        // Not syslog, where there is one: tests read it. Once, since the directory may be set up twice.
        let log = "maillog_file = /dev/stderr";
        if !std::fs::read_to_string(configured.main_cf()).expect("main.cf").contains(log) {
            configured.set(log);
        }
        configured
    }

    /// `posthouse -c DIR arguments`, ready to be changed and started.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(path());
        command.arg("-c").arg(&self.directory).args(arguments).env_remove("MAIL_CONFIG").env_remove("RUST_LOG");
        command
    }

    /// Runs a command with an empty standard input.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Said {
        self.run_with(arguments, "")
    }

    /// Runs a command with `input` on a pipe.
    pub fn run_with<S: AsRef<OsStr>>(&self, arguments: &[S], input: &str) -> Said {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("posthouse");
        // One that does not want it may be gone already.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Said::of(child.wait_with_output().expect("posthouse"))
    }

    /// Runs one of Postfix's tools: the program under that name, with `input` on a pipe.
    pub fn tool(&self, name: &str, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(path());
        command.arg0(name).args(arguments).env("MAIL_CONFIG", &self.directory).env_remove("RUST_LOG");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("posthouse");
        // One that does not want it may be gone already.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Said::of(child.wait_with_output().expect("posthouse"))
    }

    /// Makes an account.
    pub fn add_user(&self, address: &str, password: &str) {
        self.run_with(&["user", "add", address, "--password-stdin"], &format!("{password}\n")).ok();
    }

    /// The objects that a `--json` listing prints.
    pub fn listing(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let out = self.run(&[arguments, &["--json"]].concat()).ok();
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))).collect()
    }

    /// The main.cf.
    pub fn main_cf(&self) -> PathBuf {
        self.directory.join("main.cf")
    }

    /// Adds a line to main.cf; gives its number.
    pub fn set(&self, line: &str) -> usize {
        let mut text = std::fs::read_to_string(self.main_cf()).expect("main.cf");
        text.push_str(line);
        text.push('\n');
        std::fs::write(self.main_cf(), &text).expect("main.cf");
        text.lines().count()
    }

    /// The Maildir of an account of example.test.
    pub fn maildir(&self, user: &str) -> PathBuf {
        self.directory.with_file_name("store").join("mail/example.test").join(user)
    }
}
