//! Exit codes (DESIGN §1.2, after sysexits.h) and what is said on stderr.

use std::fmt;
use std::process::ExitCode;

/// Why a command ends without having done its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The command line is wrong.
    Usage = 64,
    /// What was given to it is wrong.
    BadInput = 65,
    /// No such user, domain, mailbox or message.
    NotFound = 67,
    /// Something it needs is not there: the running server, a disk, a port.
    Unavailable = 69,
    /// It exists already.
    Exists = 73,
    /// Busy: try again.
    Busy = 75,
    /// The configuration is not sound.
    Unsound = 78,
}

/// `posthouse: SUBJECT: what is wrong; what to do`.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    subject: String,
    text: String,
}

impl Failure {
    /// `text` says what is wrong and what to do.
    pub fn new(code: Code, subject: impl fmt::Display, text: impl fmt::Display) -> Failure {
        Failure { code, subject: subject.to_string(), text: text.to_string() }
    }

    /// The exit code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// `SUBJECT: what is wrong; what to do`, for a tool that says its own name before it.
    pub fn said(&self) -> String {
        format!("{}: {}", self.subject, self.text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "posthouse: {}", self.said())
    }
}

/// What the database or the store said, about `subject`.
pub fn of_store(subject: impl fmt::Display, error: &db::Error) -> Failure {
    use store::Refused;
    if let Some(refused) = store::refused(error) {
        let code = match refused {
            Refused::NoSuchMailbox(_) | Refused::NoSuchAccount(_) | Refused::NoSuchDomain(_) | Refused::NoSuchAlias(_) => Code::NotFound,
            Refused::MailboxExists(_) | Refused::SpecialUseTaken(_) | Refused::AddressExists(_) | Refused::DomainExists(_) => Code::Exists,
            Refused::Cannot(_) | Refused::OverQuota | Refused::Limit(_) | Refused::DomainInUse(_) => Code::BadInput,
        };
        return Failure::new(code, subject, refused);
    }
    let code = match error {
        db::Error::Busy(_) => Code::Busy,
        db::Error::TooNew { .. } => Code::Unsound,
        _ => Code::Unavailable,
    };
    Failure::new(code, subject, error)
}

/// Says what failed, if anything did.
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code as u8)
        }
    }
}
