//! A login by SASL, the same for SMTP, IMAP and POP3: they carry base64 lines one way and the other, and turn
//! [`Progress`] into their own codes.

use std::net::IpAddr;

use sasl::{Exchange, Mechanism, Step};

use crate::{Auth, Denied, Identity};

/// A login that waits for the client's next line.
pub struct Login {
    auth: Auth,
    from: IpAddr,
    exchange: Exchange,
}

/// How far a login has come.
pub enum Progress {
    /// Send `text` (bytes, to be written as base64), and give the client's line to `next`.
    Challenge { text: Vec<u8>, next: Login },
    /// The client is in.
    LoggedIn(Identity),
    /// The client is not.
    Denied(Denied),
    /// What it sent is not base64, or not what the mechanism has: 501, BAD, `-ERR` without `[AUTH]`.
    Malformed,
    /// It gave up with `*`.
    Cancelled,
    /// A mechanism that is not ours: 504, NO, `-ERR`.
    UnknownMechanism,
}

impl Login {
    /// Begins, with the mechanism's name and the initial response as they stand in the command (base64, or `=`).
    /// Whether a password may be sent at all ([`crate::may_use_password`]) is to be asked before.
    pub async fn start(auth: &Auth, from: IpAddr, mechanism: &[u8], initial: Option<&[u8]>) -> Progress {
        match Mechanism::of_name(mechanism) {
            Some(mechanism) => go_on(auth.clone(), from, Exchange::start_text(mechanism, initial)).await,
            None => Progress::UnknownMechanism,
        }
    }

    /// Goes on with the client's line, without its end.
    pub async fn line(self, line: &[u8]) -> Progress {
        go_on(self.auth, self.from, self.exchange.step_text(line)).await
    }
}

async fn go_on(auth: Auth, from: IpAddr, step: Step) -> Progress {
    match step {
        Step::Challenge { text, next } => Progress::Challenge { text, next: Login { auth, from, exchange: next } },
        Step::Bad => Progress::Malformed,
        Step::Cancelled => Progress::Cancelled,
        Step::Credentials(credentials) => match auth.check_credentials(&credentials, from).await {
            Ok(identity) => Progress::LoggedIn(identity),
            Err(denied) => Progress::Denied(denied),
        },
    }
}
