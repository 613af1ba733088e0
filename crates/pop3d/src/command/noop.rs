//! NOOP: nothing.

use net::Gone;
use pop3::Reply;

use crate::Next;
use crate::transaction::Guest;

pub(crate) async fn noop(guest: &mut Guest<'_>) -> Result<Next, Gone> {
    guest.done(Reply::ok("Nothing done")).await
}
