//! Which messages a query finds: the mailbox in chunks of rows, and of the messages still undecided, some at a time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use imap::view::Message;
use imap::{Code, Condition, Tagged};
use mail::Uid;
use store::texts::TextQuery;
use store::{AccountId, MailboxId, Store};
use tokio::time::Instant;

use super::known::{self, Known};
use super::{Evidence, Header, Query};
use crate::ahead::Ahead;
use crate::command::fetch::ROWS;
use crate::halt::Halt;
use crate::selected::Selected;
use crate::talk::Talk;

/// The sequence numbers of the messages found, ascending. Four looks: at what the view says; at what is kept ready of headers;
/// at what is kept of texts; at rows, headers and bodies of what is still undecided.
pub(crate) async fn find(query: Query, store: &Store, account: AccountId, selected: &Selected, talk: &mut Talk, patience: &mut Patience) -> Result<Vec<u32>, Halt> {
    if let Some(query) = query.of_flags() {
        let all = selected.view.all();
        let found = selected.view.messages(&all).filter(|(_, message)| query.finds(message.flags));
        return Ok(found.map(|(seq, _)| seq).collect());
    }
    let query = Arc::new(query);
    let turn = query.turn();
    let mut verdicts: Vec<Option<bool>> = Vec::with_capacity(selected.view.count() as usize);
    let all = selected.view.all();
    for (seq, message) in selected.view.messages(&all) {
        verdicts.push(query.judge(&Evidence::of(seq, message)));
        breathe(&verdicts, turn, talk, patience).await?;
    }
    let open = verdicts.iter().filter(|verdict| verdict.is_none()).count();
    let keys = match query.wants_known() && open > known::FEW {
        true => Some(known::all(store, account, selected, talk, patience).await?),
        false => store.keys_at_hand(account, selected.id, selected.uidvalidity).filter(|_| open > 0),
    };
    if let Some(keys) = &keys {
        let mut judged = Vec::with_capacity(verdicts.len());
        for ((seq, message), verdict) in selected.view.messages(&all).zip(&verdicts) {
            let evidence = || Evidence { known: Known::of(keys, message.uid), ..Evidence::of(seq, message) };
            judged.push(verdict.or_else(|| query.judge(&evidence())));
            breathe(&judged, turn, talk, patience).await?;
        }
        verdicts = judged;
    }
    let open = verdicts.iter().filter(|verdict| verdict.is_none()).count();
    if let Some(needles) = query.needles().filter(|_| open > known::FEW) {
        // Where nearly all must be read anyway, what they say is kept for the next time.
        let completes = 2 * open > verdicts.len();
        let (store, mailbox, uidvalidity) = (store.clone(), selected.id, selected.uidvalidity);
        let text = TextQuery { needles: needles.to_vec(), with_headers: query.wants_headers(), completes };
        let uids = selected.living(&all);
        let looking = async move { store.find_text(account, mailbox, uidvalidity, &uids, &text).await };
        let mut found = patience.during(talk, looking).await??.into_iter().peekable();
        for ((seq, message), verdict) in selected.view.messages(&all).zip(&mut verdicts).filter(|(_, verdict)| verdict.is_none()) {
            while found.next_if(|found| found.uid < message.uid).is_some() {}
            let known = keys.as_ref().and_then(|keys| Known::of(keys, message.uid));
            *verdict = query.judge(&Evidence { known, found: found.next_if(|found| found.uid == message.uid), ..Evidence::of(seq, message) });
        }
    }
    let mut messages = selected.view.messages(&all).zip(&mut verdicts).filter(|(_, verdict)| verdict.is_none());
    loop {
        let some: Vec<((u32, &Message), &mut Option<bool>)> = messages.by_ref().take(ROWS).collect();
        if some.is_empty() {
            break;
        }
        let uids: Vec<Uid> = some.iter().map(|((_, message), _)| message.uid).collect();
        let rows = store.messages(account, selected.id, &uids, query.wants_structure()).await?;
        let mailbox = selected.id;
        let open: Vec<(u32, Message)> = some.iter().map(|((seq, message), _)| (*seq, **message)).collect();
        let mut looked = Ahead::new(open.into_iter().map(|(seq, message)| {
            let (query, store, row) = (query.clone(), store.clone(), row_of(&rows, message.uid).cloned());
            async move { look(&query, &store, account, mailbox, seq, message, row.as_ref()).await }
        }));
        for (_, verdict) in some {
            patience.still_there(talk).await?;
            *verdict = looked.next().await.transpose()?;
        }
    }
    Ok(verdicts.iter().zip(1u32..).filter(|(verdict, _)| **verdict == Some(true)).map(|(_, seq)| seq).collect())
}

