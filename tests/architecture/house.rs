//! The house as it lies on the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// A package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its directory.
    pub directory: PathBuf,
    /// Packages of this repository that it names, for any purpose.
    pub ours: Vec<String>,
    /// Packages of others that it needs to be built; not those for its tests.
    pub others: Vec<String>,
}

/// All packages of the workspace, as cargo reads them.
pub fn packages() -> BTreeMap<String, Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root()).output();
    let output = output.expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().map(|package| (text(&package["name"]), read(package))).collect()
}

fn read(package: &serde_json::Value) -> Package {
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for dependency in package["dependencies"].as_array().expect("dependencies") {
        if dependency["path"].is_string() {
            ours.push(text(&dependency["name"]));
        } else if dependency["kind"] != "dev" {
            others.push(text(&dependency["name"]));
        }
    }
    Package { directory: manifest.parent().expect("a directory").to_owned(), ours, others }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Every Rust source below `directory`, with its path from there.
pub fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.push((path.strip_prefix(directory).expect("below it").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}
