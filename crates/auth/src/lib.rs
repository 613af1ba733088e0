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
//! * A login nobody has costs what one with a wrong password costs, and gets the same answer.
//!
//! Leaves out, so far: delays that grow with an address's failures (there is one fixed delay), scopes of app passwords,
//! acting as another user (an `authzid` of another account is refused), system users (PAM).
//! Limits: [`AuthSettings`], [`MAX_RECORDS`]. Never: a password in a log or an error.

#![forbid(unsafe_code)]

mod cache;
mod check;
mod login;
mod login_name;
mod policy;
mod pool;
mod settings;

pub use check::{Auth, Denied, Identity, MAX_RECORDS};
pub use login::{Login, Progress};
pub use policy::{PlaintextAuth, may_use_password};
pub use settings::AuthSettings;
