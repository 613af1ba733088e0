//! STARTTLS — RFC 3501 §6.2.1. What the client sent in clear behind it is thrown away by the loop (C-02).

use dialogue::Answer;
use imap::Tagged;

use crate::Imapd;
use crate::halt::Halt;
use crate::talk::Talk;

pub(crate) async fn starttls(talk: &mut Talk, imapd: &Imapd) -> Result<(), Halt> {
    if talk.is_secured() {
        return Err(Tagged::bad("TLS is active already").into());
    }
    if !imapd.settings().starttls {
        return Err(Tagged::bad("TLS is not available").into());
    }
    Ok(talk.answer(Answer::Upgrade(Tagged::ok("Begin TLS negotiation now").into())).await?)
}
