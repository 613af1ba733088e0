//! Arrows of dependency go down only.

use std::collections::{BTreeMap, BTreeSet};

use crate::house::{self, Package};

/// The drawing of DESIGN §2: each crate and its arrows. A crate may use what its arrows lead to, at any distance, and
/// nothing else. Rooms that are drawn and not yet built stand here too.
const DRAWING: &[(&str, &[&str])] = &[
    ("smtpd", &["smtp", "auth", "route", "mda", "net"]),
    ("imapd", &["imap", "auth", "store", "net"]),
    ("pop3d", &["pop3", "auth", "store", "net"]),
    ("sieved", &["sieve", "auth", "store", "net"]),
    ("outbound", &["smtp", "sasl", "route", "mda", "queue", "net"]),
    ("httpd", &["auth", "store", "queue", "net", "config"]),
    ("mda", &["route", "sieve", "store", "queue", "db"]),
    ("route", &["config", "store", "net"]),
    ("auth", &["sasl", "store"]),
    ("net", &["dialogue"]),
    ("privsep", &[]),
    ("store", &["db", "bodies", "mail"]),
    ("queue", &["db", "bodies", "mail"]),
    ("bodies", &["db", "mail"]),
    ("db", &[]),
    ("config", &["mail"]),
    ("smtp", &["dialogue", "mail"]),
    ("imap", &["dialogue", "mail"]),
    ("pop3", &["dialogue", "mail"]),
    ("sieve", &["dialogue", "mail"]),
    ("sasl", &[]),
    ("dialogue", &[]),
    ("mail", &[]),
    // Beside the house: it sees it from outside.
    ("house-tests", &[]),
    ("imap-tests", &["house-tests"]),
];
/// At the top: the program, which is wired of everything, and what measures its parts.
const TOP: [&str; 2] = ["posthouse", "bench"];

const DAEMONS: [&str; 6] = ["smtpd", "imapd", "pop3d", "sieved", "outbound", "httpd"];
const PROTOCOLS: [&str; 5] = ["smtp", "imap", "pop3", "sieve", "sasl"];
const MEMORY: [&str; 4] = ["store", "queue", "bodies", "db"];

/// What may stand below `name`.
fn below(name: &str) -> Option<BTreeSet<&'static str>> {
    let arrows = |name: &str| DRAWING.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, arrows)| *arrows);
    let mut reached = BTreeSet::new();
    let mut waiting = arrows(name)?.to_vec();
    while let Some(next) = waiting.pop() {
        if reached.insert(next) {
            waiting.extend(arrows(next)?);
        }
    }
    Some(reached)
}

/// Every dependency that is not drawn.
fn undrawn(packages: &BTreeMap<String, Package>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, package) in packages.iter().filter(|(name, _)| !TOP.contains(&name.as_str())) {
        match below(name) {
            None => found.push(format!("{name} is not in the drawing")),
            Some(below) => {
                let wrong = package.ours.iter().filter(|used| !below.contains(used.as_str()));
                found.extend(wrong.map(|used| format!("{name} uses {used}")));
            }
        }
    }
    found
}

#[test]
fn crates_use_what_is_drawn_below_them() {
    let packages = house::packages();
    assert!(packages.contains_key(TOP[0]), "{:?}", packages.keys());
    assert_eq!(undrawn(&packages), Vec::<String>::new());
}

#[test]
fn the_drawing_itself_keeps_the_rules() {
    for (name, _) in DRAWING {
        let below = below(name).unwrap_or_else(|| panic!("{name} has an arrow to something that is not drawn"));
        assert!(!below.contains(name), "{name} leads to itself");
        if DAEMONS.contains(name) {
            assert!(DAEMONS.iter().all(|other| !below.contains(other)), "the daemon {name} sees another");
        }
        if PROTOCOLS.contains(name) {
            assert!(MEMORY.iter().all(|memory| !below.contains(memory)), "the protocol {name} sees the store");
        }
        if MEMORY.contains(name) {
            assert!(PROTOCOLS.iter().chain(&DAEMONS).all(|other| !below.contains(other)), "{name} sees a protocol");
        }
    }
}

#[test]
fn a_dependency_that_is_not_drawn_is_found() {
    let package = |ours: &[&str]| Package { directory: "/".into(), ours: ours.iter().map(|&name| name.into()).collect(), others: Vec::new() };
    let bad = [
        ("imap", "store", "imap uses store"),
        ("store", "imap", "store uses imap"),
        ("pop3d", "imapd", "pop3d uses imapd"),
        ("smtp", "smtpd", "smtp uses smtpd"),
        ("mail", "dialogue", "mail uses dialogue"),
        ("queue", "store", "queue uses store"),
        ("house-tests", "mail", "house-tests uses mail"),
        ("imap-tests", "imap", "imap-tests uses imap"),
    ];
    for (name, used, said) in bad {
        assert_eq!(undrawn(&[(name.to_owned(), package(&[used]))].into()), [said]);
    }
    assert_eq!(undrawn(&[("common".to_owned(), package(&[]))].into()), ["common is not in the drawing"]);
    assert_eq!(undrawn(&[("imapd".to_owned(), package(&["imap", "mail", "db"]))].into()), Vec::<String>::new());
}
