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
    /// The engine could not: disk full, connection lost, locked by another program. Nothing was changed.
    #[error("database: {0}")]
    Engine(String),
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
    /// The database has been closed.
    #[error("the database is closed")]
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
            sqlx::Error::PoolTimedOut => Error::Busy("no free connection within the time limit".into()),
            sqlx::Error::Database(db) if matches!(db.code().as_deref(), Some("5" | "261" | "517" | "40001" | "40P01")) => {
                Error::Busy(db.message().to_owned())
            }
            _ => Error::Engine(error.to_string()),
        }
    }
}
