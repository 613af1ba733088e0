//! Mail handed in on this machine: the socket `run/submit`, and `maildrop/`, where it waits when nobody listens.
//!
//! Whoever serves `queue` does it. What lies in `maildrop/` was written by any user of the machine: a file is taken only if it is a plain one, has no
//! second name, and ends as a letter ends; its owner is whom `Received:` tells of. What will never be a letter is set aside
//! as `NAME.bad`, and the log says why.
//!
//! | killed after          | there is                    | then                                   |
//! |-----------------------|-----------------------------|----------------------------------------|
//! | the commit            | the message and its file    | taken again: at least once             |
//! | the file was removed  | the message                 | –                                      |
//!
//! Limits: [`SEATS`], [`SEATS_OF_A_USER`], [`PATIENCE`].

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use net::{At, Connection, Listener, Socket, Stop};
use smtpd::Smtpd;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::failure::{Code, Failure};

/// Letters that are being taken from the socket at once; each holds a buffer of 64 KiB.
const SEATS: usize = 100;
/// Of them from one user, so that nobody locks the others out. Whoever finds no seat leaves the letter in `maildrop/`.
const SEATS_OF_A_USER: usize = 20;

/// A letter is whole before it is handed in, so it comes at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks into `maildrop/` that nobody asked for: what could not be taken then may be taken now.
const EVERY: Duration = Duration::from_secs(60);

/// A file that nobody finished is swept after this time.
const ABANDONED: Duration = Duration::from_secs(36 * 3600);

const NO_SEAT: &str = "451 4.3.2 Too many letters at once";

/// Makes the rooms that users of this machine come into: the store's directory and `run/` may be walked through, and what else is in them is closed;
/// `maildrop/` takes files of everybody, which only their owner and the server read (docs/decisions/0011).
pub fn open_rooms(store: &Path) -> Result<(), Failure> {
    let failed = |path: &Path, error: io::Error| Failure::new(Code::Unavailable, path.display(), format!("{error}; sendmail needs it; `posthouse setup` makes it"));
    close_others(store).map_err(|error| failed(store, error))?;
    for (room, mode) in [(store.to_owned(), 0o711), (store.join("run"), 0o711), (store.join("maildrop"), 0o3777)] {
        let made = fs::create_dir_all(&room).and_then(|()| {
            let now = mode_of(&room)?;
            if now & mode == mode { Ok(()) } else { fs::set_permissions(&room, Permissions::from_mode(now | mode)) }
        });
        made.map_err(|error| failed(&room, error))?;
    }
    Ok(())
}

/// A store that nobody could walk into may hold files that were made for everybody; before it is opened they are closed.
fn close_others(store: &Path) -> io::Result<()> {
    const OTHERS: u32 = 0o007;
    if mode_of(store)? & OTHERS != 0 {
        return Ok(());
    }
    for entry in fs::read_dir(store)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let known = path.symlink_metadata()?;
        let now = known.permissions().mode() & 0o7777;
        if !known.is_symlink() && name != "run" && name != "maildrop" && now & OTHERS != 0 {
            fs::set_permissions(&path, Permissions::from_mode(now & !OTHERS))?;
        }
    }
    Ok(())
}

fn mode_of(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
}

/// Takes what is handed in, until the stop.
pub async fn run(store: PathBuf, smtpd: Arc<ArcSwap<Smtpd>>, stop: Stop) {
    let pickup = Arc::new(Pickup { maildrop: store.join("maildrop"), smtpd, bell: Notify::new(), seats: Mutex::default() });
    let at = At::Unix { path: store.join("run/submit"), mode: 0o666 };
    let listener = Listener::bind(&at, "submit").inspect_err(|error| tracing::error!("{error}; what is handed in waits in maildrop")).ok();
    tokio::join!(pickup.clone().listen(listener, &stop), pickup.look(&stop));
}

struct Pickup {
    maildrop: PathBuf,
    smtpd: Arc<ArcSwap<Smtpd>>,
    /// Rung when somebody came.
    bell: Notify,
    /// Letters of each user that are being taken.
    seats: Mutex<HashMap<u32, usize>>,
}

