//! Mail that users of this machine hand in ([`crate::letter`]).
//!
//! It is taken in as Postfix's pickup and cleanup do: whoever it is may send as anybody to anybody, and `Received:` tells who that was, by
//! the kernel's word; what the header lacks is added; nobody is refused at the door, and who does not exist is told to the sender by a bounce.
//!
//! | crash or cut after        | what is left                                                     |
//! |---------------------------|------------------------------------------------------------------|
//! | any octet of the letter   | a draft: removed, or swept after it; whoever handed it in hears no word |
//! | the commit                | the message; handed in again (`maildrop/`), it comes twice: at least once |

use crate::accept;
use crate::head::{Additions, Missing};
use crate::intake::Intake;
use crate::letter::{self, LINE, Letter, NoLetter, Reading};
use crate::transaction::millis;
use crate::visit::{Service, Smtpd, plain};
use bytes::BytesMut;
use dialogue::dots::Piece;
use dialogue::Dots;
use mail::trace::{From, Received};
use mail::{Address, Date, ReversePath, Status};
use mda::{Delivery, Destination, Expanded};
use queue::QueueId;
use queue::message::{FLAG_8BIT, FLAG_RETURN_HEADERS};
use smtp::Reply;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Octets read at once.
const CHUNK: usize = 64 * 1024;

/// How long a writer may be silent: whatever makes the message may take its time, but not for ever.
const SILENCE: Duration = Duration::from_secs(3_600);

