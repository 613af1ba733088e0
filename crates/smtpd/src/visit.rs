//! One client's session, from greeting to goodbye: what may come outside of a transaction.

use crate::access::{Facts, Stage};
use crate::anvil::{Anvil, Event as Counted, TooMuch};
use crate::peer::PeerName;
use crate::settings::{Role, Settings};
use crate::tally::Tally;
use crate::transaction::Transaction;
use crate::{login, transaction};
use auth::{Auth, Identity};
use dialogue::{Answer, Ended, Event};
use mail::Status;
use net::{Conversation, Gone, TlsInfo};
use route::Router;
use smtp::{Command, Decided, Language, Reply, Session};
use std::sync::Arc;
use tracing::Instrument;

/// Writes a line of the log under the name that Postfix's program of that service has there.
macro_rules! note {
    ($visit:expr, $($line:tt)*) => {
        match $visit.program() {
            $crate::visit::Program::Smtpd => tracing::info!(target: "postfix/smtpd", $($line)*),
            $crate::visit::Program::Submission => tracing::info!(target: "postfix/submission/smtpd", $($line)*),
            $crate::visit::Program::Lmtpd => tracing::info!(target: "postfix/lmtpd", $($line)*),
            $crate::visit::Program::Smtps => tracing::info!(target: "postfix/smtps/smtpd", $($line)*),
        }
    };
}
pub(crate) use note;

/// Before the first command.
const CONNECT: &str = "CONNECT";

/// See [`note`]; 465 is `smtps`, since log readers do not know `submissions`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Smtpd,
    Submission,
    Smtps,
    Lmtpd,
}

/// What the sessions of a service share. Cheap to clone.
#[derive(Clone)]
pub struct Smtpd(Arc<Service>);

pub(crate) struct Service {
    pub settings: Settings,
    pub store: store::Store,
    auth: Option<Auth>,
    router: Router,
    resolver: Option<net::dns::Resolver>,
    anvil: Anvil,
    /// For clients that may send a password without TLS.
    trusting: Arc<smtp::Settings>,
    usual: Arc<smtp::Settings>,
}

pub(crate) struct Visit {
    service: Arc<Service>,
    conversation: Conversation<Session>,
    peer: PeerName,
    tally: Tally,
    /// The command that is being answered.
    verb: &'static str,
    identity: Option<(Identity, String)>,
    tls: Option<Arc<TlsInfo>>,
    refusals: u32,
    /// Octets of the body being received.
    octets: Option<u64>,
}

impl Service {
    pub fn auth(&self) -> Option<&Auth> {
        self.auth.as_ref()
    }

    pub fn router(&self) -> &Router {
        &self.router
    }

    pub fn resolver(&self) -> Option<&net::dns::Resolver> {
        self.resolver.as_ref()
    }
}

impl Visit {
    async fn run(mut self) {
        if let (Some(resolver), true) = (&self.service.resolver, self.role() != Role::Lmtp) {
            self.peer = self.peer.clone().looked_up(resolver).await;
        }
        note!(self, "connect from {}", self.peer);
        // `Gone` only means that nobody hears us any more: the next event, or its absence, says why
        let _ = self.admitted().await;
        note!(self, "disconnect from {}{}", self.peer, self.tally);
    }

    /// A client that has too many connections hears of it, and no more.
    async fn admitted(&mut self) -> Result<(), Gone> {
        if self.role() == Role::Lmtp {
            return self.talk().await;
        }
        let now = tokio::time::Instant::now().into_std();
        let service = self.service.clone();
        let limits = &service.settings.clients;
        let (_open, fits) = service.anvil.open(self.peer.address, limits, now);
        if let Err(TooMuch(count)) = fits {
            note!(self, "warning: Connection concurrency limit exceeded: {count} from {} for service {}", self.peer, self.conversation.peer().service);
        } else if self.counted(Counted::Connection).is_ok() {
            return self.talk().await;
        }
        let host = &service.settings.smtp.host;
        let text = format!("Error: too many connections from {}", self.peer.address);
        self.say(Answer::Close(Reply::closing(Status(4, 7, 0), host, &text))).await
    }

    /// Counts what the client does; an error says that it does too much.
    pub(crate) fn counted(&self, event: Counted) -> Result<(), TooMuch> {
        let now = tokio::time::Instant::now().into_std();
        let counted = self.service.anvil.count(self.peer.address, event, &self.service.settings.clients, now);
        if let Err(TooMuch(rate)) = counted {
            let what = match event {
                Counted::Connection => "Connection",
                Counted::Message => "Message delivery request",
                Counted::Recipient => "Recipient address",
                Counted::Auth => "AUTH command",
            };
            note!(self, "warning: {what} rate limit exceeded: {rate} from {} for service {}", self.peer, self.conversation.peer().service);
        }
        counted
    }

