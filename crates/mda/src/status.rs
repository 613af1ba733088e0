//! What a refusal means to the sender (RFC 3463): the one place where words of the store and the database become codes.

use mail::Status;
use store::Refused;

use crate::Error;

/// What an attempt on one recipient came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Worth trying again.
    Deferred(Status, String),
    /// Never.
    Failed(Status, String),
}

impl Verdict {
    /// The reason in words.
    pub fn text(&self) -> &str {
        let (Deferred(_, text) | Failed(_, text)) = self;
        text
    }
}

use Verdict::{Deferred, Failed};

/// A mailbox is over its quota: kept in the queue, since the owner can make room.
const FULL: Status = Status(4, 2, 2);
/// Something of ours does not work: the sender's fault in no case.
const SYSTEM: Status = Status(4, 3, 0);
/// The disk is full.
const SYSTEM_FULL: Status = Status(4, 3, 1);
/// Nobody has the address.
pub(crate) const NO_SUCH_USER: Status = Status(5, 1, 1);
/// The message goes in a circle.
pub(crate) const LOOP: Status = Status(5, 4, 6);
/// Not resolved yet.
pub(crate) const NOT_YET: Status = Status(4, 3, 0);

/// The verdict on a recipient whose deposit the store refused. The text goes to the sender: the cause stays in the log.
pub fn of_refusal(refused: &Refused) -> Verdict {
    match refused {
        Refused::OverQuota => Deferred(FULL, "mailbox is full".into()),
        Refused::NoSuchAccount(_) => Failed(NO_SUCH_USER, "user unknown".into()),
        // INBOX always exists, so this is an account that is half made or half removed
        Refused::NoSuchMailbox(_) => Deferred(SYSTEM, "mailbox unavailable".into()),
        Refused::Limit(_) => Deferred(FULL, "mailbox has reached a limit".into()),
        // the rest belongs to other changes than a deposit
        _ => Deferred(SYSTEM, "mailbox unavailable".into()),
    }
}

/// The verdict on a recipient when something of ours failed.
pub fn of_error(error: &Error) -> Verdict {
    match error {
        Error::Database(error) => match store::refused(error) {
            Some(refused) => of_refusal(refused),
            None if matches!(error, db::Error::Full(_)) => Deferred(SYSTEM_FULL, "mail system full".into()),
            None => Deferred(SYSTEM, "mail system unavailable".into()),
        },
        Error::Bodies(bodies::Error::Full { .. }) => Deferred(SYSTEM_FULL, "mail system full".into()),
        Error::Bodies(_) | Error::Queue(_) => Deferred(SYSTEM, "mail system unavailable".into()),
        Error::Loop(address) => Failed(LOOP, format!("mail forwarding loop for {address}")),
        Error::NobodyLeft => Failed(NO_SUCH_USER, "no recipient is left".into()),
    }
}

impl Error {
    /// The code for a peer; the text of the error itself is for the log only.
    pub fn status(&self) -> Status {
        match of_error(self) {
            Deferred(status, _) | Failed(status, _) => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_codes() {
        for (refused, expected) in [
            (Refused::OverQuota, Deferred(Status(4, 2, 2), "mailbox is full".into())),
            (Refused::NoSuchAccount("7".into()), Failed(Status(5, 1, 1), "user unknown".into())),
            (Refused::NoSuchMailbox("INBOX".into()), Deferred(Status(4, 3, 0), "mailbox unavailable".into())),
            (Refused::Cannot("x"), Deferred(Status(4, 3, 0), "mailbox unavailable".into())),
        ] {
            assert_eq!(of_error(&Error::Database(refused.into())), expected);
        }
        assert_eq!(Error::Database(db::Error::Closed).status(), Status(4, 3, 0));
        assert_eq!(Error::Database(db::Error::Full("x".into())).status(), Status(4, 3, 1));
        assert_eq!(Error::Bodies(bodies::Error::Full { what: "x", path: "/".into() }).status(), Status(4, 3, 1));
    }
}
