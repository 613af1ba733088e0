//! Before the first message: greeting, EHLO, STARTTLS, login — RFC 5321 §3.1, §3.2, RFC 3207, RFC 4954.

use dialogue::Answer;
use mail::Status;
use mda::status::Verdict;
use net::{Failure, Gone};
use smtp::client::{Capabilities, Reply, Request};

use super::{End, Over, Visit, softened};
use crate::resolve::LOOPS;
use crate::settings::TlsLevel;

const NO_TLS: Status = Status(4, 7, 4);
const TLS_FAILED: Status = Status(4, 7, 5);
const NO_LOGIN: Status = Status(4, 7, 0);

impl Visit<'_> {
    pub(super) async fn greet(&mut self) -> Result<(), End> {
        self.doing = "receiving the initial server greeting";
        let greeting = self.reply().await.map_err(|over| End::Refused(over.0))?;
        if greeting.code() != 220 {
            return Err(End::Refused(self.refused_to_talk(&greeting)));
        }
        self.hello().await?;
        match self.tls {
            TlsLevel::None => {}
            TlsLevel::May if !self.offers.starttls => {}
            TlsLevel::Encrypt if !self.offers.starttls => {
                return Err(End::Refused(Verdict::Deferred(NO_TLS, format!("TLS is required, but was not offered by host {}", self.peer))));
            }
            TlsLevel::May | TlsLevel::Encrypt => self.starttls().await?,
        }
        self.login().await
    }

    /// Where there is a login for this host. A server that offers none gets the mail all the same.
    async fn login(&mut self) -> Result<(), End> {
        let settings = self.settings.clone();
        let Some((name, password)) = settings.logins.at(self.host).filter(|_| !self.offers.mechanisms.is_empty()) else { return Ok(()) };
        let failed = |peer: &str, why: &dyn std::fmt::Display| End::Refused(Verdict::Deferred(NO_LOGIN, format!("SASL authentication failed; {peer}{why}")));
        let Some(mechanism) = settings.logins.mechanism(&self.offers.mechanisms, self.talk.secured()) else {
            return Err(failed(&format!("cannot authenticate to server {}", self.peer), &": no mechanism available"));
        };
        self.doing = "performing the SASL handshake";
        let lost = |over: Over| End::Refused(over.0);
        let (mut client, initial) = sasl::Client::start(mechanism, &name, password.as_bytes(), &sasl::scram::nonce());
        let mut reply = self.ask(Request::Auth { mechanism: mechanism.name(), initial }).await.map_err(lost)?;
        while reply.code() == 334 {
            let challenge = sasl::base64::decode(reply.lines().next().unwrap_or_default().as_bytes());
            let response = challenge.ok_or(sasl::BadServer::Challenge).and_then(|challenge| client.respond(&challenge));
            reply = match response {
                Ok(response) => self.ask(Request::Respond(response)).await.map_err(lost)?,
                Err(bad) => {
                    let _ = self.ask(Request::GiveUp).await.map_err(lost)?;
                    return Err(failed(&format!("server {}: ", self.peer), &bad));
                }
            };
        }
        match reply.code() {
            235 if client.is_satisfied() => Ok(()),
            235 => Err(failed(&format!("server {}: ", self.peer), &sasl::BadServer::Impostor)),
            _ => Err(failed(&format!("server {} said: ", self.peer), &reply)),
        }
    }

    async fn hello(&mut self) -> Result<(), End> {
        self.doing = "performing the EHLO handshake";
        let refused = |over: Over| End::Refused(over.0);
        let name = self.settings.helo.clone();
        let mut reply = self.ask(Request::Ehlo(name.clone())).await.map_err(refused)?;
        if reply.is_positive() {
            self.offers = Capabilities::of_ehlo(&reply);
        } else {
            if reply.code() == 421 {
                return Err(End::Refused(self.refused_to_talk(&reply)));
            }
            self.doing = "performing the HELO handshake";
            reply = self.ask(Request::Helo(name)).await.map_err(refused)?;
            if !reply.is_positive() {
                return Err(End::Refused(self.refused_to_talk(&reply)));
            }
            self.offers = Capabilities::of_helo(&reply);
        }
        if self.offers.host == self.settings.hostname {
            tracing::warn!(target: "postfix/smtp", "warning: host {} replied to HELO/EHLO with my own hostname {}", self.peer, self.settings.hostname);
            return Err(End::Refused(Verdict::Failed(LOOPS, format!("host {} is myself: mail loops back", self.peer))));
        }
        Ok(())
    }

    async fn starttls(&mut self) -> Result<(), End> {
        self.doing = "performing the TLS handshake";
        let reply = self.ask(Request::StartTls).await.map_err(|over| End::Refused(over.0))?;
        if reply.code() != 220 {
            return match self.tls {
                TlsLevel::Encrypt => Err(End::Refused(Verdict::Deferred(NO_TLS, format!("TLS is required, but host {} refused to start TLS: {reply}", self.peer)))),
                _ => Ok(()),
            };
        }
        let upgraded = self.talk.answer(Answer::Upgrade(Request::StartTls)).await;
        let hello = match upgraded {
            Ok(()) => self.hello().await,
            Err(Gone) => Err(End::Refused(self.lost())),
        };
        match (hello, self.talk.failure()) {
            (Err(_), Some(Failure::Handshake(why))) => {
                let verdict = Verdict::Deferred(TLS_FAILED, format!("Cannot start TLS with {}: {why}", self.peer));
                Err(if self.tls == TlsLevel::May { End::InClear(verdict) } else { End::Refused(verdict) })
            }
            (other, _) => {
                if other.is_ok()
                    && let Some(tls) = self.talk.tls()
                {
                    tracing::info!(target: "postfix/smtp", "Untrusted TLS connection established to {}: {}", self.relay, tls.in_log());
                }
                other
            }
        }
    }

    /// A 5yz greeting is about us or about now, hardly about the recipients: they wait, unless `smtp_skip_5xx_greeting = no`.
    fn refused_to_talk(&self, reply: &Reply) -> Verdict {
        let text = format!("host {} refused to talk to me: {reply}", self.peer);
        let status = reply.status_or_class();
        match reply.is_permanent() && !self.settings.skip_refusing {
            true => Verdict::Failed(status, text),
            false => Verdict::Deferred(softened(status), text),
        }
    }
}
