//! PASS: the login.

use net::Gone;
use pop3::Secret;

use crate::authorization::Stranger;
use crate::{Next, no};

pub(crate) async fn pass(stranger: &mut Stranger<'_>, user: &str, password: Secret) -> Result<Next, Gone> {
    if !stranger.may_use_password() {
        return stranger.done(no::insecure()).await;
    }
    let client = stranger.client();
    let judged = stranger.house.auth.check(user, password.reveal(), client).await;
    stranger.judged("PLAIN", judged).await
}
