//! POP3 over a real store: golden transcripts, and what a transcript can't show.

mod sessions;
mod tls;
mod transcripts;
mod world;
