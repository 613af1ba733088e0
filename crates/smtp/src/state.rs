//! Which command may come when — RFC 5321 §4.1.4 — as a function of values.
//!
//! ```text
//! Connected ──HELO/EHLO──► Greeted ──MAIL──► Mail ──RCPT──► Rcpt ──DATA──► (body) ──► Greeted
//!                             ▲               │  ▲           │  │ RCPT
//!                             └─RSET/HELO/EHLO┴──┼───────────┘◄─┘
//! ```
//!
//! A state holds only what is known there; the old one goes in by value. [`State::on`] says what the grammar
//! alone can answer; else it asks the handler, whose answer moves the state ([`Asked::answered`]).

use crate::verb::{Client, Greeting, Mail, Rcpt, Verb, hello, vrfy};
use crate::{Command, Reply, Settings};

/// Where a session stands between two commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Connected,
    Greeted { client: Client },
    /// A sender was accepted, no recipient yet.
    Mail { client: Client },
    /// `count` recipients were accepted, at least one; `beyond` came after the most we take.
    Rcpt { client: Client, count: usize, beyond: usize },
}

/// What the session knows beside its state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'s> {
    pub settings: &'s Settings,
    pub secured: bool,
    pub authenticated: bool,
}

/// What a command comes to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The grammar answers; the state is what it says.
    Decided(State, Reply),
    /// A refusal that is not held against the peer (`smtpd_recipient_overshoot_limit`).
    Forgiven(State, Reply),
    /// The handler is asked.
    Ask(Asked, Command),
}

/// A command the handler is to answer, with the state it came in.
#[derive(Debug)]
pub(crate) enum Asked {
    Hello { before: State, client: Client },
    Mail { client: Client },
    /// The first recipient, or one more.
    Rcpt { before: State },
    Data { before: State },
    Reset { after: State },
    StartTls { before: State },
    Auth { client: Client },
    Quit,
}

impl State {
    /// One line a legal step, the illegal ones with the reply that says why.
    pub fn on(self, verb: Verb, known: Known<'_>) -> Step {
        use Step::{Ask, Decided};
        let settings = known.settings;
        let early = matches!(verb, Verb::Hello(_) | Verb::Noop | Verb::Help | Verb::Rset | Verb::StartTls | Verb::Quit);
        if settings.tls_required && !known.secured && !early {
            return Decided(self, Reply::NEED_TLS);
        }
        match (self, verb) {
            (before, Verb::Hello(client)) => {
                let welcome = hello::welcome(&client, settings, known.secured);
                Ask(Asked::Hello { before, client: client.clone() }, Command::Hello { client, welcome })
            }
            (State::Connected, Verb::Mail(_)) if settings.hello_required => Decided(State::Connected, Reply::NEED_HELLO),
            (State::Connected, Verb::Mail(mail)) => mail_from(Client::SILENT, mail),
            (State::Greeted { client }, Verb::Mail(mail)) => mail_from(client, mail),
            (state, Verb::Mail(_)) => Decided(state, Reply::NESTED_MAIL),
            (before @ (State::Mail { .. } | State::Rcpt { .. }), Verb::Rcpt(rcpt)) => before.recipient(rcpt, settings),
            (state, Verb::Rcpt(_)) => Decided(state, Reply::NEED_MAIL),
            (before @ State::Rcpt { .. }, Verb::Data) => Ask(Asked::Data { before }, Command::Data),
            (state @ State::Mail { .. }, Verb::Data) => Decided(state, Reply::NO_RECIPIENTS),
            (state, Verb::Data) => Decided(state, Reply::NEED_RCPT),
            (state, Verb::Rset) => Ask(Asked::Reset { after: state.reset() }, Command::Reset),
            (state, Verb::Noop) => Decided(state, Reply::OK),
            (state, Verb::Help) => Decided(state, Verb::help(settings.language)),
            (state, Verb::Vrfy(argument)) => Decided(state, vrfy::perhaps(argument)),
            (_, Verb::Quit) => Ask(Asked::Quit, Command::Quit),
            (state, Verb::StartTls) if known.secured => Decided(state, Reply::TLS_ACTIVE),
            (state @ (State::Mail { .. } | State::Rcpt { .. }), Verb::StartTls | Verb::Auth(_)) => Decided(state, Reply::IN_TRANSACTION),
            (before, Verb::StartTls) => Ask(Asked::StartTls { before }, Command::StartTls),
            (state, Verb::Auth(_)) if known.authenticated => Decided(state, Reply::AUTH_TWICE),
            (state, Verb::Auth(_)) if !known.secured && !settings.auth_in_clear => Decided(state, Reply::AUTH_NEEDS_TLS),
            (State::Greeted { client }, Verb::Auth(auth)) => Ask(Asked::Auth { client }, Command::Auth(auth)),
            (state @ State::Connected, Verb::Auth(_)) => Decided(state, Reply::NEED_HELLO),
        }
    }

