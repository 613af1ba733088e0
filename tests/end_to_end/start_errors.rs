//! A start that fails because of what is around the server: what, where, what to do. (The port and the certificate: `serve`.)

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use house_tests::client;
use house_tests::disk::Disk;
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::{is_root, skip};

/// Another program that holds a database; it lets go when this is dropped.
struct Holder(Child);

impl Holder {
    fn of(database: &Path) -> Holder {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/lock.py");
        let mut command = Command::new("python3");
        let child = command.arg(script).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
        let mut holder = Holder(child);
        let mut line = String::new();
        BufReader::new(holder.0.stdout.take().expect("a pipe")).read_line(&mut line).expect("a pipe");
        assert_eq!(line, "held\n");
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It may have ended of itself.
        let _ = self.0.wait();
    }
}

#[test]
fn a_database_that_another_program_holds_is_named() {
    if !client::installed("a_database_that_another_program_holds_is_named", &["python3"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    configured.set("imap_listen = 127.0.0.1:0");
    let database = directory.path().join("store/posthouse.db");
    let name = database.to_str().expect("UTF-8");
    let holder = Holder::of(&database);
    configured.run(&["serve", "--only", "imap"]).refused(75, &[name, "locked", &format!("`fuser {name}`"), "try again"]);
    drop(holder);
    Server::serve(&configured, &["--only", "imap"]).stop();
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named() {
    let Some(disk) = Disk::mount("a_disk_that_is_full_at_the_start_is_named", 4) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    let store = disk.path().join("store");
    std::fs::create_dir(&store).expect("a directory");
    configured.set(&format!("imap_listen = 127.0.0.1:0\nstore_directory = {}", store.display()));
    disk.fill();
    // Nothing of the store is there yet, so the first to come has to make it.
    for command in [&["serve", "--only", "imap"][..], &["user", "list"]] {
        configured.run(command).refused(69, &[store.to_str().expect("UTF-8"), "full", "free some space on its file system"]);
    }
    disk.make_room();
    Server::serve(&configured, &["--only", "imap"]).stop();
    // One that is there starts all the same: there may be nothing to write, and mail can be read.
    disk.fill();
    Server::serve(&configured, &["--only", "imap"]).stop();
}

#[test]
fn a_certificate_that_may_not_be_read_is_named() {
    const NOBODY: &str = "65534";
    let test = "a_certificate_that_may_not_be_read_is_named";
    if !is_root() {
        return skip(test, "needs root, to become another user");
    }
    if !client::installed(test, &["setpriv", "chown"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    let key = configured.directory.join("certs/server.key");
    client::run("chown", &["-R", NOBODY, directory.path().to_str().expect("UTF-8")]).ok();
    client::run("chown", &["root", key.to_str().expect("UTF-8")]).ok();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("a file of ours");
    let serve = configured.command(&["serve", "--only", "imap"]);
    let mut as_nobody = Command::new("setpriv");
    as_nobody.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(serve.get_program()).args(serve.get_args());
    let said = client::run_command(as_nobody.env_remove("MAIL_CONFIG").env_remove("RUST_LOG"));
    said.refused(78, &[key.to_str().expect("UTF-8"), "ermission denied", "tls_key_file", "the service's user may read it"]);
}
