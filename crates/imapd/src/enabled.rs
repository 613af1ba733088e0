//! What a client has switched on for its connection: by ENABLE (RFC 5161), or for CONDSTORE by any command that names MODSEQs
//! (RFC 7162 §3.1). It is never switched off.

use imap::command::Extension;
use imap::view::Form;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Enabled {
    /// RFC 3501.
    #[default]
    Nothing,
    /// FETCH lines carry MODSEQs, and UIDs with them.
    Condstore,
    /// And VANISHED takes the place of EXPUNGE.
    Qresync,
}

impl Enabled {
    pub(crate) fn condstore(self) -> bool {
        self != Enabled::Nothing
    }

    pub(crate) fn qresync(self) -> bool {
        self == Enabled::Qresync
    }

    pub(crate) fn has(self, extension: Extension) -> bool {
        match extension {
            Extension::Condstore => self.condstore(),
            Extension::Qresync => self.qresync(),
            Extension::Imap4Rev2 => false,
        }
    }

    /// With this one too; QRESYNC brings CONDSTORE with it (RFC 7162 §3.2.3).
    pub(crate) fn with(self, extension: Extension) -> Enabled {
        match (extension, self) {
            (Extension::Condstore, Enabled::Nothing) => Enabled::Condstore,
            (Extension::Qresync, _) => Enabled::Qresync,
            _ => self,
        }
    }

    /// How the client is told things, in answers to UID commands or others.
    pub(crate) fn form(self, uid: bool) -> Form {
        Form { uid: uid || self.condstore(), modseq: self.condstore(), vanished: self.qresync() }
    }
}
