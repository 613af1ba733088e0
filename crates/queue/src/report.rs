//! That a sender was told.

use std::collections::HashSet;

use db::{BoxFuture, Failed, Key, Locks, Step, Tx, Value};

use crate::message::FLAG_WARNED;
use crate::settle::remove_empty;
use crate::{QueueId, Refused, Settled, State};

/// What a report to the sender is about, to be committed together with it: so each is sent once. Refused ([`Refused::Gone`]) if a recipient
/// is not among those any more, or the warning was given already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub id: QueueId,
    /// Recipients that failed, or arrived: they are done with.
    pub ended: Vec<i64>,
    /// The message is late, and its sender knows.
    pub warned: bool,
}

impl Step for Report {
    type Done = Settled;

    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Queued(self.id.get()));
    }

    fn run<'t>(batch: &'t [&'t Report], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Settled>, Failed>> {
        Box::pin(async move {
            // rare, so one by one
            let mut done = Vec::with_capacity(batch.len());
            for (index, step) in batch.iter().enumerate() {
                match step.run_one(tx).await? {
                    Some(settled) => done.push(settled),
                    None => return Err(Failed::Steps(vec![(index, Refused::Gone(step.id).into())])),
                }
            }
            Ok(done)
        })
    }
}

impl Report {
    async fn run_one(&self, tx: &mut Tx) -> Result<Option<Settled>, Failed> {
        let id: Value = self.id.get().into();
        if self.warned {
            let sql = "UPDATE queue_message SET flags = flags + ?2 WHERE id = ?1 AND (flags & ?2) = 0 RETURNING id";
            if tx.query(sql, &[id.clone(), FLAG_WARNED.into()]).await?.is_empty() {
                return Ok(None);
            }
        }
        let rows: Vec<[Value; 2]> = self.ended.iter().map(|n| [id.clone(), (*n).into()]).collect();
        let sql = "WITH v(q, n) AS (VALUES {rows}) DELETE FROM queue_rcpt WHERE (queue_id, n) IN (SELECT v.q, v.n FROM v) AND state >= ?1 RETURNING n";
        if tx.rows_with(sql, &[State::Failed.code().into()], &rows).await?.len() < self.ended.len() {
            return Ok(None);
        }
        if self.ended.is_empty() {
            return Ok(Some(Settled::default()));
        }
        let removed = remove_empty(HashSet::from([self.id.get()]), tx).await?.remove(&self.id.get());
        Ok(Some(removed.map_or_else(Settled::default, |discard| Settled { discard, removed: true })))
    }
}
