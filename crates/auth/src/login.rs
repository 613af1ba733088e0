//! A login by SASL, the same for SMTP, IMAP and POP3: they carry lines one way and the other, and turn
//! [`Progress`] into their own codes.

use sasl::scram::Binding;
use sasl::{Exchange, Mechanism, Step};

use crate::scram::Challenged;
use crate::{Auth, Client, Denied, Identity};

/// A login that waits for the client's next line.
pub struct Login {
    auth: Auth,
    client: Client,
    exchange: Exchange,
    /// SCRAM: whose keys the challenge was made of.
    challenged: Option<Challenged>,
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
    /// A mechanism that is not ours, or not offered: 504, NO, `-ERR`.
    UnknownMechanism,
}

impl Login {
    /// Begins, with the mechanism's name and the initial response as they stand in the command (base64, or `=`).
    /// `binding`: of the TLS connection below, where it has one. Whether a password may be sent at all
    /// ([`crate::may_use_password`]) is to be asked before.
    pub async fn start(auth: &Auth, client: Client, mechanism: &[u8], binding: Option<Binding>, initial: Option<&[u8]>) -> Progress {
        begin(auth, client, mechanism, binding, |mechanism, binding| Exchange::start_text(mechanism, binding, initial)).await
    }

    /// As [`Login::start`], with the initial response decoded.
    pub async fn start_decoded(auth: &Auth, client: Client, mechanism: &[u8], binding: Option<Binding>, initial: Option<&[u8]>) -> Progress {
        begin(auth, client, mechanism, binding, |mechanism, binding| Exchange::start(mechanism, binding, initial)).await
    }

    /// Goes on with the client's line, without its end.
    pub async fn line(self, line: &[u8]) -> Progress {
        go_on(self.auth, self.client, self.challenged, self.exchange.step_text(line)).await
    }

    /// As [`Login::line`], with the response decoded.
    pub async fn response(self, response: &[u8]) -> Progress {
        go_on(self.auth, self.client, self.challenged, self.exchange.step(response)).await
    }
}

async fn begin(auth: &Auth, client: Client, mechanism: &[u8], binding: Option<Binding>, start: impl FnOnce(Mechanism, Option<Binding>) -> Step) -> Progress {
    let offered = auth.mechanisms(binding.is_some());
    // Where -PLUS was not offered, a client that could do it is right to say that it was not.
    let binding = binding.filter(|_| offered.contains(&Mechanism::ScramPlus));
    match Mechanism::of_name(mechanism).filter(|mechanism| offered.contains(mechanism)) {
        Some(mechanism) => go_on(auth.clone(), client, None, start(mechanism, binding)).await,
        None => Progress::UnknownMechanism,
    }
}

async fn go_on(auth: Auth, client: Client, challenged: Option<Challenged>, step: Step) -> Progress {
    let judged = match step {
        Step::Keys(asking) => match auth.challenged(client, asking.name()).await {
            Err(denied) => Err(denied),
            Ok((challenged, keys)) => match asking.keys(keys, &sasl::scram::nonce()) {
                Step::Challenge { text, next } => return Progress::Challenge { text, next: Login { auth, client, exchange: next, challenged: Some(challenged) } },
                _ => return Progress::Malformed,
            },
        },
        Step::Challenge { text, next } => return Progress::Challenge { text, next: Login { auth, client, exchange: next, challenged } },
        Step::Bad => return Progress::Malformed,
        Step::Cancelled => return Progress::Cancelled,
        Step::Proven { name, authzid, which } => auth.proven(client, &name, authzid.as_deref(), challenged, which).await,
        Step::Refused { name, why } => Err(auth.unproven(client, &name, why).await),
        Step::Credentials(credentials) => auth.check_credentials(&credentials, client).await,
    };
    judged.map_or_else(Progress::Denied, Progress::LoggedIn)
}
