//! One message over a connection: envelope, body, and what each reply means for whom — RFC 5321 §3.3, §4.2, RFC 2920.

use bytes::Bytes;
use dialogue::Answer;
use mail::mime::Downgrade;
use mail::{Address, Status};
use mda::status::Verdict;
use queue::message::{FLAG_8BIT, FLAG_RETURN_FULL, FLAG_RETURN_HEADERS};
use queue::{BodyError, Entry, Message, Notify};
use smtp::client::{MailRequest, RcptRequest, Reply, Request};
use smtp::dsn::{self, Return};

use super::{LOST, MAIL, Over, Visit, host_said, softened};
use crate::work::{Fate, Relay, Told, Work};

const TOO_BIG: Status = Status(5, 3, 4);
const OURS: Status = Status(4, 3, 0);

impl Visit<'_> {
    /// What is left of `work` is carried; what becomes of it is settled. An error: the connection is of no use any more.
    pub(super) async fn message(&mut self, work: &mut Work) -> Result<(), Over> {
        let message = work.job.message.clone();
        if let Some(limit) = self.offers.size_limit.filter(|limit| message.size > *limit) {
            let text = format!("message size {} exceeds size limit {limit} of server {}", message.size, self.peer);
            let decided = work.decide(|_, _| Told::Fate(Fate::Unsent(Verdict::Failed(TOO_BIG, text.clone()))));
            self.settle(work, decided).await;
            return Ok(());
        }
        let addresses: Vec<Option<Address>> = work.job.recipients.iter().map(|entry| Address::parse(&entry.address).ok()).collect();
        let bad = work.decide(|n, _| match addresses.get(n) {
            Some(Some(_)) => Told::Nothing,
            _ => Told::Fate(Fate::Unsent(Verdict::Failed(Status(5, 1, 3), "the address cannot be read".into()))),
        });
        if !bad.is_empty() {
            self.settle(work, bad).await;
        }
        let addresses: Vec<Address> = addresses.into_iter().flatten().collect();
        if addresses.is_empty() {
            return Ok(());
        }
        let envelope = self.envelope(&message, &work.job.recipients, &addresses);
        let replies = self.offer(envelope).await?;
        let accepted = self.judge(work, &replies).await;
        match replies.data {
            Some(reply) if reply.code() == 354 && accepted.is_empty() => {
                // RFC 2920 §3.1: it waits for a message to nobody
                self.doing = "sending end of data";
                let _ = self.ask(Request::End).await?;
                Ok(())
            }
            Some(reply) if reply.code() == 354 => {
                let reply = self.body(&message, work).await?;
                self.verdict(work, &reply, "end of DATA command").await;
                over_if_421(&reply, self)
            }
            Some(reply) if !accepted.is_empty() => {
                self.verdict(work, &reply, "DATA command").await;
                over_if_421(&reply, self)?;
                self.reset().await
            }
            _ => {
                replies.hung_up(self)?;
                self.reset().await
            }
        }
    }

    /// MAIL and RCPTs, in the order in which they are said.
    fn envelope(&self, message: &Message, entries: &[Entry], addresses: &[Address]) -> Vec<Request> {
        let mut mail = MailRequest::new(message.reverse_path());
        mail.size = self.offers.size.then_some(message.size);
        mail.eight_bit = self.offers.eight_bit && message.flags & FLAG_8BIT != 0;
        if self.offers.dsn {
            mail.envid = message.envid.clone();
            mail.ret = match message.flags {
                flags if flags & FLAG_RETURN_HEADERS != 0 => Some(Return::Headers),
                flags if flags & FLAG_RETURN_FULL != 0 => Some(Return::Full),
                _ => None,
            };
        }
        let rcpt = |(entry, to): (&Entry, &Address)| {
            let mut rcpt = RcptRequest::new(to.clone());
            if self.offers.dsn {
                rcpt.notify = (entry.notify != Notify::default()).then(|| notify(entry.notify));
                // RFC 3461 §5.2.1: as it came, else the address that its sender wrote
                rcpt.orcpt = entry.orcpt.clone().or_else(|| dsn::orcpt(&entry.original));
            }
            Request::Rcpt(rcpt)
        };
        std::iter::once(Request::Mail(mail)).chain(entries.iter().zip(addresses).map(rcpt)).collect()
    }

    /// Says the envelope and DATA, in one group where the server allows it, and gathers the replies.
    async fn offer(&mut self, envelope: Vec<Request>) -> Result<Replies, Over> {
        let mut replies = Replies::default();
        if self.offers.pipelining {
            self.doing = MAIL;
            let count = envelope.len() - 1;
            for request in envelope {
                self.say(Answer::Part(request)).await?;
            }
            self.say(Answer::Done(Request::Data)).await?;
            replies.mail = Some(self.reply().await?);
            self.doing = "sending RCPT TO";
            for _ in 0..count {
                replies.rcpt.push(self.reply().await?);
            }
            self.doing = "sending DATA command";
            replies.data = Some(self.reply().await?);
            return Ok(replies);
        }
        for request in envelope {
            let is_mail = matches!(request, Request::Mail(_));
            self.doing = if is_mail { MAIL } else { "sending RCPT TO" };
            let reply = self.ask(request).await?;
            let ends = reply.code() == 421 || (is_mail && !reply.is_positive());
            if is_mail { replies.mail = Some(reply) } else { replies.rcpt.push(reply) }
            if ends {
                return Ok(replies);
            }
        }
        if replies.rcpt.iter().any(Reply::is_positive) {
            self.doing = "sending DATA command";
            replies.data = Some(self.ask(Request::Data).await?);
        }
        Ok(replies)
    }

    /// Settles those who were refused; gives those who may get the message.
    async fn judge(&mut self, work: &mut Work, replies: &Replies) -> Vec<i64> {
        let mut accepted = Vec::new();
        let mail = replies.mail.as_ref().filter(|reply| !reply.is_positive());
        let (peer, begun) = (self.peer.clone(), replies.mail.is_some());
        let decided = work.decide(|n, entry| match (mail, replies.rcpt.get(n)) {
            (Some(reply), _) => by(reply, &peer, "MAIL FROM command"),
            // RFC 5321 §4.5.3.1.10: a server may say 552 for "too many recipients"
            (None, Some(reply)) if reply.code() == 552 => Told::Later(Verdict::Deferred(softened(reply.status_or_class()), host_said(&peer, reply, "RCPT TO command"))),
            (None, Some(reply)) if reply.is_positive() => {
                accepted.push(entry.n);
                Told::Taken
            }
            (None, Some(reply)) => by(reply, &peer, "RCPT TO command"),
            (None, None) if begun => Told::Later(Verdict::Deferred(LOST, format!("host {peer} ended the conversation"))),
            (None, None) => Told::Nothing,
        });
        self.settle(work, decided).await;
        accepted
    }

    /// A reply that counts for all who are left and were accepted: those with a reason of their own keep it.
    async fn verdict(&mut self, work: &mut Work, reply: &Reply, command: &str) {
        let peer = self.peer.clone();
        let reports = self.offers.dsn;
        let own: Vec<bool> = work.why.iter().map(Option::is_some).collect();
        let decided = work.decide(|n, _| match own.get(n) {
            Some(true) => Told::Nothing,
            _ if reply.is_positive() => Told::Fate(Fate::Sent { status: reply.status_or_class(), text: reply.to_string(), reports }),
            _ => by(reply, &peer, command),
        });
        self.settle(work, decided).await;
    }

    /// The message itself. What is lost behind its end may have arrived.
    async fn body(&mut self, message: &Message, work: &mut Work) -> Result<Reply, Over> {
        self.doing = "sending message body";
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::error!("{}: {error}", message.id);
            Over(Verdict::Deferred(OURS, "mail system unavailable".into()))
        };
        let mut reader = self.shared.body(message).await.map_err(|error: BodyError| unreadable(&error))?;
        // RFC 6152 §3: a server that does not offer it gets seven bits
        let mut downgrade = (!self.offers.eight_bit && self.settings.convert).then(Downgrade::default);
        while let Some(chunk) = reader.chunk().await.map_err(|error| unreadable(&error))? {
            let chunk = downgrade.as_mut().map_or(chunk.clone(), |downgrade| converted(|out| downgrade.push(&chunk, out)));
            self.say(Answer::Chunk(chunk)).await?;
        }
        if let Some(downgrade) = downgrade {
            self.say(Answer::Chunk(converted(|out| downgrade.finish(out)))).await?;
        }
        self.doing = "sending end of data -- message may be sent more than once";
        match self.ask(Request::End).await {
            Ok(reply) => Ok(reply),
            Err(Over(verdict)) => {
                let own: Vec<bool> = work.why.iter().map(Option::is_some).collect();
                let decided = work.decide(|n, _| if own.get(n) == Some(&true) { Told::Nothing } else { Told::Fate(Fate::Unsent(verdict.clone())) });
                self.settle(work, decided).await;
                Err(Over(verdict))
            }
        }
    }

    /// Ready for another message.
    async fn reset(&mut self) -> Result<(), Over> {
        self.doing = "sending RSET";
        let reply = self.ask(Request::Rset).await?;
        if reply.is_positive() { Ok(()) } else { Err(Over(Verdict::Deferred(LOST, host_said(&self.peer, &reply, "RSET command")))) }
    }

    async fn settle(&self, work: &Work, decided: Vec<(Entry, Fate)>) {
        if !decided.is_empty() {
            let relay = Relay { name: self.relay.clone(), conn_use: self.carried, times: work.times(self.connected) };
            self.shared.settle(&work.job.message, decided, &relay).await;
        }
    }
}

