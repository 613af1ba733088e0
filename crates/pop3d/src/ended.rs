//! The end from outside.

use dialogue::{Answer, Ended};
use net::Gone;
use pop3::{Code, Reply};

use crate::{Next, Talk};

/// Says goodbye where that is due. After ten idle minutes nothing is said (RFC 1939 §3).
pub(crate) async fn ended(talk: &mut Talk, why: Ended) -> Result<Next, Gone> {
    match why {
        Ended::Peer | Ended::Garbled => {}
        Ended::Timeout => talk.answer(Answer::Close(Reply::Nothing)).await?,
        Ended::Stop => talk.answer(Answer::Close(Reply::coded(Code::SysTemp, "The server is stopping"))).await?,
    }
    Ok(Next::Over)
}
