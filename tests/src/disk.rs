//! A small disk of our own, which can be filled.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client;
use crate::{is_root, skip};

/// The kernel gives memory to files by the page.
const PAGE: usize = 4096;

/// A file system in memory; unmounted when dropped.
#[derive(Debug)]
pub struct Disk(tempfile::TempDir);

impl Disk {
    /// Mounts one of `megabytes`. `None`: `test` is skipped by name.
    pub fn mount(test: &str, megabytes: u32) -> Option<Disk> {
        if !is_root() {
            skip(test, "needs root, to mount a small disk");
            return None;
        }
        let disk = Disk(tempfile::tempdir().expect("a directory"));
        let at = disk.path().to_str().expect("UTF-8");
        let said = client::run("mount", &["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "none", at]);
        if said.code != Some(0) {
            skip(test, &format!("needs root that may mount a file system: {}", said.err.trim()));
            return None;
        }
        Some(disk)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves room for nothing more.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.ballast()).expect("a file");
        loop {
            match file.write_all(&[b'x'; PAGE]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{}: {error}", self.ballast().display()),
            }
        }
    }

    /// Takes away what filled it.
    pub fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that has just been killed may still be on it. If nothing was mounted it says so, and that is well.
        let _ = Command::new("umount").arg("-l").arg(self.path()).stderr(std::process::Stdio::null()).status();
    }
}
