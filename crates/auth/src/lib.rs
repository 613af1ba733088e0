//! Who are you: a login and a password against the directory's records, for every service alike. Start at [`Auth`].
//!
//! [`Auth::check`] is the one place a password is judged; [`Login`] runs a SASL exchange (RFC 4422) up to it;
//! [`may_use_password`] says whether one may be sent at all.
//!
//! * A record is verified by argon2id in a pool bounded in threads and in waiters: it is meant to be expensive, so a flood
//!   of logins is answered [`Denied::Unavailable`], not by a machine that swaps.
//! * What was verified is remembered for ten minutes, as a keyed digest of account, record and password: webmail logs in
//!   for every click, and argon2 need not be paid each time. The account and its records are read at each login all the
//!   same, so a changed password and a disabled account are noticed at once.
//! * A record that another system wrote, or that is weaker than a new one, is written anew when its password is first heard.
//! * A login nobody has costs what one with a wrong password costs, and gets the same answer.
//!
//! * Wrong passwords make their sender wait, longer each time; nobody is locked out, and who is known is not concerned
//!   (`failures`). Guesses wait in a queue of their own.
//! * SCRAM (RFC 7677) is offered once every account has keys for it, or as the parameter `scram` says ([`Scram`]).
//! * App passwords stand beside the password, each for the services it was made for ([`Service`]).
//!
//! Leaves out, so far: acting as another user (an `authzid` of another account is refused), system users (PAM).
//! Limits: [`AuthSettings`], [`MAX_RECORDS`]. Never: a password in a log or an error.

#![forbid(unsafe_code)]

mod cache;
mod check;
mod client;
mod failures;
mod log;
mod login;
mod login_name;
mod policy;
mod pool;
mod scram;
mod secret;
mod settings;

pub use check::{Auth, Denied, Identity, MAX_RECORDS};
pub use client::{Client, Service};
pub use log::{Origin, SessionLog};
pub use login::{Login, Progress};
pub use policy::{PlaintextAuth, may_use_password};
pub use secret::{Scram, app_password, secret_of, secret_of_record};
pub use settings::AuthSettings;
