//! STLS: the loop shakes hands once the answer is out, and throws away what was sent before (RFC 2595 §4).

use dialogue::Answer;
use net::Gone;
use pop3::Reply;

use crate::Next;
use crate::authorization::Stranger;

pub(crate) async fn stls(stranger: &mut Stranger<'_>) -> Result<Next, Gone> {
    if stranger.talk.secured() {
        return stranger.done(Reply::err("TLS stands already")).await;
    }
    if !stranger.house.settings.stls {
        return stranger.done(Reply::err("TLS is not to be had here")).await;
    }
    stranger.talk.answer(Answer::Upgrade(Reply::ok("Begin TLS"))).await?;
    Ok(Next::Go)
}
