//! The power is cut under load: a file system of its own, in an image, is shut down without flushing anything (the ioctl that
//! xfs_io calls `shutdown`), so that what was not written is gone; then it is mounted again, and its journal replayed.

use std::path::{Path, PathBuf};

use house_tests::client::{self, installed};
use house_tests::program::Configured;
use house_tests::server::Server;
use house_tests::{is_root, long, skip};

use crate::world::{RECOVERY, World};

const ALL: &str = "smtp,imap,queue,upkeep";
const IMAGE: &str = "512M";

/// FS_IOC_SHUTDOWN with NOLOGFLUSH, of the file system that holds argument 1.
const CUT: &str = "import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// A mounted image; unmounted when dropped.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// Makes and mounts one below `directory`; tells why it cannot.
    fn new(directory: &Path) -> Result<Disk, String> {
        let disk = Disk { image: directory.join("image"), at: directory.join("disk") };
        std::fs::create_dir(&disk.at).expect("a directory");
        let image = disk.image.to_str().expect("UTF-8");
        client::run("truncate", &["-s", IMAGE, image]).ok();
        client::run("mkfs.ext4", &["-q", "-F", image]).ok();
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        let said = client::run("mount", &["-o", "loop", self.image.to_str().expect("UTF-8"), self.at.to_str().expect("UTF-8")]);
        if said.code == Some(0) { Ok(()) } else { Err(said.err) }
    }

    /// Now.
    fn cut(&self) {
        client::run("python3", &["-c", CUT, self.at.to_str().expect("UTF-8")]).ok();
    }

    /// The power is back.
    fn restore(&self) {
        client::run("umount", &[self.at.to_str().expect("UTF-8")]).ok();
        self.mount().unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Not mounted if the test failed between the two.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.at).stderr(std::process::Stdio::null()).status();
    }
}

/// A world whose store lies on a disk of its own.
fn world(name: &str, directory: &Path) -> Option<(World, Disk)> {
    if !is_root() {
        skip(name, "needs root, to mount an image");
        return None;
    }
    if !installed(name, &["mkfs.ext4", "mount", "umount", "truncate", "python3"]) {
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
    client::run("cp", &["-a", directory.join("store").to_str().expect("UTF-8"), store.to_str().expect("UTF-8")]).ok();
    client::run("sync", &[]).ok();
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
    let at = server.address("smtp");
    let acknowledged = world.load_until(at, enough, || {
        disk.cut();
        server.kill();
    });
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