const BAD_SENDER: Reply = Reply::fixed(501, Status(5, 1, 7), "Bad sender address syntax");
const BAD_RECIPIENT: Reply = Reply::fixed(501, Status(5, 1, 3), "Bad recipient address syntax");
const TOO_LARGE: Reply = Reply::fixed(552, Status(5, 3, 4), "Message size exceeds fixed limit");

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    NoLetter(#[from] NoLetter),
    /// In the words of SMTP.
    #[error("{0}")]
    Refused(Reply),
    #[error("it can't be read: {0}")]
    Unread(#[from] std::io::Error),
}

impl NotTaken {
    /// True if it may be taken later.
    pub fn is_temporary(&self) -> bool {
        match self {
            NotTaken::NoLetter(_) => false,
            NotTaken::Refused(reply) => (400..500).contains(&reply.code()),
            NotTaken::Unread(_) => true,
        }
    }
}

/// A letter whose envelope makes sense.
struct Envelope {
    sender: ReversePath,
    recipients: Vec<mda::Recipient>,
    flags: i64,
    envid: Option<String>,
}

impl Smtpd {
    /// Takes the letter that `from` holds, of the user `uid`; with `Ok` it is durable.
    ///
    /// # Errors
    /// See [`NotTaken`]; then nothing was taken.
    pub async fn take_letter(&self, uid: u32, from: &mut (impl AsyncRead + Unpin)) -> Result<QueueId, NotTaken> {
        let (service, begun) = (self.service(), SystemTime::now());
        let id = QueueId::generate(begun);
        let mut input = BytesMut::new();
        let letter = envelope(from, &mut input).await?;
        let mut envelope = Envelope::of(letter, &service.settings.smtp.origin).map_err(NotTaken::Refused)?;
        envelope.sender = service.router().settings().sender(&envelope.sender);
        tracing::info!(target: "postfix/pickup", "{id}: uid={uid} from=<{}>", plain(&envelope.sender.to_string()));
        let intake = Intake::new(service.store.bodies(), service.settings.header, additions(service, id, uid, begun, &envelope.sender));
        let (intake, eight_bit) = body(service, from, &mut input, intake).await?;
        if eight_bit {
            envelope.flags |= FLAG_8BIT;
        }
        accepted(service, id, uid, begun, envelope, intake).await.map_err(NotTaken::Refused)?;
        Ok(id)
    }
}

impl Envelope {
    fn of(letter: Letter, origin: &str) -> Result<Envelope, Reply> {
        let sender = letter::sender(&letter.sender, origin).map_err(|_| BAD_SENDER)?;
        let mut recipients: Vec<mda::Recipient> = Vec::with_capacity(letter.recipients.len());
        let mut seen = std::collections::HashSet::new();
        for text in &letter.recipients {
            let address = letter::address(text, origin).map_err(|_| BAD_RECIPIENT)?;
            if seen.insert(address.folded()) {
                recipients.push(mda::Recipient { notify: letter.notify.unwrap_or_default(), ..mda::Recipient::new(address) });
            }
        }
        let flags = if letter.eight_bit { FLAG_8BIT } else { 0 } | if letter.headers_only { FLAG_RETURN_HEADERS } else { 0 };
        Ok(Envelope { sender, recipients, flags, envid: letter.envid })
    }
}

/// Reads up to the empty line; what follows it is left in `input`.
async fn envelope(from: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> Result<Letter, NotTaken> {
    let mut reading = Reading::default();
    loop {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let line = input.split_to(end + 1);
            if let Some(letter) = reading.line(line.strip_suffix(b"\n").unwrap_or(&line))? {
                return Ok(letter);
            }
        }
        if input.len() > LINE {
            return Err(reading.line(input).err().unwrap_or(NoLetter::Cut).into());
        }
        more(from, input).await?;
    }
}

/// Reads the message; tells also whether it holds octets above 127.
async fn body(service: &Service, from: &mut (impl AsyncRead + Unpin), input: &mut BytesMut, mut intake: Intake) -> Result<(Intake, bool), NotTaken> {
    let mut dots = Dots::new();
    let (mut octets, mut eight_bit) = (0u64, false);
    loop {
        match dots.take(input) {
            Some(Piece::Data(chunk)) => {
                octets = octets.saturating_add(chunk.len() as u64);
                if service.settings.smtp.limits.message.is_some_and(|most| octets > most) {
                    return Err(NotTaken::Refused(TOO_LARGE));
                }
                eight_bit |= !chunk.is_ascii();
                intake.feed(chunk).await;
            }
            Some(Piece::End(_)) => return Ok((intake, eight_bit)),
            None => more(from, input).await?,
        }
    }
}

async fn more(from: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> Result<(), NotTaken> {
    input.reserve(CHUNK);
    match tokio::time::timeout(SILENCE, from.read_buf(input)).await {
        Ok(Ok(0)) => Err(NoLetter::Cut.into()),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(NotTaken::Unread(std::io::ErrorKind::TimedOut.into())),
    }
}

fn additions(service: &Service, id: QueueId, uid: u32, begun: SystemTime, sender: &ReversePath) -> Additions {
    let settings = &service.settings;
    let (host, date, id) = (&settings.smtp.host, Date::utc(millis(begun).div_euclid(1000)), id.to_string());
    let received = Received { from: Some(From::User { uid }), by: host, software: &settings.software, id: &id, recipient: None, date };
    let from = match sender {
        ReversePath::Address(address) => address.to_string(),
        ReversePath::Null => format!("MAILER-DAEMON@{}", settings.smtp.origin),
    };
    let missing = Missing { date: date.rfc5322(), message_id: format!("<{id}@{host}>"), from: Some(from) };
    Additions { received: received.to_string(), missing: Some(missing), rewrites: Some(service.router().shared_settings()) }
}

async fn accepted(service: &Service, id: QueueId, uid: u32, begun: SystemTime, envelope: Envelope, intake: Intake) -> Result<(), Reply> {
    let received = intake.finish().await.map_err(|error| accept::kept_not(id, &error))?;
    accept::told(service, id, &envelope.sender, envelope.recipients.len(), &received)?;
    let mut deliveries = Vec::new();
    for recipient in envelope.recipients {
        deliveries.extend(ways(service, recipient).await?);
    }
    let message = mda::Message {
        id,
        sender: envelope.sender,
        body: received.body,
        header: received.header,
        structure: Some(Arc::new(received.structure)),
        arrived: millis(begun),
        flags: envelope.flags,
        envid: envelope.envid,
        account: None,
        origin: Some(format!("local, uid {uid}")),
    };
    accept::commit(service, message, deliveries, std::convert::identity).await
}

/// Where a recipient leads; who does not exist goes to the queue, whose runner says so to the sender.
async fn ways(service: &Service, recipient: mda::Recipient) -> Result<Vec<Delivery>, Reply> {
    let later = |address: Address| Destination::Later { address };
    match mda::expand(service.router(), &recipient).await {
        Ok(Expanded::Deliveries(all)) => Ok(all),
        Ok(Expanded::Unknown(_) | Expanded::Later(_) | Expanded::Refused(..) | Expanded::Endless) => {
            Ok(vec![Delivery { to: later(recipient.address.clone()), recipient, owner: None }])
        }
        Err(error) => {
            tracing::error!("{} can't be looked up: {error}", recipient.address);
            Err(crate::sender::UNKNOWN_NOW)
        }
    }
}
