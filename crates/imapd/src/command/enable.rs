//! ENABLE — RFC 5161: what the client names and we have is on from now to the end of the connection; the rest is ignored.
//!
//! Only before a mailbox is selected (§3.1), so that what a client is told of one mailbox keeps its form.

use imap::command::Extension;
use imap::{Response, Tagged};

use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn enable(reader: &mut Reader, _extensions: &[Extension]) -> Outcome {
    if reader.selected.is_some() {
        return Ok(Tagged::bad("ENABLE comes before a mailbox is selected"));
    }
    reader.talk.say(Response::Enabled(Vec::new())).await?;
    Ok(Tagged::ok("ENABLE completed"))
}
