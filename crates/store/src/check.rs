//! Recounts what the counters say. After each store test, and by `posthouse check`.

use db::Error;

use crate::Store;

/// A counter, a name or a file that is not what the rows say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Account and mailbox, as ids.
    pub subject: String,
    /// What is wrong.
    pub text: String,
}

const QUESTIONS: [(&str, &str); 8] = [
    (
        "mailbox counters differ from a recount",
        "SELECT x.account_id, x.name FROM mailbox x LEFT JOIN (SELECT p.account_id, p.mailbox_id, COUNT(*) AS n, \
         CAST(SUM(CASE WHEN p.flags & 8 = 0 THEN 1 ELSE 0 END) AS BIGINT) AS u, CAST(SUM(CASE WHEN p.flags & 4 = 0 THEN 0 ELSE 1 END) AS BIGINT) AS d, \
         CAST(SUM(m.size) AS BIGINT) AS b FROM mailbox_message p JOIN message m ON m.account_id = p.account_id AND m.id = p.message_id \
         GROUP BY p.account_id, p.mailbox_id) c ON c.account_id = x.account_id AND c.mailbox_id = x.id \
         WHERE x.total <> COALESCE(c.n, 0) OR x.unseen <> COALESCE(c.u, 0) OR x.deleted <> COALESCE(c.d, 0) OR x.bytes <> COALESCE(c.b, 0)",
    ),
    (
        "account counters differ from those of its mailboxes",
        "SELECT a.id, '' FROM account a LEFT JOIN (SELECT account_id, CAST(SUM(bytes) AS BIGINT) AS b, CAST(SUM(total) AS BIGINT) AS n \
         FROM mailbox GROUP BY account_id) c ON c.account_id = a.id WHERE a.used_bytes <> COALESCE(c.b, 0) OR a.used_msgs <> COALESCE(c.n, 0)",
    ),
    (
        "a UID is not below UIDNEXT",
        "SELECT p.account_id, x.name FROM mailbox_message p JOIN mailbox x ON x.account_id = p.account_id AND x.id = p.mailbox_id WHERE p.uid >= x.uidnext",
    ),
    (
        "a MODSEQ is above its mailbox's, or that above the account's",
        "SELECT p.account_id, x.name FROM mailbox_message p JOIN mailbox x ON x.account_id = p.account_id AND x.id = p.mailbox_id \
         JOIN account a ON a.id = x.account_id WHERE p.modseq > x.seq OR x.seq > a.seq",
    ),
    (
        "a message lies in no mailbox",
        "SELECT m.account_id, '' FROM message m WHERE NOT EXISTS (SELECT 1 FROM mailbox_message p WHERE p.account_id = m.account_id AND p.message_id = m.id)",
    ),
    (
        "a mailbox names a message that is not there",
        "SELECT p.account_id, '' FROM mailbox_message p WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.account_id = p.account_id AND m.id = p.message_id)",
    ),
    (
        "a body that is not a file has no row, or a file has one",
        "SELECT m.account_id, '' FROM message m LEFT JOIN body b ON b.account_id = m.account_id AND b.id = m.id \
         WHERE (m.place IS NULL AND b.id IS NOT NULL) OR (m.place IS NOT NULL AND b.id IS NULL)",
    ),
    (
        "a message is in a mailbox that is not there",
        "SELECT p.account_id, '' FROM mailbox_message p WHERE NOT EXISTS (SELECT 1 FROM mailbox x WHERE x.account_id = p.account_id AND x.id = p.mailbox_id)",
    ),
];

/// Everything in the database that contradicts itself.
pub async fn rows(store: &Store) -> Result<Vec<Difference>, Error> {
    let mut differences = Vec::new();
    for (text, sql) in QUESTIONS {
        for row in store.db().query(sql, &[]).await? {
            let subject = format!("account {} {}", row.int(0), row.text(1)).trim_end().to_owned();
            let difference = Difference { subject, text: text.to_owned() };
            if !differences.contains(&difference) {
                differences.push(difference);
            }
        }
    }
    Ok(differences)
}

/// Everything in a settled store whose files contradict the rows: a message without its file, a file without a row, a
/// name that does not say the flags.
pub async fn files(store: &Store) -> Result<Vec<Difference>, Error> {
    let mut differences = Vec::new();
    for account in store.accounts().await? {
        let home = store.home(account.id).await?;
        for mailbox in store.mailboxes(account.id).await? {
            let subject = format!("{} {}", account.login, mailbox.name.as_str());
            let engine = |error: bodies::Error| Error::Engine(error.to_string());
            let folder = store.bodies().folder(&home, &mailbox.name.maildir_dir()).map_err(engine)?;
            let sql = "SELECT p.file, p.flags FROM mailbox_message p JOIN message m ON m.account_id = p.account_id AND m.id = p.message_id \
                       WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND m.place IS NULL";
            let rows = store.db().query(sql, &[account.id.into(), mailbox.id.into()]).await?;
            let mut files: std::collections::HashMap<String, String> =
                folder.scan().await.map_err(engine)?.entries.into_iter().map(|entry| (entry.base, entry.letters)).collect();
            for row in rows {
                let wanted = crate::copy::letters(row.int(1));
                match files.remove(row.text(0)) {
                    Some(letters) if letters == wanted => {}
                    Some(letters) => differences.push(Difference { subject: subject.clone(), text: format!("{} says {letters:?}, not {wanted:?}", row.text(0)) }),
                    None => differences.push(Difference { subject: subject.clone(), text: format!("{} is not there", row.text(0)) }),
                }
            }
            differences.extend(files.into_keys().map(|base| Difference { subject: subject.clone(), text: format!("{base} has no row") }));
        }
    }
    Ok(differences)
}
