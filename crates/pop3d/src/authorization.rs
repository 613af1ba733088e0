//! AUTHORIZATION: from the greeting to a maildrop (RFC 1939 §4).

use auth::{Denied, Identity, SessionLog};
use dialogue::{Answer, Event};
use net::Gone;
use pop3::{Code, Command, Reply};

use crate::maildrop::Maildrop;
use crate::{MAX_FAILED_LOGINS, Next, Pop3d, Talk, command, ended, no};

/// A client that is not logged in.
pub(crate) struct Stranger<'s> {
    pub(crate) house: &'s Pop3d,
    pub(crate) talk: &'s mut Talk,
    failed_logins: u32,
    entered: Option<(Maildrop, SessionLog)>,
}

/// Runs until the client is in, and gives its maildrop; `None` when the session is over.
pub(crate) async fn run(house: &Pop3d, talk: &mut Talk) -> Result<Option<(Maildrop, SessionLog)>, Gone> {
    let mut stranger = Stranger { house, talk, failed_logins: 0, entered: None };
    while let Some(event) = stranger.talk.next().await {
        let next = match event {
            Event::Command(command) => stranger.obey(command).await?,
            Event::Ended(why) => ended::ended(stranger.talk, why).await?,
            Event::Line(_) | Event::Body(_) | Event::BodyEnd => Next::Go, // none outside an exchange
        };
        match (next, stranger.entered.take()) {
            (Next::Over, _) => return Ok(None),
            (Next::Go, Some(entered)) => return Ok(Some(entered)),
            (Next::Go, None) => {}
        }
    }
    Ok(None)
}

impl Stranger<'_> {
    async fn obey(&mut self, command: Command) -> Result<Next, Gone> {
        match command {
            Command::User(_) => command::user(self).await,
            Command::Pass { user, password } => command::pass(self, &user, password).await,
            Command::Auth { mechanism, initial } => command::auth(self, &mechanism, initial).await,
            Command::AuthList => command::auth_list(self).await,
            Command::Capa => command::capa(self.house, self.talk, false).await,
            Command::Stls => command::stls(self).await,
            Command::Quit => self.close(Reply::ok("Bye")).await,
            Command::Refused { reply, last } => self.refuse(reply, last).await,
            _ => self.done(Reply::err("Log in first")).await, // the language lets none through
        }
    }

    /// Whether a password may be sent over this connection, as it is now.
    pub(crate) fn may_use_password(&self) -> bool {
        may_use_password(self.house, self.talk)
    }

    /// As `auth` knows it.
    pub(crate) fn client(&self) -> auth::Client {
        auth::Client { address: self.talk.peer().remote.ip(), service: auth::Service::Pop3 }
    }

    /// Where it comes from, for the log.
    fn origin(&self) -> auth::Origin {
        let peer = self.talk.peer();
        let tls = self.talk.tls().map(|tls| tls.in_log());
        auth::Origin { remote: peer.remote.ip(), local: peer.local.ip(), tls, session: peer.session() }
    }

    /// Opens the maildrop of one who proved to be itself, or tells why not.
    pub(crate) async fn judged(&mut self, method: &str, judged: Result<Identity, Denied>) -> Result<Next, Gone> {
        let identity = match judged {
            Ok(identity) => identity,
            Err(denied) => {
                let counts = !matches!(denied, Denied::Unavailable(_));
                self.failed_logins += u32::from(counts);
                return self.refuse(no::denied(&denied), self.failed_logins >= MAX_FAILED_LOGINS).await;
            }
        };
        let Some(lock) = self.house.locks.take(identity.account) else {
            return self.done(Reply::coded(Code::InUse, "Another session holds this maildrop")).await;
        };
        match Maildrop::open(&self.house.store, identity, lock).await {
            Ok(maildrop) => {
                let reply = Reply::LoggedIn { messages: maildrop.list.messages(), octets: maildrop.list.octets() };
                let log = SessionLog::begin(auth::Service::Pop3, &maildrop.user, method, self.origin());
                self.entered = Some((maildrop, log));
                self.done(reply).await
            }
            Err(error) => self.done(no::failed(&error)).await,
        }
    }

    pub(crate) async fn done(&mut self, reply: Reply) -> Result<Next, Gone> {
        self.talk.answer(Answer::Done(reply)).await?;
        Ok(Next::Go)
    }

    pub(crate) async fn refuse(&mut self, reply: Reply, last: bool) -> Result<Next, Gone> {
        if last { self.close(reply).await } else { self.done(reply).await }
    }

    async fn close(&mut self, reply: Reply) -> Result<Next, Gone> {
        self.talk.answer(Answer::Close(reply)).await?;
        Ok(Next::Over)
    }
}

/// See [`auth::may_use_password`]; loopback means that both ends are.
pub(crate) fn may_use_password(house: &Pop3d, talk: &Talk) -> bool {
    let peer = talk.peer();
    let loopback = peer.remote.ip().is_loopback() && peer.local.ip().is_loopback();
    auth::may_use_password(talk.secured(), loopback, house.settings.plaintext_auth)
}
