//! The clock on the wall: what the tools print is local time, as Postfix's is.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mail::Date;
use mail::zone::Zone;

/// Where zones are by name.
const ZONES: &str = "/usr/share/zoneinfo";

/// Octets of a file that are read; the largest has some four thousand.
const FILE_LIMIT: u64 = 64 * 1024;

/// Seconds since 1970 as `$TZ` or `/etc/localtime` has them; UTC if neither says.
pub fn local(unix: i64) -> Date {
    static ZONE: OnceLock<Zone> = OnceLock::new();
    ZONE.get_or_init(|| zone().unwrap_or_default()).at(unix)
}

fn zone() -> Option<Zone> {
    let Ok(name) = std::env::var("TZ") else { return read(Path::new("/etc/localtime")) };
    match name.strip_prefix(':').unwrap_or(&name) {
        "" => None,
        path if path.starts_with('/') => read(Path::new(path)),
        name => Zone::of_rule(name).or_else(|| read(&PathBuf::from(ZONES).join(name))),
    }
}

fn read(path: &Path) -> Option<Zone> {
    use std::io::Read;
    let mut octets = Vec::new();
    std::fs::File::open(path).ok()?.take(FILE_LIMIT).read_to_end(&mut octets).ok()?;
    Zone::parse(&octets)
}
