//! Which process of a store does what: `run/SERVICE.lock`.
//!
//! A service with doors is one process's: a second one says so and exits. What is done behind the doors, `queue` and `upkeep`, is done
//! by one process at a time: others that are told to do it too stand by, and one of them takes over in the moment that the first
//! is gone, for the kernel gives up the locks of whoever dies. Over PostgreSQL the processes may be on several machines, so a lock
//! of the database follows that of the file.

use std::fs::File;
use std::time::Duration;

use net::{Stop, Stopper};
use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;
use tokio::sync::oneshot;

use crate::failure::{Code, Failure};
use crate::house::House;

/// Between two tries after the database could not be asked, or the work ended badly.
const PAUSE: Duration = Duration::from_secs(1);

/// The services with doors that this process serves, for as long as it lives.
pub struct Held(#[allow(dead_code, reason = "held, not read")] Vec<File>);

/// Takes the lock of each of `services`: at most one process of a store serves it.
pub fn hold(house: &House, services: impl Iterator<Item = &'static str>) -> Result<Held, Failure> {
    let mut held = Vec::new();
    for service in services {
        let file = open(house, service)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let text = format!("another process serves it over {}; stop that one, or serve others here with --only", house.config.store_directory().display());
            return Err(Failure::new(Code::Unavailable, service, text));
        }
        held.push(file);
    }
    Ok(Held(held))
}

fn open(house: &House, service: &str) -> Result<File, Failure> {
    let run = house.config.store_directory().join("run");
    std::fs::create_dir_all(&run).map_err(|error| Failure::new(Code::Unavailable, run.display(), error))?;
    let path = run.join(format!("{service}.lock"));
    File::options().create(true).append(true).open(&path).map_err(|error| Failure::new(Code::Unavailable, path.display(), error))
}

/// Something that one process of a store does at a time.
pub struct Role {
    name: &'static str,
    house: House,
    file: File,
}

impl Role {
    /// Not held yet.
    pub fn new(house: &House, name: &'static str) -> Result<Role, Failure> {
        Ok(Role { name, house: house.clone(), file: open(house, name)? })
    }

    /// Does `work` whenever this process is the one to do it, until `stop`. Its own stop is that, or the loss of the lock.
    pub async fn run<F>(self, stop: Stop, work: impl Fn(Stop) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Role { name, house, file } = self;
        let Some(_file) = taken(name, file, &stop).await else { return };
        while !stop.is_requested() {
            let hold = tokio::select! {
                hold = house.db.hold(name) => hold,
                () = stop.requested() => return,
            };
            let ended_well = match hold {
                Ok(mut hold) => {
                    let own = Stopper::new();
                    let mut working = tokio::spawn(work(own.stop()));
                    let ended = tokio::select! {
                        ended = &mut working => Some(ended),
                        () = stop.requested() => None,
                        () = hold.lost() => None,
                    };
                    own.cut();
                    let ended = match ended {
                        Some(ended) => ended,
                        None => working.await,
                    };
                    ended.inspect_err(|error| tracing::error!("{name} ended badly: {error}; it begins again")).is_ok()
                }
                Err(error) => {
                    tracing::warn!("{name}: {error}; it is tried again");
                    false
                }
            };
            if !ended_well {
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stop.requested() => return,
                }
            }
        }
    }
}

/// Waits for the lock on a thread of its own, which nothing waits for: it cannot be called back.
async fn taken(name: &'static str, file: File, stop: &Stop) -> Option<File> {
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        return Some(file);
    }
    tracing::info!("{name}: another process of this store does it; standing by");
    let (sender, taken) = oneshot::channel();
    std::thread::spawn(move || {
        match retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)) {
            // When nobody waits any more, the file goes, and the lock with it.
            Ok(()) => drop(sender.send(file)),
            Err(error) => tracing::error!("{name}: its lock: {error}; it is not done by this process"),
        }
    });
    let taken = tokio::select! {
        taken = taken => taken.ok(),
        () = stop.requested() => None,
    };
    taken.inspect(|_| tracing::info!("{name}: taken over; the process that did it is gone"))
}
