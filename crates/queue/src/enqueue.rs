//! Taking a message in.

use bodies::Sealed;
use db::{BoxFuture, Failed, Key, Locks, Step, Tx, Value};
use mail::ReversePath;

use crate::{Backoff, NODE, QueueId, Recipient, State};

/// Puts a message and its recipients into the queue. `body` must have a name of its own (`Sealed::others`): the queue
/// removes its spool file when the last recipient is done with.
#[derive(Clone, Debug)]
pub struct Enqueue {
    pub id: QueueId,
    pub sender: ReversePath,
    pub body: Sealed,
    pub recipients: Vec<Recipient>,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Milliseconds since 1970: after this no attempt is repeated.
    pub expires: i64,
    /// `FLAG_…`
    pub flags: i64,
    /// ENVID of RFC 3461.
    pub envid: Option<String>,
    /// The account that submitted it.
    pub account: Option<i64>,
    /// Where it came from, for the log.
    pub origin: Option<String>,
}

impl Enqueue {
    /// A message accepted at `created` (milliseconds) that lives as long as is usual.
    pub fn new(id: QueueId, sender: ReversePath, body: Sealed, recipients: Vec<Recipient>, created: i64, backoff: &Backoff) -> Enqueue {
        let expires = backoff.expires(created, sender.is_null());
        Enqueue { id, sender, body, recipients, created, expires, flags: 0, envid: None, account: None, origin: None }
    }
}

impl Step for Enqueue {
    type Done = QueueId;

    fn locks(&self, locks: &mut Locks) {
        locks.take(Key::Queued(self.id.get()));
    }

    fn weight(&self) -> usize {
        self.body.inline().map_or(0, |bytes| bytes.len()) + 256 * (1 + self.recipients.len())
    }

    fn run<'t>(batch: &'t [&'t Enqueue], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<QueueId>, Failed>> {
        Box::pin(async move {
            let messages: Vec<[Value; 11]> = batch.iter().map(|step| step.message_row()).collect();
            tx.execute_rows("INSERT INTO queue_message (id, sender, place, size, disk_size, created, expires, flags, envid, account_id, origin) VALUES {rows}", &messages).await?;
            let bodies: Vec<[Value; 2]> = batch.iter().filter_map(|step| Some([step.id.get().into(), step.body.inline()?.clone().into()])).collect();
            tx.execute_rows("INSERT INTO queue_body (id, data) VALUES {rows}", &bodies).await?;
            let recipients: Vec<[Value; 14]> = batch.iter().flat_map(|step| step.recipient_rows()).collect();
            let sql = "INSERT INTO queue_rcpt (queue_id, n, owner, kind, state, due, route, rcpt, original, orcpt, notify, attempts, status, reply) VALUES {rows}";
            tx.execute_rows(sql, &recipients).await?;
            Ok(batch.iter().map(|step| step.id).collect())
        })
    }
}

impl Enqueue {
    fn message_row(&self) -> [Value; 11] {
        [
            self.id.get().into(),
            self.sender.to_string().into(),
            self.body.place().to_string().into(),
            i64::try_from(self.body.size).unwrap_or(i64::MAX).into(),
            i64::try_from(self.body.disk_size).unwrap_or(i64::MAX).into(),
            self.created.into(),
            self.expires.into(),
            self.flags.into(),
            self.envid.clone().into(),
            self.account.into(),
            self.origin.clone().into(),
        ]
    }

    fn recipient_rows(&self) -> impl Iterator<Item = [Value; 14]> + '_ {
        (0i64..).zip(&self.recipients).map(|(n, recipient)| {
            let (status, reply) = recipient.reply.clone().map(|(status, text)| (status.to_string(), text)).unzip();
            [
                self.id.get().into(),
                n.into(),
                NODE.into(),
                recipient.route.kind().into(),
                recipient.arrived.map_or(State::Pending, State::Arrived).code().into(),
                recipient.due.into(),
                recipient.route.hop().into(),
                recipient.address.to_string().into(),
                recipient.original.to_string().into(),
                recipient.orcpt.clone().into(),
                i64::from(recipient.notify.0).into(),
                i64::from(recipient.reply.is_some()).into(),
                status.into(),
                reply.into(),
            ]
        })
    }
}
