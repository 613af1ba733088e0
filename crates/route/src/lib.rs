//! Where an address leads: its class, the names it stands for, its next hop. Decides nothing about who may send there.
//!
//! Domains are of one class: *hosted* (`posthouse domain add`: accounts and aliases of the directory), *local*
//! (`mydestination`: names of this machine; whoever has that name in the directory), *relay* (`relay_domains`: taken in to
//! be passed on), *rest*. `postmaster@` and `abuse@` exist in the first two always, `postmaster@$myhostname` too
//! (RFC 5321 §4.5.1, RFC 2142).
//!
//! In a hosted domain these are tried in order, as Postfix tries virtual aliases:
//!
//! 1. the address as it is: an account or an alias,
//! 2. without its detail (`recipient_delimiter`); an alias passes the detail on (`propagate_unmatched_extensions`),
//! 3. postmaster and abuse,
//! 4. the catch-all `@domain`.
//!
//! One step is [`Router::next`]; [`Router::route`] follows all of them, [`Router::explain`] is the same with every step told.
//!
//! Left out so far: system users and `/etc/aliases`, `.forward`, `virtual_alias_maps`, `transport_maps` for classes of our own, canonical and other
//! rewriting maps, address literals.
//!
//! Limits: [`EXPANSION_LIMIT`], [`LOCAL_DOMAINS_LIMIT`].
#![forbid(unsafe_code)]

mod explain;
mod expand;
mod router;
mod settings;

pub use expand::{Delivery, EXPANSION_LIMIT, Forward, Route};
pub use explain::Step;
pub use router::{Class, LOCAL_DOMAINS_LIMIT, Next, Router, Table};
pub use settings::Settings;
