use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use sqlx::{Arguments, Column, Executor, Row as _, TypeInfo, ValueRef};

use crate::together::Together;
use crate::{Error, Row, Value};

/// Binds of one statement at most: SQLite takes 32,766, PostgreSQL 65,535.
pub const BINDS: usize = 16_384;

/// Statements run in this process so far, reads included: what a delivery costs is counted by it.
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Every text of a statement run since [`record`] was called first: for tests that look at their plans.
static RECORD: OnceLock<Mutex<BTreeSet<String>>> = OnceLock::new();

/// From now on the texts of statements are kept.
pub(crate) fn record() -> &'static Mutex<BTreeSet<String>> {
    RECORD.get_or_init(Mutex::default)
}

fn count(sql: &str) {
    STATEMENTS.fetch_add(1, Ordering::Relaxed);
    if let Some(texts) = RECORD.get() {
        texts.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned());
    }
}

/// How many statements this process has run.
pub fn statements() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}

/// Rows of one statement at most: more cost memory (each number of rows is a prepared statement) and win no time.
const ROWS: usize = 1024;
/// Up to so many rows are one statement; more are cut into powers of two.
const EXACT: usize = 16;

/// An open transaction, of either engine.
pub struct Tx {
    inner: Inner,
    /// Statements without answers that go with the next call.
    waiting: Together,
    /// The first error since the transaction began. A step that goes on after it would write outside the transaction
    /// (SQLite ends it by itself when the disk is full) or commit nothing (PostgreSQL answers COMMIT with a silent ROLLBACK).
    failed: Option<Error>,
}

enum Inner {
    /// The writer's own connection, with BEGIN and COMMIT said by the writer.
    Sqlite(Box<sqlx::SqliteConnection>),
    Postgres(Box<sqlx::PgConnection>),
    /// A reader's snapshot; ends when it is dropped.
    SqliteSnapshot(sqlx::Transaction<'static, sqlx::Sqlite>),
    PostgresSnapshot(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Inner {
    /// Whether one call runs several statements.
    fn takes_several(&self) -> bool {
        matches!(self, Inner::Sqlite(_))
    }

    async fn call(&mut self, sql: String, args: &[Value]) -> Result<Vec<Row>, Error> {
        match self {
            Inner::Sqlite(connection) => sqlite_rows(&mut **connection, sql, args).await,
            Inner::SqliteSnapshot(tx) => sqlite_rows(&mut **tx, sql, args).await,
            Inner::Postgres(connection) => postgres_rows(&mut **connection, &sql, args).await,
            Inner::PostgresSnapshot(tx) => postgres_rows(&mut **tx, &sql, args).await,
        }
    }
}

impl Tx {
    fn new(inner: Inner) -> Tx {
        Tx { inner, waiting: Together::default(), failed: None }
    }

    pub(crate) fn sqlite(connection: sqlx::SqliteConnection) -> Tx {
        Tx::new(Inner::Sqlite(Box::new(connection)))
    }

    pub(crate) fn postgres(connection: sqlx::PgConnection) -> Tx {
        Tx::new(Inner::Postgres(Box::new(connection)))
    }

    /// Runs one statement, with `?1`, `?2` … bound to `args`, and gives its rows. After an error every further statement of
    /// the transaction gives the same error.
    pub async fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
        count(sql);
        if self.inner.takes_several() {
            self.join(sql, args).await?;
            return self.flush().await;
        }
        self.call(sql.to_owned(), args).await
    }

    /// Runs one statement that has no answer (no SELECT, no RETURNING). It may wait for what comes next and go with it in one
    /// call: then its error is told there, at the latest by COMMIT.
    pub async fn execute(&mut self, sql: &str, args: &[Value]) -> Result<(), Error> {
        debug_assert!(!sql.contains("RETURNING") && !sql.starts_with("SELECT"), "its rows would be taken for those of another: {sql}");
        if !self.inner.takes_several() {
            return self.query(sql, args).await.map(drop);
        }
        count(sql);
        self.join(sql, args).await
    }

    /// Puts a statement behind those that wait; if they are too many already, they run now.
    async fn join(&mut self, sql: &str, args: &[Value]) -> Result<(), Error> {
        if !self.waiting.has_room(args.len()) {
            self.flush().await?;
        }
        self.waiting.push(sql, args);
        Ok(())
    }

    /// Runs what waits, and gives the rows of the last of it.
    pub(crate) async fn flush(&mut self) -> Result<Vec<Row>, Error> {
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, args) = self.waiting.take();
        self.call(sql, &args).await
    }

    async fn call(&mut self, sql: String, args: &[Value]) -> Result<Vec<Row>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let answer = self.inner.call(sql, args).await;
        if let Err(error) = &answer {
            self.failed = Some(error.clone());
        }
        answer
    }

