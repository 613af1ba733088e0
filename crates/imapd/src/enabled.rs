//! What a client has switched on for its connection: by ENABLE (RFC 5161), or for CONDSTORE by any command that names MODSEQs
//! (RFC 7162 §3.1). It is never switched off.

use imap::command::Extension;
use imap::view::Form;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Enabled {
    modseqs: ModSeqs,
    rev2: bool,
}

/// What the client makes of MODSEQs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum ModSeqs {
    #[default]
    Nothing,
    /// FETCH lines carry them, and UIDs with them.
    Condstore,
    /// And VANISHED takes the place of EXPUNGE.
    Qresync,
}

impl Enabled {
    pub(crate) fn condstore(self) -> bool {
        self.modseqs != ModSeqs::Nothing
    }

    pub(crate) fn qresync(self) -> bool {
        self.modseqs == ModSeqs::Qresync
    }

    /// The connection speaks IMAP4rev2 (RFC 9051).
    pub(crate) fn rev2(self) -> bool {
        self.rev2
    }

    pub(crate) fn has(self, extension: Extension) -> bool {
        match extension {
            Extension::Condstore => self.condstore(),
            Extension::Qresync => self.qresync(),
            Extension::Imap4Rev2 => self.rev2,
        }
    }

    /// With this one too; QRESYNC brings CONDSTORE with it (RFC 7162 §3.2.3).
    pub(crate) fn with(self, extension: Extension) -> Enabled {
        match extension {
            Extension::Condstore if !self.qresync() => Enabled { modseqs: ModSeqs::Condstore, ..self },
            Extension::Condstore => self,
            Extension::Qresync => Enabled { modseqs: ModSeqs::Qresync, ..self },
            Extension::Imap4Rev2 => Enabled { rev2: true, ..self },
        }
    }

    /// How the client is told things, in answers to UID commands or others.
    pub(crate) fn form(self, uid: bool) -> Form {
        Form { uid: uid || self.rev2 || self.condstore(), modseq: self.condstore(), vanished: self.qresync(), rev2: self.rev2 }
    }
}
