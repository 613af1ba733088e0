//! The engines a store can stand on: a test of the whole program is run on each.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::{client, skip};

/// The URL of a fresh database on the server that `POSTHOUSE_TEST_POSTGRES` names; else `test` is skipped by name.
pub fn postgres(test: &str) -> Option<String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var("POSTHOUSE_TEST_POSTGRES") else {
        skip(test, "POSTHOUSE_TEST_POSTGRES names no server");
        return None;
    };
    if !client::installed(test, &["psql"]) {
        return None;
    }
    let database = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    client::run("psql", &["-q", &server, "-c", &format!("CREATE DATABASE {database}")]).ok();
    let (head, _) = server.rsplit_once('/').expect("postgres://HOST/DATABASE");
    Some(format!("{head}/{database}"))
}
