//! `imap-proto`, an independent reader of what servers say, reads our answers.
