//! USER: welcome to everybody, so that nobody learns who exists; refused in clear before the password follows.

use net::Gone;
use pop3::Reply;

use crate::authorization::Stranger;
use crate::{Next, no};

pub(crate) async fn user(stranger: &mut Stranger<'_>) -> Result<Next, Gone> {
    let reply = if stranger.may_use_password() { Reply::ok("Password, please") } else { no::insecure() };
    stranger.done(reply).await
}
