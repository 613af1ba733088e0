//! THREAD, UID THREAD — RFC 5256 §3. The algorithms are words: `mail::thread`.

use std::collections::HashMap;

use imap::command::Thread;
use imap::command::thread::Algorithm;
use imap::{Response, Tagged};
use mail::thread::{self, Forest, Message, Names};

use crate::halt::Outcome;
use crate::search::{self, Keyed, Query};
use crate::session::Reader;

pub(super) async fn thread(reader: &mut Reader, thread: &Thread) -> Outcome {
    let (store, account) = (reader.store(), reader.account());
    let (selected, talk) = reader.selected()?;
    let query = Query::new(&thread.key, selected)?;
    let found = search::find(query, &store, account, selected, talk).await?;
    let keyed = search::keyed(&found, &store, account, selected, talk).await?;
    let forest = forest(&keyed, thread.algorithm);
    let mut numbers: Vec<u32> = keyed.iter().map(|message| message.seq).collect();
    if thread.uid {
        numbers = selected.view.uids_of(numbers);
    }
    talk.say(Response::Thread(forest, numbers)).await?;
    Ok(Tagged::ok("THREAD completed"))
}

fn forest(keyed: &[Keyed], algorithm: Algorithm) -> Forest {
    let (mut ids, mut subjects) = (Numbers::default(), Numbers::default());
    let references: Vec<Vec<u32>> = keyed.iter().map(|keyed| keyed.header.references.iter().map(|id| ids.of(id)).collect()).collect();
    let messages = keyed.iter().zip(&references).map(|(keyed, references)| Message {
        id: keyed.header.id.as_deref().map(|id| ids.of(id)),
        references,
        subject: Some(keyed.header.subject.as_bytes()).filter(|subject| !subject.is_empty()).map(|subject| subjects.of(subject)),
        is_reply: keyed.header.is_reply,
        sent: keyed.sent(),
    });
    let messages: Vec<Message<'_>> = messages.collect();
    let names = Names { ids: ids.0.len(), subjects: subjects.0.len() };
    match algorithm {
        Algorithm::OrderedSubject => thread::ordered_subject(&messages, names),
        Algorithm::References => thread::references(&messages, names),
    }
}

/// Numbers for names, in the order in which they come.
#[derive(Default)]
struct Numbers<'n>(HashMap<&'n [u8], u32>);

impl<'n> Numbers<'n> {
    fn of(&mut self, name: &'n [u8]) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name).or_insert(next)
    }
}
