//! ENABLE — RFC 5161: what the client names and we have is on from now to the end of the connection; the rest is ignored.
//!
//! Only before a mailbox is selected (§3.1), so that what a client is told of one mailbox keeps its form.

use imap::command::Extension;
use imap::{Entering, Response, Tagged};

use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn enable(reader: &mut Reader, extensions: &[Extension]) -> Outcome {
    if reader.selected.is_some() {
        return Ok(Tagged::bad("ENABLE comes before a mailbox is selected"));
    }
    let before = reader.enabled;
    let after = extensions.iter().fold(before, |enabled, extension| enabled.with(*extension));
    // Only what this command has switched on (§3.2): what was on is not named again.
    let news = extensions.iter().filter(|extension| after.has(**extension) && !before.has(**extension));
    let names = news.map(|extension| extension.name().into()).collect();
    reader.enabled = after;
    reader.talk.say(Response::Enabled(names)).await?;
    let ok = Tagged::ok("ENABLE completed");
    Ok(if after.rev2() { ok.entering(Entering::Rev2) } else { ok })
}
