//! `* ESEARCH` — RFC 4731 §3.1, grammar of RFC 4466 §2.6.2.
//!
//! ```text
//! esearch-response = "ESEARCH" [SP "(" "TAG" SP string ")"] [SP "UID"]
//!                    [SP "MIN" SP nz-number] [SP "MAX" SP nz-number] [SP "COUNT" SP number] [SP "ALL" SP sequence-set] [SP "MODSEQ" SP mod-sequence-value]
//! ```

use super::{code, wire};
use crate::command::Tag;
use crate::command::search::Returns;
use bytes::BytesMut;
use mail::ModSeq;

/// What a search found, as far as it was asked. The line is sent even if nothing was (RFC 4731 §3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Esearch {
    uid: bool,
    min: Option<u32>,
    max: Option<u32>,
    count: Option<usize>,
    all: Vec<u32>,
    modseq: Option<ModSeq>,
}

impl Esearch {
    /// Of sequence numbers, or of UIDs. Their order is kept, and the first of them is MIN (RFC 5267 §3.1).
    pub fn new(returns: Returns, uid: bool, found: Vec<u32>) -> Esearch {
        Esearch {
            uid,
            min: found.first().copied().filter(|_| returns.min),
            max: found.last().copied().filter(|_| returns.max),
            count: returns.count.then_some(found.len()),
            all: if returns.all { found } else { Vec::new() },
            modseq: None,
        }
    }

    /// The highest MODSEQ of them, where one was searched for (RFC 4731 §3.2).
    pub fn modseq(self, modseq: Option<ModSeq>) -> Esearch {
        Esearch { modseq, ..self }
    }

    pub(super) fn write(&self, tag: Option<&Tag>, out: &mut BytesMut) {
        out.extend_from_slice(b"* ESEARCH");
        if let Some(tag) = tag {
            out.extend_from_slice(b" (TAG ");
            wire::string(out, tag.as_str().as_bytes());
            out.extend_from_slice(b")");
        }
        if self.uid {
            out.extend_from_slice(b" UID");
        }
        let numbers = [("MIN", self.min), ("MAX", self.max)];
        for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
            wire::push(out, format_args!(" {name} {number}"));
        }
        if let Some(count) = self.count {
            wire::push(out, format_args!(" COUNT {count}"));
        }
        if !self.all.is_empty() {
            out.extend_from_slice(b" ALL ");
            code::runs(self.all.iter().copied(), out);
        }
        if let Some(modseq) = self.modseq {
            wire::push(out, format_args!(" MODSEQ {modseq}"));
        }
        out.extend_from_slice(b"\r\n");
    }
}
