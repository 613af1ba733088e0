//! The daemon over a store, as its clients see it.

mod endings;
mod house;
mod lmtp;
mod log;
mod model;
mod receiving;
mod relaying;
mod submission;
mod tls;
