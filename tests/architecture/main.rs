//! The shape of the house (DESIGN §2), held by tests. Each rule is a function over plain text or a table, so that a bad
//! sample can be shown to it: a checker that passes everything would be found out here.

#![forbid(unsafe_code)]

mod dependencies;
mod house;
mod manifest;
mod sources;
mod tables;
