//! CAPABILITY — RFC 3501 §6.1.1: exactly what works now; also in the greeting and in the OK of a login (C-04).

use imap::response::Text;
use imap::response::code::{self, Announce};
use imap::{Response, Tagged};

use crate::Imapd;
use crate::halt::Outcome;
use crate::talk::Talk;

pub(crate) async fn capability(talk: &mut Talk, imapd: &Imapd, logged_in: bool) -> Outcome {
    let names = capabilities(imapd, talk, logged_in);
    talk.say(Response::Capability(names)).await?;
    Ok(Tagged::ok("CAPABILITY completed"))
}

/// What can be announced on this connection now.
pub(crate) fn capabilities(imapd: &Imapd, talk: &Talk, logged_in: bool) -> Vec<Text> {
    let mechanisms: Vec<&str> = imapd.auth().mechanisms(talk.binding().is_some()).into_iter().map(sasl::Mechanism::name).collect();
    let password = may_send_password(imapd, talk);
    code::capabilities(&Announce {
        logged_in,
        starttls: imapd.settings().starttls && !talk.is_secured(),
        mechanisms: if password { &mechanisms } else { &[] },
        login_disabled: !password,
        compress: logged_in && !talk.is_compressed(),
        append_limit: imapd.settings().append_limit,
    })
}

/// Whether a password may cross this wire (C-03).
pub(crate) fn may_send_password(imapd: &Imapd, talk: &Talk) -> bool {
    auth::may_use_password(talk.is_secured(), talk.is_loopback(), imapd.settings().plaintext_auth)
}
