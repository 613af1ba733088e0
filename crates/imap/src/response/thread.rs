//! `* THREAD` — RFC 5256 §4.
//!
//! ```text
//! thread-data    = "THREAD" [SP 1*thread-list]
//! thread-list    = "(" (thread-members / thread-nested) ")"
//! thread-members = nz-number *(SP nz-number) [SP thread-nested]
//! thread-nested  = 2*thread-list
//! ```

use super::wire;
use bytes::BytesMut;
use mail::thread::{Forest, Step};

/// Behind the star. `numbers`: of each message, by its index in the forest.
pub(super) fn write(forest: &Forest, numbers: &[u32], out: &mut BytesMut) {
    out.extend_from_slice(b"THREAD");
    // A space goes before the first thread, and behind a number.
    let mut space: &[u8] = b" ";
    for step in forest.walk() {
        match step {
            Step::Open => {
                out.extend_from_slice(space);
                out.extend_from_slice(b"(");
                space = b"";
            }
            Step::Message(index) => {
                out.extend_from_slice(space);
                wire::number(out, numbers.get(index as usize).copied().unwrap_or_default().into());
                space = b" ";
            }
            Step::Close => {
                out.extend_from_slice(b")");
                space = b"";
            }
        }
    }
}
