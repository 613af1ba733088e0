//! Port offsets that no other test has.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};

/// The standard ports of what a demo serves.
const STANDARD: [u16; 7] = [25, 110, 143, 465, 587, 993, 995];

/// An offset whose ports were free, and that no other test takes while this lives.
#[derive(Debug)]
pub struct Offset {
    /// To be given to `--port-offset`.
    pub offset: u16,
    _held: File,
}

impl Offset {
    /// Takes one. They lie below the ports that the kernel gives to clients (32768 and up).
    pub fn take() -> Offset {
        // Begin at another place in each process, so that a port just left is not taken again at once.
        let first = u16::try_from(std::process::id() % 22).unwrap_or_default();
        for n in 0..22 {
            let offset = 10_000 + (first + n) % 22 * 1000;
            let path = std::env::temp_dir().join(format!("posthouse-test-ports-{}-{offset}", rustix::process::getuid().as_raw()));
            let held = File::options().create(true).append(true).open(path).expect("a lock file in the temporary directory");
            let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port + offset)).is_ok();
            if held.try_lock().is_ok() && STANDARD.iter().all(free) {
                return Offset { offset, _held: held };
            }
        }
        panic!("no free ports between 10000 and 32000");
    }

    /// The port of `service`.
    pub fn port(&self, standard: u16) -> u16 {
        self.offset + standard
    }
}
