//! A table of the database has one owning crate, and no other crate's SQL names it.

use std::collections::BTreeMap;

use crate::house;

/// Made by the migrations' runner itself, before any migration.
const BY_THE_RUNNER: (&str, &str) = ("schema_info", "db");

/// The owner and the tables of a migration.
fn read(migration: &str) -> Result<(&str, Vec<&str>), String> {
    let owner = migration.lines().next().and_then(|line| line.strip_prefix("-- owner: ")).ok_or("the first line is not `-- owner: CRATE`")?;
    let mut tables = Vec::new();
    for line in migration.lines() {
        if let Some(rest) = line.trim_start().strip_prefix("CREATE TABLE ") {
            let rest = rest.strip_prefix("IF NOT EXISTS ").unwrap_or(rest);
            tables.push(rest.split([' ', '(']).next().unwrap_or_default());
        }
    }
    Ok((owner, tables))
}

/// The tables that SQL within `source` names: the word that follows FROM, INTO, UPDATE, JOIN or TABLE in capitals, over
/// white space only. `MAIL FROM` is no SQL.
fn named(source: &str) -> Vec<&str> {
    let code = source.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let mut found = Vec::new();
    for line in code {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (n, pair) in words.windows(2).enumerate() {
            let keyword = pair[0].rsplit(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
            let mail = n > 0 && words[n - 1].ends_with("MAIL");
            if matches!(keyword, "FROM" | "INTO" | "UPDATE" | "JOIN" | "TABLE") && !mail {
                let end = pair[1].find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(pair[1].len());
                found.push(&pair[1][..end]);
            }
        }
    }
    found
}

/// Tables of others that `source` of `crate_name` names.
fn strangers<'s>(crate_name: &str, source: &'s str, owners: &BTreeMap<String, String>) -> Vec<&'s str> {
    named(source).into_iter().filter(|table| owners.get(*table).is_some_and(|owner| owner != crate_name)).collect()
}

fn owners() -> BTreeMap<String, String> {
    let mut owners: BTreeMap<String, String> = [(BY_THE_RUNNER.0.to_owned(), BY_THE_RUNNER.1.to_owned())].into();
    let mut files: Vec<_> = std::fs::read_dir(house::root().join("migrations")).expect("migrations/").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "sql")) {
        let text = std::fs::read_to_string(path).expect("a migration");
        let (owner, tables) = read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for table in tables {
            let before = owners.insert(table.to_owned(), owner.to_owned());
            assert!(before.is_none_or(|before| before == owner), "{table} has two owners");
        }
    }
    owners
}

#[test]
fn a_table_is_named_by_its_owner_only() {
    let (owners, packages) = (owners(), house::packages());
    assert!(owners.len() > 10, "{owners:?}");
    let mut seen = 0;
    for (name, package) in &packages {
        for (path, text) in house::sources(&package.directory.join("src")) {
            seen += named(&text).iter().filter(|table| owners.get(**table).is_some_and(|owner| owner == name)).count();
            assert_eq!(strangers(name, &text, &owners), Vec::<&str>::new(), "{name}/src/{}", path.display());
        }
    }
    assert!(seen > 30, "only {seen} names of tables were recognised: the scanner is blind");
}

#[test]
fn the_owners_are_those_of_the_design() {
    for (table, owner) in owners() {
        let expected = match table.as_str() {
            "schema_info" | "node" | "lock" | "landed" => "db",
            "throttle" => "queue",
            table if table.starts_with("queue_") => "queue",
            _ => "store",
        };
        assert_eq!(owner, expected, "{table}");
    }
}

#[test]
fn a_stranger_s_table_is_found() {
    let owners = [("message", "store"), ("queue_rcpt", "queue")].map(|(table, owner)| (table.to_owned(), owner.to_owned())).into();
    let sql = "// FROM queue_rcpt is what the queue does\nlet sql = \"SELECT m.id FROM message m JOIN queue_rcpt q ON q.id = m.id\";\n";
    assert_eq!(strangers("store", sql, &owners), ["queue_rcpt"]);
    assert_eq!(strangers("queue", sql, &owners), ["message"]);
    assert_eq!(strangers("imapd", "db.query(\"DELETE FROM message\")\ndb.query(\"UPDATE message SET a = 1\")", &owners), ["message", "message"]);
    assert_eq!(strangers("imapd", "write!(out, \"APPEND from message\")", &owners), Vec::<&str>::new());
    assert_eq!(read("-- owner: store\nCREATE TABLE a (\n);\nCREATE TABLE IF NOT EXISTS b(x BIGINT);\n"), Ok(("store", vec!["a", "b"])));
    assert!(read("CREATE TABLE a (x BIGINT);\n").is_err());
}
