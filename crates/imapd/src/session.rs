//! A connection: greeted, logged in, served command by command, said farewell.
//!
//! ```text
//! greeting ─► visitor (before login) ──identity──► reader (after login) ─► farewell
//! ```

use auth::Identity;
use dialogue::{Answer, Ended, Event};
use imap::command::{Extension, Key};
use imap::response::Kind;
use imap::view::Expunge;
use imap::{Code, Command, CommandBody, Condition, Response, SequenceSet, Tagged};

use crate::command;
use crate::command::capability::capabilities;
use crate::enabled::Enabled;
use crate::halt::Halt;
use crate::seats::Seat;
use crate::selected::{Fate, Selected};
use crate::talk::Talk;
use crate::{Imapd, no};

/// A logged-in client.
pub(crate) struct Reader {
    pub(crate) talk: Talk,
    pub(crate) imapd: Imapd,
    pub(crate) identity: Identity,
    pub(crate) selected: Option<Selected>,
    pub(crate) enabled: Enabled,
    _seat: Seat,
}

impl Reader {
    pub(crate) fn account(&self) -> store::AccountId {
        self.identity.account
    }

    pub(crate) fn store(&self) -> store::Store {
        self.imapd.store().clone()
    }

    /// The client names MODSEQs. The first time it is told the selected mailbox's highest (RFC 7162 §3.1, M-07).
    pub(crate) async fn enable_condstore(&mut self) -> Result<(), Halt> {
        if self.enabled.condstore() {
            return Ok(());
        }
        self.enabled = self.enabled.with(Extension::Condstore);
        if let Some(selected) = &self.selected {
            self.talk.say(selected.highest_told()).await?;
        }
        Ok(())
    }

