//! Hands a letter to the server through `run/submit`, or leaves it in `maildrop/`, which the server empties.
//!
//! | killed after                  | there is             | then                                              |
//! |-------------------------------|----------------------|---------------------------------------------------|
//! | the socket took the letter    | perhaps the message  | the caller hears no success                       |
//! | writing `NAME.part`           | `NAME.part`          | never taken; the server removes it after a while  |
//! | the rename, before its sync   | `NAME.letter`, or not| the caller hears no success                       |
//! | the sync of the directory     | `NAME.letter`        | taken, whatever happens                           |
//!
//! If the server breaks off without a word, the letter goes to `maildrop/`: it may come twice, and is not lost.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the server may take over a letter that it has, or be deaf.
const PATIENCE: Duration = Duration::from_secs(60);

/// Octets of the server's answer.
const ANSWER: u64 = 1_024;

/// Where letters go.
pub struct HandIn {
    socket: PathBuf,
    maildrop: PathBuf,
}

/// Why a letter was not taken.
#[derive(Debug)]
pub enum Refused {
    /// The server will never take it; its words.
    ForGood(String),
    /// Not even `maildrop/` can be written.
    Nowhere { path: PathBuf, error: io::Error },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::ForGood(said) => f.write_str(said),
            Refused::Nowhere { path, error } => write!(f, "{}: {error}; mail can be left there once `posthouse serve` has run", path.display()),
        }
    }
}

impl HandIn {
    /// Of the store in that directory.
    pub fn new(store: &Path) -> HandIn {
        HandIn { socket: store.join("run/submit"), maildrop: store.join("maildrop") }
    }

    /// With `Ok` it is durable.
    pub fn letter(&self, letter: &[u8]) -> Result<(), Refused> {
        match self.ask(letter) {
            Ok(said) if said.starts_with('2') => Ok(()),
            Ok(said) if said.starts_with('5') => Err(Refused::ForGood(said)),
            // not now, or nobody listens
            Ok(_) | Err(_) => self.leave(letter).map_err(|error| Refused::Nowhere { path: self.maildrop.clone(), error }),
        }
    }

    fn ask(&self, letter: &[u8]) -> io::Result<String> {
        let mut server = UnixStream::connect(&self.socket)?;
        server.set_write_timeout(Some(PATIENCE))?;
        server.set_read_timeout(Some(PATIENCE))?;
        server.write_all(letter)?;
        server.shutdown(std::net::Shutdown::Write)?;
        let mut said = String::new();
        BufReader::new(server.take(ANSWER)).read_line(&mut said)?;
        said.strip_suffix('\n').map(str::to_owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Readable by the group that the directory gives it, which is the server's, and by nobody else.
    fn leave(&self, letter: &[u8]) -> io::Result<()> {
        let name = format!("{:032x}", rand::random::<u128>());
        let (part, whole) = (self.maildrop.join(format!("{name}.part")), self.maildrop.join(format!("{name}.letter")));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        let written = (|| {
            file.set_permissions(fs::Permissions::from_mode(0o640))?;
            file.write_all(letter)?;
            file.sync_all()?;
            fs::rename(&part, &whole)?;
            File::open(&self.maildrop)?.sync_all()
        })();
        if written.is_err() {
            // what can't be removed is swept
            let _ = fs::remove_file(&part).or_else(|_| fs::remove_file(&whole));
        }
        written.inspect(|()| self.ring())
    }

    /// A server that is there looks into `maildrop/` when somebody comes.
    fn ring(&self) {
        drop(UnixStream::connect(&self.socket));
    }
}
