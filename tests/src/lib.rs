//! The house seen from outside: the real program is started, real clients talk to it, and what lies on the disk is read
//! as other programs read it. Nothing here links a crate of the house.
//!
//! * [`program`]: the binary under test, run to its end.
//! * [`server`]: the binary under test, serving.
//! * [`demo`]: the first command of the README.
//! * [`ports`]: port offsets that no other test has.
//! * [`client`]: other people's programs, with a deadline; a test that needs a missing one is skipped by name.
//! * [`smtp`], [`imap`]: the least client of each, blocking, over plain TCP, for loads and counts.
//! * [`talk`]: a session of any protocol line by line, for what no client would say.
//! * [`disk`]: a small disk that can be filled; as root.
//! * [`lab`]: hosts in network namespaces; as root.
//! * [`engine`]: databases of PostgreSQL.
//! * [`maildir`]: a Maildir as any program sees it.
//! * [`until`]: waits for what must come true, with a deadline.
//!
//! Environment: `POSTHOUSE_BIN` (else the binary beside this test), `POSTHOUSE_TEST_POSTGRES` (a server to use too),
//! `POSTHOUSE_TEST_PYTHON` (a Python with packages), `POSTHOUSE_TEST_NODE` (a directory with `node_modules`),
//! `POSTHOUSE_TEST_LONG` (more rounds), `POSTHOUSE_TEST_SKIPS` (a file that skipped tests are written to).

#![forbid(unsafe_code)]

pub mod client;
pub mod demo;
pub mod disk;
pub mod dns;
pub mod engine;
pub mod imap;
pub mod lab;
pub mod maildir;
pub mod ports;
pub mod program;
pub mod server;
pub mod smtp;
pub mod talk;
pub mod until;

/// Whether `./test --long` runs.
pub fn long() -> bool {
    std::env::var("POSTHOUSE_TEST_LONG").is_ok_and(|value| !value.is_empty())
}

/// Says that `test` is skipped and why: on stderr, and in the file that `./test` reads.
pub fn skip(test: &str, why: &str) {
    use std::io::Write;
    eprintln!("skipped: {test}: {why}");
    if let Ok(path) = std::env::var("POSTHOUSE_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        file.and_then(|mut file| writeln!(file, "house-tests: {test}\t{why}")).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
