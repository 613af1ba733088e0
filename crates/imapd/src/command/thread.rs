//! THREAD, UID THREAD — RFC 5256 §3. The algorithms are words: `mail::thread`.

use imap::command::Thread;
use imap::command::thread::Algorithm;
use imap::{Response, Tagged};
use mail::thread::{self, Forest, Message};

use crate::halt::Outcome;
use crate::search::{self, Keyed, Patience, Query};
use crate::session::Reader;

pub(super) async fn thread(reader: &mut Reader, thread: &Thread) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let mut patience = Patience::new(reader.imapd.settings().still_searching);
    let (selected, talk) = reader.selected()?;
    let query = Query::new(&thread.key, selected)?;
    let found = search::find(query, &store, account, selected, talk, &mut patience).await?;
    let keyed = search::keyed(&found, &store, account, selected, talk, &mut patience).await?;
    let forest = forest(&keyed, thread.algorithm);
    let mut numbers: Vec<u32> = keyed.indexes().map(|index| keyed.seq(index)).collect();
    if thread.uid {
        numbers = selected.view.uids_of(numbers);
    }
    talk.say(Response::Thread(forest, numbers)).await?;
    Ok(Tagged::ok("THREAD completed"))
}

fn forest(keyed: &Keyed, algorithm: Algorithm) -> Forest {
    let message = |index| {
        let head = keyed.head(index);
        Message { id: head.id, references: keyed.references(index), subject: head.subject, is_reply: head.is_reply, sent: keyed.sent(index) }
    };
    let messages: Vec<Message<'_>> = keyed.indexes().map(message).collect();
    match algorithm {
        Algorithm::OrderedSubject => thread::ordered_subject(&messages, keyed.names()),
        Algorithm::References => thread::references(&messages, keyed.names()),
    }
}