    /// The selected mailbox and the client, for commands that need one.
    pub(crate) fn selected(&mut self) -> Result<(&mut Selected, &mut Talk), Halt> {
        match &mut self.selected {
            Some(selected) => Ok((selected, &mut self.talk)),
            None => Err(Tagged::bad("No mailbox selected").into()),
        }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(imapd: Imapd, conversation: net::Conversation<imap::Session>) {
    let mut talk = Talk::new(conversation);
    let code = Code::Capability(capabilities(&imapd, &talk, false));
    let greeting = Condition::ok(Some(code), "Posthouse ready");
    if talk.answer(Answer::Done(greeting.into())).await.is_err() {
        return;
    }
    let Some((identity, seat, method)) = Box::pin(visitor(&mut talk, &imapd)).await else {
        tracing::debug!(rip = %talk.address(), "left without a login");
        return;
    };
    let log = auth::SessionLog::begin(auth::Service::Imap, &identity.login.to_string(), &method, talk.origin());
    let mut reader = Reader { talk, imapd, identity, selected: None, enabled: Enabled::default(), _seat: seat };
    let why = read(&mut reader).await;
    let octets = reader.talk.octets();
    let why = reader.talk.failure().map_or_else(|| why.to_owned(), |failure| format!("{why} ({failure})"));
    log.end(&why, octets.read, octets.written);
}

/// Until a login: gives who it is and how it logged in, or `None` when the connection ends first.
async fn visitor(talk: &mut Talk, imapd: &Imapd) -> Option<(Identity, Seat, String)> {
    let mut failures = 0;
    loop {
        let body = match talk.next().await? {
            Event::Command(Command { body, .. }) => body,
            Event::Ended(why) => {
                farewell(talk, why).await;
                return None;
            }
            _ => continue, // nothing else is due, and the dialogue gives nothing else
        };
        let method = match &body {
            CommandBody::Login(_) => Some("PLAIN".to_owned()), // as Dovecot calls it
            CommandBody::Authenticate(authenticate) => Some(authenticate.mechanism.clone()),
            _ => None,
        };
        let tagged = match before_login(talk, imapd, body).await {
            Ok(Step::LoggedIn(identity, seat)) => return Some((identity, seat, method.unwrap_or_default())),
            Ok(Step::Answered) => continue,
            Ok(Step::Left) | Err(Halt::Gone) => return None,
            Ok(Step::Said(tagged)) | Err(Halt::Answer(tagged)) => tagged,
            Err(Halt::Reflex(reflex)) => {
                let closes = reflex.closes();
                talk.answer(reflex.answer()).await.ok().filter(|()| !closes)?;
                continue;
            }
            Err(Halt::Ended(why)) => {
                farewell(talk, why).await;
                return None;
            }
            Err(Halt::Store(error)) => no::store(&error),
            Err(Halt::Body(error)) => no::body(&error),
            Err(Halt::Torn) => return None,
        };
        failures += u32::from(method.is_some());
        if method.is_some() && failures >= imapd.settings().login_failures {
            let bye = Response::Bye(None, "Too many failed logins".into());
            let _ = talk.answer(Answer::Close(Response::Batch(vec![bye, tagged.into()]))).await;
            return None;
        }
        talk.answer(Answer::Done(tagged.into())).await.ok()?;
    }
}

/// How far a command before login leads.
enum Step {
    LoggedIn(Identity, Seat),
    Said(Tagged),
    Answered,
    Left,
}

async fn before_login(talk: &mut Talk, imapd: &Imapd, body: CommandBody) -> Result<Step, Halt> {
    let identity = match body {
        CommandBody::Login(login) => command::login::login(talk, imapd, login).await?,
        CommandBody::Authenticate(authenticate) => command::authenticate::authenticate(talk, imapd, authenticate).await?,
        CommandBody::StartTls => return command::starttls::starttls(talk, imapd).await.map(|()| Step::Answered),
        other => {
            let said = command::any(talk, imapd, other, false).await?;
            return Ok(said.map_or(Step::Left, Step::Said));
        }
    };
    let (identity, seat) = seated(talk, imapd, identity).await?;
    Ok(Step::LoggedIn(identity, seat))
}

/// A client that is who it says gets a seat, and its OK with the capabilities of a logged-in client (C-04).
async fn seated(talk: &mut Talk, imapd: &Imapd, identity: Identity) -> Result<(Identity, Seat), Halt> {
    let Some(seat) = imapd.seats().take(identity.account, talk.address()) else {
        tracing::warn!(user = %identity.login, rip = %talk.address(), "too many sessions of this user from there");
        return Err(Tagged::no("Too many connections").code(Code::Limit).into());
    };
    let code = Code::Capability(capabilities(imapd, talk, true));
    let ok = Tagged::ok("Logged in").code(code).entering(imap::Entering::LoggedIn);
    talk.answer(Answer::Done(ok.into())).await?;
    Ok((identity, seat))
}

/// What is told with a command's answer: the column that all commands share.
struct Manners {
    /// `None`: nothing is told, since the answer itself says what the mailbox is (SELECT) or leaves it (CLOSE).
    tells: Option<Expunge>,
    /// FETCH lines told carry UIDs (S-09).
    uid: bool,
    /// The command removes messages: its OK says up to which MODSEQ all is told then (RFC 7162 §3.2.7, M-12).
    removes: bool,
    /// The command asks for news.
    asks: bool,
}

/// No EXPUNGE in FETCH, STORE, SEARCH, SORT and THREAD by number: the client may have sent more numbers already (E-01). Where it
/// has, none in what comes before them either (E-04), but in EXPUNGE and MOVE: it asked for that, and reckons with it.
fn manners(command: &Command) -> Manners {
    use CommandBody as C;
    let allowed = if command.number_follows { Expunge::Later } else { Expunge::Now };
    let by_number = |uid| if uid { allowed } else { Expunge::Later };
    let (tells, uid) = match &command.body {
        C::Fetch(fetch) => (Some(by_number(fetch.uid)), fetch.uid),
        C::Store(store) => (Some(by_number(store.uid)), store.uid),
        // Not in UID SEARCH either when its keys have numbers (RFC 7162 §3.2.10.2).
        C::Search(search) => (Some(by_number(search.uid && !search.key.any(&has_numbers))), search.uid),
        C::Sort(sort) => (Some(by_number(sort.uid)), sort.uid),
        C::Thread(thread) => (Some(by_number(thread.uid)), thread.uid),
        C::Copy(copy) => (Some(allowed), copy.uid),
        C::Expunge(set) => (Some(Expunge::Now), set.is_some()),
        C::Move(copy) => (Some(Expunge::Now), copy.uid),
        // What comes behind their own data is not known.
        C::Append(_) | C::Idle => (Some(Expunge::Later), false),
        C::Select(_) | C::Examine(_) | C::Close | C::Unselect | C::Logout | C::Reflex(_) => (None, false),
        _ => (Some(allowed), false),
    };
    let removes = matches!(command.body, C::Expunge(_) | C::Move(_));
    let asks = matches!(command.body, C::Noop | C::Check | C::Idle);
    Manners { tells, uid, removes, asks }
}

fn has_numbers(key: &Key) -> bool {
    matches!(key, Key::Set(SequenceSet::Ranges(_)))
}

/// Serves a logged-in client; says why it ended.
async fn read(reader: &mut Reader) -> &'static str {
    loop {
        let command = match reader.talk.next().await {
            Some(Event::Command(command)) => command,
            Some(Event::Ended(why)) => return farewell(&mut reader.talk, why).await,
            Some(_) => continue,
            None => return "Connection closed",
        };
        let manners = manners(&command);
        let logout = matches!(command.body, CommandBody::Logout);
        // Boxed, so that a session that waits for a command does not have the room that one needs.
        let outcome = Box::pin(command::run(reader, command.body)).await;
        match Box::pin(answer(reader, outcome, &manners)).await {
            Ok(()) if logout => return "Logged out",
            Ok(()) => {}
            Err(why) => return why,
        }
    }
}

/// Ends a command: what happened in the mailbox meanwhile, then the tagged line, in one piece (E-09).
async fn answer(reader: &mut Reader, outcome: Result<Option<Tagged>, Halt>, manners: &Manners) -> Result<(), &'static str> {
    let mut tagged = match outcome {
        Ok(Some(tagged)) | Err(Halt::Answer(tagged)) => tagged,
        Ok(None) => return Ok(()), // it answered by itself
        Err(Halt::Store(error)) => no::store(&error),
        Err(Halt::Body(error)) => no::body(&error),
        Err(Halt::Reflex(reflex)) => {
            let closes = reflex.closes();
            if reflex.empties_saved()
                && let Some(selected) = &mut reader.selected
            {
                selected.view.save(&[]);
            }
            let told = reader.talk.answer(reflex.answer()).await;
            return if closes || told.is_err() { Err("Too many errors") } else { Ok(()) };
        }
        Err(Halt::Gone) => return Err("Connection closed"),
        Err(Halt::Ended(why)) => return Err(farewell(&mut reader.talk, why).await),
        Err(Halt::Torn) => {
            tracing::error!(user = %reader.identity.login, "a body ended before its size; the connection is closed");
            let _ = reader.talk.answer(Answer::Close(Response::Bye(Some(Code::ServerBug), "A message ended early".into()))).await;
            return Err("A body ended early");
        }
    };
    let mut lines = Vec::new();
    if let Some(expunge) = manners.tells {
        match catch_up(reader).await {
            Fate::There => {
                if let Some(selected) = &mut reader.selected {
                    lines = selected.tell(expunge, reader.enabled.form(manners.uid));
                    selected.mention(&lines, manners.asks);
                    if manners.removes && reader.enabled.qresync() && tagged.kind == Kind::Ok {
                        tagged = tagged.code(Code::HighestModSeq(selected.told()));
                    }
                }
            }
            Fate::Gone => {
                // E-11: its numbers mean nothing any more, and no other mailbox of that name may be taken for it.
                let bye = Response::Bye(Some(Code::NonExistent), "The selected mailbox was deleted".into());
                let _ = reader.talk.answer(Answer::Close(Response::Batch(vec![bye, tagged.into()]))).await;
                return Err("the selected mailbox was deleted");
            }
        }
    }
    let told = reader.talk.say_all(lines).await;
    let done = reader.talk.answer(Answer::Done(tagged.into())).await;
    told.and(done).map_err(|_| "connection closed")
}