impl Pickup {
    async fn listen(self: Arc<Self>, listener: Option<Listener>, stop: &Stop) {
        let Some(listener) = listener else { return };
        let mut letters = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = letters.join_next(), if !letters.is_empty() => continue,
                () = stop.requested() => break,
            };
            match accepted {
                Ok(connection) => drop(letters.spawn(self.clone().visit(connection))),
                Err(error) => {
                    tracing::warn!("submit: {error}");
                    tokio::time::sleep(Duration::from_millis(200)).await; // as net does: descriptors may be short
                }
            }
        }
        drop(listener);
        while letters.join_next().await.is_some() {}
    }

    /// One connection: a letter, and a line that says what became of it.
    async fn visit(self: Arc<Self>, connection: Connection<Socket>) {
        self.bell.notify_one();
        let (Socket::Unix(mut stream), Some(user)) = (connection.stream, connection.peer.user) else { return };
        let said = match self.seat(user.uid) {
            Some(_seat) => match tokio::time::timeout(PATIENCE, self.take(user.uid, &mut stream)).await {
                Ok(Some(said)) => said,
                // somebody who only rang the bell, or went
                Ok(None) => return,
                Err(_) => return tracing::warn!("submit: a letter of uid {} did not end", user.uid),
            },
            None => NO_SEAT.to_owned(),
        };
        // whoever does not hear it leaves the letter in maildrop, or tries again
        let told = tokio::time::timeout(PATIENCE, stream.write_all(format!("{said}\n").as_bytes())).await;
        tracing::debug!("submit: uid {} was told {said}: {told:?}", user.uid);
    }

    async fn take(&self, uid: u32, stream: &mut UnixStream) -> Option<String> {
        let smtpd = self.smtpd.load_full();
        match smtpd.take_letter(uid, stream).await {
            Ok(id) => Some(format!("250 2.0.0 Ok: queued as {id}")),
            Err(smtpd::NotTaken::Refused(reply)) => Some(reply.to_string()),
            Err(smtpd::NotTaken::NoLetter(smtpd::letter::NoLetter::Cut) | smtpd::NotTaken::Unread(_)) => None,
            Err(error @ smtpd::NotTaken::NoLetter(_)) => Some(format!("501 5.5.2 {error}")),
        }
    }

    fn seat(self: &Arc<Self>, uid: u32) -> Option<Seat> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (seats.values().sum::<usize>(), seats.entry(uid).or_default());
        (all < SEATS && *own < SEATS_OF_A_USER).then(|| {
            *own += 1;
            Seat { pickup: self.clone(), uid }
        })
    }

    /// Looks into `maildrop/` at the start, when somebody came, and now and then.
    async fn look(&self, stop: &Stop) {
        while !stop.is_requested() {
            if let Err(error) = self.empty(stop).await {
                tracing::error!("{}: {error}; it is looked into again", self.maildrop.display());
            }
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = stop.requested() => return,
            }
        }
    }

    async fn empty(&self, stop: &Stop) -> io::Result<()> {
        let mut entries = tokio::fs::read_dir(&self.maildrop).await?;
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if stop.is_requested() => return Ok(()),
                Some("letter") => self.take_file(&path).await,
                Some("part") => sweep(&path),
                _ => {}
            }
        }
        Ok(())
    }

    async fn take_file(&self, path: &Path) {
        let (uid, file) = match open(path) {
            Ok(opened) => opened,
            Err(error) => return aside(path, &error),
        };
        let smtpd = self.smtpd.load_full();
        match smtpd.take_letter(uid, &mut tokio::fs::File::from_std(file)).await {
            Ok(_) => {
                if let Err(error) = fs::remove_file(path) {
                    tracing::error!("{}: it was taken, and can't be removed: {error}; it comes again", path.display());
                }
            }
            Err(error) if error.is_temporary() => tracing::warn!("{}: {error}; it is tried again", path.display()),
            Err(error) => aside(path, &error),
        }
    }
}

/// A letter that is being taken from the socket.
struct Seat {
    pickup: Arc<Pickup>,
    uid: u32,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.pickup.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = seats.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                seats.remove(&self.uid);
            }
        }
    }
}

/// Opens a file of a stranger's making, and tells whose it is: no link is followed, nothing is waited for.
fn open(path: &Path) -> io::Result<(u32, File)> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path)?;
    let known = file.metadata()?;
    if !known.is_file() || known.nlink() != 1 {
        return Err(io::Error::other("it is no plain file of one name"));
    }
    Ok((known.uid(), file))
}

/// What will never be taken is kept for the operator, out of the way.
fn aside(path: &Path, why: &dyn std::fmt::Display) {
    let bad = path.with_extension("bad");
    match fs::rename(path, &bad) {
        Ok(()) => tracing::error!("{}: {why}; it is kept as {}", path.display(), bad.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::error!("{}: {why}; and it can't be set aside: {error}", path.display()),
    }
}

fn sweep(path: &Path) {
    let age = path.symlink_metadata().and_then(|known| known.modified()).map(|made| SystemTime::now().duration_since(made).unwrap_or_default());
    if age.is_ok_and(|age| age > ABANDONED)
        && let Err(error) = fs::remove_file(path)
    {
        tracing::warn!("{}: {error}", path.display());
    }
}
