//! SELECT, EXAMINE — RFC 3501 §6.3.1, §6.3.2, and RFC 9051 §6.3.2 with LIST, without RECENT and UNSEEN; CONDSTORE, QRESYNC, CLOSED — RFC 7162 §3.1.8, §3.2.5, §3.2.11.

use imap::command::{Extension, Select};
use imap::{Code, Condition, Response, Tagged};

use super::list;
use crate::halt::Outcome;
use crate::resync;
use crate::selected::{Selected, claim};
use crate::session::Reader;

pub(super) async fn select(reader: &mut Reader, select: &Select, read_only: bool) -> Outcome {
    if select.qresync.is_some() && !reader.enabled.qresync() {
        return Ok(Tagged::bad("ENABLE QRESYNC first"));
    }
    if select.condstore || select.qresync.is_some() {
        reader.enabled = reader.enabled.with(Extension::Condstore);
    }
    // Whatever comes of it, what was selected is no more (E-03).
    if reader.selected.take().is_some() {
        reader.talk.say(Condition::ok(Some(Code::Closed), "The mailbox selected before is closed")).await?;
    }
    let (store, account) = (reader.store(), reader.account());
    let opened = store.open(account, &select.mailbox).await?;
    let rev2 = reader.enabled.rev2();
    let recent = match read_only {
        _ if rev2 => 0..0,
        true => opened.mailbox.recent_from..u64::MAX,
        // Most often there is nothing to claim, and nothing to ask.
        false if opened.mailbox.recent_from == opened.mailbox.uidnext => 0..0,
        false => claim(&store, account, opened.mailbox.id).await,
    };
    let selected = Selected::new(&opened, recent, read_only, !read_only && !rev2);
    let mailbox = opened.mailbox.clone();
    drop(opened); // nothing big is held while the client is told
    let mut lines = vec![Response::Flags(selected.flags()), selected.permanent_flags(), Response::Exists(selected.view.count())];
    if rev2 {
        lines.push(list::of_one(&store, account, &mailbox).await?);
    } else {
        lines.push(Response::Recent(selected.view.recent()));
        lines.extend(selected.view.first_unseen().map(|first| Condition::ok(Some(Code::Unseen(first)), "First unseen").into()));
    }
    lines.push(Condition::ok(Some(Code::UidValidity(mailbox.uidvalidity)), "UIDs valid").into());
    lines.push(Condition::ok(Some(Code::UidNext(mailbox.uidnext)), "Predicted next UID").into());
    // To all: Thunderbird asks what has changed without having said that it will.
    lines.push(selected.highest_told());
    reader.talk.say_all(lines).await?;
    // Of another UIDVALIDITY it knows nothing (M-10).
    if let Some(known) = select.qresync.as_ref().filter(|known| known.uidvalidity == mailbox.uidvalidity.get()) {
        resync::resync(&mut reader.talk, &store, account, &selected, known).await?;
    }
    reader.selected = Some(selected);
    Ok(match read_only {
        true => Tagged::ok("EXAMINE completed").code(Code::ReadOnly),
        false => Tagged::ok("SELECT completed").code(Code::ReadWrite),
    })
}
