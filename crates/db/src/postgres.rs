use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::engine::{Readers, Tx};
use crate::migrate::{self, Migration, Tokens};
use crate::writer::{self, Engine, Outcome, Request, WRITERS, Writers};
use crate::{Bells, Error, Value};

const TOKENS: Tokens = Tokens { blob: "BYTEA", wr: "" };

/// Reading connections.
const READERS: u32 = 8;
/// How long a reader waits for a connection.
const WAIT: Duration = Duration::from_secs(10);
/// How often a lost connection is made anew for one group, and the pause before each try.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(300);
/// How long a group waits for a server that does not answer at all.
const GIVE_UP: Duration = Duration::from_secs(15);
/// How long to find out whether a COMMIT landed whose answer was lost: long enough for a server to restart.
const UNKNOWN: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long rows of `landed` are kept: longer than any retry.
const LANDED_KEPT_MS: i64 = 3_600_000;
/// The advisory lock under which one process at a time migrates.
const MIGRATION_LOCK: i64 = 0x706f_7374;

pub(crate) async fn open(options: &PgConnectOptions, migrations: &[Migration], bells: Arc<Bells>) -> Result<(Readers, Writers), Error> {
    let options = options.clone().application_name("posthouse").disable_statement_logging();
    let mut tx = connect(&options).await?;
    tx.control("BEGIN").await?;
    tx.query("SELECT pg_advisory_xact_lock(?1)", &[Value::Int(MIGRATION_LOCK)]).await?;
    migrate::migrate(&mut tx, TOKENS, migrations, writer::now()).await?;
    // What processes left that are no more.
    tx.query("DELETE FROM landed WHERE at < ?1", &[Value::Int(writer::now() - LANDED_KEPT_MS)]).await?;
    tx.control("COMMIT").await?;
    tx.close().await;
    let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(WAIT).connect_with(options.clone()).await.map_err(cannot_connect)?;
    let mut engines: Vec<Box<dyn Engine>> = Vec::new();
    for _ in 0..WRITERS {
        let tx = connect(&options).await?;
        engines.push(Box::new(Writer { options: options.clone(), tx: Some(tx), last: None }));
    }
    Ok((Readers::Postgres(pool), Writers::start(engines, bells)))
}

async fn connect(options: &PgConnectOptions) -> Result<Tx, Error> {
    let made = tokio::time::timeout(CONNECT, options.connect()).await;
    let made = made.map_err(|_| Error::Engine(format!("PostgreSQL: no answer within {} s; is the server up, and database_url right?", CONNECT.as_secs())))?;
    made.map(Tx::postgres).map_err(cannot_connect)
}

fn cannot_connect(error: sqlx::Error) -> Error {
    match Error::from(error) {
        Error::Busy(text) => Error::Busy(format!("PostgreSQL: {text}; raise max_connections, or try again")),
        error => Error::Engine(format!("PostgreSQL: {error}; is the server up, and database_url right?")),
    }
}

struct Writer {
    options: PgConnectOptions,
    /// None after the connection was lost.
    tx: Option<Tx>,
    /// The mark of the last transaction, whose outcome is known: the next one removes it.
    last: Option<i64>,
}

/// How one try at a group ended.
enum Tried {
    Over(Outcome),
    /// Nothing was committed: run it again.
    Again(Error),
    /// COMMIT was sent and its answer lost; here are the answers in case it landed.
    Unknown(Outcome, Error),
}

