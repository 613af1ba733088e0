//! What is known of a message, and its bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bodies::{Place, Reader, Source};
use db::{BoxFuture, Error, Failed, Locks, Step, Tx};
use mail::mime::Structure;
use mail::{Date, Uid};

use crate::snapshot::checksum;
use crate::{AccountId, MailboxId, MessageId, Row, Store, copy, settle::todo};

/// A message in a mailbox.
#[derive(Clone, Debug)]
pub struct Message {
    /// UID, flags and MODSEQ at the moment of asking.
    pub row: Row,
    /// CRLF octets.
    pub size: u64,
    /// When it arrived, in the zone it arrived with.
    pub internaldate: Date,
    /// When it came into this mailbox, in milliseconds since 1970.
    pub savedate: i64,
    /// Its structure, if it was scanned before; else see [`Store::structure`].
    pub structure: Option<Arc<Structure>>,
    /// POP3's unique-id, when it was taken over from another server.
    pub uidl: Option<String>,
}

/// What tells a message from another that had its UID on another time line: which message it is, and when it came into the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: Uid,
    pub(crate) sum: u64,
}

/// Messages opened at once at most ([`Store::read_all`]).
pub const READ_ALL: usize = 64;

const COLUMNS: &str = "p.uid, p.message_id, p.flags, p.modseq, m.size, m.internaldate, m.zone, p.savedate, p.uidl";
const TABLES: &str = "mailbox_message p JOIN message m ON m.account_id = p.account_id AND m.id = p.message_id";

impl Message {
    pub fn identity(&self) -> Identity {
        let [id, came] = [self.row.id.get(), self.savedate].map(i64::to_le_bytes);
        Identity { uid: self.row.uid, sum: checksum(&[id, came].concat()) }
    }
}