    /// The state with the transaction forgotten (RFC 5321 §4.1.1.5).
    pub fn reset(self) -> State {
        match self {
            State::Connected => State::Connected,
            State::Greeted { client } | State::Mail { client } | State::Rcpt { client, .. } => idle(client),
        }
    }

    /// Who it is that sends, and to how many.
    pub fn into_client(self) -> (Client, usize) {
        match self {
            State::Connected => (Client::SILENT, 0),
            State::Greeted { client } | State::Mail { client } => (client, 0),
            State::Rcpt { client, count, .. } => (client, count),
        }
    }

    /// One recipient more.
    fn with_recipient(self) -> State {
        match self {
            State::Mail { client } => State::Rcpt { client, count: 1, beyond: 0 },
            State::Rcpt { client, count, beyond } => State::Rcpt { client, count: count.saturating_add(1), beyond },
            other => other,
        }
    }

    fn recipient(self, rcpt: Rcpt, settings: &Settings) -> Step {
        let limits = &settings.limits;
        match self {
            State::Rcpt { client, count, beyond } if count >= limits.recipients => {
                let beyond = beyond.saturating_add(1);
                let state = State::Rcpt { client, count, beyond };
                if beyond > limits.overshoot {
                    Step::Decided(state, Reply::TOO_MANY_RECIPIENTS)
                } else {
                    Step::Forgiven(state, Reply::TOO_MANY_RECIPIENTS)
                }
            }
            before => Step::Ask(Asked::Rcpt { before }, Command::Rcpt(rcpt)),
        }
    }
}

fn mail_from(client: Client, mail: Mail) -> Step {
    Step::Ask(Asked::Mail { client: client.clone() }, Command::Mail { client, mail })
}

/// Where a client without a transaction is; one that never introduced itself is merely connected.
pub(crate) fn idle(client: Client) -> State {
    if client.greeting == Greeting::None { State::Connected } else { State::Greeted { client } }
}

impl Asked {
    /// The state after the handler's answer. DATA's and AUTH's positive answer is the session's to follow.
    pub fn answered(self, welcome: bool) -> State {
        match (self, welcome) {
            (Asked::Hello { client, .. }, true) => State::Greeted { client },
            // §4.1.4: a refused EHLO changes nothing but the transaction, which is gone
            (Asked::Hello { before, .. }, false) => before.reset(),
            (Asked::Mail { client }, true) => State::Mail { client },
            (Asked::Mail { client }, false) => idle(client),
            (Asked::Rcpt { before }, true) => before.with_recipient(),
            (Asked::Rcpt { before }, false) => before,
            (Asked::Data { before } | Asked::StartTls { before }, _) => before,
            (Asked::Auth { client }, _) => idle(client),
            (Asked::Reset { after }, _) => after,
            (Asked::Quit, _) => State::Connected,
        }
    }
}
