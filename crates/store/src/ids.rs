use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(i64);
        impl $name {
            /// From the database or a test.
            pub fn new(id: i64) -> $name {
                $name(id)
            }
            /// As the database has it.
            pub fn get(self) -> i64 {
                self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
        impl From<$name> for db::Value {
            fn from(id: $name) -> db::Value {
                db::Value::Int(id.0)
            }
        }
    };
}

id! {
    /// An account, for good: never given again.
    AccountId
}
id! {
    /// A mailbox (a folder) of an account; stays when it is renamed.
    MailboxId
}
id! {
    /// A message of an account, in whatever mailboxes it lies.
    MessageId
}

impl AccountId {
    pub(crate) fn key(self) -> db::Key {
        db::Key::Account(self.0)
    }
}

/// The first millisecond of 2020: ids count from here, so that 63 bits last until 2089.
const EPOCH_MS: i64 = 1_577_836_800_000;

/// An id for something new that needs no coordination: milliseconds since 2020, and 22 random bits.
pub(crate) fn fresh() -> i64 {
    let random = i64::from(rand::random::<u32>() & 0x3f_ffff);
    ((crate::now_ms() - EPOCH_MS) << 22) | random
}
