//! APPEND — RFC 3501 §6.3.11, with APPENDUID (RFC 4315 §3) and APPENDLIMIT (RFC 7889).
//!
//! What can be refused is refused before the client sends its message. The message goes to its draft in canonical
//! form, scanned as it comes; nothing exists before the one commit at its end: whatever stops it on the way, the
//! dropped draft is the rollback.

use std::time::{SystemTime, UNIX_EPOCH};

use bodies::Draft;
use dialogue::{Answer, Event};
use imap::command::Append;
use imap::{Code, Response, Tagged};
use mail::line_ending::Canonical;
use mail::mime::{self, Scanner, Structure};
use mail::{Date, Flags};
use store::Deposit;

use crate::halt::{Halt, Outcome};
use crate::no;
use crate::session::{Reader, interrupted};

pub(super) async fn append(reader: &mut Reader, append: Append) -> Outcome {
    let flags = admit(reader, &append).await?;
    reader.talk.answer(Answer::Go(Response::Continue("OK".into()))).await?;
    let arrival = arrive(reader).await?;
    let (draft, structure) = arrival.map_err(|error| no::body(&error))?;
    let date = append.date.unwrap_or_else(now);
    let body = draft.sealed().await?;
    let deposit = Deposit::new(reader.account(), append.mailbox, body, date).with_flags(flags).with_structure(&structure);
    let deposited = commit(reader, deposit).await?;
    Ok(Tagged::ok("APPEND completed").code(Code::AppendUid(deposited.uidvalidity, deposited.uid)))
}

/// Whether the message may come; its flags.
async fn admit(reader: &Reader, append: &Append) -> Result<Flags, Halt> {
    let (store, account) = (reader.store(), reader.account());
    if append.size > reader.imapd.settings().append_limit {
        return Err(Tagged::no("The message is too large").code(Code::TooBig).into());
    }
    if store.mailbox(account, &append.mailbox).await?.is_none() {
        return Err(no::try_create().into());
    }
    if store.account(account).await?.is_none_or(|account| !account.has_room_for(append.size)) {
        return Err(no::over_quota().into());
    }
    let keywords = store.keyword_flags(account, &append.flags.keywords).await?;
    Ok(append.flags.flags | keywords)
}

type Arrived = Result<(Draft, Structure), bodies::Error>;

/// Takes the message to its end, even if it can't be kept: the client sends it anyway.
async fn arrive(reader: &mut Reader) -> Result<Arrived, Halt> {
    let mut draft = Ok(reader.store().bodies().draft());
    let mut canonical = Canonical::new();
    let mut scanner = Scanner::new(mime::Limits::default());
    let mut piece = Vec::new();
    loop {
        match reader.talk.next().await {
            Some(Event::Body(octets)) => {
                if let Ok(open) = &mut draft {
                    piece.clear();
                    canonical.push(&octets, &mut piece);
                    scanner.feed(&piece);
                    if let Err(error) = open.write(&piece).await {
                        draft = Err(error);
                    }
                }
            }
            Some(Event::BodyEnd) => return Ok(draft.map(|draft| (draft, scanner.finish()))),
            other => return Err(interrupted(other)),
        }
    }
}

async fn commit(reader: &Reader, deposit: Deposit) -> Result<store::Deposited, Halt> {
    let body = deposit.body().clone();
    body.submitted();
    match reader.store().db().commit(deposit).await {
        Ok(deposited) => {
            body.committed();
            Ok(deposited)
        }
        Err(error) if store::refused(&error).is_some() => {
            body.refused();
            Err(no::target(&error).into())
        }
        Err(error) => {
            body.abandon_to_sweeper();
            Err(error.into())
        }
    }
}

/// INTERNALDATE of a message that comes without.
fn now() -> Date {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Date::utc(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
