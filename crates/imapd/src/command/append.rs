//! APPEND — RFC 3501 §6.3.11, with APPENDUID (RFC 4315 §3), APPENDLIMIT (RFC 7889), several messages (RFC 3502) and literal8 (RFC
//! 3516 §4.4).
//!
//! What can be refused is refused before the client sends its message. Each message goes to its draft in canonical
//! form, scanned as it comes; nothing exists before the one commit at the end of all: whatever stops it on the
//! way, the dropped drafts are the rollback.

use std::time::{SystemTime, UNIX_EPOCH};

use bodies::{Draft, Sealed};
use dialogue::{Answer, Event};
use imap::command::Append;
use imap::command::append::Message;
use imap::{Code, Command, CommandBody, Response, Tagged};
use mail::line_ending::Canonical;
use mail::mime::{self, Scanner, Structure};
use mail::{Date, Flags, MailboxName};
use store::Deposit;

use crate::halt::{Halt, Outcome};
use crate::no;
use crate::session::{Reader, interrupted};

/// Messages of one APPEND. Those that are small (up to [`bodies::INLINE_LIMIT`]) stay in memory until the last has come.
const MESSAGES: usize = 100;

pub(super) async fn append(reader: &mut Reader, append: Append) -> Outcome {
    let Append { mailbox, message } = append;
    let (mut deposits, mut octets) = (Vec::new(), 0);
    let mut next = Some(message);
    while let Some(message) = next {
        octets += message.size;
        let flags = admit(reader, &mailbox, &message, deposits.len() + 1, octets).await?;
        reader.talk.answer(Answer::Go(Response::Continue("OK".into()))).await?;
        let (arrival, more) = arrive(reader).await?;
        let arrived = arrival.map_err(|error| no::body(&error))?;
        next = more;
        deposits.push(deposit(reader, &mailbox, &message, flags, arrived).await?);
    }
    let deposited = commit(reader, deposits).await?;
    let ok = Tagged::ok("APPEND completed");
    Ok(match deposited.first() {
        Some(first) => ok.code(Code::AppendUid(first.uidvalidity, deposited.iter().map(|deposited| deposited.uid).collect())),
        None => ok,
    })
}

/// Whether the message may come, with which this APPEND is of so many messages and octets; its flags.
async fn admit(reader: &Reader, mailbox: &MailboxName, message: &Message, messages: usize, octets: u64) -> Result<Flags, Halt> {
    let (store, account) = (reader.store(), reader.account());
    if message.size == 0 {
        return Err(Tagged::no("APPEND cancelled: a message has at least one octet").into());
    }
    if messages > MESSAGES {
        return Err(Tagged::no("Too many messages in one APPEND").code(Code::Limit).into());
    }
    if message.size > reader.imapd.settings().append_limit {
        return Err(Tagged::no("The message is too large").code(Code::TooBig).into());
    }
    if store.mailbox(account, mailbox).await?.is_none() {
        return Err(no::try_create().into());
    }
    if store.account(account).await?.is_none_or(|account| !account.has_room_for(messages as u64, octets)) {
        return Err(no::over_quota().into());
    }
    let keywords = store.keyword_flags(account, &message.flags.keywords).await?;
    Ok(message.flags.flags | keywords)
}

/// A message that came whole.
struct Arrived {
    draft: Draft,
    structure: Structure,
    has_nul: bool,
}

/// Takes a message to its end, even if it can't be kept: the client sends it anyway. Gives the next one, if there is.
async fn arrive(reader: &mut Reader) -> Result<(Result<Arrived, bodies::Error>, Option<Message>), Halt> {
    let mut draft = Ok(reader.store().bodies().draft());
    let mut canonical = Canonical::new();
    let mut scanner = Scanner::new(mime::Limits::default());
    let mut piece = Vec::new();
    let mut has_nul = false;
    let next = loop {
        match reader.talk.next().await {
            Some(Event::Body(octets)) => {
                if let Ok(open) = &mut draft {
                    piece.clear();
                    canonical.push(&octets, &mut piece);
                    has_nul |= memchr::memchr(0, &piece).is_some();
                    scanner.feed(&piece);
                    if let Err(error) = open.write(&piece).await {
                        draft = Err(error);
                    }
                }
            }
            Some(Event::BodyEnd) => break None,
            Some(Event::Command(Command { body: CommandBody::AppendMore(message), .. })) => break Some(message),
            other => return Err(interrupted(other)),
        }
    };
    Ok((draft.map(|draft| Arrived { draft, structure: scanner.finish(), has_nul }), next))
}

/// The message as it is to lie in the mailbox. Binary content does not: lines end in CRLF here, and what other servers read has no NUL
/// (RFC 3516 §4.4).
async fn deposit(reader: &Reader, mailbox: &MailboxName, message: &Message, flags: Flags, arrived: Arrived) -> Result<Deposit, Halt> {
    let Arrived { draft, structure, has_nul } = arrived;
    if message.binary && (has_nul || structure.has_binary()) {
        return Err(Tagged::no("Binary content can't be kept here").code(Code::UnknownCte).into());
    }
    let date = message.date.unwrap_or_else(now);
    let deposit = Deposit::new(reader.account(), mailbox.clone(), draft.sealed().await?, date);
    Ok(deposit.with_flags(flags).with_structure(&structure))
}

async fn commit(reader: &Reader, deposits: Vec<Deposit>) -> Result<Vec<store::Deposited>, Halt> {
    let bodies: Vec<Sealed> = deposits.iter().map(|deposit| deposit.body().clone()).collect();
    bodies.iter().for_each(Sealed::submitted);
    match reader.store().db().commit(deposits).await {
        Ok(deposited) => {
            bodies.iter().for_each(Sealed::committed);
            Ok(deposited)
        }
        Err(error) if store::refused(&error).is_some() => {
            bodies.iter().for_each(Sealed::refused);
            Err(no::target(&error).into())
        }
        Err(error) => {
            bodies.iter().for_each(Sealed::abandon_to_sweeper);
            Err(error.into())
        }
    }
}

/// INTERNALDATE of a message that comes without.
fn now() -> Date {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Date::utc(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
