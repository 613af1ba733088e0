//! Waiting for what must come true.

use std::time::{Duration, Instant};

/// How long anything may take that is not measured: generous, since the machine may be busy. Only failures wait for it.
pub const SOON: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The first answer of `look` that is not `None`. Panics, naming `what`, when it does not come within `limit`.
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(LOOK);
    }
}
