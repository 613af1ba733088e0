//! The DNS of `tests/lab`: `lab-dns ADDRESS:PORT` answers what its standard input says, a record a line: `NAME A ADDRESS`,
//! `NAME MX PREFERENCE HOST`. Until it is killed.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::process::ExitCode;

use house_tests::dns::{Dns, Record};

fn main() -> ExitCode {
    let Some(at) = std::env::args().nth(1).and_then(|at| at.parse().ok()) else {
        eprintln!("lab-dns ADDRESS:PORT <RECORDS");
        return ExitCode::from(64);
    };
    let mut zone: HashMap<String, Vec<Record>> = HashMap::new();
    for line in std::io::stdin().lines() {
        let line = line.expect("the records");
        let Some((name, record)) = record(&line) else {
            eprintln!("lab-dns: {line}: neither NAME A ADDRESS nor NAME MX PREFERENCE HOST");
            return ExitCode::from(65);
        };
        zone.entry(name).or_default().push(record);
    }
    let dns = Dns::at_address(at);
    for (name, records) in zone {
        dns.set(&name, &records);
    }
    loop {
        std::thread::park();
    }
}

fn record(line: &str) -> Option<(String, Record)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, record) = match words[..] {
        [name, "A", address] => (name, Record::A(address.parse().ok()?)),
        // It is said once, and stays for as long as the program runs.
        [name, "MX", preference, host] => (name, Record::Mx(preference.parse().ok()?, host.to_owned().leak())),
        _ => return None,
    };
    Some((name.to_owned(), record))
}