/// What was answered to an envelope; those behind an end are missing.
#[derive(Default)]
struct Replies {
    mail: Option<Reply>,
    rcpt: Vec<Reply>,
    data: Option<Reply>,
}

impl Replies {
    /// 421: the server closes, whatever it was asked.
    fn hung_up(&self, visit: &Visit<'_>) -> Result<(), Over> {
        self.mail.iter().chain(&self.rcpt).chain(&self.data).try_for_each(|reply| over_if_421(reply, visit))
    }
}

fn over_if_421(reply: &Reply, visit: &Visit<'_>) -> Result<(), Over> {
    match reply.code() {
        421 => Err(Over(Verdict::Deferred(softened(reply.status_or_class()), format!("host {} said: {reply}", visit.peer)))),
        _ => Ok(()),
    }
}

/// What a refusal means for one recipient.
fn by(reply: &Reply, peer: &str, command: &str) -> Told {
    let text = host_said(peer, reply, command);
    let status = reply.status_or_class();
    match reply.is_permanent() {
        true => Told::Fate(Fate::Unsent(Verdict::Failed(status, text))),
        false => Told::Later(Verdict::Deferred(softened(status), text)),
    }
}

fn converted(convert: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = Vec::new();
    convert(&mut out);
    out.into()
}

fn notify(notify: Notify) -> dsn::Notify {
    dsn::Notify { success: notify.has(Notify::SUCCESS), failure: notify.has(Notify::FAILURE), delay: notify.has(Notify::DELAY) }
}
