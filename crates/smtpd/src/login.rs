//! AUTH: the exchange carries lines between the client and `auth`, which judges them.

use crate::anvil::Event as Counted;
use crate::visit::{Visit, note};
use auth::{Client, Denied, Login, Progress, Service};
use dialogue::{Answer, Event};
use mail::Status;
use net::Gone;
use smtp::{Auth, Command, Reply};

const FAILED: Reply = Reply::fixed(535, Status(5, 7, 8), "Error: authentication failed: authentication failure");
const DISABLED: Reply = Reply::fixed(535, Status(5, 7, 13), "Error: authentication failed: account disabled");
const UNAVAILABLE: Reply = Reply::fixed(454, Status(4, 7, 0), "Temporary authentication failure");

/// Runs one exchange to its answer; gives the event that ended it from outside, if one did.
pub(crate) async fn login(visit: &mut Visit, command: Auth) -> Result<Option<Event<Command>>, Gone> {
    let Some(auth) = visit.service().auth().cloned() else {
        visit.say(Answer::Done(UNAVAILABLE)).await?;
        return Ok(None);
    };
    if visit.counted(Counted::Auth).is_err() {
        visit.say(Answer::Done(Reply::new(450, Status(4, 7, 1), format!("Error: too many AUTH commands from {}", visit.peer().address)))).await?;
        return Ok(None);
    }
    let client = Client { address: visit.peer().address, service: Service::Submission };
    let mut progress = Login::start(&auth, client, command.mechanism.as_bytes(), visit.binding(), command.initial.as_deref()).await;
    loop {
        let next = match progress {
            Progress::Challenge { text, next } => {
                visit.say(Answer::Go(Reply::challenge(&text))).await?;
                next
            }
            ended => {
                finish(visit, command.mechanism, ended).await?;
                return Ok(None);
            }
        };
        progress = match visit.next().await {
            Some(Event::Line(line)) => next.line(&line).await,
            Some(other) => return Ok(Some(other)),
            None => return Ok(None),
        };
    }
}

async fn finish(visit: &mut Visit, mechanism: String, ended: Progress) -> Result<(), Gone> {
    let denied = matches!(ended, Progress::Denied(_));
    let reply = match ended {
        Progress::LoggedIn(identity) => {
            visit.logged_in(identity, mechanism);
            return visit.say(Answer::Done(Reply::AUTHENTICATED)).await;
        }
        Progress::Denied(Denied::BadCredentials) => FAILED,
        Progress::Denied(Denied::Disabled) => DISABLED,
        Progress::Denied(Denied::Unavailable(_)) => UNAVAILABLE,
        Progress::Cancelled => Reply::AUTH_ABORTED,
        Progress::UnknownMechanism => Reply::AUTH_UNKNOWN,
        Progress::Malformed | Progress::Challenge { .. } => Reply::AUTH_NOT_BASE64,
    };
    // fail2ban's filter for Postfix knows LOGIN and PLAIN here, and no SCRAM: a guess by SCRAM shall count as well.
    let (named, method) = if denied && mechanism.starts_with("SCRAM") { ("LOGIN", format!(", sasl_method={mechanism}")) } else { (mechanism.as_str(), String::new()) };
    note!(visit, "warning: {}: SASL {named} authentication failed: {}{method}", visit.peer(), reply.text());
    visit.say(Answer::Done(reply)).await
}
