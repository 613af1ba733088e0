//! What the operator does to queued messages.

use std::collections::HashSet;

use bodies::Name;
use db::{BoxFuture, Failed, Key, Locks, Step, Tx, Value};

use crate::settle::remove_empty;
use crate::{FLUSH, QueueId, Refused, State};

/// One of the operator's wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// No attempts until released.
    Hold,
    /// Held recipients are tried at once.
    Release,
    /// Recipients that wait for their next attempt are tried at once, even where a host counts as dead ([`FLUSH`]).
    Flush,
    /// All recipients, held and failed ones too, begin anew.
    Requeue,
    /// The message is gone, without a bounce.
    Delete,
}

/// Does what the operator wishes to one message. Refused ([`Refused::NoSuchMessage`]) if it is not in the queue.
#[derive(Clone, Copy, Debug)]
pub struct Manage {
    pub id: QueueId,
    pub wish: Wish,
    /// Milliseconds since 1970.
    pub now: i64,
}

/// What it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Recipients that are in another state now.
    pub recipients: usize,
    /// A spool file to be discarded (else the sweeper does).
    pub discard: Option<Name>,
}

impl Step for Manage {
    type Done = Managed;
    // one by one, in their order; and all that flush share a bell
    const COMBINES: bool = true;

    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Queued(self.id.get()));
        if self.wish == Wish::Flush {
            locks.take(FLUSH);
        }
    }

    fn run<'t>(batch: &'t [&'t Manage], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Managed>, Failed>> {
        Box::pin(async move {
            // rare, so one by one
            let mut done = Vec::with_capacity(batch.len());
            for (index, step) in batch.iter().enumerate() {
                match step.run_one(tx).await? {
                    Some(managed) => done.push(managed),
                    None => return Err(Failed::Steps(vec![(index, Refused::NoSuchMessage(step.id).into())])),
                }
            }
            Ok(done)
        })
    }
}

impl Manage {
    async fn run_one(&self, tx: &mut Tx) -> Result<Option<Managed>, Failed> {
        let id: Value = self.id.get().into();
        if tx.query("SELECT id FROM queue_message WHERE id = ?1", std::slice::from_ref(&id)).await?.is_empty() {
            return Ok(None);
        }
        let (pending, held) = (State::Pending.code().into(), State::Held.code().into());
        let now: Value = self.now.into();
        let changed = match self.wish {
            Wish::Hold => tx.query("UPDATE queue_rcpt SET state = ?2 WHERE queue_id = ?1 AND state = ?3 RETURNING n", &[id, held, pending]).await?,
            Wish::Release => tx.query("UPDATE queue_rcpt SET state = ?2, due = ?4 WHERE queue_id = ?1 AND state = ?3 RETURNING n", &[id, pending, held, now]).await?,
            Wish::Flush => tx.query("UPDATE queue_rcpt SET due = ?3 WHERE queue_id = ?1 AND state = ?2 AND due > ?3 RETURNING n", &[id, pending, now]).await?,
            Wish::Requeue => tx.query("UPDATE queue_rcpt SET state = ?2, due = ?3, attempts = 0 WHERE queue_id = ?1 AND state <= ?4 RETURNING n", &[id, pending, now, State::Failed.code().into()]).await?,
            Wish::Delete => tx.query("DELETE FROM queue_rcpt WHERE queue_id = ?1 RETURNING n", &[id]).await?,
        };
        let discard = match self.wish {
            Wish::Delete => remove_empty(HashSet::from([self.id.get()]), tx).await?.remove(&self.id.get()).flatten(),
            _ => None,
        };
        Ok(Some(Managed { recipients: changed.len(), discard }))
    }
}
