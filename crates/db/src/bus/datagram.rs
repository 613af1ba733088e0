//! SQLite: a Unix datagram socket for each process, in one directory that only its owner can enter.
//!
//! | left by a crash | then |
//! |---|---|
//! | a socket nobody reads | refused at the next ring of any process, which removes it. Names are never used again |

use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixDatagram;

use super::{LETTER, Letter, Rings};

/// This process's socket; its file goes with it.
pub(super) struct Ear {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Ear {
    pub(super) fn open(directory: &Path, id: u64) -> io::Result<Ear> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let path = directory.join(format!("{}{}", std::process::id(), suffix(id)));
        Ok(Ear { socket: UnixDatagram::bind(&path)?, path })
    }

    pub(super) async fn hear(self, heard: impl Fn(Letter<'_>)) {
        let mut letter = [0; LETTER];
        loop {
            match self.socket.recv(&mut letter).await {
                Ok(size) => match std::str::from_utf8(&letter[..size]) {
                    Ok(text) => heard(Letter::Text(text)),
                    Err(_) => heard(Letter::Lost),
                },
                Err(error) => {
                    tracing::warn!("{}: {error}; other processes are not heard any more", self.path.display());
                    return;
                }
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Left behind, it is removed by whoever rings next.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Sends to every socket of the directory but this process's own. Each call is a system call of some microseconds that never
/// waits, so none is given to another thread.
pub(super) struct Ringer {
    directory: Arc<Path>,
    own: String,
    /// Made at the first ring. Not the runtime's: once one process did not read, that would hold it unfit to send to any.
    socket: Option<std::os::unix::net::UnixDatagram>,
}

impl Ringer {
    pub(super) fn new(directory: Arc<Path>, id: u64) -> Ringer {
        Ringer { directory, own: suffix(id), socket: None }
    }

    /// False when a process has not read what was sent to it before.
    fn send(&mut self, letters: &[String]) -> io::Result<bool> {
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true), // nobody ever listened
            entries => entries?,
        };
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                let socket = std::os::unix::net::UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                self.socket.insert(socket)
            }
        };
        let mut all = true;
        for entry in entries {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(&self.own) {
                continue;
            }
            for letter in letters {
                match socket.send_to(letter.as_bytes(), &path) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        tracing::debug!("{}: its process is gone", path.display());
                        std::fs::remove_file(&path).or_else(unless_gone)?;
                        break;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => all = false,
                    Err(error) => unless_gone(error)?,
                }
            }
        }
        Ok(all)
    }
}

impl Rings for Ringer {
    async fn ring(&mut self, letters: &[String]) -> bool {
        match self.send(letters) {
            Ok(all) => all,
            Err(error) => {
                tracing::warn!("{}: {error}; other processes of this store notice a change some seconds later", self.directory.display());
                true
            }
        }
    }
}

/// Another process may remove a file that we are looking at.
fn unless_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn suffix(id: u64) -> String {
    format!(".{id:016x}")
}
