use mail::{Address, MailboxName, SpecialUse};

/// Why the store says no. Travels in [`db::Error::Refused`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No mailbox of that name, or it was deleted meanwhile.
    #[error("no such mailbox: {0}")]
    NoSuchMailbox(String),
    /// There is one already.
    #[error("mailbox exists: {0}")]
    MailboxExists(MailboxName),
    /// Another mailbox of the account has that use.
    #[error("another mailbox is the one for {0}")]
    SpecialUseTaken(SpecialUse),
    /// INBOX can't be deleted; a mailbox can't become its own child.
    #[error("{0}")]
    Cannot(&'static str),
    /// The account may hold no more.
    #[error("account is over quota")]
    OverQuota,
    /// A named limit of the store.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// No such account.
    #[error("no such account: {0}")]
    NoSuchAccount(String),
    /// The address is taken by an account or an alias.
    #[error("address exists: {0}")]
    AddressExists(Address),
    /// The domain is not hosted here.
    #[error("no such domain: {0}; add it first")]
    NoSuchDomain(String),
    /// The domain is hosted already.
    #[error("domain exists: {0}")]
    DomainExists(String),
    /// It still has accounts or aliases.
    #[error("domain {0} still has accounts or aliases; remove them first")]
    DomainInUse(String),
    /// No such alias.
    #[error("no such alias: {0}")]
    NoSuchAlias(String),
}

impl From<Refused> for db::Error {
    fn from(refused: Refused) -> db::Error {
        db::Error::refused(refused)
    }
}

/// The store's refusal inside `error`, if it is one.
pub fn refused(error: &db::Error) -> Option<&Refused> {
    error.refusal()
}

/// `error` for the step at `index` of a batch.
pub(crate) fn culprit(index: usize, refused: Refused) -> (usize, db::Error) {
    (index, refused.into())
}

/// A step that ran alone failed: its own refusal is its alone, anything else the batch's.
pub(crate) fn blame(index: usize, error: db::Error) -> db::Failed {
    match error {
        db::Error::Refused { .. } => db::Failed::Steps(vec![(index, error)]),
        other => db::Failed::Batch(other),
    }
}
