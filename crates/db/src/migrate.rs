use crate::{Error, Tx, Value};

/// One step of the schema, forward only. `text` holds statements ended by `;` at the end of a line, one text for both
/// engines with two tokens: `{blob}` (BLOB, BYTEA) and `{wr}` (WITHOUT ROWID, nothing). Its first line names the crate that
/// owns its tables: `-- owner: store`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the order; also the schema's version once it ran.
    pub version: i64,
    /// As in the file's name.
    pub name: &'static str,
    /// The statements.
    pub text: &'static str,
}

/// What differs between the engines in a migration's text.
#[derive(Clone, Copy)]
pub(crate) struct Tokens {
    pub(crate) blob: &'static str,
    pub(crate) wr: &'static str,
}

impl Migration {
    fn statements(&self, tokens: Tokens) -> Vec<String> {
        let lines = self.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n").replace("{blob}", tokens.blob).replace("{wr}", tokens.wr);
        text.split(";\n").map(|part| part.trim().trim_end_matches(';').to_owned()).filter(|part| !part.is_empty()).collect()
    }
}

/// Runs the migrations the database has not seen, inside the caller's transaction. `now` is milliseconds since 1970.
pub(crate) async fn migrate(tx: &mut Tx, tokens: Tokens, migrations: &[Migration], now: i64) -> Result<(), Error> {
    let known = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    let (mut version, min_reader) = found(tx).await?;
    if min_reader > known {
        return Err(Error::TooNew { found: min_reader, known });
    }
    let mut due: Vec<&Migration> = migrations.iter().filter(|migration| migration.version > version).collect();
    due.sort_by_key(|migration| migration.version);
    for migration in due {
        for statement in migration.statements(tokens) {
            let ran = tx.query(&statement, &[]).await;
            ran.map_err(|error| Error::Engine(format!("migration {:04}_{}: {error}", migration.version, migration.name)))?;
        }
        version = migration.version;
        tx.execute("DELETE FROM schema_info", &[]).await?;
        let row = [Value::Int(version), Value::Int(version), Value::Int(now)];
        tx.execute("INSERT INTO schema_info (version, min_reader, migrated) VALUES (?1, ?2, ?3)", &row).await?;
    }
    Ok(())
}

/// The version the database has and the least a reader must know; zeros for a new one.
async fn found(tx: &mut Tx) -> Result<(i64, i64), Error> {
    tx.execute("CREATE TABLE IF NOT EXISTS schema_info (version BIGINT NOT NULL, min_reader BIGINT NOT NULL, migrated BIGINT NOT NULL)", &[]).await?;
    let rows = tx.query("SELECT version, min_reader FROM schema_info", &[]).await?;
    Ok(rows.first().map_or((0, 0), |row| (row.int(0), row.int(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_split_at_the_end_of_a_line_and_tokens_replaced() {
        let migration = Migration { version: 1, name: "t", text: "-- owner: db\nCREATE TABLE a (b {blob}) {wr};\n-- why\nCREATE INDEX c ON a (b);\n" };
        let statements = migration.statements(Tokens { blob: "BYTEA", wr: "" });
        assert_eq!(statements, ["CREATE TABLE a (b BYTEA)", "CREATE INDEX c ON a (b)"]);
    }
}
