//! What became of a recipient.

use std::collections::{HashMap, HashSet};

use bodies::{Name, Place};
use db::{BoxFuture, Failed, Key, Locks, Step, Tx, Value};
use mail::Status;

use crate::{Arrived, QueueId, Refused, State};

/// The outcome of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: its row goes, and with the last one the message.
    Delivered,
    /// Not now; try again at `due` (milliseconds since 1970).
    Deferred { status: Status, text: String, due: i64 },
    /// Done, and its sender wants to hear of it: it stays in the queue until it did.
    Arrived { how: Arrived, status: Status, text: String },
    /// Never; it stays in the queue, visible, until its bounce is sent.
    Failed { status: Status, text: String },
}

/// Ends an attempt on recipient `n` of message `id`. Refused ([`Refused::Gone`]) if the recipient is no longer waiting
/// (delivered, held or deleted meanwhile): a delivery that is committed together with it then does not happen.
#[derive(Clone, Debug)]
pub struct Settle {
    pub id: QueueId,
    pub n: i64,
    pub outcome: Outcome,
}

/// What is left to do after a settlement was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The message was done with and its body lies in this spool file, to be discarded (else the sweeper does).
    pub discard: Option<Name>,
    /// The message is gone with it.
    pub removed: bool,
}

impl Step for Settle {
    type Done = Settled;
    const COMBINES: bool = true;

    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Queued(self.id.get()));
    }

    fn run<'t>(batch: &'t [&'t Settle], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Settled>, Failed>> {
        Box::pin(async move {
            for round in rounds(batch) {
                let mut settled = delivered(batch, &round, tx).await?;
                settled.extend(deferred(batch, &round, tx).await?);
                settled.extend(ended(batch, &round, tx).await?);
                let gone: Vec<_> = round.into_iter().filter(|&index| !settled.contains(&key(batch[index]))).map(|index| (index, Refused::Gone(batch[index].id).into())).collect();
                if !gone.is_empty() {
                    return Err(Failed::Steps(gone));
                }
            }
            finish(batch, tx).await
        })
    }
}

/// Recipients that a statement really changed.
type Changed = HashSet<(i64, i64)>;

fn key(step: &Settle) -> (i64, i64) {
    (step.id.get(), step.n)
}

/// Cuts the batch so that no round changes a recipient twice: then a round's statements can run kind by kind.
fn rounds(batch: &[&Settle]) -> Vec<Vec<usize>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut seen: HashMap<(i64, i64), usize> = HashMap::new();
    for (index, step) in batch.iter().enumerate() {
        let round = seen.entry(key(step)).and_modify(|round| *round += 1).or_insert(0);
        if rounds.len() <= *round {
            rounds.resize(*round + 1, Vec::new());
        }
        rounds[*round].push(index);
    }
    rounds
}

async fn delivered(batch: &[&Settle], round: &[usize], tx: &mut Tx) -> Result<Changed, Failed> {
    let rows: Vec<[Value; 2]> = round.iter().map(|&index| batch[index]).filter(|step| step.outcome == Outcome::Delivered).map(|step| [step.id.get().into(), step.n.into()]).collect();
    let sql = "WITH v(q, n) AS (VALUES {rows}) DELETE FROM queue_rcpt WHERE (queue_id, n) IN (SELECT v.q, v.n FROM v) AND state = ?1 RETURNING queue_id, n";
    changed(tx.rows_with(sql, &[State::Pending.code().into()], &rows).await?)
}

