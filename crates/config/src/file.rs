//! The only place of this crate that touches files: reading a configuration, and replacing one.

use crate::config::{Config, Outside};
use crate::machine::{self, Machine};
use crate::maps::TABLE_LIMIT;
use crate::problem::{Problem, Severity};
use crate::source::FILE_LIMIT;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How often an edit looks again when others edit at the same time.
const EDIT_ATTEMPTS: usize = 1_000;

impl Config {
    /// Reads `directory/main.cf`. The error holds every finding; the first error among them says why it is not sound.
    /// Host names in `inet_interfaces` and `SERVICE_listen` are looked up, which may block.
    pub fn load(directory: &Path) -> Result<Config, Vec<Problem>> {
        let path = directory.join("main.cf");
        let text = read(&path).map_err(|error| {
            let problem = Problem::new(Severity::Error, "file", "main.cf", error).at(path.display().to_string(), 0);
            vec![problem.fix("run posthouse setup, or name another directory by -c")]
        })?;
        let outside = Outside { machine: this_machine(), read: &read_table, resolve: &resolve };
        Config::new(directory, &text, &outside)
    }

    /// Every finding about `directory/main.cf`, sound or not.
    pub fn check(directory: &Path) -> Vec<Problem> {
        match Config::load(directory) {
            Ok(config) => config.problems().to_vec(),
            Err(problems) => problems,
        }
    }
}

/// What `postconf` and defaults need to know of this machine, as the kernel tells it; what can't be read is left out.
pub fn this_machine() -> Machine {
    let name = read(Path::new("/proc/sys/kernel/hostname")).or_else(|_| read(Path::new("/etc/hostname")));
    let name = name.map(|name| name.trim_ascii().to_owned()).ok().filter(|name| !name.is_empty());
    let mut machine = Machine::loopback(name.as_deref().unwrap_or("localhost"));
    machine.process_id = std::process::id();
    let ipv4 = read(Path::new("/proc/net/fib_trie")).map(|text| machine::ipv4_of_fib_trie(&text)).unwrap_or_default();
    let ipv6 = read(Path::new("/proc/net/if_inet6")).map(|text| machine::ipv6_of_if_inet6(&text)).unwrap_or_default();
    if !ipv4.is_empty() || !ipv6.is_empty() {
        machine.addresses = ipv4.into_iter().chain(ipv6).collect();
    }
    machine
}

/// The text of a file; the error is in the words of the system. Octets that are not UTF-8 are replaced: they can only stand
/// in comments or be wrong.
pub fn read(path: &Path) -> Result<String, String> {
    read_within(path, FILE_LIMIT)
}

/// The text of a lookup table; as [`read`], with the limit of tables.
pub fn read_table(path: &Path) -> Result<String, String> {
    read_within(path, TABLE_LIMIT)
}