/// Looks what happened. If the store can't say, nothing is told: it will be at the next command.
async fn catch_up(reader: &mut Reader) -> Fate {
    let (store, account) = (reader.store(), reader.account());
    let Some(selected) = &mut reader.selected else { return Fate::There };
    match selected.catch_up(&store, account).await {
        Ok(fate) => fate,
        Err(error) => {
            tracing::error!(%error, "changes of the selected mailbox can't be read");
            Fate::There
        }
    }
}

/// BYE before we close (C-08).
async fn farewell(talk: &mut Talk, why: Ended) -> &'static str {
    let (bye, reason) = match why {
        Ended::Peer => return "Connection closed",
        Ended::Timeout => (Response::Bye(None, "Autologout, idle for too long".into()), "Inactivity"),
        Ended::Garbled => (Response::Bye(None, "What you compressed cannot be read".into()), "Garbled"),
        Ended::Stop => (Response::Bye(Some(Code::Unavailable), "The server is stopping".into()), "Server shutting down."),
    };
    let _ = talk.answer(Answer::Close(bye)).await;
    reason
}

/// For commands that take what the client sends within them: what came in its place.
pub(crate) fn interrupted(event: Option<Event<Command>>) -> Halt {
    match event {
        Some(Event::Ended(why)) => Halt::Ended(why),
        Some(Event::Command(Command { body: CommandBody::Reflex(reflex), .. })) => Halt::Reflex(reflex),
        Some(_) => Halt::Answer(Tagged::bad("Not expected here")),
        None => Halt::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a session in IDLE holds of futures, in octets. What is rare within a command must be boxed where it begins: a future has room for
    /// the largest branch it may ever take, and ten thousand clients in IDLE take none.
    const IDLE: usize = 6 << 10;

    fn size<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_session_in_idle_is_small() {
        let served = size(|(imapd, conversation)| serve(imapd, conversation));
        let run = size(|(reader, body): (&'static mut Reader, CommandBody)| command::run(reader, body));
        let idle = size(|reader: &'static mut Reader| command::idle::idle(reader));
        assert!(served + run + idle <= IDLE, "serve {served}, run {run}, idle {idle}");
    }
}
