//! What the operator may set.

use std::time::Duration;

use auth::PlaintextAuth;

/// How IMAP is served. The defaults suit a small office.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A certificate is there, so STARTTLS can be offered.
    pub starttls: bool,
    /// Who may send a password without TLS.
    pub plaintext_auth: PlaintextAuth,
    /// Largest message APPEND takes, in octets: the same as SMTP takes, or messages could not be moved between.
    pub append_limit: u64,
    /// Sessions of one account from one address. Thunderbird opens 5, Outlook one a folder, phones reconnect without closing.
    pub sessions_per_user: usize,
    /// Failed logins on one connection before it is closed. Thunderbird makes three of one wrong password, and a person mistypes twice.
    pub login_failures: u32,
    /// How often a client in IDLE hears something. Two minutes: what stands between us forgets silent connections (cheap routers
    /// from three minutes on), and a peer that is gone shows.
    pub still_here: Duration,
    /// How often a client that waits for a search hears something: it sees that we are there, and we see whether it still is.
    pub still_searching: Duration,
    /// How often a client in IDLE is looked after though no bell rang. The store itself looks every few seconds, with one question
    /// for all, for changes whose bell was lost: this is for what nobody thought of.
    pub look: Duration,
    /// The language's own bounds.
    pub language: imap::Limits,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            starttls: false,
            plaintext_auth: PlaintextAuth::No,
            append_limit: 50 << 20,
            sessions_per_user: 50,
            login_failures: 6,
            still_here: Duration::from_secs(120),
            still_searching: Duration::from_secs(10),
            look: Duration::from_secs(300),
            language: imap::Limits::default(),
        }
    }
}
