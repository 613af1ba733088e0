//! Sessions end to end, with a toy protocol that has everything real ones have.

mod compress;
mod ending;
mod serving;
mod streaming;
mod talking;
mod tls;
mod toy;
