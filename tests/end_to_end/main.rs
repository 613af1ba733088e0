//! The real program, and other people's clients (DESIGN §1).

#![forbid(unsafe_code)]

mod bad_input;
mod clients;
mod commands;
mod demo;
mod full_disk;
mod mutt;
mod serve;
mod signals;
mod start_errors;
