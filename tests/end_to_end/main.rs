//! The real program, and other people's clients.

#![forbid(unsafe_code)]
