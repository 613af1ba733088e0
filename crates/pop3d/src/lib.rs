//! What POP3's commands mean over the store: reading, the short way. Start at [`Pop3d::serve`].
//!
//! The language is `pop3`'s; here are the maildrop, the login and what each command does, one file each in `command`.
//!
//! * The maildrop is INBOX as it was at login: numbers are places in that snapshot, in order of UID; new mail waits for the
//!   next session (RFC 1939 §5), and what another client expunged meanwhile answers `-ERR`. Who asks for such a message
//!   twice is sent away: some clients would ask for ever.
//! * Messages leave only at QUIT, all in one step, and `+OK` is said only once that step is durable (RFC 1939 §6). A
//!   connection that breaks removes nothing.
//! * RETR marks a message `\Seen` for IMAP's sake; the marks are written in groups and at the end of the session, since each
//!   writing waits for the disk. Those lost in a crash cost nobody anything.
//! * One POP3 session holds an account's maildrop at a time; the second login is told `[IN-USE]` (RFC 2449 §8.1.2). Across
//!   processes there is no such lock: two that delete the same messages do no harm, since deleting is by UID.
//! * A unique id is eight hexadecimal digits of UID and eight of UIDVALIDITY, what Dovecot gives by default, so that a
//!   maildrop taken over is not downloaded again; a unique id the store took over with a message stands before it.
//!
//! Leaves out: LOGIN-DELAY, EXPIRE other than NEVER.
//! Limits: [`MAX_FAILED_LOGINS`], [`MAX_SEEN`] and `pop3::Limits`. Memory of a session: 13 bytes a
//! message; bodies are streamed.

#![forbid(unsafe_code)]

mod authorization;
mod command;
mod ended;
mod lock;
mod maildrop;
mod no;
mod settings;
mod transaction;

use std::sync::Arc;

use auth::Auth;
use dialogue::Answer;
use net::{Conversation, Gone};
use store::Store;

pub use maildrop::MAX_SEEN;
pub use settings::{MAX_FAILED_LOGINS, Settings};

/// The service. Cheap to clone; all clones share the locks of the maildrops.
#[derive(Clone)]
pub struct Pop3d {
    store: Store,
    auth: Auth,
    settings: Arc<Settings>,
    locks: lock::Locks,
}

/// One connection, from our side.
type Talk = Conversation<pop3::Session>;

/// What is to happen after a command.
enum Next {
    Go,
    Over,
}

impl Pop3d {
    /// Over the accounts and mail of `store`.
    pub fn new(store: Store, auth: Auth, settings: Settings) -> Pop3d {
        Pop3d { store, auth, settings: Arc::new(settings), locks: lock::Locks::default() }
    }

    /// The same service (maildrops stay locked) with other settings, for connections to come.
    pub fn with(&self, settings: Settings) -> Pop3d {
        Pop3d { settings: Arc::new(settings), ..self.clone() }
    }

    /// Serves one connection to its end: the handler for `net::serve` (`move |talk| pop3d.clone().serve(talk)`).
    pub async fn serve(self, mut talk: Conversation<pop3::Session>) {
        // That the peer is gone is how most sessions end; what must be done then was done on the way.
        let _ = self.session(&mut talk).await;
    }

    async fn session(&self, talk: &mut Talk) -> Result<(), Gone> {
        talk.answer(Answer::Done(pop3::Reply::ok(self.settings.greeting.clone()))).await?;
        let Some((mut maildrop, log)) = authorization::run(self, talk).await? else { return Ok(()) };
        let over = transaction::run(self, talk, &mut maildrop).await;
        maildrop.release(); // before the disk is waited for: who lost its line is back at once
        maildrop.write_seen(&self.store).await;
        let octets = talk.octets();
        let why = if over.is_ok() { "Logged out" } else { "Connection closed" };
        let why = talk.failure().map_or_else(|| why.to_owned(), |failure| format!("{why} ({failure})"));
        log.end(&why, octets.read, octets.written);
        over
    }
}
