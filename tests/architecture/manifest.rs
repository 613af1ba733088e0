//! Every dependency has its reason beside it.

use crate::house;

/// Dependencies on others' crates in the workspace's manifest without a comment directly above them or behind them.
fn without_reason(manifest: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut inside, mut above) = (false, "");
    for line in manifest.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if inside
            && !line.is_empty()
            && !line.starts_with('#')
            && let Some((name, value)) = line.split_once('=')
        {
            let reason = above.starts_with('#') || value.rsplit_once(['"', '}', ']']).is_some_and(|(_, rest)| rest.contains('#'));
            if !value.contains("path =") && !reason {
                found.push(name.trim());
            }
        }
        above = line;
    }
    found
}

/// Dependencies of a crate's manifest that name a version of their own: versions stand in the workspace's manifest.
fn with_own_version(manifest: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && !line.starts_with('#') && line.contains('=') && !line.contains("workspace = true") {
            found.push(line);
        }
    }
    found
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = std::fs::read_to_string(house::root().join("Cargo.toml")).expect("Cargo.toml");
    assert!(manifest.contains("\n[workspace.dependencies]\n"));
    assert_eq!(without_reason(&manifest), Vec::<&str>::new());
}

#[test]
fn versions_stand_in_one_place() {
    for (name, package) in house::packages() {
        let manifest = std::fs::read_to_string(package.directory.join("Cargo.toml")).expect("Cargo.toml");
        assert_eq!(with_own_version(&manifest), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn a_dependency_without_reason_is_found() {
    let manifest = "[workspace.dependencies]\nmail = { path = \"crates/mail\" }\n# the runtime\ntokio = \"1\"\nleft-pad = \"1\"\nserde = \"1\" # reads\n\nlast = { version = \"1\", features = [\"a\"] }\n[profile.dev]\ndebug = 1\n";
    assert_eq!(without_reason(manifest), ["left-pad", "last"]);
    assert_eq!(with_own_version("[dependencies]\nmail.workspace = true\nserde = \"1\"\nnet = { workspace = true, features = [] }\n[lints]\na = 1\n"), ["serde = \"1\""]);
}
