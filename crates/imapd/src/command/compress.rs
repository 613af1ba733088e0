//! COMPRESS — RFC 4978: from the tagged OK on, both ends send DEFLATE. Twice is once too often.

use dialogue::Answer;
use imap::{Code, Tagged};

use crate::halt::Halt;
use crate::session::Reader;

pub(super) async fn compress(reader: &mut Reader) -> Result<Option<Tagged>, Halt> {
    if reader.talk.is_compressed() {
        return Err(Tagged::no("DEFLATE is active already").code(Code::CompressionActive).into());
    }
    reader.talk.answer(Answer::Compress(Tagged::ok("DEFLATE active").into())).await?;
    Ok(None)
}