    /// What restrictions are told of this moment of a transaction.
    pub(crate) fn facts<'v>(&'v self, transaction: &'v Transaction, stage: Stage, recipient: Option<&'v mail::Address>) -> Facts<'v> {
        Facts {
            stage,
            peer: &self.peer,
            trusted: self.service.settings.mynetworks.contains(self.peer.address),
            identity: self.identity(),
            mechanism: self.mechanism(),
            tls: self.tls(),
            protocol: transaction.client.protocol(),
            helo: &transaction.client.name,
            sender: &transaction.from,
            recipient,
            recipients: transaction.recipients.len(),
            size: transaction.size.unwrap_or_default(),
            id: if transaction.recipients.is_empty() { String::new() } else { transaction.id.to_string() },
        }
    }

    async fn talk(&mut self) -> Result<(), Gone> {
        self.say(Answer::Done(Reply::greeting(&self.service.settings.banner))).await?;
        let mut event = self.next().await;
        while let Some(now) = event {
            event = match now {
                Event::Command(Command::Mail { client, mail }) => transaction::transaction(self, client, mail).await?,
                Event::Command(Command::Auth(command)) => match login::login(self, command).await? {
                    Some(other) => Some(other),
                    None => self.next().await,
                },
                Event::Command(command) => {
                    self.between(command).await?;
                    self.next().await
                }
                Event::Ended(why) => return self.farewell(why).await,
                Event::Body(_) | Event::BodyEnd | Event::Line(_) => self.next().await,
            };
        }
        Ok(())
    }

    /// A command outside of a transaction, or one that ended it.
    async fn between(&mut self, command: Command) -> Result<(), Gone> {
        match command {
            Command::Hello { welcome, .. } => {
                let mechanisms: Vec<&str> = self.mechanisms().into_iter().map(sasl::Mechanism::name).collect();
                self.say(Answer::Done(welcome.offering(&mechanisms))).await
            }
            Command::Reset => self.say(Answer::Done(Reply::OK)).await,
            Command::Quit => self.say(Answer::Close(Reply::BYE)).await,
            Command::StartTls => {
                self.identity = None;
                self.say(Answer::Upgrade(Reply::READY_FOR_TLS)).await
            }
            Command::Decided(decided) => self.pass_on(decided).await,
            // the language does not let these come here
            Command::Mail { .. } | Command::Rcpt(_) | Command::Data | Command::Auth(_) => {
                self.say(Answer::Done(Reply::fixed(503, Status(5, 5, 1), "Error: need MAIL command"))).await
            }
        }
    }

    /// What needed nobody's judgement.
    pub async fn pass_on(&mut self, decided: Decided) -> Result<(), Gone> {
        if let Some(said) = &decided.said {
            note!(self, "warning: non-SMTP command from {}: {said}", self.peer);
        }
        if decided.last && decided.reply == Reply::OUT_OF_STEP {
            note!(self, "improper command pipelining after {} from {}", decided.verb, self.peer);
        } else if decided.last && decided.reply.code() == 421 {
            note!(self, "too many errors after {} from {}", self.verb, self.peer);
        }
        let held_against = !decided.forgiven;
        self.tell(decided.answer(), held_against).await
    }

    async fn farewell(&mut self, why: Ended) -> Result<(), Gone> {
        let host = self.service.settings.smtp.host.clone();
        let octets = self.octets.take().map(|octets| format!(" ({octets} bytes)")).unwrap_or_default();
        match why {
            Ended::Peer | Ended::Garbled => {
                note!(self, "lost connection after {}{octets} from {}", self.verb, self.peer);
                Ok(())
            }
            Ended::Timeout => {
                note!(self, "timeout after {}{octets} from {}", self.verb, self.peer);
                self.say(Answer::Close(Reply::closing(Status(4, 4, 2), &host, "Error: timeout exceeded"))).await
            }
            Ended::Stop => self.say(Answer::Close(Reply::closing(Status(4, 3, 2), &host, "Service shutting down"))).await,
        }
    }

    /// The next event; `None`: the session is over.
    pub async fn next(&mut self) -> Option<Event<Command>> {
        let event = self.conversation.next().await;
        self.note_tls();
        if let Some(Event::Command(command)) = &event {
            // the 421 that ends too many errors is no command
            if !matches!(command, Command::Decided(decided) if decided.reply.code() == 421) {
                self.verb = command.verb();
            }
        }
        event
    }

    /// Answers, and counts the answer.
    pub async fn say(&mut self, answer: Answer<Reply>) -> Result<(), Gone> {
        self.tell(answer, true).await
    }

    /// The same; a refusal that is held against the peer slows down what follows.
    async fn tell(&mut self, answer: Answer<Reply>, held_against: bool) -> Result<(), Gone> {
        let answer = if self.service.settings.soft_bounce { softened(answer) } else { answer };
        if let Answer::Done(reply) | Answer::Upgrade(reply) | Answer::Close(reply) = &answer {
            let answers_a_command = self.verb != CONNECT && reply.code() != 421;
            if answers_a_command {
                self.tally.count(self.verb, !reply.is_refusal());
            }
            if reply.is_refusal() && held_against {
                self.refusals = self.refusals.saturating_add(1);
                if self.refusals > self.service.settings.soft_errors {
                    tokio::time::sleep(self.service.settings.error_sleep).await;
                }
            }
        }
        self.conversation.answer(answer).await
    }

    fn note_tls(&mut self) {
        if self.tls.is_none()
            && let Some(tls) = self.conversation.tls()
        {
            let sni = tls.sni.as_deref().map(|name| format!(" to {}", plain(name))).unwrap_or_default();
            note!(self, "Anonymous TLS connection established from {}{sni}: {}", self.peer, tls.in_log());
            self.tls = Some(tls);
        }
    }

    pub fn logged_in(&mut self, identity: Identity, mechanism: String) {
        self.identity = Some((identity, mechanism));
    }

    pub fn receiving(&mut self, octets: Option<u64>) {
        self.octets = octets;
    }

    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    pub fn peer(&self) -> &PeerName {
        &self.peer
    }

    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref().map(|(identity, _)| identity)
    }

    /// What a login can be bound to on this connection.
    pub fn binding(&self) -> Option<[u8; 32]> {
        self.conversation.binding()
    }

    /// The mechanisms offered on this connection.
    fn mechanisms(&self) -> Vec<sasl::Mechanism> {
        self.service.auth().map(|auth| auth.mechanisms(self.binding().is_some())).unwrap_or_default()
    }

    pub fn mechanism(&self) -> Option<&str> {
        self.identity.as_ref().map(|(_, mechanism)| mechanism.as_str())
    }

    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_deref()
    }

    pub(crate) fn program(&self) -> Program {
        match self.service.settings.role {
            Role::Relay => Program::Smtpd,
            Role::Lmtp => Program::Lmtpd,
            Role::Submission if self.service.settings.implicit_tls => Program::Smtps,
            Role::Submission => Program::Submission,
        }
    }

    pub fn role(&self) -> Role {
        self.service.settings.role
    }
}

