//! One exchange, from the client's first message to its credentials. States go in by value and come out, so an
//! exchange that ended cannot be fed again.

use crate::scram::{Asking, Binding, First, Proof, Success};
use crate::{Credentials, Mechanism, base64, credentials, login, plain};

/// Longest response in bytes of base64, the limit RFC 4954 §4 gives for an SMTP line: what the grammars need here
/// is 2,800, so it is only a wall.
pub const MAX_RESPONSE: usize = 12_288;

/// An exchange that waits for the client.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange(pub(crate) State);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum State {
    ScramFirst(First),
    ScramProof(Box<Proof>),
    ScramSuccess(Success),
    Plain,
    LoginName,
    LoginPassword { name: String },
}

/// Where an exchange stands after a message of the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send `text` (not yet base64; it may be empty) and give the response to `next`.
    Challenge { text: Vec<u8>, next: Exchange },
    /// SCRAM: whose keys? Give them to [`Asking::keys`].
    Keys(Asking),
    /// SCRAM: the client proved that it knows the password of `name`, `which` of those whose keys were given.
    Proven { name: String, authzid: Option<String>, which: usize },
    /// SCRAM: it did not; `why` is for the operator.
    Refused { name: String, why: &'static str },
    /// The client said all; whether it is true is for another to find out.
    Credentials(Credentials),
    /// What came is not in the mechanism's grammar, or not base64: refuse as malformed, not as a wrong password.
    Bad,
    /// The client gave up (`*`).
    Cancelled,
}

impl Exchange {
    /// Begins with the client's initial response, when it sent one. `binding`: of the TLS connection on which -PLUS is offered.
    pub fn start(mechanism: Mechanism, binding: Option<Binding>, initial: Option<&[u8]>) -> Step {
        let (first, prompt): (State, &[u8]) = match mechanism {
            Mechanism::ScramPlus => (State::ScramFirst(First { plus: true, binding }), b""),
            Mechanism::Scram => (State::ScramFirst(First { plus: false, binding }), b""),
            Mechanism::Plain => (State::Plain, b""), // an empty challenge: "your turn" (RFC 4422 §3)
            Mechanism::Login => (State::LoginName, login::USERNAME),
        };
        match initial {
            Some(message) => Exchange(first).step(message),
            None => Step::Challenge { text: prompt.to_vec(), next: Exchange(first) },
        }
    }

    /// As [`Exchange::start`], from the command's text: base64, or `=` for an empty response (RFC 4954 §4,
    /// RFC 5034 §4, RFC 9051 §6.2.2).
    pub fn start_text(mechanism: Mechanism, binding: Option<Binding>, initial: Option<&[u8]>) -> Step {
        match initial {
            None => Exchange::start(mechanism, binding, None),
            Some(b"=") => Exchange::start(mechanism, binding, Some(b"")),
            Some(text) => match decode(text) {
                Some(message) => Exchange::start(mechanism, binding, Some(&message)),
                None => Step::Bad,
            },
        }
    }

    /// Goes on with the client's decoded response.
    pub fn step(self, response: &[u8]) -> Step {
        match self.0 {
            State::ScramFirst(first) => first.step(response),
            State::ScramProof(proof) => proof.step(response),
            State::ScramSuccess(success) => success.step(response),
            State::Plain => plain::read(response).map_or(Step::Bad, Step::Credentials),
            State::LoginName => match credentials::name(response) {
                Some(name) => Step::Challenge {
                    text: login::PASSWORD.to_vec(),
                    next: Exchange(State::LoginPassword { name }),
                },
                None => Step::Bad,
            },
            State::LoginPassword { name } => {
                Credentials::of(b"", name.as_bytes(), response).map_or(Step::Bad, Step::Credentials)
            }
        }
    }

    /// As [`Exchange::step`], from the client's line without its end: base64, or `*` to give up.
    pub fn step_text(self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Cancelled;
        }
        decode(line).map_or(Step::Bad, |response| self.step(&response))
    }
}

