//! Servers to talk to: one on a port, or Debian's Dovecot without a daemon.

use std::io::{Error, Result};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::response::Response;
use crate::wire::Connection;

/// Something that one account can be reached at, by many connections.
pub trait Server: Send + Sync {
    /// A new connection, logged in.
    fn connect(&self) -> Result<Connection>;
}

/// A server on a port, without TLS.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Where.
    pub at: SocketAddr,
    /// Whose account.
    pub user: String,
    /// And the password.
    pub password: String,
}

impl Server for Listening {
    fn connect(&self) -> Result<Connection> {
        let mut connection = Connection::tcp(TcpStream::connect(self.at)?)?;
        connection.response()?;
        let login = format!("LOGIN {} {}", quoted(&self.user), quoted(&self.password));
        match connection.ask(login.as_bytes())?.tagged {
            tagged if tagged.is_ok() => Ok(connection),
            tagged => Err(Error::other(format!("LOGIN: {tagged:?}"))),
        }
    }
}

/// A quoted string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Where Debian has Dovecot's IMAP process.
const IMAP: &str = "/usr/lib/dovecot/imap";
/// Debian's user and group of that name, where the tests run as root: Dovecot's process refuses to.
const NOBODY: u32 = 65534;

/// Dovecot's IMAP process on standard input and output, a process a connection, over a Maildir of its own.
#[derive(Debug)]
pub struct Dovecot {
    directory: TempDir,
    configuration: PathBuf,
}

impl Dovecot {
    /// Whether it is installed.
    pub fn installed() -> bool {
        Path::new(IMAP).exists()
    }

    /// One with an empty Maildir.
    pub fn new() -> Result<Dovecot> {
        let directory = tempfile::tempdir()?;
        let path = directory.path();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))?;
        let configuration = path.join("dovecot.conf");
        let shown = path.display();
        // Its own folder names, its index and all else are as Debian has them.
        std::fs::write(
            &configuration,
            format!(
                "base_dir = {shown}/run\nstate_dir = {shown}/run\nlog_path = {shown}/run/log\nssl = no\nmail_location = maildir:~/Maildir\n\
                 namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n"
            ),
        )?;
        for name in ["run", "home"] {
            std::fs::create_dir(path.join(name))?;
            if house_tests::is_root() {
                chown(path.join(name), Some(NOBODY), Some(NOBODY))?;
            }
        }
        Ok(Dovecot { directory, configuration })
    }
}

impl Server for Dovecot {
    fn connect(&self) -> Result<Connection> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(IMAP);
        command.arg("-c").arg(&self.configuration).env_clear().env("HOME", self.directory.path().join("home")).env("USER", "nobody").env("TZ", "UTC");
        if house_tests::is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?))).stdout(Stdio::from(OwnedFd::from(theirs))).stderr(Stdio::null());
        let child = command.spawn()?;
        drop(command); // and with it our copy of its end
        let mut connection = Connection::child(ours, child)?;
        match connection.response()? {
            Response::Untagged(greeting) if greeting.word == "PREAUTH" => Ok(connection),
            other => Err(Error::other(format!("{other:?}"))),
        }
    }
}
