//! What at most one process of a database does, wherever it runs: a lock of the session, so that it goes with its holder.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::{Error, Url};

/// Half of the advisory lock's number; the other half is of its name. The locks of a writer's keys have one number of 64 bits, and
/// never meet these.
const ROOM: i32 = 0x686f_6c64;
/// How often it is looked whether the connection that holds the lock is still there.
const LOOK: Duration = Duration::from_secs(5);
/// How long the server may take to say so.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held until dropped; or until the connection to the server breaks, which [`Hold::lost`] tells.
pub struct Hold(Option<PgConnection>);

pub(crate) async fn hold(url: &Url, name: &str) -> Result<Hold, Error> {
    let Url::Postgres(options) = url else { return Ok(Hold(None)) };
    let mut connection = options.clone().application_name("posthouse").disable_statement_logging().connect().await?;
    // Each schema may be a store of its own.
    let take = "SELECT pg_advisory_lock($1, hashtext(current_schema() || '.' || $2))";
    sqlx::query(take).bind(ROOM).bind(name).execute(&mut connection).await?;
    Ok(Hold(Some(connection)))
}

impl Hold {
    /// Waits until it is not held any more.
    pub async fn lost(&mut self) {
        let Some(connection) = &mut self.0 else { return std::future::pending().await };
        loop {
            tokio::time::sleep(LOOK).await;
            match tokio::time::timeout(PATIENCE, connection.ping()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return tracing::warn!("PostgreSQL: {error}; what this process alone did may be another's now"),
                Err(_) => return tracing::warn!("PostgreSQL: no answer; what this process alone did may be another's now"),
            }
        }
    }
}