/// `soft_bounce`: what is refused for good is refused for now.
fn softened(answer: Answer<Reply>) -> Answer<Reply> {
    match answer {
        Answer::Part(reply) => Answer::Part(reply.softened()),
        Answer::Done(reply) => Answer::Done(reply.softened()),
        Answer::Close(reply) => Answer::Close(reply.softened()),
        other => other,
    }
}

/// Text of the peer that may stand in a log line.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

impl Smtpd {
    /// Over the accounts and mail of `store`.
    pub fn new(store: store::Store, auth: Option<Auth>, router: Router, settings: Settings) -> Smtpd {
        let logs_in = match settings.role {
            Role::Relay => settings.auth_on_relay,
            Role::Submission => true,
            Role::Lmtp => false,
        };
        let logs_in = logs_in && auth.is_some();
        let lmtp = settings.role == Role::Lmtp;
        let usual = smtp::Settings {
            language: if lmtp { Language::Lmtp } else { Language::Smtp },
            hello_required: lmtp || settings.smtp.hello_required,
            mechanisms: if logs_in { sasl::Mechanism::ALL.iter().map(|mechanism| mechanism.name().to_owned()).collect() } else { Vec::new() },
            auth_in_clear: false,
            ..settings.smtp.clone()
        };
        let trusting = smtp::Settings { auth_in_clear: settings.plaintext_auth == auth::PlaintextAuth::Loopback, ..usual.clone() };
        let (resolver, anvil) = (None, Anvil::default());
        Smtpd(Arc::new(Service { settings, store, auth, router, resolver, anvil, trusting: Arc::new(trusting), usual: Arc::new(usual) }))
    }

    /// The same, asking the DNS by `resolver` and counting clients in `anvil`.
    #[must_use]
    pub fn asking(self, resolver: Option<net::dns::Resolver>, anvil: Anvil) -> Smtpd {
        let Service { settings, store, auth, router, trusting, usual, .. } = &*self.0;
        let (settings, store, auth, router) = (settings.clone(), store.clone(), auth.clone(), router.clone());
        Smtpd(Arc::new(Service { settings, store, auth, router, resolver, anvil, trusting: trusting.clone(), usual: usual.clone() }))
    }

    pub(crate) fn service(&self) -> &Service {
        &self.0
    }

    /// The language for one client: `move |peer| smtpd.dialogue(peer)` for `net::serve`.
    pub fn dialogue(&self, peer: &net::Peer) -> Session {
        let local = peer.remote.ip().is_loopback() && peer.local.ip().is_loopback();
        let settings = if local { &self.0.trusting } else { &self.0.usual };
        Session::new(settings.clone(), self.0.settings.implicit_tls, tokio::time::Instant::now().into_std())
    }

    /// Serves one connection to its end: `move |talk| smtpd.clone().serve(talk)` for `net::serve`.
    pub async fn serve(self, conversation: Conversation<Session>) {
        let (peer, session) = (PeerName::of(conversation.peer().remote), conversation.peer().number);
        let tally = Tally::default();
        let (verb, octets) = (CONNECT, None);
        let visit = Visit { service: self.0, conversation, peer, tally, verb, identity: None, tls: None, refusals: 0, octets };
        visit.run().instrument(tracing::info_span!("smtpd", session)).await;
    }
}
