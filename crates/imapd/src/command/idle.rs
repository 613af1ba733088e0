//! IDLE — RFC 2177: tells what happens as it happens, until DONE.

use dialogue::{Answer, Event};
use imap::view::Expunge;
use imap::{Code, Condition, Response, Tagged};

use crate::halt::{Halt, Outcome};
use crate::selected::Fate;
use crate::session::{Reader, interrupted};

pub(super) async fn idle(reader: &mut Reader) -> Outcome {
    // Listen first, then look: nothing falls between.
    let mut watch = reader.store().watch(reader.account());
    reader.talk.answer(Answer::Go(Response::Continue("idling".into()))).await?;
    news(reader).await?;
    let still_here = reader.imapd.settings().still_here;
    let mut silence = tokio::time::interval_at(tokio::time::Instant::now() + still_here, still_here);
    silence.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = reader.talk.next() => return match event {
                Some(Event::Line(_)) => Ok(Tagged::ok("IDLE completed")), // the dialogue passes on DONE alone
                other => Err(interrupted(other)),
            },
            () = watch.changed() => {
                if news(reader).await? {
                    silence.reset();
                }
            }
            _ = silence.tick() => reader.talk.say(Condition::ok(None, "Still here")).await?,
        }
    }
}

/// Tells what happened, if anything did.
async fn news(reader: &mut Reader) -> Result<bool, Halt> {
    let (store, account) = (reader.store(), reader.account());
    let Some(selected) = &mut reader.selected else { return Ok(false) };
    if selected.catch_up(&store, account).await? == Fate::Gone {
        let bye = Response::Bye(Some(Code::NonExistent), "The selected mailbox was deleted".into());
        reader.talk.answer(Answer::Close(bye)).await?;
        return Err(Halt::Gone);
    }
    let lines = selected.tell(Expunge::Now, false);
    let any = !lines.is_empty();
    reader.talk.say_all(lines).await?;
    Ok(any)
}
