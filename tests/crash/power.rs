//! The power is cut under load.
//!
//! The store lies on a file system in an image (the *disk*), and the image on another one (the *shelf*). To cut the power the
//! shelf is frozen: from then on nothing more reaches the image, and no flush of the disk that needs it is answered. The
//! server is killed while it is so, and the image copied; what the copy lacks was never written. Then the copy takes the
//! image's place, is mounted, and its journal replayed.
//!
//! (Shutting the disk's file system down by its ioctl is simpler, and wrong: in Linux 6.18 an fsync under way may be answered with
//! success after its journal was thrown away.)

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use house_tests::client::{self, installed};
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::{is_root, long, skip};
use rustix::process::Signal;

use crate::world::{RECOVERY, World};

const ALL: &str = "smtp,imap,queue,upkeep";
/// Sizes of the images; they are sparse.
const DISK: &str = "512M";
const SHELF: &str = "1G";

/// Mounted images; unmounted when dropped.
struct Disk {
    shelf: PathBuf,
    at: PathBuf,
    copy: PathBuf,
}

impl Disk {
    /// Makes and mounts one below `directory`; tells why it cannot.
    fn new(directory: &Path) -> Result<Disk, String> {
        let below = |name: &str| directory.join(name);
        let disk = Disk { shelf: below("shelf"), at: below("disk"), copy: below("copy") };
        for (image, size, at) in [(below("shelf.image"), SHELF, &disk.shelf), (disk.image(), DISK, &disk.at)] {
            std::fs::create_dir(at).expect("a directory");
            run("truncate", &["-s".as_ref(), size.as_ref(), &image]);
            run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &image]);
            mount(&image, at)?;
        }
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.shelf.join("image")
    }

    /// Cuts the power of `server`, and takes down what is on the disk then.
    fn cut(&self, server: &mut Server) {
        run("fsfreeze", &["-f".as_ref(), &self.shelf]);
        // Its threads may wait for the disk, which answers no more; they die before they hear of it.
        server.signal(Signal::KILL);
        run("cp", &["--sparse=always".as_ref(), &self.image(), &self.copy]);
        run("fsfreeze", &["-u".as_ref(), &self.shelf]);
        server.kill();
    }

    /// The power is back.
    fn restore(&self) {
        run("umount", &[&self.at]);
        run("cp", &["--sparse=always".as_ref(), &self.copy, &self.image()]);
        mount(&self.image(), &self.at).unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever of it was not done yet says so, and need not be undone.
        let undo = |program: &str, arguments: &[&Path]| Command::new(program).args(arguments).stderr(Stdio::null()).status();
        let _ = undo("fsfreeze", &["-u".as_ref(), &self.shelf]);
        let _ = undo("umount", &["-l".as_ref(), &self.at]);
        let _ = undo("umount", &["-l".as_ref(), &self.shelf]);
    }
}

fn run(program: &str, arguments: &[&Path]) {
    let arguments: Vec<&str> = arguments.iter().map(|argument| argument.to_str().expect("UTF-8")).collect();
    client::run(program, &arguments).ok();
}

fn mount(image: &Path, at: &Path) -> Result<(), String> {
    let said = client::run("mount", &["-o", "loop,noatime", image.to_str().expect("UTF-8"), at.to_str().expect("UTF-8")]);
    if said.code == Some(0) { Ok(()) } else { Err(said.err) }
}

/// A world whose store lies on a disk of its own.
fn world(name: &str, directory: &Path) -> Option<(World, Disk)> {
    if !is_root() {
        skip(name, "needs root, to mount an image");
        return None;
    }
    if !installed(name, &["mkfs.ext4", "mount", "umount", "truncate", "fsfreeze"]) {
        return None;
    }
    let disk = match Disk::new(directory) {
        Ok(disk) => disk,
        Err(error) => {
            skip(name, &format!("needs root that may mount an image: {}", error.trim()));
            return None;
        }
    };
    let world = World::new(directory, None);
    // Moved there as an operator would: the directory, and the parameter.
    let store = disk.at.join("store");
    run("cp", &["-a".as_ref(), &directory.join("store"), &store]);
    run("sync", &["-f".as_ref(), &store]);
    set_store(&world.configured, &store);
    Some((world, disk))
}

fn set_store(configured: &Configured, store: &Path) {
    let text = std::fs::read_to_string(configured.main_cf()).expect("main.cf");
    let change = |line: &str| match line.starts_with("store_directory =") {
        true => format!("store_directory = {}", store.display()),
        false => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(change).collect();
    std::fs::write(configured.main_cf(), lines.join("\n") + "\n").expect("main.cf");
}

/// Loads `server`, cuts the power, and brings it back.
fn cut_under_load(world: &mut World, disk: &Disk, mut server: Server, enough: usize) -> usize {
    let (smtp, imap) = (server.address("smtp"), server.address("imap"));
    let acknowledged = world.load_until(smtp, imap, enough, || disk.cut(&mut server));
    disk.restore();
    acknowledged
}

#[test]
fn the_power_is_cut_and_nothing_acknowledged_is_lost_or_doubled() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some((mut world, disk)) = world("the_power_is_cut_and_nothing_acknowledged_is_lost_or_doubled", directory.path()) else { return };
    for n in 0..if long() { 6 } else { 3 } {
        let server = world.serve(ALL);
        let acknowledged = cut_under_load(&mut world, &disk, server, [60, 240, 10][n % 3]);
        let server = world.serve(ALL);
        let faults = world.faults(&server, RECOVERY);
        assert_eq!(faults, Vec::<String>::new(), "round {n}, {acknowledged} acknowledged; stderr:\n{}", server.log());
        server.stop();
        assert_eq!(world.check(), Vec::<String>::new(), "round {n}");
    }
}

#[test]
fn control_fsync_left_out_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = "control_fsync_left_out_is_found";
    if !installed(name, &["eatmydata"]) {
        return;
    }
    let Some((mut world, disk)) = world(name, directory.path()) else { return };
    // The kernel writes by itself after some seconds: the cut comes before, or the round is done again.
    for _ in 0..5 {
        let server = world.serve_under("eatmydata", ALL);
        cut_under_load(&mut world, &disk, server, 60);
        let server = world.serve(ALL);
        let faults = world.faults(&server, std::time::Duration::ZERO);
        if faults.iter().any(|fault| fault.starts_with("IMAP") && fault.contains("lost")) {
            return;
        }
        server.stop();
    }
    panic!("nothing was flushed, and nobody noticed");
}
