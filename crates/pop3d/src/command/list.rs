//! LIST: sizes.

use bytes::BytesMut;
use dialogue::Answer;
use net::Gone;
use pop3::{Number, Reply, scan_line};

use crate::transaction::Guest;
use crate::{Next, no};

/// Lines are gathered up to this many bytes: one piece for most maildrops, and no more than the loop holds anyway.
pub(crate) const PIECE: usize = 16 * 1024;

pub(crate) async fn list(guest: &mut Guest<'_>, number: Option<Number>) -> Result<Next, Gone> {
    if let Some(number) = number {
        let reply = guest.maildrop.list.message(number).map_or_else(no::absent, |octets| Reply::Scan(number, octets));
        return guest.done(reply).await;
    }
    let list = &guest.maildrop.list;
    let head = format!("{} messages ({} octets)", list.messages(), list.octets());
    guest.talk.answer(Answer::Part(Reply::Follows(head.into()))).await?;
    let mut lines = BytesMut::new();
    for (number, octets) in list.listing() {
        scan_line(&mut lines, number, octets);
        if lines.len() >= PIECE {
            guest.talk.answer(Answer::Chunk(lines.split().freeze())).await?;
        }
    }
    guest.talk.answer(Answer::Chunk(lines.freeze())).await?;
    guest.done(Reply::End).await
}
