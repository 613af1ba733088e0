//! Why a command stops before its end.

use imap::Tagged;

/// Stops a command; `?` carries it up to the session, which answers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Halt {
    /// The peer is gone: no answer reaches it.
    #[error("the peer is gone")]
    Gone,
    /// The command is over, with this answer.
    #[error("{0:?}")]
    Answer(Tagged),
    /// Another event came where the command's own data was due; the session's own answer to it ends the command.
    #[error("the exchange was broken off")]
    Reflex(imap::Reflex),
    /// The session ends from outside in the middle of the command.
    #[error("the session ends")]
    Ended(dialogue::Ended),
    /// The store said no, or could not.
    #[error(transparent)]
    Store(#[from] db::Error),
    /// A body could not be read or written.
    #[error(transparent)]
    Body(#[from] bodies::Error),
    /// Octets were promised in a literal and cannot be given: nothing but the end of the connection keeps the client from
    /// reading what follows as message data.
    #[error("a body ended before its size")]
    Torn,
}

/// What a command ends with.
pub(crate) type Outcome = Result<Tagged, Halt>;

impl From<net::Gone> for Halt {
    fn from(_: net::Gone) -> Halt {
        Halt::Gone
    }
}

impl From<Tagged> for Halt {
    fn from(tagged: Tagged) -> Halt {
        Halt::Answer(tagged)
    }
}

/// A sequence number the client cannot know (S-08).
impl From<imap::view::NoSuchNumber> for Halt {
    fn from(_: imap::view::NoSuchNumber) -> Halt {
        Halt::Answer(Tagged::bad("No message with that sequence number"))
    }
}
