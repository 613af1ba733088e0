//! TOP: the header and some lines, without a mark that the message was read.

use dialogue::Answer;
use net::Gone;
use pop3::command::top::Top;
use pop3::{Number, Reply};

use crate::Next;
use crate::transaction::Guest;

pub(crate) async fn top(guest: &mut Guest<'_>, number: Number, lines: u32) -> Result<Next, Gone> {
    let mut reader = match guest.open(number).await? {
        Ok((_, reader)) => reader,
        Err(next) => return Ok(next),
    };
    guest.talk.answer(Answer::Part(Reply::Follows("The top follows".into()))).await?;
    let mut top = Top::new(lines);
    while !top.is_done() {
        match reader.chunk().await {
            Ok(Some(mut chunk)) => {
                chunk.truncate(top.take(&chunk));
                guest.talk.answer(Answer::Chunk(chunk)).await?;
            }
            Ok(None) => {
                guest.talk.answer(Answer::Chunk(top.missing().into())).await?;
                break;
            }
            Err(error) => return guest.break_off(&error).await,
        }
    }
    guest.done(Reply::End).await
}
