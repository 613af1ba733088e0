//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): who knows the password proves it without sending it, and the
//! server proves that it knew it too.

mod keys;
mod message;
mod server;

pub use keys::{ITERATIONS, Keys, MAX_ITERATIONS};
pub(crate) use keys::{LIMIT, mac, salted};
pub use server::{Asking, Binding, nonce};
pub(crate) use server::{First, Proof, Success};
