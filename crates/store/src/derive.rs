//! What is made of messages for searches, in one reading of each: their keys and their texts.

use bodies::Reader;
use bytes::Bytes;
use db::Error;
use futures_util::{StreamExt, TryStreamExt, stream};
use mail::Uid;

use crate::keys::Record;
use crate::texts::{self, TextShelves, Texts};
use crate::{AccountId, Identity, MailboxId, Message, Shelf, Store};

/// Messages made ready before they are put on their shelves: a block of each.
pub(crate) const BATCH: usize = 512;

/// Messages opened at once by a task: each may hold some hundred kilobytes.
const AT_ONCE: usize = 16;

/// Tasks at once: one reads while the other decodes.
const TASKS: usize = 2;

/// What shall be made.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) keys: bool,
    pub(crate) texts: bool,
}

/// What was made of a message.
pub(crate) struct Made {
    pub(crate) of: Identity,
    /// Of one that can't be read it says only what the row does, and is not kept.
    pub(crate) record: Record,
    texts: Option<Texts>,
    is_read: bool,
}

impl Store {
    /// What is made of these messages (ascending), as far as they are there.
    pub(crate) async fn derive(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid], wanted: Wanted) -> Result<Vec<Made>, Error> {
        let some = uids.chunks(AT_ONCE).map(<[Uid]>::to_vec).collect::<Vec<_>>();
        let tasks = stream::iter(some).map(|uids| {
            let store = self.clone();
            let task = tokio::spawn(async move { store.derive_some(account, mailbox, &uids, wanted).await });
            async move { task.await.map_err(|error| Error::Broken(error.to_string()))? }
        });
        tasks.buffered(TASKS).try_concat().await
    }

    async fn derive_some(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid], wanted: Wanted) -> Result<Vec<Made>, Error> {
        let rows = self.messages(account, mailbox, uids, wanted.texts).await?;
        let mut made = Vec::with_capacity(rows.len());
        for (uid, reader) in self.read_all(account, mailbox, uids).await? {
            let Some(row) = rows.iter().find(|row| row.row.uid == uid) else { continue };
            let read = match reader {
                Ok(reader) => self.derive_one(account, mailbox, row, reader, wanted).await,
                Err(error) => Err(error),
            };
            made.push(read.unwrap_or_else(|error| {
                tracing::error!(%uid, %error, "a message can't be searched");
                Made { of: row.identity(), record: Record::unread(row), texts: None, is_read: false }
            }));
        }
        Ok(made)
    }

    async fn derive_one(&self, account: AccountId, mailbox: MailboxId, row: &Message, mut reader: Reader, wanted: Wanted) -> Result<Made, Error> {
        let broken = |error: bodies::Error| Error::Engine(error.to_string());
        let record = match wanted.keys {
            true => Record::new(row, &reader.header(texts::HEADER_LIMIT).await.map_err(broken)?),
            false => Record::unread(row),
        };
        let structure = if wanted.texts { self.structure(account, mailbox, row).await? } else { None };
        let texts = match structure {
            Some(structure) => Some(texts::of(&mut reader, &structure).await.map_err(broken)?),
            None => None,
        };
        Ok(Made { of: row.identity(), record, texts, is_read: true })
    }
}

/// Puts what was made on the shelves that are given; false when one can't be written.
pub(crate) async fn put(keys: Option<&Shelf>, texts: Option<&TextShelves>, made: &[Made]) -> bool {
    let mut is_put = true;
    if let Some(shelf) = keys {
        is_put &= shelf.put(made.iter().filter(|made| made.is_read).map(|made| (made.of, made.record.pack())).collect()).await;
    }
    if let Some(shelves) = texts {
        type Column = fn(&Texts) -> &Bytes;
        let columns: [(&Shelf, Column); 2] = [(&shelves.header, |texts| &texts.header), (&shelves.body, |texts| &texts.body)];
        for (shelf, column) in columns {
            is_put &= shelf.put(made.iter().filter_map(|made| Some((made.of, column(made.texts.as_ref()?).clone()))).collect()).await;
        }
    }
    is_put
}