impl Store {
    /// The messages of these UIDs (ascending) that are there, ascending. `with_structure` reads the cached structures too.
    /// Ask for at most some hundreds at once.
    pub async fn messages(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid], with_structure: bool) -> Result<Vec<Message>, Error> {
        let cache = if with_structure { ", m.cache" } else { "" };
        let sql = format!("WITH v(f, l) AS (VALUES {{rows}}) SELECT {COLUMNS}{cache} FROM v CROSS JOIN {TABLES} \
                           WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l");
        let found = self.db().query_rows(&sql, &[account.into(), mailbox.into()], &crate::change::ranges(uids)).await?;
        let mut messages: Vec<Message> = found.iter().map(message).collect::<Result<_, _>>()?;
        messages.sort_unstable_by_key(|message| message.row.uid);
        messages.dedup_by_key(|message| message.row.uid);
        Ok(messages)
    }

    /// Opens the bytes of a message, in CRLF form. None when the message is not there any more.
    pub async fn read(&self, account: AccountId, mailbox: MailboxId, uid: Uid) -> Result<Option<Reader>, Error> {
        let Some(reader) = self.try_read(account, mailbox, uid).await? else { return Ok(None) };
        match reader {
            Ok(reader) => Ok(Some(reader)),
            // Between our look and the open it may have been settled, linked or renamed: look again, after what is due.
            Err(error) if error.is_vanished() => {
                todo::link_now(self, account).await;
                let again = self.try_read(account, mailbox, uid).await?;
                again.transpose().map_err(|error| Error::Engine(error.to_string()))
            }
            Err(error) => Err(Error::Engine(error.to_string())),
        }
    }

    /// Opens the bytes of several messages at once; those that are not there any more are left out. Each that is small is read whole, so
    /// ask for no more than [`READ_ALL`], and for messages that fit memory together.
    pub async fn read_all(&self, account: AccountId, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<(Uid, Result<Reader, Error>)>, Error> {
        let sql = "WITH v(f, l) AS (VALUES {rows}) SELECT p.uid, p.file, p.file_flags, b.name, m.place IS NULL FROM v CROSS JOIN mailbox_message p \
                   JOIN message m ON m.account_id = p.account_id AND m.id = p.message_id \
                   JOIN mailbox b ON b.account_id = p.account_id AND b.id = p.mailbox_id \
                   WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid BETWEEN v.f AND v.l";
        let rows = self.db().query_rows(sql, &[account.into(), mailbox.into()], &crate::change::ranges(uids)).await?;
        let mut files = BTreeMap::new();
        let mut elsewhere = Vec::new();
        let home = self.home(account).await?;
        let mut folder = None;
        for row in &rows {
            let uid = crate::view::uid(row.int(0))?;
            if row.int(4) == 0 {
                elsewhere.push(uid);
                continue;
            }
            if folder.is_none() {
                let name = mail::MailboxName::new(row.text(3)).map_err(|error| Error::Broken(error.to_string()))?;
                folder = Some(self.bodies().folder(&home, &name.maildir_dir()).map_err(|error| Error::Engine(error.to_string()))?);
            }
            if let Some(folder) = &folder {
                files.insert(uid, bodies::File { folder: folder.clone(), base: row.text(1).to_owned(), letters: copy::letters(row.int(2)) });
            }
        }
        let (uids, files): (Vec<Uid>, Vec<bodies::File>) = files.into_iter().unzip();
        let opened = self.bodies().open_files(files).await.map_err(|error| Error::Engine(error.to_string()))?;
        let mut read = Vec::with_capacity(rows.len());
        for (uid, opened) in uids.into_iter().zip(opened) {
            match opened {
                Err(error) if error.is_vanished() => elsewhere.push(uid),
                opened => read.push((uid, opened.map_err(|error| Error::Engine(error.to_string())))),
            }
        }
        // Not a file yet, or moved since we looked.
        for uid in elsewhere {
            read.extend(self.read(account, mailbox, uid).await.transpose().map(|opened| (uid, opened)));
        }
        read.sort_unstable_by_key(|(uid, _)| *uid);
        read.dedup_by_key(|(uid, _)| *uid);
        Ok(read)
    }

    async fn try_read(&self, account: AccountId, mailbox: MailboxId, uid: Uid) -> Result<Option<Result<Reader, bodies::Error>>, Error> {
        let sql = "SELECT m.place, p.file, p.file_flags, b.name, m.id FROM mailbox_message p \
                   JOIN message m ON m.account_id = p.account_id AND m.id = p.message_id \
                   JOIN mailbox b ON b.account_id = p.account_id AND b.id = p.mailbox_id \
                   WHERE p.account_id = ?1 AND p.mailbox_id = ?2 AND p.uid = ?3";
        let rows = self.db().query(sql, &[account.into(), mailbox.into(), uid.get().into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(place) = row.opt_text(0) else {
            let home = self.home(account).await?;
            let name = mail::MailboxName::new(row.text(3)).map_err(|error| Error::Broken(error.to_string()))?;
            let opened = async { self.bodies().folder(&home, &name.maildir_dir())?.open(row.text(1), &copy::letters(row.int(2))).await };
            return Ok(Some(opened.await));
        };
        let id = MessageId::new(row.int(4));
        match self.source(account, id, place).await? {
            Some(source) => Ok(Some(self.bodies().reader(source).await)),
            // Settled since we looked: the caller looks again.
            None => Ok(Some(Err(bodies::Error::Vanished { folder: "the database".into(), base: format!("{id} of account {account}") }))),
        }
    }

    /// The body of a message that is not a file yet; None when it has become one.
    pub(crate) async fn source(&self, account: AccountId, id: MessageId, place: &str) -> Result<Option<Source>, Error> {
        match Place::parse(place) {
            Some(Place::Spooled { name, prefix }) => Ok(Some(Source::Spooled { name, prefix })),
            Some(Place::Inline) => {
                let rows = self.db().query("SELECT data FROM body WHERE account_id = ?1 AND id = ?2", &[account.into(), id.into()]).await?;
                Ok(rows.first().and_then(|row| row.blob(0)).map(Source::Inline))
            }
            None => Err(Error::Broken(format!("message {id}: place {place:?} in the database"))),
        }
    }

    /// The structure of a message: the cached one, else scanned now and kept. None when the message is gone.
    pub async fn structure(&self, account: AccountId, mailbox: MailboxId, message: &Message) -> Result<Option<Arc<Structure>>, Error> {
        if let Some(known) = &message.structure {
            return Ok(Some(known.clone()));
        }
        let Some(mut reader) = self.read(account, mailbox, message.row.uid).await? else { return Ok(None) };
        let mut scanner = mail::mime::Scanner::new(mail::mime::Limits::default());
        while let Some(chunk) = reader.chunk().await.map_err(|error| Error::Engine(error.to_string()))? {
            scanner.feed(&chunk);
        }
        let structure = Arc::new(scanner.finish());
        let keep = KeepStructure { account, id: message.row.id, packed: structure.to_bytes().into() };
        // It is a cache: what it was wanted for goes on without it.
        if let Err(error) = self.db().commit(keep).await {
            tracing::warn!("keeping the structure of message {}: {error}", message.row.id);
        }
        Ok(Some(structure))
    }
}

fn message(row: &db::Row) -> Result<Message, Error> {
    let zone = i16::try_from(row.int(6)).unwrap_or_default();
    Ok(Message {
        row: crate::view::row(row)?,
        size: row.int(4).unsigned_abs(),
        internaldate: Date::new(row.int(5).div_euclid(1000), zone),
        savedate: row.int(7),
        uidl: row.opt_text(8).map(str::to_owned),
        structure: row.blob(9).and_then(|packed| Structure::from_bytes(&packed).ok()).map(Arc::new),
    })
}

/// Keeps what was scanned. Changes nothing that anyone is told about.
pub(crate) struct KeepStructure {
    pub(crate) account: AccountId,
    pub(crate) id: MessageId,
    pub(crate) packed: bytes::Bytes,
}

impl Step for KeepStructure {
    type Done = ();
    const COMBINES: bool = true;
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn weight(&self) -> usize {
        self.packed.len()
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<()>, Failed>> {
        Box::pin(async move {
            // The last of each message: two rows for one would leave it to the engine which counts.
            let last: BTreeMap<_, &bytes::Bytes> = batch.iter().map(|keep| ((keep.account, keep.id), &keep.packed)).collect();
            let rows: Vec<[db::Value; 3]> = last.into_iter().map(|((account, id), packed)| [account.into(), id.into(), packed.clone().into()]).collect();
            let sql = "WITH v(a, i, c) AS (VALUES {rows}) UPDATE message SET cache = v.c FROM v WHERE message.account_id = v.a AND message.id = v.i";
            tx.execute_rows(sql, &rows).await?;
            Ok(vec![(); batch.len()])
        })
    }
}
