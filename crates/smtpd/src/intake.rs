//! A body on its way in: its header is completed, its octets go to a draft, its structure is found as it streams by.
//!
//! | crash or drop after | what is left                        |
//! |---------------------|-------------------------------------|
//! | any octet           | a draft: removed, or swept after it |
//! | `finish`            | a sealed body no row names: the same |

use crate::head::{self, Additions, Completed, Head};
use bodies::{Bodies, Draft, Sealed};
use bytes::Bytes;
use mail::mime::{Limits, Scanner, Structure};

/// A body being received. After a write failed the rest is read and dropped: the peer is told at the end.
pub struct Intake {
    draft: Draft,
    scanner: Scanner,
    stage: Stage,
    failed: Option<bodies::Error>,
    most: usize,
    header: Bytes,
    message_id: String,
    hops: usize,
}

enum Stage {
    Head(Head, Additions),
    Body,
}

/// A body received whole, and durable but for the commit.
pub struct Received {
    pub body: Sealed,
    pub structure: Structure,
    /// Its header, ours included.
    pub header: Bytes,
    /// For the log.
    pub message_id: String,
    /// Servers it went through before us.
    pub hops: usize,
}

impl Intake {
    /// Of a message whose header gets these additions, if it has at most `most` octets.
    pub fn new(bodies: &Bodies, most: usize, additions: Additions) -> Intake {
        Intake {
            draft: bodies.draft(),
            scanner: Scanner::new(Limits::default()),
            stage: Stage::Head(Head::new(most), additions),
            failed: None,
            most,
            header: Bytes::new(),
            message_id: String::new(),
            hops: 0,
        }
    }

    /// Takes a piece, cut anywhere.
    pub async fn feed(&mut self, chunk: Bytes) {
        match std::mem::replace(&mut self.stage, Stage::Body) {
            Stage::Head(mut head, additions) => match head.push(&chunk) {
                Some((header, rest)) => {
                    self.begin(head::complete(&header, self.most, additions)).await;
                    self.write(&rest).await;
                }
                None => self.stage = Stage::Head(head, additions),
            },
            Stage::Body => self.write(&chunk).await,
        }
    }

    /// Ends it: seals the draft.
    ///
    /// # Errors
    /// What befell the draft at the first write that failed.
    pub async fn finish(mut self) -> Result<Received, bodies::Error> {
        if let Stage::Head(head, additions) = std::mem::replace(&mut self.stage, Stage::Body) {
            self.begin(head::complete(&head.end(), self.most, additions)).await;
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(Received {
                body: self.draft.sealed().await?,
                structure: self.scanner.finish(),
                header: self.header,
                message_id: self.message_id,
                hops: self.hops,
            }),
        }
    }

    async fn begin(&mut self, head: Completed) {
        (self.message_id, self.hops) = (head.message_id, head.hops);
        self.header = head.bytes.into();
        let header = self.header.clone();
        self.write(&header).await;
    }

    async fn write(&mut self, octets: &[u8]) {
        if self.failed.is_none() && !octets.is_empty() {
            self.scanner.feed(octets);
            self.failed = self.draft.write(octets).await.err();
        }
    }
}
