//! The end of a body: a plan is made and committed, and only then may 250 be said.

use crate::intake::{Intake, Received};
use crate::transaction::{Transaction, millis};
use crate::visit::Visit;
use mail::Status;
use mda::status::{Verdict, of_error};
use mda::{Message, Plan};
use queue::message::FLAG_8BIT;
use smtp::{BodyType, Reply};
use std::sync::Arc;
use std::time::SystemTime;

const TOO_MANY_HOPS: Reply = Reply::fixed(554, Status(5, 4, 0), "Error: too many hops");
const NO_ROOM: Reply = Reply::fixed(452, Status(4, 3, 1), "Insufficient system storage");
const NOT_NOW: Reply = Reply::fixed(451, Status(4, 3, 0), "Error: queue file write error");

/// Accepts a message: `Ok` says that it is durable.
pub(crate) async fn accept(visit: &Visit, transaction: &Transaction, intake: Intake) -> Result<(), Reply> {
    let service = visit.service();
    let received = intake.finish().await.map_err(|error| {
        tracing::error!("{}: the message can't be kept: {error}", transaction.id);
        if matches!(error, bodies::Error::Full { .. }) { NO_ROOM } else { NOT_NOW }
    })?;
    if received.hops > service.settings.hops {
        return Err(TOO_MANY_HOPS);
    }
    let (size, message_id) = (received.body.size, received.message_id.clone());
    let deliveries = transaction.recipients.iter().flat_map(|recipient| recipient.deliveries.iter().cloned()).collect();
    let message = message(visit, transaction, received);
    // told before the commit, so that the lines of its deliveries, which refer to these, come after them
    let (id, from, count) = (transaction.id, &transaction.from, transaction.recipients.len());
    tracing::info!(target: "postfix/cleanup", "{id}: message-id={message_id}");
    tracing::info!(target: "postfix/qmgr", "{id}: from=<{from}>, size={size}, nrcpt={count} (queue active)");
    let committed = async {
        let plan = Plan::for_message(message, deliveries, millis(SystemTime::now()), service.settings.plan).await?;
        plan.commit(service.store.db()).await
    };
    committed.await.map_err(|error| {
        tracing::error!("{}: the message was not taken: {error}", transaction.id);
        refusal(&error)
    })?;
    Ok(())
}

fn message(visit: &Visit, transaction: &Transaction, received: Received) -> Message {
    Message {
        id: transaction.id,
        sender: transaction.from.clone(),
        body: received.body,
        header: received.header,
        structure: Some(Arc::new(received.structure)),
        arrived: millis(transaction.begun),
        flags: if transaction.body == BodyType::EightBitMime { FLAG_8BIT } else { 0 },
        envid: None,
        account: visit.identity().map(|identity| identity.account),
        origin: Some(visit.peer().to_string()),
    }
}

/// What the peer is told; the cause is the log's.
fn refusal(error: &mda::Error) -> Reply {
    match of_error(error) {
        Verdict::Deferred(Status(4, 3, 1), _) => NO_ROOM,
        Verdict::Deferred(status, text) => Reply::new(451, status, format!("Error: {text}")),
        Verdict::Failed(status, text) => Reply::new(554, status, format!("Error: {text}")),
    }
}
