//! What a source may not say.

use std::path::Path;

use crate::house;

/// Words: what the bytes and the RFC alone can answer.
const WORDS: [&str; 7] = ["smtp", "imap", "pop3", "sieve", "sasl", "dialogue", "mail"];
/// What touches the world. `std::net::IpAddr` does not.
const WORLD: [&str; 13] = [
    "std::fs", "std::process", "std::thread", "std::env", "TcpStream", "TcpListener", "UdpSocket", "UnixStream", "Instant::now(", "SystemTime::now(", "tokio::",
    "println!", "sqlx::",
];
/// Crates of others that need a runtime, a socket, a file or a clock.
const WORLDLY: [&str; 8] = ["tokio", "tokio-rustls", "rustls", "rustix", "sqlx", "tracing", "jiff", "clap"];

/// The part of a source that is not tests: up to the last `#[cfg(test)]` before a module written out.
fn without_tests(text: &str) -> &str {
    match text.find("#[cfg(test)]\nmod tests {") {
        Some(start) => &text[..start],
        None => text,
    }
}

/// Whether a file holds nothing but tests.
fn is_tests(path: &Path) -> bool {
    path.components().any(|component| matches!(component.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// Lines that say one of `words`, outside comments.
fn lines_that_say<'t>(text: &'t str, words: &[&str]) -> Vec<&'t str> {
    let code = without_tests(text).lines().map(str::trim).filter(|line| !line.starts_with("//"));
    code.filter(|line| words.iter().any(|word| line.contains(word))).collect()
}

/// Whether the root of a crate forbids unsafe code, for all of it.
fn forbids_unsafe(root: &str) -> bool {
    root.lines().any(|line| line == "#![forbid(unsafe_code)]")
}

#[test]
fn every_root_forbids_unsafe_code() {
    let mut roots = 0;
    for (name, package) in house::packages() {
        for (path, text) in house::sources(&package.directory) {
            // Tests beside them are held by the workspace's lints.
            if matches!(path.to_str(), Some("src/lib.rs" | "src/main.rs")) {
                roots += 1;
                assert!(forbids_unsafe(&text), "{name}: {} lacks #![forbid(unsafe_code)]", path.display());
            }
        }
    }
    assert!(roots >= house::packages().len(), "{roots} roots");
}

#[test]
fn words_are_pure() {
    let packages = house::packages();
    for (name, package) in packages.iter().filter(|(name, _)| WORDS.contains(&name.as_str())) {
        let worldly: Vec<_> = package.others.iter().filter(|other| WORLDLY.contains(&other.as_str())).collect();
        assert!(worldly.is_empty(), "{name} depends on {worldly:?}");
        for (path, text) in house::sources(&package.directory.join("src")).iter().filter(|(path, _)| !is_tests(path)) {
            assert_eq!(lines_that_say(text, &WORLD), Vec::<&str>::new(), "{name}/src/{}", path.display());
        }
    }
}

#[test]
fn nothing_is_left_on_the_workbench() {
    // Put together here, so that this line is not found by itself.
    let unfinished = ["to", "do!("].concat();
    let words = [unfinished.as_str(), "unimplemented!(", "dbg!(", "stub!("];
    for (name, package) in house::packages().iter().filter(|(name, _)| *name != "house-tests") {
        for (path, text) in house::sources(&package.directory.join("src")) {
            assert_eq!(lines_that_say(&text, &words), Vec::<&str>::new(), "{name}/src/{}", path.display());
        }
    }
}

#[test]
fn a_bad_source_is_found() {
    assert!(!forbids_unsafe("//! A crate.\n// #![forbid(unsafe_code)]\n"));
    assert!(!forbids_unsafe("#![deny(unsafe_code)]\n"));
    assert!(forbids_unsafe("//! A crate.\n\n#![forbid(unsafe_code)]\n"));
    let impure = "//! std::fs is not used.\nlet now = Instant::now();\nuse std::net::IpAddr;\nlet s = TcpStream::connect(a);\n#[cfg(test)]\nmod tests {\n    let now = Instant::now();\n}\n";
    assert_eq!(lines_that_say(impure, &WORLD), ["let now = Instant::now();", "let s = TcpStream::connect(a);"]);
    assert!(is_tests(Path::new("session/tests.rs")) && is_tests(Path::new("tests/cuts.rs")) && !is_tests(Path::new("testing.rs")));
}
