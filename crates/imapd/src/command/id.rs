//! ID — RFC 2971: who is speaking, for logs. Never believed.

use imap::{Response, Tagged};

use crate::halt::Outcome;
use crate::talk::Talk;

pub(crate) async fn id(talk: &mut Talk, fields: &[(String, Option<String>)]) -> Outcome {
    let said = |name: &str| {
        let found = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_deref()).unwrap_or_default()
    };
    // `?` escapes what could forge a line.
    tracing::info!(rip = %talk.address(), name = ?said("name"), version = ?said("version"), os = ?said("os"), "client");
    let ours = [("name", "Posthouse"), ("version", env!("CARGO_PKG_VERSION"))];
    talk.say(Response::Id(ours.map(|(field, value)| (field.into(), Some(value.into()))).to_vec())).await?;
    Ok(Tagged::ok("ID completed"))
}
