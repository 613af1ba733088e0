use std::any::Any;
use std::sync::Arc;

/// Why a change or a read did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The step's own crate said no (over quota, no such mailbox): its words, behind `Any`. Nothing else of the
    /// group suffered for it.
    #[error("refused: {text}")]
    Refused {
        /// What was refused, for a log.
        text: String,
        /// The refusal itself, of the type the step's crate documents.
        what: Arc<dyn Any + Send + Sync>,
    },
    /// The engine could not: connection lost, disk broken. Nothing was changed.
    #[error("database: {0}")]
    Engine(String),
    /// There is no room where the database lies. Nothing was changed.
    #[error("database: {0}")]
    Full(String),
    /// The database is held by another program, or all connections are taken: try again.
    #[error("database is busy: {0}")]
    Busy(String),
    /// A step broke its own rules (wrong number of answers, a panic): a bug, contained to the unit.
    #[error("database step: {0}")]
    Broken(String),
    /// The schema is newer than this program can read.
    #[error("the database's schema is version {found}, and this program reads up to {known}; install the newer program")]
    TooNew {
        /// The least version a reader must know.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// The database has been closed, or its answer to a COMMIT was lost for good (the log tells why): the only error after
    /// which nobody knows whether the change happened.
    #[error("the database is closed, or its answer was lost; whether the change happened is not known")]
    Closed,
}

impl Error {
    /// Wraps a refusal of a step's crate.
    pub fn refused<R: std::fmt::Display + Send + Sync + 'static>(refusal: R) -> Error {
        Error::Refused { text: refusal.to_string(), what: Arc::new(refusal) }
    }

    /// The refusal as `R`, when it is one.
    pub fn refusal<R: 'static>(&self) -> Option<&R> {
        match self {
            Error::Refused { what, .. } => what.downcast_ref(),
            _ => None,
        }
    }
}

/// Who is to blame when a batch of steps fails, so that the others can run again without them.
#[derive(Debug)]
pub enum Failed {
    /// These steps, by their index in the batch.
    Steps(Vec<(usize, Error)>),
    /// Nobody in particular.
    Batch(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Batch(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        match &error {
            sqlx::Error::PoolTimedOut => Error::Busy("no free connection within the time limit; try again".into()),
            sqlx::Error::Database(db) if is_busy(db.code().as_deref().unwrap_or_default()) => Error::Busy(db.message().to_owned()),
            sqlx::Error::Database(db) if is_full(db.code().as_deref().unwrap_or_default()) => Error::Full(error.to_string()),
            _ => Error::Engine(error.to_string()),
        }
    }
}

/// Whether an engine's code says that there is no room: SQLite's FULL, PostgreSQL's disk_full.
fn is_full(code: &str) -> bool {
    matches!(code, "13" | "53100")
}

/// Whether an engine's code says that somebody else is in the way. SQLite: BUSY and LOCKED with what they extend to.
/// PostgreSQL: serialisation failure, deadlock, lock not available, too many connections.
fn is_busy(code: &str) -> bool {
    let sqlite = code.parse::<u32>().is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6));
    sqlite || matches!(code, "40001" | "40P01" | "55P03" | "53300")
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_of_both_engines_are_told_apart() {
        for code in ["5", "261", "517", "773", "6", "262", "40001", "40P01", "55P03", "53300"] {
            assert!(super::is_busy(code), "{code}");
        }
        for code in ["", "13", "10", "1034", "23505", "53100", "57P01"] {
            assert!(!super::is_busy(code), "{code}");
            assert_eq!(super::is_full(code), matches!(code, "13" | "53100"), "{code}");
        }
    }
}
