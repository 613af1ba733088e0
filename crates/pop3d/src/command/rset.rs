//! RSET: no message is marked any more.

use net::Gone;
use pop3::Reply;

use crate::Next;
use crate::transaction::Guest;

pub(crate) async fn rset(guest: &mut Guest<'_>) -> Result<Next, Gone> {
    guest.maildrop.list.reset();
    let list = &guest.maildrop.list;
    let reply = Reply::ok(format!("Maildrop has {} messages ({} octets)", list.messages(), list.octets()));
    guest.done(reply).await
}