impl Engine for Writer {
    fn run<'t>(&'t mut self, group: &'t [&'t Request]) -> crate::BoxFuture<'t, Outcome> {
        Box::pin(async move {
            // Positive, so that it fits a BIGINT.
            let mark = (rand::random::<u64>() >> 1) as i64;
            let mut maybe = None;
            let mut last = Error::Closed;
            let started = tokio::time::Instant::now();
            let mut tries = 0;
            // While a COMMIT may have landed only its mark decides: giving up then would double what landed.
            while (tries < TRIES && started.elapsed() < GIVE_UP) || (maybe.is_some() && started.elapsed() < UNKNOWN) {
                tries += 1;
                if let Err(error) = self.connected().await {
                    last = error;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                match self.try_group(group, mark, &mut maybe).await {
                    Tried::Over(outcome) => {
                        self.last = Some(mark);
                        return outcome;
                    }
                    Tried::Again(error) => last = error,
                    Tried::Unknown(outcome, error) => {
                        tracing::warn!("the answer to a COMMIT was lost: {error}; finding out whether it landed");
                        maybe = Some(outcome);
                        last = error;
                    }
                }
            }
            if maybe.is_some() {
                tracing::error!("a COMMIT whose answer was lost: {last}; whether it landed could not be found out");
                return Outcome::Unavailable(Error::Closed);
            }
            match self.tx {
                Some(_) => Outcome::Failed(last),
                None => Outcome::Unavailable(last),
            }
        })
    }

    fn close(self: Box<Self>) -> crate::BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Some(tx) = self.tx {
                tx.close().await;
            }
        })
    }
}

impl Writer {
    async fn connected(&mut self) -> Result<(), Error> {
        if self.tx.is_none() {
            self.tx = Some(connect(&self.options).await?);
        }
        Ok(())
    }

    async fn try_group(&mut self, group: &[&Request], mark: i64, maybe: &mut Option<Outcome>) -> Tried {
        let Some(mut tx) = self.tx.take() else { return Tried::Again(Error::Closed) };
        let begun = begin(&mut tx, group, mark, self.last).await;
        match begun {
            Ok(true) => {}
            // The row of an earlier try is there: that try was committed, and its answers are still in hand.
            Ok(false) => {
                let outcome = maybe.take().unwrap_or(Outcome::Failed(Error::Broken("a transaction's mark was taken".into())));
                self.roll_back(tx).await;
                return Tried::Over(outcome);
            }
            Err(error) => {
                self.roll_back(tx).await;
                return Tried::Again(error);
            }
        }
        match writer::run_waves(&mut tx, group).await {
            Outcome::Done(answers) => match tx.control("COMMIT").await {
                Ok(_) => {
                    self.tx = Some(tx);
                    Tried::Over(Outcome::Done(answers))
                }
                Err(error) => Tried::Unknown(Outcome::Done(answers), error),
            },
            Outcome::Failed(error @ Error::Busy(_)) => {
                self.roll_back(tx).await;
                Tried::Again(error)
            }
            Outcome::Failed(error) => {
                let lost = !tx.alive().await;
                self.roll_back(tx).await;
                if lost { Tried::Again(error) } else { Tried::Over(Outcome::Failed(error)) }
            }
            culprits => {
                self.roll_back(tx).await;
                Tried::Over(culprits)
            }
        }
    }

    /// Keeps the connection when it can go on.
    async fn roll_back(&mut self, mut tx: Tx) {
        if tx.roll_back().await {
            self.tx = Some(tx);
        }
    }
}

/// Begins, leaves the mark and takes the group's locks. False when the mark is there already.
async fn begin(tx: &mut Tx, group: &[&Request], mark: i64, last: Option<i64>) -> Result<bool, Error> {
    tx.control("BEGIN").await?;
    let now = writer::now();
    // Waits for an old transaction of the same mark that is still ending. The mark before is of no use any more.
    let leave = "WITH known AS (DELETE FROM landed WHERE tx = ?3) INSERT INTO landed (tx, at) VALUES (?1, ?2) ON CONFLICT (tx) DO NOTHING RETURNING tx";
    let left = tx.query(leave, &[Value::Int(mark), Value::Int(now), last.into()]).await?;
    if left.is_empty() {
        return Ok(false);
    }
    let mut locks: Vec<i64> = group.iter().flat_map(|request| request.keys()).map(|key| key.number()).collect();
    locks.sort_unstable();
    locks.dedup();
    let rows: Vec<[Value; 1]> = locks.into_iter().map(|number| [Value::Int(number)]).collect();
    // The subquery is materialised in order, so that two groups never wait for each other.
    tx.rows("SELECT pg_advisory_xact_lock(n) FROM (SELECT n FROM (VALUES {rows}) AS v(n) ORDER BY n OFFSET 0) AS o", &rows).await?;
    Ok(true)
}
