//! The text of messages as it is kept: what BODY and TEXT look through in place of the messages.

use mail::{Uid, fold, header};
use store::texts::{Found, Text, Texts};
use store::{AccountId, MailboxId, Message, Store};

use super::{Header, body};
use crate::ahead::Ahead;
use crate::halt::Halt;

/// Messages whose structures are read at once, and which are opened: each may hold some hundred kilobytes.
const ROWS: usize = 16;

/// Looks for folded strings in what is kept of these messages. `completes`: first keeps what is not yet, which reads them all.
pub(super) async fn find(store: Store, account: AccountId, mailbox: MailboxId, uids: Vec<Uid>, needles: Vec<Vec<u8>>, completes: bool) -> Result<Vec<Found>, Halt> {
    let mut texts = store.texts(account, mailbox, &uids).await?;
    if completes {
        let new = uids.partition_point(|uid| texts.last().is_some_and(|last| *uid <= last));
        for uids in uids.get(new..).unwrap_or_default().chunks(ROWS) {
            add(&mut texts, &store, account, mailbox, uids).await?;
        }
        texts.write().await;
    }
    Ok(texts.find(&needles).await?)
}

async fn add(texts: &mut Texts, store: &Store, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<(), Halt> {
    let rows = store.messages(account, mailbox, uids, true).await?;
    let opened = store.read_all(account, mailbox, uids).await?;
    let mut there: Vec<(Message, Result<bodies::Reader, db::Error>)> = Vec::with_capacity(opened.len());
    for (uid, reader) in opened {
        there.extend(rows.iter().find(|row| row.row.uid == uid).map(|row| (row.clone(), reader)));
    }
    there.sort_by_key(|(row, _)| row.row.uid);
    let rows: Vec<Message> = there.iter().map(|(row, _)| row.clone()).collect();
    let mut read = Ahead::new(there.into_iter().map(|(row, reader)| {
        let store = store.clone();
        async move { of(&store, account, mailbox, &row, reader?).await }
    }));
    for row in &rows {
        match read.next().await {
            Some(Ok(Some(text))) => texts.add(row, text).await,
            // Gone, or not to be read: whoever looks for it will say so.
            Some(Ok(None) | Err(Halt::Body(_) | Halt::Store(db::Error::Engine(_)))) => {}
            Some(Err(halt)) => return Err(halt),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// `None`: the message is gone.
async fn of(store: &Store, account: AccountId, mailbox: MailboxId, row: &Message, mut reader: bodies::Reader) -> Result<Option<Text>, Halt> {
    let header = Header::read(&mut reader).await?;
    let Some(structure) = store.structure(account, mailbox, row).await? else { return Ok(None) };
    let mut text = Text::default();
    fields(&header.0, &mut text.header);
    text.is_whole = body::keep(&mut reader, &structure, &mut text.body).await?;
    Ok(Some(text))
}

/// Each field as a reader sees it, folded.
pub(super) fn fields(octets: &[u8], text: &mut Vec<u8>) {
    for field in header::fields(octets) {
        let name = String::from_utf8_lossy(field.name);
        Text::part(text);
        text.extend_from_slice(fold::fold(&format!("{name}: {}", header::decode_text(field.value).trim())).as_bytes());
    }
}
