//! main.cf: the parameters of Postfix and ours, their expansion, their checks, edits, and `postconf` as a library.
//!
//! Follows Postfix 3.7.11: file syntax (postconf(5) "NOTATION"), defaults by `compatibility_level`, the behaviour of
//! `postconf` without master.cf. Leaves out edits of master.cf and bounce templates (`-b -t`). Lookup tables are in
//! [`maps`].
//!
//! Pure, except for [`file`] and what [`postconf`] does with it. A [`Config`] that exists is sound; nothing later checks a value again.
//!
//! Start at [`Config`]; the table of parameters is [`table`].
#![forbid(unsafe_code)]

mod check;
mod config;
pub mod domains;
pub mod edit;
pub mod expand;
pub mod file;
pub mod level;
pub mod listen;
pub mod machine;
pub mod maps;
pub mod networks;
pub mod postconf;
mod problem;
pub mod raw;
pub mod restrictions;
pub mod slip;
pub mod source;
pub mod table;
pub mod value;

pub use config::{ACCOUNTS, Config, Outside};
pub use problem::{Problem, Severity};