/// After so many messages others have their turn.
async fn breathe(done: &[Option<bool>], turn: usize, talk: &mut Talk, patience: &mut Patience) -> Result<(), Halt> {
    if done.len() % turn == 0 {
        tokio::task::yield_now().await;
        patience.still_there(talk).await?;
    }
    Ok(())
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
    let mut evidence = Evidence::of(seq, &message);
    evidence.row = Some(row);
    if let Some(verdict) = query.judge(&evidence) {
        return Ok(verdict);
    }
    match read(query, store, account, mailbox, evidence, row).await {
        Err(error @ (Halt::Body(_) | Halt::Store(db::Error::Engine(_)))) => {
            tracing::error!(uid = %message.uid, %error, "a message can't be searched");
            Ok(false)
        }
        verdict => verdict,
    }
}

/// Cheap things first: the header, then the body, only while the verdict is open.
async fn read(query: &Query, store: &Store, account: AccountId, mailbox: MailboxId, mut evidence: Evidence<'_>, row: &store::Message) -> Result<bool, Halt> {
    let Some(mut reader) = store.read(account, mailbox, row.row.uid).await? else { return Ok(false) };
    let header = Header::read(&mut reader).await?;
    evidence.header = Some(&header);
    if let Some(verdict) = query.judge(&evidence) {
        return Ok(verdict);
    }
    let Some(structure) = store.structure(account, mailbox, row).await? else { return Ok(false) };
    let looked = query.look(&mut reader, &structure).await?;
    evidence.looked = Some(&looked);
    Ok(query.judge(&evidence).unwrap_or(false))
}

/// Keeps a client company that waits for a long search.
pub(crate) struct Patience {
    every: Duration,
    last_said: Instant,
}

impl Patience {
    /// How often it is to be asked where nothing else sets the pace.
    const LOOK: Duration = Duration::from_secs(1);

    /// Says something so often: see [`crate::Settings::still_searching`].
    pub(crate) fn new(every: Duration) -> Patience {
        Patience { every, last_said: Instant::now() }
    }

    /// While some work is done in a task of its own, which ends with the search: nothing that it holds waits for this client.
    pub(super) async fn during<T: Send + 'static>(&mut self, talk: &mut Talk, work: impl Future<Output = T> + Send + 'static) -> Result<T, Halt> {
        let mut task = Task(tokio::spawn(work));
        loop {
            match tokio::time::timeout(Patience::LOOK, &mut task.0).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()), // ends this session only
                Ok(Err(_)) => return Err(Halt::Gone),
                Err(_) => self.still_there(talk).await?,
            }
        }
    }

    /// Between two messages: ends the search of a client that is gone, or of a server that stops.
    pub(crate) async fn still_there(&mut self, talk: &mut Talk) -> Result<(), Halt> {
        if talk.is_stopping() {
            return Err(Tagged::no("The server is stopping").code(Code::Unavailable).into());
        }
        if self.last_said.elapsed() >= self.every {
            talk.say(Condition::ok(None, "Still searching")).await?;
            self.last_said = Instant::now();
        }
        Ok(())
    }
}

/// Ends when it is dropped.
struct Task<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
