//! One transaction, MAIL to the end of its body: RFC 5321 §3.3.
//!
//! It is a value of this function; whatever ends it, returning drops it. What ends it from outside (RSET, EHLO, QUIT, a lost
//! connection) is given back for the visit to answer.

use crate::access::{Checks, Effects, Stage};
use crate::anvil::Event as Counted;
use crate::head::{Additions, Missing};
use crate::intake::Intake;
use crate::recipient::{self, Recipient};
use crate::settings::Role;
use crate::visit::{Visit, note};
use crate::{accept, sender};
use dialogue::{Answer, Event};
use mail::trace::{From, Protocol, ProtocolKind, Tls};
use mail::{Date, ForwardPath, ReversePath, Status};
use queue::QueueId;
use net::Gone;
use smtp::dsn::Return;
use smtp::{BodyType, Client, Command, Greeting, Mail, Rcpt, Reply};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is known of a message before its body.
pub struct Transaction {
    pub id: QueueId,
    pub client: Client,
    pub from: ReversePath,
    pub body: BodyType,
    /// What the client says it will send.
    pub size: Option<u64>,
    /// What a bounce is to bring back, and the sender's name for the message (RFC 3461).
    pub ret: Option<Return>,
    pub envid: Option<String>,
    pub recipients: Vec<Recipient>,
    pub begun: SystemTime,
    /// What restrictions want to be done with it.
    pub effects: Effects,
}

