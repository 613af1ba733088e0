//! The end of a body: a plan is made and committed, and only then may 250 be said. In LMTP each recipient has a plan and
//! a reply of its own (RFC 2033 §4.2); in SMTP there is one for all.

use crate::intake::{Intake, Received};
use crate::recipient::Recipient;
use crate::transaction::{Transaction, millis};
use crate::visit::{Service, Visit};
use mail::{ReversePath, Status};
use mda::status::{Verdict, of_error};
use mda::{Delivery, Message, Plan};
use queue::QueueId;
use queue::message::{FLAG_8BIT, FLAG_RETURN_FULL, FLAG_RETURN_HEADERS};
use smtp::dsn::Return;
use smtp::{BodyType, Reply};
use std::sync::Arc;
use std::time::SystemTime;

const TOO_MANY_HOPS: Reply = Reply::fixed(554, Status(5, 4, 0), "Error: too many hops");
const NO_ROOM: Reply = Reply::fixed(452, Status(4, 3, 1), "Insufficient system storage");
const NOT_NOW: Reply = Reply::fixed(451, Status(4, 3, 0), "Error: queue file write error");

/// Accepts a message for all its recipients: `Ok` says that it is durable.
pub(crate) async fn accept(visit: &Visit, transaction: &Transaction, intake: Intake) -> Result<Reply, Reply> {
    let message = receive(visit, transaction, intake).await?;
    let deliveries = transaction.recipients.iter().flat_map(|recipient| recipient.deliveries.iter().cloned()).collect();
    commit(visit.service(), message, deliveries, std::convert::identity).await?;
    Ok(Reply::new(250, Status(2, 0, 0), format!("Ok: queued as {}", transaction.id)))
}

/// Accepts a message for each of its recipients; a reply for each, in their order.
pub(crate) async fn accept_each(visit: &Visit, transaction: &Transaction, intake: Intake) -> Result<Vec<Reply>, Reply> {
    let message = receive(visit, transaction, intake).await?;
    let count = transaction.recipients.len();
    let others = message.body.others(count.saturating_sub(1)).await.map_err(|error| kept_not(transaction.id, &error))?;
    let mut bodies = std::iter::once(message.body.clone()).chain(others);
    let mut replies: Vec<Reply> = Vec::with_capacity(count);
    for (n, recipient) in transaction.recipients.iter().enumerate() {
        // named twice, it gets the message once; the answer is the same
        let before = transaction.recipients.iter().take(n).position(|other| other.address.is_same(&recipient.address));
        let reply = match (before.and_then(|at| replies.get(at)), bodies.next()) {
            (Some(same), _) => same.clone(),
            (None, Some(body)) => {
                let id = if n == 0 { transaction.id } else { QueueId::generate(SystemTime::now()) };
                one(visit.service(), Message { id, body, ..message.clone() }, recipient).await
            }
            (None, None) => NOT_NOW,
        };
        replies.push(reply);
    }
    Ok(replies)
}

async fn one(service: &Service, message: Message, recipient: &Recipient) -> Reply {
    let id = message.id;
    match commit(service, message, recipient.deliveries.clone(), Plan::or_tell).await {
        Ok(()) => Reply::new(250, Status(2, 0, 0), format!("<{}> {id} Saved", recipient.address)),
        Err(reply) => reply,
    }
}

/// The whole message, ready for its plan.
async fn receive(visit: &Visit, transaction: &Transaction, intake: Intake) -> Result<Message, Reply> {
    let received = intake.finish().await.map_err(|error| kept_not(transaction.id, &error))?;
    let sender = visit.service().router().settings().sender(&transaction.from);
    told(visit.service(), transaction.id, &sender, transaction.recipients.len(), &received)?;
    Ok(message(visit, transaction, sender, received))
}

/// Logs what is known of a whole message, before the commit, so that the lines of its deliveries, which refer to these, come after them. One
/// that goes in a circle is refused.
pub(crate) fn told(service: &Service, id: QueueId, from: &ReversePath, count: usize, received: &Received) -> Result<(), Reply> {
    if received.hops > service.settings.hops {
        return Err(TOO_MANY_HOPS);
    }
    tracing::info!(target: "postfix/cleanup", "{id}: message-id={}", received.message_id);
    tracing::info!(target: "postfix/qmgr", "{id}: from=<{from}>, size={}, nrcpt={count} (queue active)", received.body.size);
    Ok(())
}

fn message(visit: &Visit, transaction: &Transaction, sender: ReversePath, received: Received) -> Message {
    Message {
        id: transaction.id,
        sender,
        body: received.body,
        header: received.header,
        structure: Some(Arc::new(received.structure)),
        arrived: millis(transaction.begun),
        flags: flags(transaction),
        envid: transaction.envid.clone(),
        account: visit.identity().map(|identity| identity.account),
        origin: Some(visit.peer().to_string()),
    }
}

fn flags(transaction: &Transaction) -> i64 {
    let body = if transaction.body == BodyType::EightBitMime { FLAG_8BIT } else { 0 };
    body | match transaction.ret {
        Some(Return::Headers) => FLAG_RETURN_HEADERS,
        Some(Return::Full) => FLAG_RETURN_FULL,
        None => 0,
    }
}

/// Commits the plan of a message; `Ok` says that it is durable.
pub(crate) async fn commit(service: &Service, message: Message, to: Vec<Delivery>, way: impl FnOnce(Plan) -> Plan) -> Result<(), Reply> {
    let id = message.id;
    let committed = async {
        let plan = Plan::for_message(message, to, millis(SystemTime::now()), service.settings.plan).await?;
        way(plan).commit(service.store.db()).await
    };
    match committed.await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!("{id}: the message was not taken: {error}");
            Err(refusal(&error))
        }
    }
}

pub(crate) fn kept_not(id: QueueId, error: &bodies::Error) -> Reply {
    tracing::error!("{id}: the message can't be kept: {error}");
    if matches!(error, bodies::Error::Full { .. }) { NO_ROOM } else { NOT_NOW }
}

/// What the peer is told; the cause is the log's.
fn refusal(error: &mda::Error) -> Reply {
    match of_error(error) {
        Verdict::Deferred(Status(4, 3, 1), _) => NO_ROOM,
        Verdict::Deferred(status @ Status(4, 2, _), text) => Reply::new(452, status, format!("Error: {text}")),
        Verdict::Deferred(status, text) => Reply::new(451, status, format!("Error: {text}")),
        Verdict::Failed(status @ Status(5, 1, _), text) => Reply::new(550, status, format!("Error: {text}")),
        Verdict::Failed(status, text) => Reply::new(554, status, format!("Error: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_said_alike_of_the_spool_and_of_the_database() {
        let spool = bodies::Error::Full { what: "x", path: "/".into() };
        assert_eq!(kept_not(QueueId::generate(SystemTime::now()), &spool), NO_ROOM);
        assert_eq!(refusal(&spool.into()), NO_ROOM);
        assert_eq!(refusal(&db::Error::Full("disk is full".into()).into()), NO_ROOM);
        assert_eq!(refusal(&db::Error::Engine("broken".into()).into()).code(), 451);
    }
}