fn read_within(path: &Path, limit: usize) -> Result<String, String> {
    let plain = |error: io::Error| reason(&error);
    let mut octets = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(plain)?.take(most).read_to_end(&mut octets).map_err(plain)?;
    if octets.len() > limit {
        return Err(format!("larger than {limit} octets"));
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Rewrites `path` by `change`, atomically: all or nothing of the new text is seen, permissions and owner stay. Edits at the
/// same time wait for one another. A symbolic link stays, what it points to is replaced. Errors as `open FILE: reason`.
pub fn edit<T>(path: &Path, change: impl FnOnce(&str) -> (String, T)) -> Result<T, String> {
    let named = path;
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let shown = |path: &Path, error: &io::Error| format!("open {}: {}", path.display(), reason(error));
    let temporary = with_tmp(&path);
    let mut file = lock(&temporary).map_err(|error| shown(&with_tmp(named), &error))?;
    let replaced = (|| {
        let mut source = File::open(&path).map_err(|error| format!("open {} for reading: {}", named.display(), reason(&error)))?;
        let mut octets = Vec::new();
        source.read_to_end(&mut octets).map_err(|error| shown(named, &error))?;
        let text = String::from_utf8(octets).map_err(|_| format!("{}: is not UTF-8 text; convert it first", named.display()))?;
        let (text, told) = change(&text);
        write(&mut file, &text, &source, &temporary, &path).map_err(|error| format!("write {}: {}", named.display(), reason(&error)))?;
        Ok(told)
    })();
    if replaced.is_err() {
        // Ours by the lock; a leftover does no harm, the next edit takes it.
        let _ = fs::remove_file(&temporary);
    }
    replaced
}

fn write(file: &mut File, text: &str, source: &File, temporary: &Path, path: &Path) -> io::Result<()> {
    let old = source.metadata()?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    // Only root may give a file away; for others it is theirs already or can't be helped.
    let _ = std::os::unix::fs::fchown(&*file, Some(old.uid()), Some(old.gid()));
    file.set_permissions(old.permissions())?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// Opens and locks the temporary file. Who waited for the lock may hold a file that was renamed meanwhile; then again.
fn lock(temporary: &Path) -> io::Result<File> {
    for _ in 0..EDIT_ATTEMPTS {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(temporary)?;
        file.lock()?;
        let held = file.metadata()?;
        if fs::metadata(temporary).is_ok_and(|now| now.ino() == held.ino() && now.dev() == held.dev()) {
            return Ok(file);
        }
    }
    Err(io::Error::other("others edit it all the time"))
}

fn with_tmp(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

fn resolve(name: &str) -> Vec<IpAddr> {
    (name, 0).to_socket_addrs().map(|all| all.map(|address| address.ip()).collect()).unwrap_or_default()
}

/// `No such file or directory`, without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_edit_keeps_permissions_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("main.cf");
        fs::write(&path, "a = 1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link.cf");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(edit(&path, |text| (format!("{text}b = 2\n"), 7)), Ok(7));
        assert_eq!(edit(&link, |text| (format!("{text}c = 3\n"), ())), Ok(()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a = 1\nb = 2\nc = 3\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_failed_edit_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("main.cf");
        let error = edit(&missing, |text| (text.to_owned(), ())).unwrap_err();
        assert_eq!(error, format!("open {} for reading: No such file or directory", missing.display()));
        let nowhere = dir.path().join("nowhere/main.cf");
        let error = edit(&nowhere, |text| (text.to_owned(), ())).unwrap_err();
        assert_eq!(error, format!("open {}.tmp: No such file or directory", nowhere.display()));
        fs::write(&missing, b"a = \xff\n").unwrap();
        assert!(edit(&missing, |text| (text.to_owned(), ())).unwrap_err().contains("not UTF-8"));
        assert_eq!(fs::read(&missing).unwrap(), b"a = \xff\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn edits_at_the_same_time_all_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("main.cf");
        fs::write(&path, "").unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let path = &path;
                scope.spawn(move || (0..10).for_each(|n| edit(path, |text| (format!("{text}x{thread}_{n} = 1\n"), ())).unwrap()));
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 40);
    }

    #[test]
    fn a_directory_is_loaded_or_its_faults_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let problems = Config::load(dir.path()).unwrap_err();
        assert!(problems[0].to_string().contains("No such file or directory; run posthouse setup"), "{}", problems[0]);
        fs::write(dir.path().join("main.cf"), "myhostname = mail.example.test\n").unwrap();
        assert_eq!(Config::load(dir.path()).unwrap().hostname(), "mail.example.test");
        fs::write(dir.path().join("main.cf"), "soft_bounce = x\n").unwrap();
        assert!(Config::check(dir.path()).iter().any(|p| p.is_error() && p.line == Some(1)));
    }

    #[test]
    fn this_machine_has_a_name_and_a_loopback() {
        let machine = this_machine();
        assert!(!machine.hostname.is_empty() && !machine.hostname.contains('\n'));
        assert!(machine.addresses.iter().any(|(address, _)| address.is_loopback()));
    }
}
