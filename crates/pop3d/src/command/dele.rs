//! DELE: marks; QUIT removes.

use net::Gone;
use pop3::{Number, Reply};

use crate::transaction::Guest;
use crate::{Next, no};

pub(crate) async fn dele(guest: &mut Guest<'_>, number: Number) -> Result<Next, Gone> {
    let reply = guest.maildrop.list.delete(number).map_or_else(no::absent, |()| Reply::ok("Marked deleted"));
    guest.done(reply).await
}