/// Never a key.
impl std::fmt::Debug for Asking {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Asking({:?})", self.name())
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self.0 {
            State::ScramFirst(_) => "Exchange(SCRAM)",
            State::ScramProof(_) => "Exchange(SCRAM, proof)",
            State::ScramSuccess(_) => "Exchange(SCRAM, success)",
            State::Plain => "Exchange(PLAIN)",
            State::LoginName => "Exchange(LOGIN, name)",
            State::LoginPassword { .. } => "Exchange(LOGIN, password)",
        })
    }
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > MAX_RESPONSE { None } else { base64::decode(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs an exchange over texts; gives the challenges as they stand on the wire, and the end.
    fn run(mechanism: Mechanism, initial: Option<&str>, lines: &[&str]) -> (Vec<String>, Step) {
        let mut challenges = Vec::new();
        let mut step = Exchange::start_text(mechanism, None, initial.map(str::as_bytes));
        for line in lines {
            let Step::Challenge { text, next } = step else { panic!("ended before {line:?}: {step:?}") };
            challenges.push(base64::encode(&text));
            step = next.step_text(line.as_bytes());
        }
        (challenges, step)
    }

    fn tim() -> Step {
        Step::Credentials(Credentials { authzid: None, authcid: "tim".into(), password: b"secret".to_vec() })
    }

    #[test]
    fn plain_comes_at_once_or_after_an_empty_challenge() {
        assert_eq!(run(Mechanism::Plain, Some("AHRpbQBzZWNyZXQ="), &[]), (vec![], tim()));
        assert_eq!(run(Mechanism::Plain, None, &["AHRpbQBzZWNyZXQ="]), (vec!["".into()], tim()));
        assert_eq!(run(Mechanism::Plain, Some("="), &[]).1, Step::Bad, "an empty message is no PLAIN message");
    }

    #[test]
    fn login_prompts_as_clients_know_it() {
        let prompts = vec!["VXNlcm5hbWU6".to_string(), "UGFzc3dvcmQ6".to_string()];
        assert_eq!(run(Mechanism::Login, None, &["dGlt", "c2VjcmV0"]), (prompts.clone(), tim()));
        assert_eq!(run(Mechanism::Login, Some("dGlt"), &["c2VjcmV0"]), (prompts[1..].to_vec(), tim()));
    }

    #[test]
    fn malformed_is_told_from_cancelled_at_every_step() {
        for mechanism in Mechanism::ALL {
            assert_eq!(run(mechanism, None, &["*"]).1, Step::Cancelled, "{mechanism:?}");
            assert_eq!(run(mechanism, None, &["not base64"]).1, Step::Bad, "{mechanism:?}");
            assert_eq!(run(mechanism, None, &[""]).1, Step::Bad, "{mechanism:?}");
            assert_eq!(run(mechanism, Some("*"), &[]).1, Step::Bad, "{mechanism:?}: only a line cancels");
        }
        assert_eq!(run(Mechanism::Login, None, &["dGlt", "*"]).1, Step::Cancelled);
        assert_eq!(run(Mechanism::Login, None, &["dGlt", ""]).1, Step::Bad);
        assert_eq!(run(Mechanism::Login, None, &["AHRpbQ=="]).1, Step::Bad, "NUL in a name");
    }

    #[test]
    fn a_response_beyond_the_limit_is_bad_though_it_is_base64() {
        assert_eq!(run(Mechanism::Plain, None, &[&"AAAA".repeat(MAX_RESPONSE / 4 + 1)]).1, Step::Bad);
    }

    #[test]
    fn a_password_is_never_printed() {
        let mut step = Exchange::start(Mechanism::Login, None, Some(b"tim"));
        assert!(!format!("{step:?}").contains("tim"));
        if let Step::Challenge { next, .. } = step {
            step = next.step(b"hunter2");
        }
        let printed = format!("{step:?}");
        assert!(printed.contains("tim") && !printed.contains("hunter2") && !printed.contains("104, 117"), "{printed}");
    }
}
