//! SELECT, EXAMINE — RFC 3501 §6.3.1, §6.3.2.

use imap::{Code, Condition, Response, Tagged};
use mail::MailboxName;

use crate::halt::Outcome;
use crate::selected::Selected;
use crate::session::Reader;

pub(super) async fn select(reader: &mut Reader, name: &MailboxName, read_only: bool) -> Outcome {
    // Whatever comes of it, what was selected is no more (E-03).
    reader.selected = None;
    let (store, account) = (reader.store(), reader.account());
    let opened = store.open(account, name).await?;
    let recent = match read_only {
        true => opened.mailbox.recent_from..u64::MAX,
        false => store.take_recent(account, opened.mailbox.id).await?,
    };
    let selected = Selected::new(&opened, recent, read_only);
    let mailbox = opened.mailbox.clone();
    drop(opened); // nothing big is held while the client is told
    let mut lines = vec![
        Response::Flags(selected.flags()),
        selected.permanent_flags(),
        Response::Exists(selected.view.count()),
        Response::Recent(selected.view.recent()),
    ];
    if let Some(first) = selected.view.first_unseen() {
        lines.push(Condition::ok(Some(Code::Unseen(first)), "First unseen").into());
    }
    lines.push(Condition::ok(Some(Code::UidValidity(mailbox.uidvalidity)), "UIDs valid").into());
    lines.push(Condition::ok(Some(Code::UidNext(mailbox.uidnext)), "Predicted next UID").into());
    reader.talk.say_all(lines).await?;
    reader.selected = Some(selected);
    Ok(match read_only {
        true => Tagged::ok("EXAMINE completed").code(Code::ReadOnly),
        false => Tagged::ok("SELECT completed").code(Code::ReadWrite),
    })
}
