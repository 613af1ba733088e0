//! The real program, seen from outside (DESIGN §1).

#![forbid(unsafe_code)]

mod bad_input;
mod clock;
mod commands;
mod crowd;
mod demo;
mod full_disk;
mod limits;
mod outbound;
mod peers;
mod processes;
mod queue_tools;
mod restrictions;
mod safety;
mod seed_lab;
mod sendmail;
mod serve;
mod signals;
mod slips;
mod start_errors;
mod table_tools;
