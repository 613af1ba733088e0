//! Where an address leads: how it is written, its class, the names it stands for, its next hop. Decides nothing about who may send there.
//!
//! The recipient of a message that comes in goes this way, as ADDRESS_REWRITING_README of Postfix draws it; each step is a file:
//!
//! ```text
//! standard form ─► canonical ─► masquerade ─► virtual aliases ─► class ─┬─ hosted, local ─► aliases, accounts     (router, aliases)
//!      (rewrite.rs)                       ▲                             ├─ alias ─────────► only virtual aliases
//!                                         └──────── targets ◄───────────┴─ relay, rest ───► next hop              (transport)
//! ```
//!
//! Domains are of one class: *hosted* (`posthouse domain add`: accounts and aliases of the directory), *local*
//! (`mydestination` and the addresses of this machine: `alias_maps`, then whoever has that name in the directory), *alias*
//! (`virtual_alias_domains`), *relay* (`relay_domains`: taken in to be passed on), *rest*. `postmaster@` and `abuse@` exist in the first two
//! always, `postmaster@$myhostname` too (RFC 5321 §4.5.1, RFC 2142).
//!
//! In a hosted domain these are tried in order, as Postfix tries virtual aliases:
//!
//! 1. the address as it is: an account or an alias,
//! 2. without its detail (`recipient_delimiter`); an alias passes the detail on (`propagate_unmatched_extensions`),
//! 3. postmaster and abuse,
//! 4. the catch-all `@domain`.
//!
//! [`follow`] takes all steps, [`Router::route`] does it by tables and directory, [`Router::explain`] is the same with every step told.
//!
//! Left out so far: system users, files and programs as aliases, `.forward`, `relocated_maps`, `sender_dependent_…`.
//!
//! Limits: [`Limits`], [`LOCAL_DOMAINS_LIMIT`], [`INCLUDE_LIMIT`], [`CANONICAL_ROUNDS`].
#![forbid(unsafe_code)]

mod aliases;
mod explain;
mod follow;
mod lookup;
mod rewrite;
mod router;
mod settings;
mod targets;
mod transport;

pub use aliases::INCLUDE_LIMIT;
pub use explain::Step;
pub use follow::{Applied, End, Route, Steps, To, follow};
pub use lookup::{Found, find_domain};
pub use rewrite::{CANONICAL_ROUNDS, Canonical, Masquerade, Place};
pub use router::{Alias, Class, LOCAL_DOMAINS_LIMIT, Next, Router, Table};
pub use settings::{Limits, LocalRecipients, Propagates, Settings};
