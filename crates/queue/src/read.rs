//! Looking into the queue.

use std::collections::HashSet;

use bodies::{Bodies, Name, Place, Reader, Sealed, Source};
use db::{Db, Error, Row};

use crate::message::{COLUMNS, KIND_LOCAL, KIND_REMOTE, read};
use crate::{Message, NODE, QueueId, State};

/// Which recipients a runner tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Local,
    Remote,
}

impl Kind {
    fn code(self) -> i64 {
        match self {
            Kind::Local => KIND_LOCAL,
            Kind::Remote => KIND_REMOTE,
        }
    }
}

/// At most `limit` recipients that are due at `now` (milliseconds), longest due first, grouped by message. What is
/// returned is not taken: whoever runs it must know what it is running already.
pub async fn due(db: &Db, kind: Kind, now: i64, limit: u32) -> Result<Vec<Message>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM queue_rcpt r JOIN queue_message m ON m.id = r.queue_id \
         WHERE r.owner = ?1 AND r.state = ?2 AND r.kind = ?3 AND r.due <= ?4 ORDER BY r.due, r.queue_id, r.n LIMIT ?5"
    );
    Ok(read(&db.query(&sql, &[NODE.into(), State::Pending.code().into(), kind.code().into(), now.into(), limit.into()]).await?))
}

/// A place in the order of [`due_after`]: when, which message, which recipient.
pub type Cursor = (i64, i64, i64);

/// Like [`due`], from behind a place in that order: page by page everything that is due. With the last place read; `None` when nothing was.
pub async fn due_after(db: &Db, kind: Kind, now: i64, after: Cursor, limit: u32) -> Result<(Vec<Message>, Option<Cursor>), Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM queue_rcpt r JOIN queue_message m ON m.id = r.queue_id \
         WHERE r.owner = ?1 AND r.state = ?2 AND r.kind = ?3 AND r.due <= ?4 AND (r.due, r.queue_id, r.n) > (?5, ?6, ?7) \
         ORDER BY r.due, r.queue_id, r.n LIMIT ?8"
    );
    let arguments = [NODE.into(), State::Pending.code().into(), kind.code().into(), now.into(), after.0.into(), after.1.into(), after.2.into(), limit.into()];
    let rows = db.query(&sql, &arguments).await?;
    let last = rows.last().map(|row| (row.int(17), row.int(0), row.int(10)));
    Ok((read(&rows), last))
}

/// When the next recipient is due after `now`, if any waits.
pub async fn next_due(db: &Db, kind: Kind, now: i64) -> Result<Option<i64>, Error> {
    let sql = "SELECT CAST(MIN(due) AS BIGINT) FROM queue_rcpt WHERE owner = ?1 AND state = ?2 AND kind = ?3 AND due > ?4";
    Ok(db.query(sql, &[NODE.into(), State::Pending.code().into(), kind.code().into(), now.into()]).await?.first().and_then(|row| row.opt_int(0)))
}

/// At most `limit` messages with failed recipients, or some that arrived, of whom the sender is to be told now: none of the message's other recipients is about to be
/// tried, so that one report tells of all.
pub async fn to_report(db: &Db, now: i64, limit: u32) -> Result<Vec<QueueId>, Error> {
    let sql = "SELECT DISTINCT f.queue_id FROM queue_rcpt f WHERE f.owner = ?1 AND f.state >= ?2 \
               AND NOT EXISTS (SELECT 1 FROM queue_rcpt p WHERE p.queue_id = f.queue_id AND p.state = ?3 AND p.due <= ?4) ORDER BY f.queue_id LIMIT ?5";
    let rows = db.query(sql, &[NODE.into(), State::Failed.code().into(), State::Pending.code().into(), now.into(), limit.into()]).await?;
    Ok(rows.iter().filter_map(|row| QueueId::from_i64(row.int(0))).collect())
}

/// At most `limit` messages with all their recipients, oldest first, after `after`: page by page the whole queue.
pub async fn list(db: &Db, after: Option<QueueId>, limit: u32) -> Result<Vec<Message>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM queue_message m JOIN queue_rcpt r ON m.id = r.queue_id \
         WHERE m.id IN (SELECT id FROM queue_message WHERE id > ?1 ORDER BY id LIMIT ?2) ORDER BY m.id, r.n"
    );
    Ok(read(&db.query(&sql, &[after.map_or(-1, QueueId::get).into(), limit.into()]).await?))
}

/// One message with all its recipients.
pub async fn show(db: &Db, id: QueueId) -> Result<Option<Message>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM queue_message m JOIN queue_rcpt r ON m.id = r.queue_id WHERE m.id = ?1 ORDER BY r.n");
    Ok(read(&db.query(&sql, &[id.get().into()]).await?).pop())
}

/// Why a queued body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error(transparent)]
    Database(#[from] Error),
    #[error(transparent)]
    Bodies(#[from] bodies::Error),
    /// The message left the queue meanwhile, or its place is of a kind this program does not know.
    #[error("the body of queued message {0} is not there; if it is still listed install the newer program, or delete it")]
    Gone(QueueId),
}

/// What the body of a queued message is made from.
pub async fn body(db: &Db, message: &Message) -> Result<Source, BodyError> {
    match message.place.clone() {
        Some(Place::Spooled { name, prefix }) => Ok(Source::Spooled { name, prefix }),
        Some(Place::Inline) => {
            let rows = db.query("SELECT data FROM queue_body WHERE id = ?1", &[message.id.get().into()]).await?;
            let bytes = rows.first().and_then(|row| row.blob(0)).ok_or(BodyError::Gone(message.id))?;
            Ok(Source::Inline(bytes))
        }
        None => Err(BodyError::Gone(message.id)),
    }
}

/// The body of a queued message under a name of its own, for another row: the copy in a mailbox, or a bounce.
pub async fn sealed(db: &Db, bodies: &Bodies, message: &Message) -> Result<Sealed, BodyError> {
    Ok(bodies.sealed_again(body(db, message).await?, message.size, message.disk_size).await?)
}

/// Reads the body of a queued message.
pub async fn reader(db: &Db, bodies: &Bodies, message: &Message) -> Result<Reader, BodyError> {
    Ok(bodies.reader(body(db, message).await?).await?)
}

/// The spool files that the queue names: the sweeper must leave them.
pub async fn spooled(db: &Db) -> Result<HashSet<Name>, Error> {
    let name = |row: &Row| match Place::parse(row.text(0)) {
        Some(Place::Spooled { name, .. }) => Some(name),
        _ => None,
    };
    Ok(db.query("SELECT place FROM queue_message WHERE place <> 'i'", &[]).await?.iter().filter_map(name).collect())
}
