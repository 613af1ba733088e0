//! Which messages a query finds: the mailbox in chunks of rows, and of the messages still undecided, some at a time.

use std::sync::Arc;
use std::time::Duration;

use imap::view::Message;
use imap::{Code, Condition, Tagged};
use mail::Uid;
use store::{AccountId, MailboxId, Store};
use tokio::time::Instant;

use super::{Facts, Header, Query};
use crate::ahead::Ahead;
use crate::command::fetch::ROWS;
use crate::halt::Halt;
use crate::selected::Selected;
use crate::talk::Talk;

/// How often a client that waits hears something: it sees that we are there, and we see whether it still is.
const STILL_SEARCHING: Duration = Duration::from_secs(10);

/// The sequence numbers of the messages found, ascending.
pub(crate) async fn find(query: Query, store: &Store, account: AccountId, selected: &Selected, talk: &mut Talk) -> Result<Vec<u32>, Halt> {
    let query = Arc::new(query);
    let mut found = Vec::new();
    let mut patience = Patience::new();
    let all = selected.view.all();
    let mut messages = selected.view.messages(&all);
    loop {
        let some: Vec<(u32, &Message)> = messages.by_ref().take(ROWS).collect();
        if some.is_empty() {
            return Ok(found);
        }
        let mut verdicts: Vec<Option<bool>> = some.iter().map(|(seq, message)| query.judge(&Facts::of(*seq, message))).collect();
        let undecided = some.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none());
        let open: Vec<(u32, Message)> = undecided.map(|((seq, message), _)| (*seq, **message)).collect();
        if !open.is_empty() {
            let uids: Vec<Uid> = open.iter().map(|(_, message)| message.uid).collect();
            let rows = store.messages(account, selected.id, &uids, query.wants_structure()).await?;
            let mailbox = selected.id;
            let mut looked = Ahead::new(open.into_iter().map(|(seq, message)| {
                let (query, store, row) = (query.clone(), store.clone(), row_of(&rows, message.uid).cloned());
                async move { look(&query, &store, account, mailbox, seq, message, row.as_ref()).await }
            }));
            for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_none()) {
                patience.still_there(talk).await?;
                *verdict = looked.next().await.transpose()?;
            }
        }
        found.extend(some.iter().zip(verdicts).filter(|(_, verdict)| *verdict == Some(true)).map(|((seq, _), _)| *seq));
    }
}

fn row_of(rows: &[store::Message], uid: Uid) -> Option<&store::Message> {
    rows.binary_search_by_key(&uid, |row| row.row.uid).ok().and_then(|index| rows.get(index))
}

/// The verdict on a message that the view alone can't give. One that is gone, or can't be read, matches nothing: a broken
/// file shall not end the search of all others.
async fn look(
    query: &Query,
    store: &Store,
    account: AccountId,
    mailbox: MailboxId,
    seq: u32,
    message: Message,
    row: Option<&store::Message>,
) -> Result<bool, Halt> {
    let Some(row) = row else { return Ok(false) };
    let mut facts = Facts::of(seq, &message);
    facts.row = Some(row);
    if let Some(verdict) = query.judge(&facts) {
        return Ok(verdict);
    }
    match read(query, store, account, mailbox, facts, row).await {
        Err(error @ (Halt::Body(_) | Halt::Store(db::Error::Engine(_)))) => {
            tracing::error!(uid = %message.uid, %error, "a message can't be searched");
            Ok(false)
        }
        verdict => verdict,
    }
}

/// Cheap things first: the header, then the body, only while the verdict is open.
async fn read(query: &Query, store: &Store, account: AccountId, mailbox: MailboxId, mut facts: Facts<'_>, row: &store::Message) -> Result<bool, Halt> {
    let Some(mut reader) = store.read(account, mailbox, row.row.uid).await? else { return Ok(false) };
    let header = Header::read(&mut reader).await?;
    facts.header = Some(&header);
    if let Some(verdict) = query.judge(&facts) {
        return Ok(verdict);
    }
    let Some(structure) = store.structure(account, mailbox, row).await? else { return Ok(false) };
    let bodies = query.search_body(&mut reader, &structure).await?;
    facts.bodies = Some(&bodies);
    Ok(query.judge(&facts).unwrap_or(false))
}

/// Keeps a client company that waits for a long search.
pub(crate) struct Patience {
    last_said: Instant,
}

impl Patience {
    pub(crate) fn new() -> Patience {
        Patience { last_said: Instant::now() }
    }

    /// Between two messages: ends the search of a client that is gone, or of a server that stops.
    pub(crate) async fn still_there(&mut self, talk: &mut Talk) -> Result<(), Halt> {
        if talk.is_stopping() {
            return Err(Tagged::no("The server is stopping").code(Code::Unavailable).into());
        }
        if self.last_said.elapsed() >= STILL_SEARCHING {
            talk.say(Condition::ok(None, "Still searching")).await?;
            self.last_said = Instant::now();
        }
        Ok(())
    }
}
