//! AUTHENTICATE — RFC 3501 §6.2.2, with or without an initial response (RFC 4959).

use auth::{Identity, Login, Progress};
use dialogue::{Answer, Event};
use imap::command::Authenticate;
use imap::{Response, Tagged};

use super::capability::may_send_password;
use super::login;
use crate::Imapd;
use crate::halt::Halt;
use crate::session::interrupted;
use crate::talk::Talk;

pub(crate) async fn authenticate(talk: &mut Talk, imapd: &Imapd, authenticate: Authenticate) -> Result<Identity, Halt> {
    if sasl::Mechanism::of_name(authenticate.mechanism.as_bytes()).is_none() {
        return Err(unknown());
    }
    if !may_send_password(imapd, talk) {
        return Err(login::in_clear(talk));
    }
    let (mechanism, initial) = (authenticate.mechanism.as_bytes(), authenticate.initial.as_deref());
    let mut progress = Login::start_decoded(imapd.auth(), talk.client(), mechanism, talk.binding(), initial).await;
    loop {
        progress = match progress {
            Progress::Challenge { text, next } => {
                talk.answer(Answer::Go(Response::Challenge(text))).await?;
                match talk.next().await {
                    Some(Event::Line(response)) => next.response(&response).await,
                    other => return Err(interrupted(other)),
                }
            }
            Progress::LoggedIn(identity) => return Ok(identity),
            Progress::Denied(denied) => return Err(login::denied(denied)),
            Progress::Malformed => return Err(Tagged::bad("Not in the mechanism's language").into()),
            Progress::Cancelled => return Err(Tagged::bad("Authentication cancelled").into()),
            Progress::UnknownMechanism => return Err(unknown()),
        };
    }
}

fn unknown() -> Halt {
    Tagged::no("Unknown mechanism").code(imap::Code::Cannot).into()
}
