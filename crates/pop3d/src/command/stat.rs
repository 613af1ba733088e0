//! STAT: counted at login and at each mark, so no message is looked at.

use net::Gone;
use pop3::Reply;

use crate::Next;
use crate::transaction::Guest;

pub(crate) async fn stat(guest: &mut Guest<'_>) -> Result<Next, Gone> {
    let list = &guest.maildrop.list;
    let reply = Reply::Stat { messages: list.messages(), octets: list.octets() };
    guest.done(reply).await
}
