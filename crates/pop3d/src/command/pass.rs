//! PASS: the login.

use net::Gone;
use pop3::Secret;

use crate::authorization::Stranger;
use crate::{Next, no};

pub(crate) async fn pass(stranger: &mut Stranger<'_>, user: &str, password: Secret) -> Result<Next, Gone> {
    if !stranger.may_use_password() {
        return stranger.done(no::insecure()).await;
    }
    let from = stranger.talk.peer().remote.ip();
    let judged = stranger.house.auth.check(user, password.reveal(), from).await;
    stranger.judged(judged).await
}
