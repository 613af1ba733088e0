//! The mailboxes (folders) of an account, and what it is subscribed to.
//!
//! A mailbox's directory in the Maildir follows from its name, so creating, deleting and renaming end with work on
//! directories: the commit writes it as `todo` rows, and the same call does it, one at a time in a process.

mod create;
mod delete;
mod recent;
mod rename;
mod subscribe;

use std::collections::HashMap;

use db::{Error, Tx};
use mail::{Flags, MailboxName, ModSeq, SpecialUse, UidValidity};

use crate::{AccountId, MailboxId, Refused, Store};

pub(crate) use create::standard;

/// Mailboxes an account may have: each costs a row and a directory, and LIST shows them all.
pub const MOST: usize = 10_000;

/// A mailbox and its counters, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Stays when it is renamed.
    pub id: MailboxId,
    /// Its name now.
    pub name: MailboxName,
    /// What it is for (RFC 6154).
    pub special: Option<SpecialUse>,
    /// Rises when a mailbox of the same name is made again.
    pub uidvalidity: UidValidity,
    /// The next UID; 2³² when they are used up.
    pub uidnext: u64,
    /// UIDs from here on are \Recent to the next who selects it.
    pub recent_from: u64,
    /// Messages.
    pub total: u64,
    /// Messages without \Seen.
    pub unseen: u64,
    /// Messages with \Deleted.
    pub deleted: u64,
    /// CRLF octets in all.
    pub bytes: u64,
    /// The highest MODSEQ in it.
    pub highest: ModSeq,
}

const COLUMNS: &str = "id, name, special, uidvalidity, uidnext, recent, total, unseen, deleted, bytes, seq";

fn mailbox(row: &db::Row) -> Result<Mailbox, Error> {
    let broken = |what: &str| Error::Broken(format!("mailbox {}: {what} in the database", row.int(0)));
    let count = |column| row.int(column).unsigned_abs();
    Ok(Mailbox {
        id: MailboxId::new(row.int(0)),
        name: MailboxName::new(row.text(1)).map_err(|_| broken("bad name"))?,
        special: SpecialUse::from_code(row.int(2)),
        uidvalidity: u32::try_from(row.int(3)).ok().and_then(UidValidity::new).ok_or_else(|| broken("bad UIDVALIDITY"))?,
        uidnext: count(4),
        recent_from: count(5),
        total: count(6),
        unseen: count(7),
        deleted: count(8),
        bytes: count(9),
        highest: ModSeq::new(count(10)),
    })
}

pub(crate) async fn by_name(tx: &mut Tx, account: AccountId, name: &MailboxName) -> Result<Option<Mailbox>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM mailbox WHERE account_id = ?1 AND name = ?2");
    tx.query(&sql, &[account.into(), name.as_str().into()]).await?.first().map(mailbox).transpose()
}

pub(crate) async fn by_id(tx: &mut Tx, account: AccountId, id: MailboxId) -> Result<Option<Mailbox>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM mailbox WHERE account_id = ?1 AND id = ?2");
    tx.query(&sql, &[account.into(), id.into()]).await?.first().map(mailbox).transpose()
}

/// A mailbox, its account's `seq` and how many keywords that has, as of one moment, by one question.
pub(crate) async fn at_a_glance(db: &db::Db, account: AccountId, name: &MailboxName) -> Result<Option<(Mailbox, ModSeq, usize)>, Error> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT seq FROM account WHERE id = ?1), (SELECT COUNT(*) FROM keyword WHERE account_id = ?1) \
         FROM mailbox WHERE account_id = ?1 AND name = ?2"
    );
    let rows = db.query(&sql, &[account.into(), name.as_str().into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((mailbox(row)?, ModSeq::new(row.int(11).unsigned_abs()), row.int(12).unsigned_abs() as usize)))
}

/// Refused when the account may not have so many mailboxes more.
async fn has_room(tx: &mut Tx, account: AccountId, more: usize) -> Result<(), Error> {
    let count = tx.query("SELECT COUNT(*) FROM mailbox WHERE account_id = ?1", &[account.into()]).await?;
    let there = count.first().map_or(0, |row| row.int(0));
    if there + more as i64 > MOST as i64 { Err(Refused::Limit("mailboxes of the account").into()) } else { Ok(()) }
}

impl Store {
    /// All mailboxes of an account, by name.
    pub async fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM mailbox WHERE account_id = ?1 ORDER BY name");
        self.db().query(&sql, &[account.into()]).await?.iter().map(mailbox).collect()
    }

    /// One mailbox, if it is there.
    pub async fn mailbox(&self, account: AccountId, name: &MailboxName) -> Result<Option<Mailbox>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM mailbox WHERE account_id = ?1 AND name = ?2");
        self.db().query(&sql, &[account.into(), name.as_str().into()]).await?.first().map(mailbox).transpose()
    }
}

impl Store {
    /// CRLF octets of the messages with \Deleted, of one mailbox or of each that has any. There is no counter of them: it
    /// reads the rows of the messages.
    pub async fn deleted_bytes(&self, account: AccountId, mailbox: Option<MailboxId>) -> Result<HashMap<MailboxId, u64>, Error> {
        let sql = "SELECT p.mailbox_id, CAST(SUM(m.size) AS BIGINT) FROM mailbox b \
                   JOIN mailbox_message p ON p.account_id = b.account_id AND p.mailbox_id = b.id \
                   JOIN message m ON m.account_id = p.account_id AND m.id = p.message_id \
                   WHERE b.account_id = ?1 AND b.deleted > 0 AND (?2 = 0 OR b.id = ?2) AND (p.flags & ?3) <> 0 GROUP BY p.mailbox_id";
        let deleted = Flags::DELETED.bits() as i64;
        let rows = self.db().query(sql, &[account.into(), mailbox.map_or(0, MailboxId::get).into(), deleted.into()]).await?;
        Ok(rows.iter().map(|row| (MailboxId::new(row.int(0)), row.int(1).unsigned_abs())).collect())
    }
}

/// The commit of a rename without what follows it, as a crash leaves it.
#[cfg(test)]
pub(crate) fn renamed(account: AccountId, from: &str, to: &str) -> impl db::Unit<Done = ()> {
    rename::Rename { account, from: crate::testing::name(from), to: crate::testing::name(to) }
}

/// The same of a deletion.
#[cfg(test)]
pub(crate) fn deleted(account: AccountId, name: &str) -> impl db::Unit<Done = ()> {
    delete::Delete { account, name: crate::testing::name(name) }
}