    /// The first error since BEGIN.
    pub(crate) fn failed(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// BEGIN or COMMIT, with what waits for it.
    pub(crate) async fn control(&mut self, sql: &str) -> Result<(), Error> {
        self.failed = None;
        self.query(sql, &[]).await.map(drop)
    }

    /// BEGIN (SQLite's) that goes with the first statement.
    pub(crate) fn begin_with_next(&mut self, sql: &str) {
        self.failed = None;
        count(sql);
        self.waiting.push(sql, &[]);
    }

    /// ROLLBACK. False when there was nothing to roll back, or the connection is of no use: a new one is sure.
    pub(crate) async fn roll_back(&mut self) -> bool {
        self.failed = None;
        if self.waiting.take().0.starts_with("BEGIN") {
            return true; // it never began
        }
        self.query("ROLLBACK", &[]).await.is_ok()
    }

    /// Runs one statement for many rows: `{rows}` in `sql` becomes `(?,?),(?,?)…`, with `N` columns a row. `fixed` are
    /// bound to `?1` … and can be used anywhere in the statement. Many rows are cut into powers of two, so that few texts
    /// are prepared; the answers come in no order.
    pub async fn rows_with<const N: usize>(&mut self, sql: &str, fixed: &[Value], rows: &[[Value; N]]) -> Result<Vec<Row>, Error> {
        let mut answers = Vec::new();
        for (sql, args) in chunks(sql, fixed, rows) {
            answers.append(&mut self.query(&sql, &args).await?);
        }
        Ok(answers)
    }

    /// [`Tx::rows_with`] for a statement without answers, as [`Tx::execute`].
    pub async fn execute_rows_with<const N: usize>(&mut self, sql: &str, fixed: &[Value], rows: &[[Value; N]]) -> Result<(), Error> {
        for (sql, args) in chunks(sql, fixed, rows) {
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// [`Tx::execute_rows_with`] without fixed values.
    pub async fn execute_rows<const N: usize>(&mut self, sql: &str, rows: &[[Value; N]]) -> Result<(), Error> {
        self.execute_rows_with(sql, &[], rows).await
    }

    /// [`Tx::rows_with`] without fixed values.
    pub async fn rows<const N: usize>(&mut self, sql: &str, rows: &[[Value; N]]) -> Result<Vec<Row>, Error> {
        self.rows_with(sql, &[], rows).await
    }

    /// Whether the connection can go on. A PostgreSQL connection that was cut cannot.
    pub(crate) async fn alive(&mut self) -> bool {
        match &mut self.inner {
            Inner::Postgres(connection) => sqlx::Connection::ping(&mut **connection).await.is_ok(),
            _ => true,
        }
    }

    pub(crate) async fn close(self) {
        let closed = match self.inner {
            Inner::Sqlite(connection) => sqlx::Connection::close(*connection).await,
            Inner::Postgres(connection) => sqlx::Connection::close(*connection).await,
            Inner::SqliteSnapshot(tx) => tx.rollback().await,
            Inner::PostgresSnapshot(tx) => tx.rollback().await,
        };
        if let Err(error) = closed {
            tracing::warn!("closing a database connection: {error}");
        }
    }
}

/// The pool of reading connections.
pub(crate) enum Readers {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

impl Readers {
    pub(crate) async fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
        count(sql);
        match self {
            Readers::Sqlite(pool) => sqlite_rows(pool, sql.to_owned(), args).await,
            Readers::Postgres(pool) => postgres_rows(pool, sql, args).await,
        }
    }

    pub(crate) async fn begin(&self) -> Result<Tx, Error> {
        let inner = match self {
            Readers::Sqlite(pool) => Inner::SqliteSnapshot(pool.begin().await?),
            Readers::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut *tx).await?;
                Inner::PostgresSnapshot(tx)
            }
        };
        Ok(Tx::new(inner))
    }

    pub(crate) async fn close(&self) {
        match self {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::Postgres(pool) => pool.close().await,
        }
    }
}

/// The statements and binds that `sql` becomes for `rows`: at once, or in chunks of powers of two.
pub(crate) fn chunks<const N: usize>(sql: &str, fixed: &[Value], rows: &[[Value; N]]) -> impl Iterator<Item = (String, Vec<Value>)> {
    let most = (BINDS.saturating_sub(fixed.len()) / N.max(1)).min(ROWS);
    let mut rest = rows;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let few = rest.len() <= EXACT.min(most);
        let (chunk, after) = rest.split_at(if few { rest.len() } else { 1 << rest.len().min(most).max(1).ilog2() });
        rest = after;
        let mut args = Vec::with_capacity(fixed.len() + chunk.len() * N);
        args.extend_from_slice(fixed);
        args.extend(chunk.iter().flatten().cloned());
        Some((expand::<N>(sql, fixed.len(), chunk.len()), args))
    })
}

