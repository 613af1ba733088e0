//! Receiving mail: what each verb of SMTP means here. Start at `visit.rs`, then `transaction.rs`.
//!
//! Serves `smtp` (25: from everybody, to us), `submission` (587) and `submissions` (465: from our own users, to
//! everybody), and `lmtp` (from a program in front of us, to our own users); and what users of this machine hand in (`pickup.rs`). The language is `smtp`'s; who a recipient is,
//! `route`'s; what becomes of an accepted message, `mda`'s. Here is decided who may send what to whom, and when 250 may be
//! said: after the commit, never before.
//!
//! * A transaction is one value on the stack of one function (`transaction.rs`): whatever ends it (RSET, EHLO, QUIT, a lost
//!   connection, a panic) drops it, and the draft of its body with it.
//! * A recipient is judged at RCPT, also whether its mailbox has room, so nothing is accepted that would have to be bounced
//!   (backscatter).
//! * A refusal is logged as Postfix logs it, since fail2ban, pflogsumm and people read it (mta.md §7.2).
//!
//! * Restrictions, access tables, DNS lists and policy servers are asked as Postfix asks them (`access/`), and whatever they say, a stranger
//!   never relays.
//!
//! Leaves out, so far: `check_…_{a,mx,ns}_access`, `reject_unverified_…`, the actions HOLD, FILTER, REDIRECT and BCC, filters, greylisting, XCLIENT.
//! Limits: `smtp::Limits`, `anvil::Limits`, `head::HELD`; a message's octets are never all in memory.

#![forbid(unsafe_code)]

mod accept;
mod access;
mod anvil;
mod head;
mod intake;
pub mod letter;
mod login;
mod peer;
mod pickup;
mod recipient;
mod sender;
mod settings;
mod tally;
mod transaction;
mod visit;

pub use access::Rules;
pub use anvil::{Anvil, Limits as ClientLimits};
pub use pickup::NotTaken;
pub use settings::{Role, Settings};
pub use visit::Smtpd;
