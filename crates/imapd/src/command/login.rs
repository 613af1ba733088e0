//! LOGIN — RFC 3501 §6.2.3: user name and password, in clear but for the TLS below.

use auth::{Denied, Identity};
use imap::command::Login;
use imap::{Code, Tagged};

use super::capability::may_send_password;
use crate::Imapd;
use crate::halt::Halt;
use crate::talk::Talk;

pub(crate) async fn login(talk: &mut Talk, imapd: &Imapd, login: Login) -> Result<Identity, Halt> {
    if !may_send_password(imapd, talk) {
        return Err(in_clear(talk));
    }
    // What is not UTF-8 is nobody's name, and takes as long to be found so as any other.
    let user = String::from_utf8_lossy(&login.user);
    imapd.auth().check(&user, &login.password, talk.client()).await.map_err(denied)
}

/// The password that came anyway has been seen by everybody on the way (C-03).
pub(super) fn in_clear(talk: &Talk) -> Halt {
    tracing::warn!(rip = %talk.address(), "a client tried to send its password without TLS");
    Tagged::no("Use TLS first").code(Code::PrivacyRequired).into()
}

/// One text for a wrong name and a wrong password (C-06).
pub(super) fn denied(denied: Denied) -> Halt {
    match denied {
        Denied::BadCredentials => Tagged::no("Authentication failed").code(Code::AuthenticationFailed),
        Denied::Disabled => Tagged::no("The account is disabled").code(Code::ContactAdmin),
        Denied::Unavailable(_) => Tagged::no("Logins can't be checked now, try again later").code(Code::Unavailable),
    }
    .into()
}
