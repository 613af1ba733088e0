//! The session as its peers and its handler see it.

mod bench;
mod cuts;
mod ends;
mod model;
mod smuggling;
mod transcripts;
