//! Where lines go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use config::Config;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::{Code, Failure};

/// Where syslogd and journald listen.
const SYSLOG: &str = "/dev/log";

/// The facilities of syslog(3), by number.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "12", "13", "14", "15", "local0", "local1", "local2",
    "local3", "local4", "local5", "local6", "local7",
];

/// The log, shared by all that write to it.
pub struct Sink {
    way: Mutex<Way>,
}

enum Way {
    File { path: PathBuf, file: File },
    Syslog { facility: usize, socket: UnixDatagram },
    Stdout,
    Stderr,
}

impl Sink {
    /// As `maillog_file` says (`/dev/stdout` and `/dev/stderr` are the streams); empty: syslog where it listens, else stderr.
    pub fn open(config: &Config) -> Result<Sink, Failure> {
        let way = match config.text("maillog_file") {
            "" => match syslog() {
                Ok(socket) => Way::Syslog { facility: facility(config)?, socket },
                Err(_) => Way::Stderr, // as in a container
            },
            "/dev/stdout" => Way::Stdout,
            "/dev/stderr" => Way::Stderr,
            path => {
                let file = append(path.as_ref());
                let file = file.map_err(|error| Failure::new(Code::Unavailable, "maillog_file", format!("{path}: {error}; make its directory, or set another")))?;
                Way::File { path: path.into(), file }
            }
        };
        Ok(Sink { way: Mutex::new(way) })
    }

    /// Syslog adds the host itself.
    pub fn names_host(&self) -> bool {
        !matches!(*self.way(), Way::Syslog { .. })
    }

    /// See [`super::reopen`]; where it cannot be, the old file stays and is told why.
    pub fn reopen(&self) {
        let failed = match &mut *self.way() {
            Way::File { path, file } => append(path).map(|new| *file = new).err().map(|error| (path.clone(), error)),
            _ => None,
        };
        if let Some((path, error)) = failed {
            tracing::error!("maillog_file: {}: {error}; the file that was open stays", path.display());
        }
    }

    fn way(&self) -> std::sync::MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

fn syslog() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(SYSLOG)?;
    Ok(socket)
}

fn facility(config: &Config) -> Result<usize, Failure> {
    let named = config.text("syslog_facility");
    let number = FACILITIES.iter().position(|facility| *facility == named);
    number.ok_or_else(|| Failure::new(Code::Unsound, "syslog_facility", format!("no facility {named:?}; mail and local0 to local7 are usual")))
}

/// The log as the subscriber has it.
#[derive(Clone)]
pub struct Shared(pub Arc<Sink>);

/// A line on its way, with the severity of syslog(3).
pub struct Line<'s> {
    sink: &'s Sink,
    severity: usize,
}

impl Write for Line<'_> {
    /// A call is a line: the subscriber writes each whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &mut *self.sink.way() {
            Way::File { file, .. } => file.write_all(line)?,
            Way::Stdout => io::stdout().write_all(line)?,
            Way::Stderr => io::stderr().write_all(line)?,
            Way::Syslog { facility, socket } => {
                let priority = *facility * 8 + self.severity;
                let packet = [format!("<{priority}>").as_bytes(), line.trim_ascii_end()].concat();
                if socket.send(&packet).is_err() {
                    // It was started anew, perhaps.
                    let sent = syslog().and_then(|again| {
                        *socket = again;
                        socket.send(&packet)
                    });
                    if sent.is_err() {
                        io::stderr().write_all(line)?;
                    }
                }
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'s> MakeWriter<'s> for Shared {
    type Writer = Line<'s>;

    fn make_writer(&'s self) -> Line<'s> {
        Line { sink: &self.0, severity: 6 }
    }

    fn make_writer_for(&'s self, metadata: &Metadata<'_>) -> Line<'s> {
        let severity = match *metadata.level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        Line { sink: &self.0, severity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, moved) = (directory.path().join("mail.log"), directory.path().join("mail.log.1"));
        let sink = Sink { way: Mutex::new(Way::File { file: append(&path).expect("a file"), path: path.clone() }) };
        let write = |line: &str| Line { sink: &sink, severity: 6 }.write_all(line.as_bytes()).expect("written");
        write("one\n");
        std::fs::rename(&path, &moved).expect("moved");
        write("two\n");
        sink.reopen();
        write("three\n");
        let read = |path| std::fs::read_to_string(path).expect("a log");
        assert_eq!((read(&moved), read(&path)), ("one\ntwo\n".into(), "three\n".into()));
    }

    #[test]
    fn a_line_to_syslog_is_a_packet_with_its_priority() {
        let directory = tempfile::tempdir().expect("a directory");
        let there = UnixDatagram::bind(directory.path().join("log")).expect("bound");
        let socket = UnixDatagram::unbound().expect("a socket");
        socket.connect(directory.path().join("log")).expect("connected");
        let sink = Sink { way: Mutex::new(Way::Syslog { facility: 2, socket }) };
        Line { sink: &sink, severity: 4 }.write_all(b"Nov 24 02:01:13 postfix/smtpd[7]: warning: x\n").expect("sent");
        let mut packet = [0; 100];
        let size = there.recv(&mut packet).expect("a packet");
        assert_eq!(packet.get(..size), Some(&b"<20>Nov 24 02:01:13 postfix/smtpd[7]: warning: x"[..]));
    }
}
