//! PostgreSQL: LISTEN and NOTIFY, each on a connection of its own.
//!
//! Never inside a transaction of mail: NOTIFY takes a lock on all of the server's databases until the end of its commit, which
//! would make every commit wait for every other. One notifier a process costs nothing that could be measured.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection};

use super::{Letter, Rings};

/// The channel. Stores in several schemas of one database hear each other, and find nothing.
const CHANNEL: &str = "posthouse";
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the server may take for one letter.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Ringer {
    options: PgConnectOptions,
    /// Made at the first ring, and anew after it broke.
    connection: Option<PgConnection>,
}

impl Ringer {
    pub(super) fn new(options: PgConnectOptions) -> Ringer {
        // Nothing is lost with a letter: nobody waits for it to reach the disk.
        Ringer { options: options.options([("synchronous_commit", "off")]), connection: None }
    }

    async fn send(&mut self, letters: &[String]) -> Result<(), sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        for letter in letters {
            sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(letter).execute(&mut connection).await?;
        }
        self.connection = Some(connection);
        Ok(())
    }
}

impl Rings for Ringer {
    async fn ring(&mut self, letters: &[String]) -> bool {
        match tokio::time::timeout(PATIENCE, self.send(letters)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!("NOTIFY: {error}; it is tried again");
                false
            }
            Err(_) => {
                tracing::debug!("NOTIFY: no answer within {PATIENCE:?}");
                true
            }
        }
    }
}

pub(super) async fn hear(options: PgConnectOptions, heard: impl Fn(Letter<'_>)) {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    loop {
        match listening(&pool).await {
            Ok(mut listener) => {
                // What came before we listened is heard of by nobody else.
                heard(Letter::Lost);
                let error = loop {
                    match listener.try_recv().await {
                        Ok(Some(letter)) => heard(Letter::Text(letter.payload())),
                        // The connection was lost and made again.
                        Ok(None) => heard(Letter::Lost),
                        Err(error) => break error,
                    }
                };
                tracing::warn!("PostgreSQL: LISTEN: {error}; other processes are heard again once the server answers");
            }
            Err(error) => tracing::debug!("PostgreSQL: LISTEN: {error}; it is tried again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listening(pool: &sqlx::PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
