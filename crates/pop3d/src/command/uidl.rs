//! UIDL: names that last from session to session.

use bytes::BytesMut;
use dialogue::Answer;
use net::Gone;
use pop3::{Number, Reply, unique_id_line};

use super::list::PIECE;
use crate::transaction::Guest;
use crate::{Next, no};

pub(crate) async fn uidl(guest: &mut Guest<'_>, number: Option<Number>) -> Result<Next, Gone> {
    if let Some(number) = number {
        let id = guest.maildrop.unique_id(number);
        return guest.done(id.map_or_else(no::absent, |id| Reply::UniqueId(number, id))).await;
    }
    guest.talk.answer(Answer::Part(Reply::Follows("Unique ids follow".into()))).await?;
    let maildrop = &*guest.maildrop;
    let mut lines = BytesMut::new();
    for (number, _) in maildrop.list.listing() {
        if let Ok(id) = maildrop.unique_id(number) {
            unique_id_line(&mut lines, number, &id);
        }
        if lines.len() >= PIECE {
            guest.talk.answer(Answer::Chunk(lines.split().freeze())).await?;
        }
    }
    guest.talk.answer(Answer::Chunk(lines.freeze())).await?;
    guest.done(Reply::End).await
}