/// `{rows}` as `count` groups of `N` placeholders that follow the `fixed` ones.
fn expand<const N: usize>(sql: &str, fixed: usize, count: usize) -> String {
    let mut groups = String::with_capacity(count * N * 6);
    let mut next = fixed;
    for row in 0..count {
        groups.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..N {
            next += 1;
            groups.push_str(if column == 0 { "?" } else { ",?" });
            groups.push_str(&next.to_string());
        }
        groups.push(')');
    }
    sql.replace("{rows}", &groups)
}

async fn sqlite_rows<'e, E>(executor: E, sql: String, args: &[Value]) -> Result<Vec<Row>, Error>
where
    E: Executor<'e, Database = sqlx::Sqlite>,
{
    let mut bound = sqlx::sqlite::SqliteArguments::default();
    for value in args {
        let added = match value {
            Value::Int(value) => bound.add(*value),
            Value::Text(value) => bound.add(value.clone()),
            Value::Blob(value) => bound.add(value.to_vec()),
            Value::NullInt => bound.add(None::<i64>),
            Value::NullText => bound.add(None::<String>),
            Value::NullBlob => bound.add(None::<Vec<u8>>),
        };
        added.map_err(|error| Error::Broken(error.to_string()))?;
    }
    let sql = sqlx::AssertSqlSafe(sql);
    let rows = sqlx::query_with(sql, bound).fetch_all(executor).await?;
    rows.iter().map(sqlite_row).collect()
}

fn sqlite_row(row: &sqlx::sqlite::SqliteRow) -> Result<Row, Error> {
    let column = |index| -> Result<Value, sqlx::Error> {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            return Ok(Value::NullInt);
        }
        let kind = raw.type_info();
        Ok(match kind.name() {
            "TEXT" => Value::Text(row.try_get_unchecked(index)?),
            "BLOB" => Value::Blob(row.try_get_unchecked::<Vec<u8>, _>(index)?.into()),
            _ => Value::Int(row.try_get_unchecked(index)?),
        })
    };
    Ok(Row((0..row.columns().len()).map(column).collect::<Result<_, _>>()?))
}

async fn postgres_rows<'e, E>(executor: E, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error>
where
    E: Executor<'e, Database = sqlx::Postgres>,
{
    let mut bound = sqlx::postgres::PgArguments::default();
    for value in args {
        let added = match value {
            Value::Int(value) => bound.add(*value),
            Value::Text(value) => bound.add(value.clone()),
            Value::Blob(value) => bound.add(value.to_vec()),
            Value::NullInt => bound.add(None::<i64>),
            Value::NullText => bound.add(None::<String>),
            Value::NullBlob => bound.add(None::<Vec<u8>>),
        };
        added.map_err(|error| Error::Broken(error.to_string()))?;
    }
    let sql = sqlx::AssertSqlSafe(sql.replace('?', "$"));
    let rows = sqlx::query_with(sql, bound).fetch_all(executor).await?;
    rows.iter().map(postgres_row).collect()
}

fn postgres_row(row: &sqlx::postgres::PgRow) -> Result<Row, Error> {
    let column = |index: usize| -> Result<Value, Error> {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            return Ok(Value::NullInt);
        }
        let kind = row.columns()[index].type_info().name();
        Ok(match kind {
            "INT8" => Value::Int(row.try_get(index)?),
            "INT4" => Value::Int(row.try_get::<i32, _>(index)?.into()),
            "BOOL" => Value::Int(row.try_get::<bool, _>(index)?.into()),
            "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get(index)?),
            "BYTEA" => Value::Blob(row.try_get::<Vec<u8>, _>(index)?.into()),
            "VOID" => Value::NullInt,
            other => return Err(Error::Broken(format!("column {index} is {other}: CAST it"))),
        })
    };
    Ok(Row((0..row.columns().len()).map(column).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_are_numbered_after_the_fixed_values() {
        assert_eq!(super::expand::<2>("VALUES {rows}", 1, 2), "VALUES (?2,?3),(?4,?5)");
    }
}
