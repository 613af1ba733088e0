//! What the operator may set.

use auth::PlaintextAuth;

/// Wrong passwords after which a session ends: a person mistypes twice; the rest is guessing, which shall at least pay for a
/// new handshake.
pub const MAX_FAILED_LOGINS: u32 = 5;

/// How the service presents itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The text of the greeting.
    pub greeting: String,
    /// What `IMPLEMENTATION` says to those logged in.
    pub implementation: Option<&'static str>,
    /// STLS is to be had (a certificate is there) on connections that are not secured yet.
    pub stls: bool,
    /// Whether passwords may be sent without TLS.
    pub plaintext_auth: PlaintextAuth,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            greeting: "Posthouse ready".into(),
            implementation: Some("Posthouse"),
            stls: true,
            plaintext_auth: PlaintextAuth::No,
        }
    }
}
