//! The program: the command line, the wiring of the house, and the tools that bear Postfix's names.
//!
//! * [`cli`]: what can be typed. One file a command in `command/`; `setup`, `demo` and `serve` have rooms of their own.
//! * [`house`]: configuration, database, bodies, store and queue, opened in that order.
//! * [`failure`]: what is said on stderr, and the exit codes.
//!
//! Called by another name (a symbolic link), it is that tool: see [`tool`].

#![forbid(unsafe_code)]

mod certificates;
mod cli;
mod command;
mod demo;
mod failure;
mod house;
mod log;
mod say;
mod serve;
mod setup;
mod tool;

use std::process::ExitCode;

/// Why not the system's: docs/decisions/0009.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(tool) = tool::called_as(arguments.first()) {
        arguments.remove(0);
        return tool.run(arguments);
    }
    match cli::parse(arguments) {
        Ok(asked) => failure::exit(cli::run(asked)),
        Err(said) => said,
    }
}
