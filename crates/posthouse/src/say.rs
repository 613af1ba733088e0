//! What commands write to stdout.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::failure::Code;

/// Writes a line. Whoever reads may have seen enough (`posthouse user list | head`): then there is nobody to write for, and the
/// command ends well.
pub fn say(line: impl Display) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{line}") {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("posthouse: stdout: {error}; what it said is not whole");
            std::process::exit(Code::Unavailable as i32);
        }
        std::process::exit(0);
    }
}
