//! Refusals: what the store says, as IMAP says it (RFC 5530). The cause goes to the log, never to the peer.

use imap::{Code, Tagged};
use store::Refused;

/// The answer to a command that the store refused or could not do.
pub(crate) fn store(error: &db::Error) -> Tagged {
    match store::refused(error) {
        Some(refused) => refusal(refused),
        None => {
            tracing::error!(%error, "the store failed");
            Tagged::no("Not possible now, try again later").code(Code::Unavailable)
        }
    }
}

/// As [`store`], for APPEND and COPY: of a missing mailbox the client shall know that it may make it (RFC 3501 §7.1).
pub(crate) fn target(error: &db::Error) -> Tagged {
    match store::refused(error) {
        Some(Refused::NoSuchMailbox(_)) => try_create(),
        _ => store(error),
    }
}

pub(crate) fn try_create() -> Tagged {
    Tagged::no("No such mailbox").code(Code::TryCreate)
}

pub(crate) fn no_such_mailbox() -> Tagged {
    Tagged::no("No such mailbox").code(Code::NonExistent)
}

pub(crate) fn over_quota() -> Tagged {
    Tagged::no("Quota exceeded").code(Code::OverQuota)
}

/// Messages named by number have been expunged elsewhere, which the client could not know (RFC 2180 §4.1, E-07).
pub(crate) fn expunged() -> Tagged {
    Tagged::no("Some of the messages no longer exist").code(Code::ExpungeIssued)
}

/// Messages are in the index, but their octets can't be read.
pub(crate) fn unreadable() -> Tagged {
    Tagged::no("Some of the messages can't be read").code(Code::Corruption)
}

/// A part is coded in a way nobody knows (RFC 3516 §4.3).
pub(crate) fn unknown_encoding() -> Tagged {
    Tagged::no("Some of the parts have an unknown transfer encoding").code(Code::UnknownCte)
}

/// Of a body that could not be read or written.
pub(crate) fn body(error: &bodies::Error) -> Tagged {
    tracing::error!(%error, "a body failed");
    Tagged::no("Not possible now, try again later").code(Code::Unavailable)
}

pub(crate) fn read_only() -> Tagged {
    Tagged::no("The mailbox is read-only").code(Code::ReadOnly)
}

fn refusal(refused: &Refused) -> Tagged {
    match refused {
        Refused::NoSuchMailbox(_) => no_such_mailbox(),
        Refused::MailboxExists(_) => Tagged::no("The mailbox exists already").code(Code::AlreadyExists),
        Refused::SpecialUseTaken(_) => Tagged::no("Another mailbox has that special use").code(Code::UseAttr),
        Refused::OverQuota => over_quota(),
        Refused::Cannot(what) => Tagged::no(*what).code(Code::Cannot),
        Refused::Limit(what) => Tagged::no(format!("Limit reached: {what}")).code(Code::Limit),
        // The account is gone under its session; the others are not for IMAP to meet.
        Refused::NoSuchAccount(_)
        | Refused::AddressExists(_)
        | Refused::NoSuchDomain(_)
        | Refused::DomainExists(_)
        | Refused::DomainInUse(_)
        | Refused::NoSuchAlias(_) => {
            tracing::warn!(%refused, "the store refused");
            Tagged::no("Not possible").code(Code::Unavailable)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::MailboxName;

    #[test]
    fn each_refusal_has_its_code() {
        let table = [
            (Refused::NoSuchMailbox("x".into()), Code::NonExistent),
            (Refused::MailboxExists(MailboxName::inbox()), Code::AlreadyExists),
            (Refused::SpecialUseTaken(mail::SpecialUse::Sent), Code::UseAttr),
            (Refused::OverQuota, Code::OverQuota),
            (Refused::Cannot("no"), Code::Cannot),
            (Refused::Limit("mailboxes"), Code::Limit),
            (Refused::NoSuchAccount("1".into()), Code::Unavailable),
        ];
        for (refused, code) in table {
            let error = db::Error::from(refused);
            assert_eq!(store(&error).code, Some(code), "{error}");
        }
        assert_eq!(target(&Refused::NoSuchMailbox("x".into()).into()).code, Some(Code::TryCreate));
        assert_eq!(store(&db::Error::Closed).code, Some(Code::Unavailable));
        assert_eq!(target(&Refused::OverQuota.into()).code, Some(Code::OverQuota));
    }

    #[test]
    fn a_cause_is_not_told() {
        let told = format!("{:?}", store(&db::Error::Engine("disk /srv/secret is full".into())));
        assert!(!told.contains("secret"), "{told}");
    }
}
