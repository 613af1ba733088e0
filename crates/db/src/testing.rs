//! Databases for tests, of every engine there is.
//!
//! SQLite is always there. PostgreSQL is used when `POSTHOUSE_TEST_POSTGRES` names a server (`./test` starts one on a private
//! port); each test gets a schema of its own.

use crate::{Db, Error, Migration, Url};

/// A fresh database that is gone with this value's directory.
pub struct Fresh {
    /// Open, migrated.
    pub db: Db,
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// Where it is, to open it again.
    pub url: Url,
    /// Scratch space of the test, removed at its end.
    pub directory: std::path::PathBuf,
}

/// A fresh SQLite database below `directory`.
pub async fn sqlite(directory: &std::path::Path, migrations: &[Migration]) -> Result<Fresh, Error> {
    let url = Url::Sqlite(directory.join("posthouse.db"));
    Ok(Fresh { db: Db::open(&url, migrations).await?, engine: "sqlite", url, directory: directory.to_owned() })
}

/// A fresh schema on the PostgreSQL server named by `POSTHOUSE_TEST_POSTGRES`; None when none is named.
pub async fn postgres(directory: &std::path::Path, migrations: &[Migration]) -> Result<Option<Fresh>, Error> {
    let Ok(server) = std::env::var("POSTHOUSE_TEST_POSTGRES") else { return Ok(None) };
    let Url::Postgres(options) = server.parse()? else { return Err(Error::Engine("POSTHOUSE_TEST_POSTGRES: not postgres://…".into())) };
    let schema = format!("t{:032x}", rand::random::<u128>());
    let mut connection = sqlx::ConnectOptions::connect(&*options).await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut connection).await?;
    let url = Url::Postgres(Box::new((*options).options([("search_path", schema)])));
    Ok(Some(Fresh { db: Db::open(&url, migrations).await?, engine: "postgres", url, directory: directory.to_owned() }))
}

/// Every engine there is, each below a directory of its own.
pub async fn engines(directory: &std::path::Path, migrations: &[Migration]) -> Result<Vec<Fresh>, Error> {
    let mut all = Vec::new();
    for engine in ["sqlite", "postgres"] {
        let below = directory.join(engine);
        std::fs::create_dir_all(&below).map_err(|error| Error::Engine(format!("{}: {error}", below.display())))?;
        match engine {
            "sqlite" => all.push(sqlite(&below, migrations).await?),
            _ => all.extend(postgres(&below, migrations).await?),
        }
    }
    Ok(all)
}

/// The texts of all statements this process has run since this was called first.
pub fn statements() -> Vec<String> {
    crate::engine::record().lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().cloned().collect()
}

/// How SQLite runs a statement: the lines of its plan.
pub async fn plan(db: &Db, sql: &str) -> Result<Vec<String>, Error> {
    let rows = db.query(&format!("EXPLAIN QUERY PLAN {sql}"), &[]).await?;
    Ok(rows.iter().map(|row| row.text(3).to_owned()).collect())
}
