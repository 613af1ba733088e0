//! What the operator may set; the defaults suit a small machine.

use std::time::Duration;

use crate::Scram;

/// How logins are checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthSettings {
    /// Completes a login without a domain; `None`: such a login is nobody's.
    pub default_domain: Option<String>,
    /// Whether SCRAM is offered, and its keys are made.
    pub scram: Scram,
    /// Whether SCRAM-SHA-256-PLUS is, on connections that can be bound to. Not by itself: programs on gsasl (mutt, neomutt of Debian
    /// 12) choose it because it is offered, cannot do it, and try no other.
    pub scram_plus: bool,
    /// Records verified at a time: each takes a processor and 19 MiB for 15–30 ms.
    pub workers: usize,
    /// Logins that may wait for a worker; more are turned away. At 256 and two workers the last waits some 4 seconds,
    /// and clients give up after 10 to 30.
    pub waiting: usize,
    /// How long a login may wait for a worker before it is turned away.
    pub patience: Duration,
    /// Verified logins remembered; 80 bytes each.
    pub remembered: usize,
    /// How long one is remembered from the time it was verified: what a stolen memory image could reveal must not be
    /// old, and polling clients come every 5 to 10 minutes.
    pub memory: Duration,
    /// How long a wrong password waits for its answer. The same for an unknown login.
    pub failure_delay: Duration,
}

impl Default for AuthSettings {
    fn default() -> AuthSettings {
        AuthSettings {
            default_domain: None,
            scram: Scram::Auto,
            scram_plus: false,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            waiting: 256,
            patience: Duration::from_secs(10),
            remembered: 10_000,
            memory: Duration::from_secs(600),
            failure_delay: Duration::from_secs(1),
        }
    }
}
