//! IDLE — RFC 2177: tells what happens as it happens, until DONE.

use std::time::Duration;

use dialogue::{Answer, Event};
use imap::view::Expunge;
use imap::{Code, Condition, Response, Tagged};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::halt::{Halt, Outcome};
use crate::selected::Fate;
use crate::session::{Reader, interrupted};

pub(crate) async fn idle(reader: &mut Reader) -> Outcome {
    // Listen first, then look: nothing falls between.
    let mut watch = reader.store().watch(reader.account());
    reader.talk.answer(Answer::Go(Response::Continue("idling".into()))).await?;
    Box::pin(news(reader)).await?;
    let settings = reader.imapd.settings();
    let (mut silence, mut look) = (every(settings.still_here), every(settings.look));
    loop {
        let look_now = tokio::select! {
            event = reader.talk.next() => return match event {
                Some(Event::Line(_)) => Ok(Tagged::ok("IDLE completed")), // the dialogue passes on DONE alone
                other => Err(interrupted(other)),
            },
            () = watch.changed() => true,
            _ = look.tick() => true,
            _ = silence.tick() => false,
        };
        if !look_now {
            reader.talk.say(Condition::ok(None, "Still here")).await?;
        } else if Box::pin(news(reader)).await? {
            silence.reset();
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Tells what happened, if anything did. Boxed by who asks: it looks into the store, and a session in IDLE hardly ever does.
async fn news(reader: &mut Reader) -> Result<bool, Halt> {
    let (store, account) = (reader.store(), reader.account());
    let Some(selected) = &mut reader.selected else { return Ok(false) };
    if selected.catch_up(&store, account).await? == Fate::Gone {
        let bye = Response::Bye(Some(Code::NonExistent), "The selected mailbox was deleted".into());
        reader.talk.answer(Answer::Close(bye)).await?;
        return Err(Halt::Gone);
    }
    let mut lines = selected.tell(Expunge::Now, reader.enabled.form(false));
    let mentioned = selected.mentioned(); // how many there are after what was just told
    if !lines.iter().any(|line| matches!(line, Response::Exists(_))) {
        lines.extend(mentioned);
    }
    let any = !lines.is_empty();
    reader.talk.say_all(lines).await?;
    Ok(any)
}
