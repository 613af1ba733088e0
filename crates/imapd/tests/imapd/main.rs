//! The daemon over an in-memory connection, with a real store on every engine there is.

mod answers;
mod bodies;
mod client;
mod cut_off;
mod folders;
mod forgotten;
mod hostile;
mod kept;
mod listing;
mod model;
mod modseq;
mod recent;
mod sessions;
mod tls;
mod transcript;
mod transcripts;
mod world;
