//! What the tools of the queue share: Postfix's queues seen in ours, and the way through it.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use queue::{Message, QueueId, State};

use crate::failure::{Code, Failure, of_store};
use crate::house::House;

/// Messages read at once.
const PAGE: u32 = 500;

/// The queues of Postfix. Ours is one; a message is in the queue that its recipients put it into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Someone is due.
    Active,
    /// All wait for their next attempt, or for their bounce.
    Deferred,
    /// All who are left are held.
    Hold,
}

/// In the order in which they are listed.
pub const QUEUES: [Queue; 3] = [Queue::Active, Queue::Deferred, Queue::Hold];

impl Queue {
    /// Where `message` is at `now` (milliseconds).
    pub fn of(message: &Message, now: i64) -> Queue {
        let mut recipients = message.recipients.iter();
        if recipients.clone().any(|recipient| recipient.state == State::Pending && recipient.due <= now) {
            Queue::Active
        } else if recipients.any(|recipient| recipient.state != State::Held) {
            Queue::Deferred
        } else {
            Queue::Hold
        }
    }

    /// As Postfix names its directory.
    pub fn name(self) -> &'static str {
        match self {
            Queue::Active => "active",
            Queue::Deferred => "deferred",
            Queue::Hold => "hold",
        }
    }
}

/// Calls `act` for every message, oldest first.
pub async fn each(house: &House, mut act: impl AsyncFnMut(&Message) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut after: Option<QueueId> = None;
    loop {
        let page = queue::list(&house.db, after, PAGE).await.map_err(|error| of_store("queue", &error))?;
        for message in &page {
            act(message).await?;
        }
        match page.last() {
            Some(last) => after = Some(last.id),
            None => return Ok(()),
        }
    }
}

/// Removes the spool file of a message that is gone. What can't be removed now is swept later.
pub async fn discard(house: &House, id: QueueId, name: Option<bodies::Name>) {
    if let Err(error) = house.store.bodies().discard(name.into_iter().collect()).await {
        tracing::warn!("{id}: its spool file stays for the sweeper: {error}");
    }
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Writes to standard output; whoever reads it may have gone.
pub fn put(bytes: &[u8]) -> Result<(), Failure> {
    std::io::stdout().lock().write_all(bytes).map_err(|error| Failure::new(Code::Unavailable, "stdout", error))
}

/// What Postfix takes for the name of a queue file; everything else is refused before it is looked for.
pub fn may_be_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// One line for a terminal: what is not printable becomes `?`.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
