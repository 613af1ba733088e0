//! AUTH: the login by SASL (RFC 5034).

use auth::{Login, Progress};
use dialogue::{Answer, Event};
use net::Gone;
use pop3::{Code, Command, Reply, Secret};

use crate::authorization::Stranger;
use crate::{Next, ended, no};

pub(crate) async fn auth(stranger: &mut Stranger<'_>, mechanism: &str, initial: Option<Secret>) -> Result<Next, Gone> {
    if !stranger.may_use_password() {
        return stranger.done(no::insecure()).await;
    }
    let (client, binding) = (stranger.client(), stranger.talk.binding());
    let initial = initial.as_ref().map(Secret::reveal);
    let mut progress = Login::start(&stranger.house.auth, client, mechanism.as_bytes(), binding, initial).await;
    loop {
        let (text, login) = match progress {
            Progress::Challenge { text, next } => (text, next),
            Progress::LoggedIn(identity) => return stranger.judged(mechanism, Ok(identity)).await,
            Progress::Denied(denied) => return stranger.judged(mechanism, Err(denied)).await,
            Progress::Malformed => return stranger.done(Reply::err("That is not what the mechanism expects")).await,
            Progress::Cancelled => return stranger.done(Reply::err("Cancelled")).await,
            Progress::UnknownMechanism => return stranger.done(Reply::coded(Code::Auth, "No such mechanism here")).await,
        };
        stranger.talk.answer(Answer::Go(Reply::Challenge(text))).await?;
        progress = match stranger.talk.next().await {
            Some(Event::Line(line)) => login.line(&line).await,
            Some(Event::Command(Command::Refused { reply, last })) => return stranger.refuse(reply, last).await,
            Some(Event::Ended(why)) => return ended::ended(stranger.talk, why).await,
            Some(_) => return stranger.done(Reply::err("Unexpected")).await,
            None => return Ok(Next::Over),
        };
    }
}

/// AUTH alone: the mechanisms, one a line.
pub(crate) async fn auth_list(stranger: &mut Stranger<'_>) -> Result<Next, Gone> {
    stranger.talk.answer(Answer::Part(Reply::Follows("Mechanisms follow".into()))).await?;
    if stranger.may_use_password() {
        let mechanisms = stranger.house.auth.mechanisms(stranger.talk.binding().is_some());
        let names: String = mechanisms.into_iter().map(|mechanism| format!("{}\r\n", mechanism.name())).collect();
        stranger.talk.answer(Answer::Chunk(names.into())).await?;
    }
    stranger.done(Reply::End).await
}
