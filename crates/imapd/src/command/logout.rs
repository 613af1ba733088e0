//! LOGOUT — RFC 3501 §6.1.3.

use dialogue::Answer;
use imap::{Response, Tagged};

use crate::halt::Halt;
use crate::talk::Talk;

pub(crate) async fn logout(talk: &mut Talk) -> Result<(), Halt> {
    let lines = vec![Response::Bye(None, "Logging out".into()), Tagged::ok("LOGOUT completed").into()];
    Ok(talk.answer(Answer::Close(Response::Batch(lines))).await?)
}
