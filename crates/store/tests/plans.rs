//! How SQLite runs the store's statements: none on the way of a message, or of a client's command, may read a whole table.

use bodies::{Bodies, MailLocation, Settings};
use mail::{Address, Date, Flags, Keyword, MailboxName, Uid};
use store::{Change, Deposit, Store, settle};

/// Statements that may read a whole table, and why.
const ALLOWED: [(&str, &str); 6] = [
    ("WHERE account_id = ?1 LIMIT ?2) RETURNING 1", "an account that is removed, some rows at a time"),
    ("FROM mailbox WHERE mirrored < seq", "every five seconds, not after a change"),
    ("SELECT DISTINCT account_id FROM todo WHERE op IN (2, 3)", "what is left of `todo` after it was done: most often nothing"),
    ("FROM account_dir WHERE state = 2", "at the start"),
    ("SELECT name FROM domain", "a listing"),
    ("schema_info", "one row"),
];

/// The tables of the store; other names in a plan are of subqueries and lists of values.
const TABLES: [&str; 14] = [
    "account", "account_dir", "address", "body", "change", "credential", "delivered", "domain", "expunged", "keyword", "mailbox", "mailbox_message", "message", "todo",
];

/// Of these an account has as many rows as it has messages.
const MAIL: [&str; 3] = ["mailbox_message", "message", "body"];

#[tokio::test(flavor = "multi_thread")]
async fn no_hot_statement_reads_a_whole_table() {
    let directory = tempfile::tempdir().unwrap();
    let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
    let fresh = db::testing::sqlite(directory.path(), &migrations).await.unwrap();
    db::testing::statements();
    let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", fresh.directory.display())).unwrap();
    let store = Store::new(fresh.db.clone(), Bodies::open(Settings { spool: fresh.directory.join("spool"), location }).unwrap());
    exercise(&store).await;
    let texts = db::testing::statements();
    assert!(texts.len() > 60, "only {} statements", texts.len());
    let mut bad = Vec::new();
    for sql in texts.iter().filter(|sql| ["SELECT", "WITH", "UPDATE", "DELETE", "INSERT"].iter().any(|word| sql.starts_with(word))) {
        if ALLOWED.iter().any(|(part, _)| sql.contains(part)) {
            continue;
        }
        for line in db::testing::plan(&fresh.db, sql).await.unwrap() {
            if scans(&line, sql) {
                bad.push(format!("{line}\n    {sql}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Whether a line of a plan reads a whole table, or all mail of an account. Bodies that wait are taken from the front of an index, up to a LIMIT.
fn scans(line: &str, sql: &str) -> bool {
    let (rest, tables) = match (line.strip_prefix("SCAN "), line.strip_prefix("SEARCH ")) {
        (Some(rest), _) => (rest, &TABLES[..]),
        // All of an account is what is removed with it.
        (None, Some(rest)) if rest.ends_with("(account_id=?)") && !sql.ends_with(" WHERE account_id = ?1") => (rest, &MAIL[..]),
        _ => return false,
    };
    let name = rest.split(' ').next().unwrap_or_default();
    // By name, or by an alias of one letter that stands for a table.
    let aliased = tables.iter().any(|table| sql.contains(&format!(" {table} {name} ")) || sql.ends_with(&format!(" {table} {name}")));
    (tables.contains(&name) || aliased) && !(name == "body" && sql.contains("LIMIT"))
}

async fn exercise(store: &Store) {
    store.add_domain("example.test").await.unwrap();
    let alice = store.add_account(&Address::parse("alice@example.test").unwrap(), "{PLAIN}x", Some(1 << 30)).await.unwrap();
    let inbox = MailboxName::inbox();
    let deposit = async |mailbox: &MailboxName, size: usize| {
        let mut draft = store.bodies().draft();
        draft.write(&[b"Subject: x\r\n\r\n".to_vec(), vec![b'x'; size], b"\r\n".to_vec()].concat()).await.unwrap();
        let body = draft.sealed().await.unwrap();
        body.submitted();
        store.db().commit(vec![Deposit::new(alice, mailbox.clone(), body, Date::new(0, 0))]).await.unwrap()[0]
    };
    let at = deposit(&inbox, 10).await;
    deposit(&inbox, 200_000).await;
    settle::settle(store).await.unwrap();
    for _ in 0..4 {
        deposit(&inbox, 10).await;
    }
    let uids: Vec<Uid> = [1, 3, 4, 6].into_iter().filter_map(Uid::new).collect();
    let keyword = Keyword::new("Work").unwrap();
    let flags = store.keyword_flags(alice, &[keyword]).await.unwrap() | Flags::SEEN;
    let before = store.open(alice, &inbox).await.unwrap();
    store.set_flags(alice, at.mailbox, uids.clone(), Change::Add(flags), None).await.unwrap();
    store.changes(alice, at.mailbox, before.modseq).await.unwrap();
    store.open(alice, &inbox).await.unwrap();
    let messages = store.messages(alice, at.mailbox, &uids, true).await.unwrap();
    store.structure(alice, at.mailbox, &messages[0]).await.unwrap();
    store.read(alice, at.mailbox, uids[0]).await.unwrap();
    store.take_recent(alice, at.mailbox).await.unwrap();
    store.mailboxes(alice).await.unwrap();
    let made = MailboxName::new("A/B").unwrap();
    store.create_mailbox(alice, &made, None).await.unwrap();
    store.copy(alice, at.mailbox, uids.clone(), &made).await.unwrap();
    store.r#move(alice, at.mailbox, uids[2..3].to_vec(), &made).await.unwrap();
    store.expunge(alice, at.mailbox, uids[..2].to_vec(), false).await.unwrap();
    settle::run(store.clone(), async {}).await;
    store.rename_mailbox(alice, &MailboxName::new("A").unwrap(), &MailboxName::new("C").unwrap()).await.unwrap();
    store.delete_mailbox(alice, &MailboxName::new("C/B").unwrap()).await.unwrap();
    store.subscribe(alice, &made).await.unwrap();
    store.unsubscribe(alice, &made).await.unwrap();
    store.subscriptions(alice).await.unwrap();
    let address = Address::parse("info@example.test").unwrap();
    store.set_alias("info@example.test", &[Address::parse("alice@example.test").unwrap()]).await.unwrap();
    store.lookup(&address).await.unwrap();
    store.catch_all("example.test").await.unwrap();
    store.addresses_of(alice).await.unwrap();
    store.credentials(alice).await.unwrap();
    store.set_password(alice, "{PLAIN}y").await.unwrap();
    store.renew_password(alice, &"{PLAIN}y".into(), "{PLAIN}z".into()).await.unwrap();
    store.add_app_password(alice, "phone", "{PLAIN}a".into(), 1).await.unwrap();
    store.note_use(alice, 2).await.unwrap();
    store.remove_app_password(alice, "phone").await.unwrap();
    store.is_hosted("example.test").await.unwrap();
    store.account_by_login(&address).await.unwrap();
    store.remove_account(alice).await.unwrap();
}
