use std::path::PathBuf;
use std::str::FromStr;

use crate::Error;

/// Where the database is: the parameter `database_url`.
#[derive(Clone, Debug)]
pub enum Url {
    /// `sqlite:/path/to/file`
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database?options`
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
}

impl FromStr for Url {
    type Err = Error;
    fn from_str(text: &str) -> Result<Url, Error> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(Error::Engine("database_url: sqlite: needs a file, as in sqlite:/var/lib/posthouse/posthouse.db".into()));
            }
            return Ok(Url::Sqlite(path.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            // The text may hold a password: it is not repeated in the error.
            let options = text.parse().map_err(|_| Error::Engine("database_url: not a PostgreSQL URL; write postgres://user@host/database".into()))?;
            return Ok(Url::Postgres(Box::new(options)));
        }
        Err(Error::Engine("database_url: neither sqlite:FILE nor postgres://…".into()))
    }
}
