//! AUTHENTICATE — RFC 3501 §6.2.2, with or without an initial response (RFC 4959).

use auth::Identity;
use dialogue::{Answer, Event};
use imap::command::Authenticate;
use imap::{Response, Tagged};
use sasl::{Exchange, Mechanism, Step};

use super::capability::may_send_password;
use super::login;
use crate::Imapd;
use crate::halt::Halt;
use crate::session::interrupted;
use crate::talk::Talk;

pub(crate) async fn authenticate(talk: &mut Talk, imapd: &Imapd, authenticate: Authenticate) -> Result<Identity, Halt> {
    let Some(mechanism) = Mechanism::of_name(authenticate.mechanism.as_bytes()) else {
        return Err(Tagged::no("Unknown mechanism").code(imap::Code::Cannot).into());
    };
    if !may_send_password(imapd, talk) {
        return Err(login::in_clear(talk));
    }
    let mut step = Exchange::start(mechanism, authenticate.initial.as_deref());
    loop {
        step = match step {
            Step::Challenge { text, next } => {
                talk.answer(Answer::Go(Response::Challenge(text))).await?;
                match talk.next().await {
                    Some(Event::Line(response)) => next.step(&response),
                    other => return Err(interrupted(other)),
                }
            }
            Step::Credentials(credentials) => {
                return imapd.auth().check_credentials(&credentials, talk.address()).await.map_err(login::denied);
            }
            Step::Bad => return Err(Tagged::bad("Not in the mechanism's language").into()),
            Step::Cancelled => return Err(Tagged::bad("Authentication cancelled").into()),
        };
    }
}
