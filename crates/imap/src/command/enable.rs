//! ENABLE — RFC 5161 §3.1.
//!
//! ```text
//! enable = "ENABLE" 1*(SP capability)
//! ```

use super::CommandBody;
use crate::cursor::{Bad, Cursor};

/// What can be switched on. Other names are ignored, as §3.1 demands: mutt and K-9 send `UTF8=ACCEPT` to whoever has ENABLE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension {
    /// RFC 7162 §3.1.
    Condstore,
    /// RFC 7162 §3.2; brings CONDSTORE with it.
    Qresync,
    /// RFC 9051.
    Imap4Rev2,
}

impl Extension {
    pub const ALL: [Extension; 3] = [Extension::Condstore, Extension::Qresync, Extension::Imap4Rev2];

    pub fn name(self) -> &'static str {
        match self {
            Extension::Condstore => "CONDSTORE",
            Extension::Qresync => "QRESYNC",
            Extension::Imap4Rev2 => "IMAP4rev2",
        }
    }

    fn of_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Those that are known, each once, in the order asked.
pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    let mut extensions = Vec::new();
    for _ in 0..cursor.limits.list {
        cursor.sp()?;
        if let Some(extension) = Extension::of_name(cursor.atom()?)
            && !extensions.contains(&extension)
        {
            extensions.push(extension);
        }
        if cursor.at_end() {
            return Ok(CommandBody::Enable(extensions));
        }
    }
    Err(Bad::limit("Too many capabilities"))
}
