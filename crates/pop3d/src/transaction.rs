//! TRANSACTION: what a client does with its maildrop (RFC 1939 §5).

use dialogue::{Answer, Event};
use net::Gone;
use pop3::{Command, Reply};

use crate::maildrop::Maildrop;
use crate::{Next, Pop3d, Talk, command, ended};

/// A client that is logged in.
pub(crate) struct Guest<'s> {
    pub(crate) house: &'s Pop3d,
    pub(crate) talk: &'s mut Talk,
    pub(crate) maildrop: &'s mut Maildrop,
}

/// Runs until the session is over.
pub(crate) async fn run(house: &Pop3d, talk: &mut Talk, maildrop: &mut Maildrop) -> Result<(), Gone> {
    let mut guest = Guest { house, talk, maildrop };
    while let Some(event) = guest.talk.next().await {
        let next = match event {
            Event::Command(command) => guest.obey(command).await?,
            Event::Ended(why) => ended::ended(guest.talk, why).await?,
            Event::Line(_) | Event::Body(_) | Event::BodyEnd => Next::Go, // none outside an exchange
        };
        if matches!(next, Next::Over) {
            break;
        }
    }
    Ok(())
}

impl Guest<'_> {
    async fn obey(&mut self, command: Command) -> Result<Next, Gone> {
        match command {
            Command::Stat => command::stat(self).await,
            Command::List(number) => command::list(self, number).await,
            Command::Uidl(number) => command::uidl(self, number).await,
            Command::Top { number, lines } => command::top(self, number, lines).await,
            Command::Retr(number) => command::retr(self, number).await,
            Command::Dele(number) => command::dele(self, number).await,
            Command::Noop => command::noop(self).await,
            Command::Rset => command::rset(self).await,
            Command::Capa => command::capa(self.house, self.talk, true).await,
            Command::Quit => command::quit(self).await,
            Command::Refused { reply, last: false } => self.done(reply).await,
            Command::Refused { reply, last: true } => self.close(reply).await,
            _ => self.done(Reply::err("Already logged in")).await, // the language lets none through
        }
    }

    pub(crate) async fn done(&mut self, reply: Reply) -> Result<Next, Gone> {
        self.talk.answer(Answer::Done(reply)).await?;
        Ok(Next::Go)
    }

    pub(crate) async fn close(&mut self, reply: Reply) -> Result<Next, Gone> {
        self.talk.answer(Answer::Close(reply)).await?;
        Ok(Next::Over)
    }
}
