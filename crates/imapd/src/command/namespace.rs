//! NAMESPACE — RFC 2342: one personal namespace, without a prefix.

use imap::response::Namespaces;
use imap::{Response, Tagged};

use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn namespace(reader: &mut Reader) -> Outcome {
    reader.talk.say(Response::Namespace(Namespaces::personal_only())).await?;
    Ok(Tagged::ok("NAMESPACE completed"))
}