/// What restrictions only warn of: a word for the log, and what would have been said.
pub(crate) type Noted = Vec<(&'static str, String)>;

type Outside = Option<Event<Command>>;

/// Takes a transaction from its MAIL to its end, and gives the event that comes after it.
pub(crate) async fn transaction(visit: &mut Visit, client: Client, mail: Mail) -> Result<Outside, Gone> {
    let begun = SystemTime::now();
    let (id, recipients) = (QueueId::generate(begun), Vec::new());
    let mut transaction = Transaction { id, client, from: mail.from, body: mail.body, size: mail.size, ret: mail.ret, envid: mail.envid, recipients, begun, effects: Effects::default() };
    let judged = match sender::judge(visit, &transaction.from).await {
        Ok(()) => transaction.begin(visit).await,
        refused => refused,
    };
    if let Err(reply) = judged {
        transaction.refuse(visit, "MAIL", None, reply).await?;
        return Ok(visit.next().await);
    }
    visit.say(Answer::Done(Reply::SENDER_OK)).await?;
    loop {
        match visit.next().await {
            Some(Event::Command(Command::Rcpt(rcpt))) => transaction.recipient(visit, rcpt).await?,
            Some(Event::Command(Command::Data)) => {
                if let Err(reply) = transaction.checked(visit, Stage::Data).await {
                    transaction.refuse(visit, "DATA", None, reply).await?;
                    continue;
                }
                return transaction.data(visit).await;
            }
            Some(Event::Command(Command::Decided(decided))) => visit.pass_on(decided).await?,
            outside => return Ok(outside),
        }
    }
}

impl Transaction {
    /// MAIL: how much the client sends, and with `smtpd_delay_reject = no` who it is and as whom it sends.
    async fn begin(&mut self, visit: &Visit) -> Result<(), Reply> {
        let settings = &visit.service().settings;
        if visit.role() == Role::Lmtp {
            return Ok(());
        }
        if visit.counted(Counted::Message).is_err() {
            return Err(Reply::new(450, Status(4, 7, 1), format!("Error: too much mail from {}", visit.peer().address)));
        }
        if settings.rules.delay { Ok(()) } else { self.checked(visit, Stage::Mail).await }
    }

    /// The restrictions of a stage that has no recipient of its own.
    async fn checked(&mut self, visit: &Visit, stage: Stage) -> Result<(), Reply> {
        let service = visit.service();
        let only = match self.recipients.as_slice() {
            [one] => Some(&one.address),
            _ => None,
        };
        let mut checks = Checks::new(visit.facts(self, stage, only), &service.settings.rules, service.router(), service.resolver(), None);
        let judged = match stage {
            Stage::Mail => checks.envelope().await,
            _ => checks.message().await,
        };
        let (noted, effects) = (std::mem::take(&mut checks.noted), std::mem::take(&mut checks.effects));
        self.note(visit, stage.word(), None, noted);
        judged?;
        self.take(effects);
        Ok(())
    }

    /// What is to be done, each once.
    fn take(&mut self, effects: Effects) {
        self.effects.discard |= effects.discard;
        for field in effects.prepend {
            if !self.effects.prepend.contains(&field) {
                self.effects.prepend.push(field);
            }
        }
    }

    async fn recipient(&mut self, visit: &mut Visit, rcpt: Rcpt) -> Result<(), Gone> {
        let mut noted = Noted::new();
        let judged = recipient::judge(visit, self, &rcpt, &mut noted).await;
        self.note(visit, "RCPT", Some(&rcpt.to), noted);
        match judged {
            Ok((recipient, effects)) => {
                self.take(effects);
                if self.recipients.is_empty() {
                    self.log_client(visit);
                }
                self.recipients.push(recipient);
                visit.say(Answer::Done(Reply::RECIPIENT_OK)).await
            }
            Err(reply) => self.refuse(visit, "RCPT", Some(&rcpt.to), reply).await,
        }
    }

    pub(crate) fn places(&self) -> usize {
        self.recipients.iter().map(|recipient| recipient.deliveries.len()).sum()
    }

    /// The body, and what becomes of it.
    async fn data(mut self, visit: &mut Visit) -> Result<Outside, Gone> {
        let service = visit.service();
        let mut intake = Intake::new(service.store.bodies(), service.settings.header, self.additions(visit));
        let mut octets = 0u64;
        visit.say(Answer::Go(Reply::GO_AHEAD)).await?;
        loop {
            visit.receiving(Some(octets));
            match visit.next().await {
                Some(Event::Body(chunk)) => {
                    octets = octets.saturating_add(chunk.len() as u64);
                    intake.feed(chunk).await;
                }
                Some(Event::BodyEnd) => break,
                Some(Event::Command(Command::Decided(decided))) => {
                    visit.receiving(None);
                    self.log_refusal(visit, "END-OF-MESSAGE", None, &decided.reply);
                    visit.pass_on(decided).await?;
                    return Ok(visit.next().await);
                }
                outside => return Ok(outside),
            }
        }
        visit.receiving(None);
        self.size = Some(octets);
        if visit.role() == Role::Lmtp {
            self.answer_each(visit, intake).await?;
        } else {
            let accepted = match self.checked(visit, Stage::End).await {
                Ok(()) if self.effects.discard => Ok(Reply::new(250, Status(2, 0, 0), format!("Ok: queued as {}", self.id))),
                Ok(()) => accept::accept(visit, &self, intake).await,
                Err(reply) => Err(reply),
            };
            match accepted {
                Ok(reply) => visit.say(Answer::Done(reply)).await?,
                Err(reply) => self.refuse(visit, "END-OF-MESSAGE", None, reply).await?,
            }
        }
        Ok(visit.next().await)
    }

    /// LMTP: a reply for each recipient.
    async fn answer_each(&self, visit: &mut Visit, intake: Intake) -> Result<(), Gone> {
        let mut replies = match accept::accept_each(visit, self, intake).await {
            Ok(replies) => replies,
            Err(reply) => return self.refuse(visit, "END-OF-MESSAGE", None, reply).await,
        };
        for (recipient, reply) in self.recipients.iter().zip(&replies).filter(|(_, reply)| reply.is_refusal()) {
            let to = ForwardPath::Address(recipient.address.clone());
            self.log_refusal(visit, "END-OF-MESSAGE", Some(&to), reply);
        }
        let Some(last) = replies.pop() else { return Ok(()) };
        for reply in replies {
            visit.say(Answer::Part(reply)).await?;
        }
        visit.say(Answer::Done(last)).await
    }

    async fn refuse(&self, visit: &mut Visit, stage: &str, to: Option<&ForwardPath>, reply: Reply) -> Result<(), Gone> {
        self.log_refusal(visit, stage, to, &reply);
        visit.say(Answer::Done(reply)).await
    }

    fn log_refusal(&self, visit: &Visit, stage: &str, to: Option<&ForwardPath>, reply: &Reply) {
        self.log(visit, "reject", stage, to, &reply.to_string());
    }

    fn note(&self, visit: &Visit, stage: &str, to: Option<&ForwardPath>, noted: Noted) {
        noted.iter().for_each(|(word, text)| self.log(visit, word, stage, to, text));
    }

    /// A line as Postfix writes it of what is refused, and of what is warned of only.
    fn log(&self, visit: &Visit, word: &str, stage: &str, to: Option<&ForwardPath>, text: &str) {
        let id = if self.recipients.is_empty() { "NOQUEUE".to_owned() } else { self.id.to_string() };
        let to = match to {
            None => String::new(),
            Some(ForwardPath::Postmaster) => " to=<postmaster>".to_owned(),
            Some(ForwardPath::Address(address)) => format!(" to=<{address}>"),
        };
        let (from, proto, helo) = (&self.from, self.client.protocol(), &self.client.name);
        note!(visit, "{id}: {word}: {stage} from {}: {text}; from=<{from}>{to} proto={proto} helo=<{helo}>", visit.peer());
    }

    fn log_client(&self, visit: &Visit) {
        let login = match (visit.identity(), visit.mechanism()) {
            (Some(identity), Some(mechanism)) => format!(", sasl_method={mechanism}, sasl_username={}", identity.login),
            _ => String::new(),
        };
        note!(visit, "{}: client={}{login}", self.id, visit.peer());
    }

    /// What goes on top of the message.
    fn additions(&self, visit: &Visit) -> Additions {
        let settings = &visit.service().settings;
        let date = Date::utc(millis(self.begun).div_euclid(1000));
        let kind = match self.client.greeting {
            Greeting::Ehlo => ProtocolKind::Esmtp,
            Greeting::Lhlo => ProtocolKind::Lmtp,
            Greeting::Helo | Greeting::None => ProtocolKind::Smtp,
        };
        let (tls, login) = (visit.tls(), visit.identity().map(|identity| identity.login.to_string()));
        let id = self.id.to_string();
        let from = From::Client {
            helo: if self.client.name.is_empty() { "unknown" } else { &self.client.name },
            name: visit.peer().name.as_deref(),
            address: visit.peer().address,
            tls: tls.filter(|_| settings.tls_in_received).map(|tls| Tls { protocol: &tls.protocol, cipher: &tls.cipher, bits: tls.bits }),
            login: login.as_deref().filter(|_| settings.login_in_received),
            protocol: Protocol { kind, tls: tls.is_some(), authenticated: login.is_some() },
        };
        let only = match self.recipients.as_slice() {
            [one] => Some(&one.address),
            _ => None,
        };
        let host = &settings.smtp.host;
        let received = mail::trace::Received { from: Some(from), by: host, software: &settings.software, id: &id, recipient: only, date };
        let missing = (visit.role() == Role::Submission).then(|| Missing {
            date: date.rfc5322(),
            message_id: format!("<{id}@{host}>"),
            from: None,
        });
        let rewritten = visit.role() != Role::Lmtp && settings.rules.rewrites_headers(visit.peer().address, settings.mynetworks.contains(visit.peer().address), visit.identity().is_some());
        let rewrites = rewritten.then(|| visit.service().router().shared_settings());
        Additions { received: received.to_string() + &self.effects.prepend.concat(), missing, rewrites }
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