async fn deferred(batch: &[&Settle], round: &[usize], tx: &mut Tx) -> Result<Changed, Failed> {
    let row = |step: &Settle| -> Option<[Value; 5]> {
        let Outcome::Deferred { status, text, due } = &step.outcome else { return None };
        Some([step.id.get().into(), step.n.into(), (*due).into(), status.to_string().into(), text.as_str().into()])
    };
    let rows: Vec<[Value; 5]> = round.iter().filter_map(|&index| row(batch[index])).collect();
    let sql = "WITH v(q, n, d, s, t) AS (VALUES {rows}) UPDATE queue_rcpt SET due = v.d, attempts = attempts + 1, status = v.s, reply = v.t \
               FROM v WHERE queue_rcpt.queue_id = v.q AND queue_rcpt.n = v.n AND state = ?1 RETURNING queue_id, queue_rcpt.n";
    changed(tx.rows_with(sql, &[State::Pending.code().into()], &rows).await?)
}

/// Those of which their sender is to be told.
async fn ended(batch: &[&Settle], round: &[usize], tx: &mut Tx) -> Result<Changed, Failed> {
    let row = |step: &Settle| -> Option<[Value; 5]> {
        let (state, status, text) = match &step.outcome {
            Outcome::Failed { status, text } => (State::Failed, status, text),
            Outcome::Arrived { how, status, text } => (State::Arrived(*how), status, text),
            _ => return None,
        };
        Some([step.id.get().into(), step.n.into(), state.code().into(), status.to_string().into(), text.as_str().into()])
    };
    let rows: Vec<[Value; 5]> = round.iter().filter_map(|&index| row(batch[index])).collect();
    let sql = "WITH v(q, n, e, s, t) AS (VALUES {rows}) UPDATE queue_rcpt SET state = v.e, attempts = attempts + 1, status = v.s, reply = v.t \
               FROM v WHERE queue_rcpt.queue_id = v.q AND queue_rcpt.n = v.n AND state = ?1 RETURNING queue_id, queue_rcpt.n";
    changed(tx.rows_with(sql, &[State::Pending.code().into()], &rows).await?)
}

fn changed(rows: Vec<db::Row>) -> Result<Changed, Failed> {
    Ok(rows.iter().map(|row| (row.int(0), row.int(1))).collect())
}

/// Removes messages whose last recipient was delivered, and tells the step that did it.
async fn finish(batch: &[&Settle], tx: &mut Tx) -> Result<Vec<Settled>, Failed> {
    let ids: HashSet<i64> = batch.iter().filter(|step| step.outcome == Outcome::Delivered).map(|step| step.id.get()).collect();
    let mut places = remove_empty(ids, tx).await?;
    let mut done = vec![Settled::default(); batch.len()];
    for (index, step) in batch.iter().enumerate().rev() {
        if let Some(name) = places.remove(&step.id.get()) {
            done[index] = Settled { discard: name, removed: true };
        }
    }
    Ok(done)
}

/// Removes those of `ids` that have no recipients left; gives the spool file of each, if it had one.
pub(crate) async fn remove_empty(ids: HashSet<i64>, tx: &mut Tx) -> Result<HashMap<i64, Option<Name>>, Failed> {
    let mut ids: Vec<[Value; 1]> = ids.into_iter().map(|id| [id.into()]).collect();
    ids.sort_by_key(|[id]| match id {
        Value::Int(id) => *id,
        _ => 0,
    });
    let sql = "WITH v(q) AS (VALUES {rows}) DELETE FROM queue_message WHERE id IN (SELECT v.q FROM v) \
               AND NOT EXISTS (SELECT 1 FROM queue_rcpt WHERE queue_rcpt.queue_id = queue_message.id) RETURNING id, place";
    let removed = tx.rows(sql, &ids).await?;
    let inline: Vec<[Value; 1]> = removed.iter().filter(|row| Place::parse(row.text(1)) == Some(Place::Inline)).map(|row| [row.int(0).into()]).collect();
    tx.execute_rows("WITH v(q) AS (VALUES {rows}) DELETE FROM queue_body WHERE id IN (SELECT v.q FROM v)", &inline).await?;
    let name = |row: &db::Row| match Place::parse(row.text(1)) {
        Some(Place::Spooled { name, .. }) => Some(name),
        _ => None,
    };
    Ok(removed.iter().map(|row| (row.int(0), name(row))).collect())
}
