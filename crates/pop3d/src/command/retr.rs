//! RETR: a message, streamed.

use dialogue::Answer;
use net::Gone;
use pop3::{Number, Reply};

use crate::transaction::Guest;
use crate::{Next, no};

pub(crate) async fn retr(guest: &mut Guest<'_>, number: Number) -> Result<Next, Gone> {
    let (octets, mut reader) = match guest.open(number).await? {
        Ok(opened) => opened,
        Err(next) => return Ok(next),
    };
    guest.talk.answer(Answer::Part(Reply::Follows(format!("{octets} octets").into()))).await?;
    loop {
        match reader.chunk().await {
            Ok(Some(chunk)) => guest.talk.answer(Answer::Chunk(chunk)).await?,
            Ok(None) => break,
            Err(error) => return guest.break_off(&error).await,
        }
    }
    guest.talk.answer(Answer::Done(Reply::End)).await?;
    guest.maildrop.saw(number, &guest.house.store).await;
    Ok(Next::Go)
}

impl Guest<'_> {
    /// Opens a message for RETR or TOP, or answers why not.
    pub(super) async fn open(&mut self, number: Number) -> Result<Result<(u64, bodies::Reader), Next>, Gone> {
        let octets = match self.maildrop.list.message(number) {
            Ok(octets) => octets,
            Err(absent) => return self.done(no::absent(absent)).await.map(Err),
        };
        match self.maildrop.read(number, &self.house.store).await {
            Ok(Some(reader)) => Ok(Ok((octets, reader))),
            Ok(None) if self.maildrop.is_asked_again(number) => self.close(no::gone()).await.map(Err),
            Ok(None) => self.done(no::gone()).await.map(Err),
            Err(error) => self.done(no::failed(&error)).await.map(Err),
        }
    }

    /// The message can't be read to its end. What was sent can't be called back, and an end would pass it off as whole.
    pub(super) async fn break_off(&mut self, error: &(dyn std::fmt::Display + Sync)) -> Result<Next, Gone> {
        tracing::error!(%error, "a message can't be read to its end");
        self.close(Reply::Nothing).await
    }
}
