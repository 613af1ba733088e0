//! QUIT: UPDATE (RFC 1939 §6). Only here do messages leave, and `+OK` means that they have.

use net::Gone;
use pop3::{Code, Reply};

use crate::Next;
use crate::transaction::Guest;

pub(crate) async fn quit(guest: &mut Guest<'_>) -> Result<Next, Gone> {
    let (maildrop, store) = (&mut *guest.maildrop, &guest.house.store);
    let reply = match maildrop.remove_deleted(store).await {
        Ok(()) => Reply::ok("Bye"),
        Err(error) => {
            tracing::error!(%error, "messages deleted by POP3 could not be removed");
            Reply::coded(Code::SysTemp, "The deleted messages could not be removed")
        }
    };
    maildrop.write_seen(store).await;
    maildrop.release(); // before the answer: its reader may log in again at once
    guest.close(reply).await
}
