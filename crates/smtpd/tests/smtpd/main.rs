//! The daemon over a store, as its clients see it.

mod clients;
mod endings;
mod house;
mod lmtp;
mod log;
mod model;
mod quota;
mod receiving;
mod relaying;
mod submission;
mod tls;
